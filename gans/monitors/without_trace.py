"""Calls of a user's functions that leave training as if they had not been made."""

from __future__ import annotations

import functools
import inspect
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from hashlib import sha256
from types import ModuleType
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.nn.utils.spectral_norm import SpectralNorm

from gans.networks import evaluating

POWER_STEPS = 15
"""As many as torch's newer spectral normalisation takes when it is made."""
MOST_OBJECTS, DEEPEST = 3000, 4
"""How far :func:`random_generators` looks."""


@final
class Evaluation:
    """Every network that is called meanwhile is in evaluation mode, and afterwards as it was.

    Networks need not be known: one that a function calls is put in evaluation mode when it is
    called, even if the function itself has put it in training mode. Buffers, such as running
    moments, are put back, and so are modes. Compiled networks run uncompiled, so that no other
    batch size is compiled for, and those of Fabric give gradients without its ``backward``.

    Attributes:
        called: The outermost networks that were called, in the order of their first call.

    Example:
        >>> net = nn.Sequential(nn.BatchNorm1d(2))
        >>> with Evaluation() as evaluation:
        ...     _ = net.train()(torch.ones(5, 2))
        >>> net[0].running_mean, [n is net for n in evaluation.called]
        (tensor([0., 0.]), [True])
    """

    def __init__(self, known: Iterable[nn.Module] = ()):
        self.known = list(known)
        self.called: list[nn.Module] = []
        self._by_batch = False
        self._depth, self._before = 0, {}

    def __enter__(self) -> Evaluation:
        self._modes = evaluating(self.known)
        self._modes.__enter__()
        self._buffers: dict[int, tuple[Tensor, Tensor]] = {}
        for network in self.known:
            self._keep(network)
        compiles = "torch._dynamo" in sys.modules  # importing it takes seconds
        self._stance = torch.compiler.set_stance("force_eager") if compiles else nullcontext()
        self._stance.__enter__()
        self._fabric = sys.modules.get("lightning_fabric.wrappers")
        self._within = getattr(self._fabric, "_in_fabric_backward", None)
        self._let_fabric(self._within is not None or None)
        self._hooks = (
            register_module_forward_pre_hook(self._enter_call),
            register_module_forward_hook(self._leave_call, always_call=True),
        )
        return self

    def __exit__(self, *error: object) -> None:
        for hook in self._hooks:
            hook.remove()
        self._put_back()
        self._let_fabric(self._within)
        self._stance.__exit__(None, None, None)
        with torch.no_grad():
            for buffer, before in self._buffers.values():
                if not torch.equal(buffer, before):
                    buffer.copy_(before)
        self._modes.__exit__(None, None, None)

    def _let_fabric(self, within: bool | None) -> None:
        """Have Fabric take a gradient for one of its own; ``None`` if it does not ask."""
        if within is not None:
            setattr(self._fabric, "_in_fabric_backward", within)  # noqa: B010

    def _keep(self, network: nn.Module) -> None:
        """Remember its buffers, once."""
        for buffer in network.buffers():
            self._buffers.setdefault(id(buffer), (buffer, buffer.clone()))
        find_singular_values(network)

    def _enter_call(self, network: nn.Module, _: Any) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        if all(network is not other for other in self.called):
            self.called.append(network)
            self._keep(network)
        for part in network.modules():
            self._before[part] = part.training
            part.training = self._by_batch and normalises(part)

    def _leave_call(self, network: nn.Module, *_: Any) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._put_back()

    def _put_back(self) -> None:
        for part, training in self._before.items():
            part.training = training
        self._before, self._depth = {}, 0

    def any_batch_statistics(self) -> bool:
        """Whether a network that was called normalises by running moments of its batches."""
        return any(normalises(part) for network in self.called for part in network.modules())

    @contextmanager
    def by_batch(self) -> Iterator[None]:
        """Normalisation by the batch meanwhile; running moments stay as they are."""
        kept = [
            (buffer, buffer.clone())
            for network in self.called
            for part in network.modules()
            if normalises(part)
            for buffer in part.buffers(recurse=False)
        ]
        self._by_batch = True
        try:
            yield
        finally:
            self._by_batch = False
            for buffer, before in kept:
                buffer.copy_(before)


@torch.no_grad()
def find_singular_values(network: nn.Module) -> None:
    """Have ``torch.nn.utils.spectral_norm`` know them: it begins with random numbers.

    Before the first step of training a network would be far steeper in evaluation mode else.
    """
    for part in network.modules():
        for hook in part._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm):
                for _ in range(POWER_STEPS):
                    hook.compute_weight(part, do_power_iteration=True)


def normalises(part: nn.Module) -> bool:
    """Whether it normalises by its batch in training, and by running moments in evaluation."""
    return isinstance(part, _BatchNorm) and part.track_running_stats


@contextmanager
def own_random_numbers(seed: int, generators: Iterable[Any] = ()) -> Iterator[None]:
    """Seeded random numbers of torch, NumPy and Python; afterwards theirs go on as before.

    They are other numbers than a script has that seeds these generators itself, with whichever
    seed: generated points would be its data else.

    Arguments:
        seed: What the numbers depend on.
        generators: Generators of torch, NumPy or Python besides the global ones.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> before = torch.get_rng_state()
        >>> with own_random_numbers(1):
        ...     _ = torch.rand(3)
        >>> torch.equal(before, torch.get_rng_state())
        True
    """
    seed = int.from_bytes(sha256(f"monitor {seed}".encode()).digest()[:4], "little")
    own = [_handle(generator) for generator in generators]
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  # what users use
    before = [get() for get, _, _ in own]
    try:
        with _torch_forked():
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            random.seed(seed)
            for _, _, reseed in own:
                reseed(seed)
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        for (_, put_back, _), state in zip(own, before, strict=True):
            put_back(state)


@contextmanager
def _torch_forked() -> Iterator[None]:
    there = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if there is None or (there.type == "cuda" and not torch.cuda.is_initialized()):
        with torch.random.fork_rng([]):
            yield
    else:
        devices = range(torch.accelerator.device_count())
        with torch.random.fork_rng(devices, device_type=there.type):
            yield


def _handle(
    generator: Any,
) -> tuple[Callable[[], Any], Callable[[Any], Any], Callable[[int], Any]]:
    """How its state is had, put back, and made from a seed."""
    if isinstance(generator, torch.Generator):
        return generator.get_state, generator.set_state, generator.manual_seed
    if isinstance(generator, np.random.RandomState):
        return generator.get_state, generator.set_state, generator.seed
    if isinstance(generator, random.Random):
        return generator.getstate, generator.setstate, generator.seed
    bits = generator.bit_generator

    def put(state: Any) -> None:
        bits.state = state

    return lambda: bits.state, put, lambda seed: put(type(bits)(seed).state)


GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)


def random_generators(*used: Any) -> list[Any]:
    """The random generators that functions, objects and modules hold or name, however deep.

    Example:
        >>> own = torch.Generator()
        >>> [found is own for found in random_generators(lambda n: torch.rand(n, generator=own))]
        [True]
    """
    found: list[Any] = []
    seen: set[int] = set()
    level = list(used)
    for _ in range(DEEPEST):
        after: list[Any] = []
        for item in level:
            if id(item) in seen or len(seen) > MOST_OBJECTS:
                continue
            seen.add(id(item))
            if isinstance(item, GENERATORS):
                found.append(item)
            else:
                after += _held_by(item)
        level = after
    return found


def _held_by(item: Any) -> list[Any]:
    if item is None or isinstance(item, (type, ModuleType, Tensor, np.ndarray, str, bytes, int)):
        return []
    if isinstance(item, dict):
        return list(item.values())[:100]
    if isinstance(item, (list, tuple)):
        return list(item[:100])
    if isinstance(item, functools.partial):
        return [item.func, *item.args, *item.keywords.values()]
    held = list(vars(item).values()) if hasattr(item, "__dict__") else []
    if inspect.ismethod(item):
        return [item.__self__, item.__func__]
    if inspect.isfunction(item):
        named = inspect.getclosurevars(item)
        defaults = [*(item.__defaults__ or ()), *(item.__kwdefaults__ or {}).values()]
        return [*named.nonlocals.values(), *named.globals.values(), *defaults, *held]
    return held
