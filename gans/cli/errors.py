"""How a command ends: one line on stderr and an exit code, or the traceback under ``--debug``."""

import argparse
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any, NoReturn, final

from divergences.available_memory import lack_of_memory
from gans.runtime.escaping import printable

BAD_INPUT, BUG, INTERRUPTED = 2, 70, 130
"""Exit codes besides 0 and those of :class:`SystemExit`; 1 is an unexpected verdict."""
REMEDY = "lower model.batch_size, the number of model.seeds, points (n) or sizes of networks"
"""Of a lack of memory."""


@final
class Parser(argparse.ArgumentParser):
    """A parser whose refusals are one line, whatever was typed."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))

    def flag(self, name: str, what: str, **settings: Any) -> None:
        """Add a flag whose help ends with its default; a list as default takes several values."""
        default = settings.get("default")
        if isinstance(default, list):
            settings["nargs"], default = "+", ", ".join(map(str, default))
        self.add_argument(name, help=f"{what} (default: {default})", **settings)


def raised_in(error: BaseException | None, modules: Sequence[str]) -> str:
    """The innermost function of one of the modules that an error has come through, or ``""``."""
    found, seen = "", set()
    while error is not None and id(error) not in seen:  # one raised again may be its own context
        seen.add(id(error))
        trace = error.__traceback__
        while trace is not None:
            frame = trace.tb_frame
            module = frame.f_globals.get("__name__", "")
            if any(f"{module}.".startswith(f"{name}.") for name in modules):
                owner = type(frame.f_locals["self"]).__name__ if "self" in frame.f_locals else None
                found = ".".join(filter(None, (module, owner, frame.f_code.co_name)))
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
    return found


def guarded(
    command: Callable[[], int],
    debug: bool = False,
    refused: Sequence[type[Exception]] = (),
    shorten: Callable[[Exception], str] = printable,
) -> int:
    """Run a command; its exit code, or 2 for bad input, 70 for a bug, 130 for Ctrl-C.

    Arguments:
        command: What to run.
        debug: Let every error through, with its traceback.
        refused: What bad input raises besides ``ValueError`` and ``OSError``.
        shorten: From an error to the line that is printed.
    """
    if debug:
        return command()
    before = threading.excepthook
    threading.excepthook = lambda _: None  # a writer thread's error is raised again in this one
    try:
        return command()
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError, *refused) as error:
        print(f"error: {shorten(error)}", file=sys.stderr)
        return BAD_INPUT
    except BrokenExecutor as error:
        print(
            f"error: a worker process ended before its work "
            f"({printable(error)}); look for a lack of memory, then give the command again",
            file=sys.stderr,
        )
        return BAD_INPUT
    except Exception as error:
        lack = lack_of_memory(error, REMEDY)
        if lack is not None:
            print(f"error: {lack}", file=sys.stderr)
            return BAD_INPUT
        print(
            f"error: this is a bug, {type(error).__name__}: {printable(error)}; please report it "
            "with what the same command prints under --debug",
            file=sys.stderr,
        )
        return BUG
    finally:
        threading.excepthook = before
