"""POT's exact solvers without the rest of POT, whose import takes up to a second."""

import functools
import importlib
import sys
from importlib.machinery import PathFinder
from types import ModuleType


@functools.cache
def solvers() -> ModuleType:
    """POT's module ``ot.lp``.

    What runs when the package ``ot`` itself is imported brings scikit-learn and all its other
    solvers. Here it does not run, and a later ``import ot`` is the usual one.

    Example:
        >>> plan = solvers().emd([], [], [[0.0, 1.0], [1.0, 0.0]])
        >>> plan.tolist()
        [[0.5, 0.0], [0.0, 0.5]]
    """
    package = PathFinder.find_spec("ot")
    if "ot" in sys.modules or package is None or package.submodule_search_locations is None:
        return importlib.import_module("ot").lp
    bare = sys.modules["ot"] = ModuleType("ot")
    bare.__path__ = list(package.submodule_search_locations)
    try:
        return importlib.import_module("ot.lp")
    finally:
        for name in [name for name in sys.modules if name == "ot" or name.startswith("ot.")]:
            del sys.modules[name]
