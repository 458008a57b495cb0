"""All classes of estimators, found by what they derive from: a new one is tested unnamed."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import divergences  # noqa: F401  # defines them
from divergences.estimator import Estimator


def subclasses(kind: type) -> list[type]:
    return [kind, *(deeper for sub in kind.__subclasses__() for deeper in subclasses(sub))]


def classes_of(base: type) -> list[type]:
    """Those of the product that can be made."""
    return sorted(
        {
            kind
            for kind in subclasses(base)
            if not inspect.isabstract(kind) and kind.__module__.startswith("divergences.")
        },
        key=lambda kind: kind.__name__,
    )


KINDS = classes_of(Estimator)
BRIEF = {  # of whatever an estimator trains
    "steps": 60,
    "hidden": (16,),
    "anchors": 16,
    "candidates": 256,
    "screening": 10,
    "sweeps": 1,
    "sweep_steps": 10,
}


def brief(kind: type[Estimator]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}  # pyright: ignore
    return {name: value for name, value in BRIEF.items() if name in names}
