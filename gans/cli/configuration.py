"""Configurations from files: plain values, read from one folder, that name what is listed."""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace, _stubs_resolver, set_parsing_settings
from pytorch_lightning import Trainer
from pytorch_lightning.cli import LightningArgumentParser

from divergences.available_memory import lack_of_memory
from gans.cli import left_out, lightning_classes
from gans.cli.allowed_classes import Vocabulary, listed, refusal
from gans.cli.did_you_mean import meant, settings
from gans.cli.errors import REMEDY
from gans.generator_module import GeneratorModule
from gans.runtime.escaping import printable
from gans.runtime.files import contents, inside

LARGEST = 100_000
"""Bytes of a configuration file."""
VALUES, LETTERS, LEVELS = 10_000, 1_000_000, 40
"""Size of a configuration, with what aliases repeat and other files add."""
LONGEST = 1000
"""Values of a list. The time of the parser grows with the square of its length."""
SINGLE = ("out", "ckpt_path", "seed_everything", "weights_only")
"""What is no section of settings."""
TEXTS = ("accelerator", "devices", "precision", "max_time", "strategy")
"""Settings of the trainer that may be text in a file; elsewhere text names folders or code."""
CLASS_KEYS = ("class_path", "init_args", "dict_kwargs")
STRATEGIES = ("auto", "SharedBatch", "gans.SharedBatch", "gans.sharing.SharedBatch")
"""How a file may ask for several processes."""


class Parser(LightningArgumentParser):
    """Lightning's parser, but files are read by :func:`read`, and by nothing else."""

    def parse_path(self, path: Any, *args: Any, **kwargs: Any) -> Namespace:
        tree = left_out.in_tree(read(Path(path)))
        check_sections(tree)
        return self.parse_string(yaml.safe_dump(tree), *args, **kwargs)

    def dump(self, namespace: Any, *args: Any, **kwargs: Any) -> str:
        """The configuration as a file that can be given back."""
        config, switched_off = left_out.spelled(namespace)
        return left_out.said(super().dump(config, *args, **kwargs), switched_off)

    def add_class_arguments(self, *args: Any, **kwargs: Any) -> list[str]:
        return super().add_class_arguments(*args, **{**kwargs, "sub_configs": False})


def model_parser(**sections: type) -> Parser:
    """Understands the ``model`` part of a configuration, and sections of the classes named."""
    parser = Parser(exit_on_error=False)
    parser.add_lightning_class_args(GeneratorModule, "model", subclass_mode=True)
    for name, cls in sections.items():
        parser.add_lightning_class_args(cls, name)
    return parser


def limit_imports(modules: Sequence[str] = ()) -> Vocabulary:
    """Let configurations name what is listed, and what is in ``modules``, in this process."""
    known = Vocabulary(modules)
    # Where a signature lacks a type, the parser starts ``python -c "import json"`` to learn where
    # stubs might be, and that looks for json.py in the current folder first.
    _stubs_resolver.typeshed_client_support = False
    set_parsing_settings(
        import_path_denylist=["*"],
        import_path_allowlist=known.names(),
        config_read_mode_urls_enabled=False,
        config_read_mode_fsspec_enabled=False,  # Lightning has turned it on
        instantiate_subclass_spec_in_any=False,
        validate_subclass_spec_in_any=True,
    )
    return known


def read(
    path: Path, what: str = "a configuration", kept: Sequence[str] = (), shown: bool = True
) -> dict[str, Any]:
    """The mapping in a YAML file, with the files beside it that it names in their places.

    Text that ends in ``.yaml`` or ``.yml`` stands for the class and arguments in that file, which
    must be in the same folder or below it. No message shows what is in any other file.

    Arguments:
        path: The file.
        what: It is, for messages.
        kept: Keys of the outermost level whose text stays what it is.
        shown: Whether messages may show its keys, as the command line has named it.

    Raises:
        ValueError: If it is not a mapping of plain values; the message names file and remedy.
    """
    content = _loaded(path, what, shown)
    if not isinstance(content, dict):
        kind = "nothing" if content is None else type(content).__name__
        raise ValueError(f"{path}: {what} is a mapping of keys to values; this is {kind}")
    return _Plain(path, kept).copy(content, 0)


class _Plain:
    """Copies what YAML holds as plain values, without aliases, and counts them.

    A text or a file that is there often is read once.
    """

    def __init__(self, path: Path, kept: Sequence[str]):
        self.path, self.kept, self.count, self.letters = path, kept, 0, 0
        self.spelled: dict[str, Any] = {}
        self.parts: dict[Path, Any] = {}

    def copy(self, value: Any, level: int) -> Any:
        self.count += 1
        self.letters += len(value) if isinstance(value, str) else 0
        if self.count > VALUES or self.letters > LETTERS or level > LEVELS:
            raise ValueError(
                f"{self.path}: more than {VALUES} values, {LETTERS} letters or {LEVELS} levels, "
                "with what aliases repeat and other files add; write less"
            )
        if isinstance(value, dict):
            self._check_class(value)
            return {self._key(k): self._inner(k, v, level) for k, v in value.items()}
        if isinstance(value, list):
            if len(value) > LONGEST:
                raise ValueError(
                    f"{self.path}: a list of {len(value)} values; give at most {LONGEST}, such as "
                    "fewer seeds in each of several runs"
                )
            return [self.copy(inner, level + 1) for inner in value]
        if isinstance(value, str):
            return self._text(value, level)
        if isinstance(value, int) and abs(value) >= 2**63:
            raise ValueError(
                f"{self.path}: an integer of {value.bit_length()} bits; give at most 63"
            )
        if not isinstance(value, int | float | None):
            raise ValueError(f"{self.path}: a {type(value).__name__} is no plain value; quote it")
        return value

    def _inner(self, key: str, value: Any, level: int) -> Any:
        return value if level == 0 and key in self.kept else self.copy(value, level + 1)

    def _check_class(self, mapping: dict[Any, Any]) -> None:
        beside = [key for key in mapping if key not in CLASS_KEYS]
        if "class_path" in mapping and beside:
            raise ValueError(
                f"{self.path}: {printable(beside[0])} stands beside class_path; the settings of a "
                "class stand below it, under init_args"
            )

    def _key(self, key: Any) -> str:
        if not isinstance(key, str):
            raise ValueError(f"{self.path}: the key {printable(key)} is no text; quote it")
        self.letters += len(key)
        return key

    def _text(self, text: str, level: int) -> Any:
        """The text, or what is in the file that it names, or the list or mapping it spells."""
        if text.endswith((".yaml", ".yml")) and "\n" not in text:
            beside = inside(self.path.parent, text)
            if not beside.is_file():
                raise ValueError(f"{self.path}: {printable(text)} is no file beside it")
            if beside not in self.parts:
                self.parts[beside] = _loaded(beside, f"a part of {self.path.name}")
            part = self.parts[beside]
            if not isinstance(part, dict) or not {*part} <= {"class_path", "init_args"}:
                raise ValueError(
                    f"{beside}: a part of {self.path.name} has class_path and init_args; this "
                    "has not, or more"
                )
            return self.copy(part, level + 1)
        outer = next((part for part in _beginnings(text) if part in listed()), None)
        if outer is not None:  # the parser looks into it before anybody can refuse it
            raise ValueError(f"{self.path}: {printable(text)} is a part of {outer}; name that")
        if text not in self.spelled:
            self.spelled[text] = self._spelled(text)
        spelled = self.spelled[text]
        return self.copy(spelled, level + 1) if isinstance(spelled, dict | list) else text

    def _spelled(self, text: str) -> Any:
        """What a text is, read as YAML; itself where it is none."""
        try:
            text.encode()
            return _parsed(text)
        except UnicodeEncodeError:
            raise ValueError(f"{self.path}: half a character in {printable(text):.60}") from None
        except RepeatedKey as error:
            raise ValueError(f"{self.path}: in a text, {error}") from None
        except Exception:
            return text


def _beginnings(name: str) -> Iterator[str]:
    """``a.b`` and ``a`` of ``a.b.c``."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


class RepeatedKey(ValueError):
    """A mapping says one thing twice, and a reader would take one of both."""

    def __init__(self, first: yaml.ScalarNode, second: yaml.ScalarNode):
        self.key = printable(first.value)
        lines = [node.start_mark.line + 1 for node in (first, second)]
        super().__init__(f"a key of line {lines[0]} is there again in line {lines[1]}; keep one")


class _Loader(yaml.SafeLoader):
    """Plain values, every key of a mapping once."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: dict[tuple[str, str], yaml.ScalarNode] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                before = seen.setdefault((key.tag, key.value), key)
                if before is not key:
                    raise RepeatedKey(before, key)
        return node


def _parsed(text: str) -> Any:
    """The plain values of a YAML document."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _loaded(path: Path, what: str, shown: bool = False) -> Any:
    """What is in a YAML file."""
    try:
        content = contents(path, LARGEST)
        text = content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else str(error)
        reason = "it is not text" if isinstance(error, UnicodeDecodeError) else told
        raise ValueError(f"{path}: {what} cannot be read: {reason}") from None
    if len(content) > LARGEST:
        raise ValueError(f"{path}: {what} has at most {LARGEST} bytes; this has more")
    try:
        return _parsed(text)
    except RepeatedKey as error:
        named = f"{error.key}: " if shown else ""
        raise ValueError(f"{path}: {named}{error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    except Exception:  # a tag whose text cannot be what it says, a character that YAML has not
        where = ""
    raise ValueError(f"{path}: {what} is not YAML of plain values{where}; see yaml.org") from None


def check_sections(tree: dict[str, Any]) -> None:
    """Refuse what only the command line may say: files, folders, and what reaches further.

    Lightning's loggers and callbacks are put as the parser is to be given them.

    Raises:
        ValueError: Names the key.
    """
    for name, section in tree.items():
        if name == "config" or "." in name:
            raise ValueError(
                f"{name}: files are named on the command line, and keys are nested in files, "
                "not dotted"
            )
        if (
            not isinstance(section, dict)
            and (name, section) != ("data", None)
            and name not in SINGLE
        ):
            raise ValueError(f"{name} = {printable(section):.80}: give a mapping of its settings")
    if isinstance(tree.get("fit"), dict):
        check_sections(tree["fit"])
    trainer = tree.get("trainer")
    for name, value in list(trainer.items()) if isinstance(trainer, dict) else ():
        if name not in settings(Trainer):
            close = meant(f"unrecognized arguments: --trainer.{name}")
            raise ValueError(f"trainer.{printable(name)}: the trainer has no such setting{close}")
        if name in lightning_classes.IN_FILES and isinstance(value, dict | list):
            tree["trainer"] = tree["trainer"] | {name: lightning_classes.taken(name, value)}
            continue
        kind = value.get("class_path") if isinstance(value, dict) else value
        good = (
            kind in STRATEGIES
            if name == "strategy" and value is not None
            else (
                not isinstance(value, str | dict | list)
                or (name in TEXTS and not isinstance(value, dict))
            )
        )
        if not good or (name == "num_nodes" and value not in (None, 1)):
            raise ValueError(
                f"trainer.{name} = {printable(kind):.80} is not taken from a file, because it can "
                f"reach beyond the run's folder; give --trainer.{name} on the command line"
            )


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
