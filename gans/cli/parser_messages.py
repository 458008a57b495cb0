"""What the parser says of a configuration, as one line about what was typed."""

import re
import sys

from divergences.available_memory import lack_of_memory
from gans.cli.allowed_classes import refusal
from gans.cli.did_you_mean import meant
from gans.cli.errors import REMEDY
from gans.runtime.escaping import printable


def one_line(error: Exception) -> str:
    """The parser's nested message reduced to what the user typed and what is wrong with it."""
    lack = lack_of_memory(error, REMEDY)
    if lack is not None:
        return lack
    message = " ".join(str(error).split())
    noise = (
        r"Does not validate against any of the Union subtypes Subtypes: \[.*?\] Errors: ",
        r"- Expected a path but \S+ either not accessible or invalid ",
        r"- Expected a <class 'NoneType'>",
        r"Given value type: .*",
        r"- Not a valid subclass of \w+\.? (?:Got value: .*? )?Subclass types expect one of: "
        r".*?(?=- Problem with given class_path)",  # a sequence was given, of which one is wrong
        r"Type collections\.abc\.Callable.* expects a function or a callable class: ",
    )
    for pattern in noise:
        message = re.sub(pattern, "", message)
    message = re.sub(
        r"(?:- )?Expected a dot import path string: (\S+)",
        r"no class is named \1; give an import path such as divergences.GradientPenalty",
        message,
    )
    whole = " ".join(str(error).split())
    given = re.search(r"Given value type: .*? Given value: ([\w.+-]+)(?: |$)", whole)
    if given and "Expected a" in message:
        message += f" (given: {given[1]})"
    message = re.sub(
        r"Importing '(\S+)' is not allowed, .*? to allow it\.",
        lambda found: refusal(found[1]),
        message,
    )
    message = " ".join(message.replace(" - ", " ").replace(": - ", ": ").split())
    message = re.sub(
        r"no class is named (\S+); give [\w .]+ Expected a <class '(?:float|int)'> \(given: \1\)",
        r"\1 is no number",
        message,
    )
    return printable(plainly(message).removeprefix("- ") + meant(whole + message))


SENTENCES = {
    r"the following arguments are required: fit\.model": (
        "there is no model; name a configuration, such as --config ring_gan"
    ),
    r'expected "subcommand" to be one of \{fit\}, but it was not provided\.': (
        "there is no command; train with fit --config FILE"
    ),
    r"\.? ?\.? Got value: Namespace\(.*\)": "",
    r"Expected '([\w.]+)' to be a subclass of <class '(\w+)'>[. ]*(?:Got value: .*)?": (
        r"\1 is no \2; derive it from that class, or put a torch module into gans.PlainGenerator "
        "or gans.PlainCritic as its network"
    ),
    r"Not a valid subclass of (\w+) Subclass types expect one of: a class path .*": (
        r"a \1 is given by class_path, such as gans.WGAN, and init_args"
    ),
}


def plainly(message: str) -> str:
    """The parser's sentences about classes, with what is to be done.

    Example:
        >>> plainly("Expected 'mine.Net' to be a subclass of <class 'Generator'>.. Got value: ...")
        'mine.Net is no Generator; ...'
    """
    for pattern, plain in SENTENCES.items():
        message = re.sub(pattern, plain, message)
    return re.sub(
        r"Expected an instantiatable class, but ([\w.]+) is abstract", _abstract, message
    )


def _abstract(found: re.Match[str]) -> str:
    """What a class lacks; or that it is none to be named, if it is of ours."""
    module, _, name = found[1].rpartition(".")
    if module.split(".")[0] in ("gans", "divergences"):
        return (
            f"no class is given; give class_path, such as gans.WGAN, and init_args, not a {name}"
        )
    lacks = getattr(getattr(sys.modules.get(module), name, None), "__abstractmethods__", ())
    return (
        f"{found[1]} is abstract: it lacks {', '.join(sorted(lacks)) or 'what its base asks for'}"
    )
