"""How a command ends: one line on stderr and an exit code, or the traceback under ``--debug``."""

import errno
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor

from divergences.available_memory import lack_of_memory
from divergences.standard_streams import drop_output, mend_streams
from gans.runtime.escaping import flush, printable, tell
from gans.runtime.signals import Stopped, stopped_in_order

BAD_INPUT, BUG = 2, 70
"""Exit codes besides 0 and those of :class:`SystemExit`; 1 is an unexpected verdict."""
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room, then give the command again"),
    errno.EROFS: "name a place where you may write",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EEXIST: "that is no folder; move it away, or name another place",
    errno.EISDIR: "that is a folder; move it away, or name a file",
    errno.ENOTDIR: "a part of that name is a file; name another place",
}
"""What to do about what the system refuses."""
REMEDY = "lower model.batch_size, the number of model.seeds, points (n) or sizes of networks"
"""Of a lack of memory."""


def remedy(error: Exception) -> str:
    """What to do about what the system refused, as the end of a message, or nothing."""
    number = error.errno if isinstance(error, OSError) else None
    return f"; {REMEDIES[number]}" if number in REMEDIES else ""


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
    """Run a command; its exit code, or 2 for bad input, 70 for a bug.

    128 and its number for a signal that asked to stop, so 130 for Ctrl-C; 141 where nobody reads
    the output any more.

    Arguments:
        command: What to run.
        debug: Let every error through, with its traceback.
        refused: What bad input raises besides ``ValueError`` and ``OSError``.
        shorten: From an error to the line that is printed.
    """
    mend_streams()
    if debug:
        return command()
    before = threading.excepthook
    threading.excepthook = lambda _: None  # a writer thread's error is raised again in this one
    try:
        with stopped_in_order():
            code = command()
            flush()
            return code
    except (KeyboardInterrupt, Stopped) as stopped:
        tell("; ".join(["\ninterrupted", *getattr(stopped, "__notes__", ())]))
        return 128 + getattr(stopped, "signal", signal.SIGINT)
    except BrokenPipeError:
        return drop_output()
    except (ValueError, OSError, *refused) as error:
        tell(f"error: {shorten(error)}{remedy(error)}")
        drop_output()  # if that is what cannot be written, it is not tried again at the end
        return BAD_INPUT
    except BrokenExecutor as error:
        tell(
            f"error: a worker process ended before its work "
            f"({printable(error)}); look for a lack of memory, then give the command again"
        )
        return BAD_INPUT
    except Exception as error:
        lack = lack_of_memory(error, REMEDY)
        if lack is not None:
            tell(f"error: {lack}")
            return BAD_INPUT
        tell(
            f"error: this is a bug, {type(error).__name__}: {printable(error)}; please report it "
            "with what the same command prints under --debug"
        )
        return BUG
    finally:
        threading.excepthook = before
