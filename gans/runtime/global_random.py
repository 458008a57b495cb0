"""The global random generators of torch, NumPy and Python, which a user's network may use."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor


def global_random_state(device: torch.device) -> dict[str, Any]:
    """The states of all of them, of numbers and tensors only.

    Example:
        >>> state = global_random_state(torch.device("cpu"))
        >>> drawn = torch.rand(()), np.random.rand(), random.random()
        >>> continued(state)(torch.device("cpu"))
        >>> drawn == (torch.rand(()), np.random.rand(), random.random())
        True
    """
    _, keys, *places = np.random.get_state()  # noqa: NPY002  # what users use
    version, words, gauss = random.getstate()
    found = {
        "torch": torch.get_rng_state(),
        "numpy": [torch.from_numpy(np.asarray(keys).astype(np.int64)), *places],
        "python": [version, torch.tensor(words), gauss],
    }
    if device.type == "cuda":
        found["cuda"] = torch.cuda.get_rng_state(device)
    return found


def continued(state: Any) -> Callable[[torch.device], None]:
    """What puts back a state that :func:`global_random_state` has returned.

    Raises:
        ValueError: If it is no such state.
    """
    try:
        numpy, python = _numpy(*state["numpy"]), _python(*state["python"])
        torch.Generator().set_state(state["torch"])
        np.random.RandomState().set_state(numpy)
        random.Random().setstate(python)
    except Exception as error:  # what they say of a state that is none can be anything
        raise ValueError(f"the state of global random numbers is damaged ({error})") from None

    def put_back(device: torch.device) -> None:
        torch.set_rng_state(state["torch"])
        np.random.set_state(numpy)  # noqa: NPY002
        random.setstate(python)
        if device.type == "cuda" and "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"], device)

    return put_back


def _numpy(keys: Tensor, *places: Any) -> tuple[Any, ...]:
    return ("MT19937", keys.numpy().astype(np.uint32), *places)


def _python(version: int, words: Tensor, gauss: float | None) -> tuple[Any, ...]:
    return version, tuple(words.tolist()), gauss
