"""Calls of a package's whole public interface with arguments drawn at random.

``python -m tests.random_calls N SEED [PACKAGE]`` makes N calls in a child process and prints how
they ended, by outcome, and each bad one with what it takes to repeat it. A call may return, or
raise a ``TypeError``, ``ValueError`` or ``NotImplementedError`` that says something, or a
``RuntimeError`` that says how to give a solver more room. It may not take longer than
``SECONDS`` nor more memory than ``MEBIBYTES``.
"""

from __future__ import annotations

import importlib
import inspect
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.random_arguments import Pool

SECONDS = 20.0
MEBIBYTES = 3000
ALLOWED = (TypeError, ValueError, NotImplementedError, FileNotFoundError)
REMEDY = {
    ModuleNotFoundError: re.compile("pip install"),
    RuntimeError: re.compile("iterations|evaluations|tolerance|points would be needed|`Trainer`"),
}


def public_callables(package: str) -> dict[str, Callable[..., Any]]:
    """What a package exports, and what the modules that it exports define, by dotted names."""
    root = importlib.import_module(package)
    found: dict[str, Callable[..., Any]] = {}
    for name in root.__all__:
        value = getattr(root, name)
        if isinstance(value, ModuleType):
            found.update(defined_in(value))
        else:
            found[f"{package}.{name}"] = value
    return {name: value for name, value in found.items() if not untriable(value)}


def defined_in(module: ModuleType) -> dict[str, Callable[..., Any]]:
    names = getattr(module, "__all__", None) or [
        name for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]  # fmt: skip
    return {f"{module.__name__}.{name}": getattr(module, name) for name in names}


def untriable(value: Any) -> bool:
    return not callable(value) or (
        inspect.isclass(value) and (inspect.isabstract(value) or issubclass(value, Exception))
    )


def one_call(rng: random.Random, names: list[str], public: dict[str, Callable]) -> Iterator[str]:
    """Make one call, and a few of what it returned; yields what is about to be called."""
    name = rng.choice(names)
    pool = Pool(rng)
    try:
        given, named = pool.arguments(public[name])
    except ValueError:  # no signature
        return
    yield f"{name}(*{given!r}, **{named!r})"
    result = public[name](*given, **named)
    yield f"str of {type(result).__name__}"
    check_text(result, measured=name != "divergences.Estimate")  # and not made by hand
    for _ in range(2):
        if not getattr(type(result), "__module__", "").startswith(("divergences", "gans")):
            return
        methods = [m for m in dir(type(result)) if not m.startswith("_") or m == "__call__"]
        methods = [m for m in methods if defined_here(type(result), m)]
        if not methods:
            return
        method = rng.choice(methods)
        bound = getattr(result, method)
        if not inspect.ismethod(bound) and not inspect.isfunction(bound):
            continue  # such as torch's optimizer, a default of ours
        given, named = pool.arguments(bound)
        yield f"... .{method}(*{given!r}, **{named!r})"
        check_text(bound(*given, **named))


def check_text(result: Any, measured: bool = True) -> None:
    """What comes back can be printed, and an estimate without a number says why."""
    text = str(result)
    if type(result).__name__ == "Estimate" and result.seconds > 0 and measured:
        said = result.warnings or not bool(result.value.isnan().any())
        assert said, f"no number and no warning: {text}"


def defined_here(kind: type, method: str) -> bool:
    for base in kind.__mro__:
        if method in vars(base):
            return base.__module__.startswith(("divergences", "gans"))
    return False


def judge(error: BaseException) -> str:
    said = len(str(error)) > 8
    if isinstance(error, ALLOWED) and said:
        return "refused"
    if type(error) in REMEDY and REMEDY[type(error)].search(str(error)):
        return "refused"
    return type(error).__name__


def work(first: int, last: int, package: str, out: Path) -> None:
    """Make calls in this process; the file says what is going on if it does not return."""
    import torch

    torch.set_num_threads(1)
    public = public_callables(package)
    names = sorted(public)
    with out.open("a", buffering=1) as log:
        for seed in range(first, last):
            rng, said = random.Random(seed), "returned"
            calls: list[str] = []
            log.write(json.dumps({"seed": seed, "starts": True}) + "\n")
            start = time.monotonic()
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    for call in one_call(rng, names, public):
                        calls.append(call[:600])
            except MemoryError:
                said = "MemoryError"
            except Exception as error:
                said = judge(error)
                if said != "refused":
                    calls.append(f"{type(error).__name__}: {str(error)[:300]}")
            seconds = time.monotonic() - start
            log.write(
                json.dumps({"seed": seed, "said": said, "calls": calls, "s": seconds}) + "\n"
            )


def limited() -> None:
    used = MEBIBYTES * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (used, used))


def run(count: int, first: int = 0, package: str = "divergences") -> tuple[Counter, list[dict]]:
    """Outcomes of ``count`` calls by kind, and the bad ones."""
    with tempfile.TemporaryDirectory() as folder:
        out, seed, records = Path(folder) / "log", first, []
        out.touch()
        while seed < first + count:
            arguments = ["--work", str(seed), str(first + count), package, str(out)]
            child = subprocess.Popen(
                [sys.executable, "-m", "tests.random_calls", *arguments],
                preexec_fn=limited,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            size, since = -1, time.monotonic()
            while child.poll() is None:
                time.sleep(0.2)
                if out.stat().st_size != size:
                    size, since = out.stat().st_size, time.monotonic()
                elif time.monotonic() - since > SECONDS + 300 * (size <= 0):
                    child.kill()
                    child.wait()
            lines = [json.loads(line) for line in out.read_text().splitlines()]
            ended = {line["seed"]: line for line in lines if "said" in line}
            started = [line["seed"] for line in lines if "starts" in line]
            if not started:
                raise RuntimeError(f"the child process did not start: exit {child.returncode}")
            seed = started[-1] + 1
            if started[-1] not in ended:  # killed by the clock, by the system, or it crashed
                lines.append({"seed": started[-1], "said": f"ended by {child.returncode}"})
                with out.open("a") as log:
                    log.write(json.dumps({**lines[-1], "calls": [], "s": SECONDS}) + "\n")
        for line in out.read_text().splitlines():
            record = json.loads(line)
            if "said" in record:
                records.append(record)
    counts = Counter(record["said"] for record in records)
    return counts, [r for r in records if r["said"] not in ("returned", "refused")]


if __name__ == "__main__":
    if sys.argv[1] == "--work":
        work(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], Path(sys.argv[5]))
    else:
        package = sys.argv[3] if len(sys.argv) > 3 else "divergences"
        counts, bad = run(int(sys.argv[1]), int(sys.argv[2]), package)
        for record in bad:
            print(json.dumps(record)[:1200])
        print(dict(counts))
