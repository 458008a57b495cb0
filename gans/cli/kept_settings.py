"""Settings that a class takes over from the class that it replaces, because they share a name."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonargparse import Namespace


def kept_settings(
    before: Mapping[str, Any], now: Any, arguments: Sequence[str], place: str = ""
) -> Iterator[str]:
    """One sentence for each class of a file that a flag replaced, and what stays of its settings.

    Arguments:
        before: A section of the file.
        now: The same section of the configuration that results.
        arguments: The command line, whose own settings are no surprise.
        place: The key of the section.

    Example:
        >>> ring = {"class_path": "gans.Ring", "init_args": {"radius": 1.0, "scale": 0.01}}
        >>> moons = Namespace(class_path="gans.TwoMoons", init_args=Namespace(scale=0.01))
        >>> print(*kept_settings({"target": ring}, Namespace(target=moons), []))
        target is TwoMoons instead of Ring and keeps its scale = 0.01; --target.scale sets it
    """
    given = {a.replace(".init_args", "").partition("=")[0] for a in arguments}
    values = vars(now) if isinstance(now, Namespace) else now
    if not isinstance(values, dict):
        return
    if "class_path" in before and "class_path" in values:
        old, new = (str(one["class_path"]).rpartition(".")[2] for one in (before, values))
        were = before.get("init_args") or {}
        here = values.get("init_args")
        if old == new:
            yield from kept_settings(were, here, arguments, place)
            return
        are = vars(here) if isinstance(here, Namespace) else here or {}
        same = {k: v for k, v in were.items() if k in are and are[k] == v}
        same = {k: v for k, v in same.items() if f"--{place}.{k}" not in given}
        if same:
            told = ", ".join(f"{key} = {value}" for key, value in same.items())
            flags = " and ".join(f"--{place}.{key}" for key in same)
            sets = "sets it" if len(same) == 1 else "set them"
            yield f"{place} is {new} instead of {old} and keeps its {told}; {flags} {sets}"
        return
    for key, inner in before.items():
        if isinstance(inner, Mapping) and key in values:
            full = f"{place}.{key}" if place else key
            yield from kept_settings(inner, values[key], arguments, full)
