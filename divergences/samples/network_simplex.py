"""POT's exact solvers without the rest of POT, whose import takes up to a second."""

import functools
import importlib
import sys
import threading
from importlib.machinery import PathFinder
from types import ModuleType

_ONE_AT_A_TIME = threading.Lock()


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
    with _ONE_AT_A_TIME:
        if "ot" not in sys.modules and package and package.submodule_search_locations:
            bare = sys.modules["ot"] = ModuleType("ot")
            bare.__path__ = list(package.submodule_search_locations)
            try:
                return importlib.import_module("ot.lp")
            except (ImportError, AttributeError):
                pass  # a version of POT whose solvers need the whole package
            finally:
                for name in [name for name in sys.modules if f"{name}.".startswith("ot.")]:
                    del sys.modules[name]
        return importlib.import_module("ot").lp
