"""Anybody's GAN as a game of one member: functions of points, and networks if known."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from divergences.random_streams import Streams
from gans.monitors import tags
from gans.monitors.game import Game, HeldOut
from gans.monitors.gradient_norms import norm_of_one
from gans.monitors.real_points import RealPoints, first_tensor
from gans.objectives import Objective

GENERATORS = ("generator", "gen", "g", "netg")
CRITICS = ("discriminator", "critic", "disc", "d", "netd")


def common_name(name: str) -> str:
    """``generator`` or ``critic`` for the names that such networks usually have.

    Example:
        >>> common_name("netG"), common_name("D"), common_name("encoder")
        ('generator', 'critic', 'encoder')
    """
    plain = name.lower().replace("_", "")
    if plain in GENERATORS:
        return "generator"
    return "critic" if plain in CRITICS else name


def networks_of(module: nn.Module) -> dict[str, nn.Module]:
    """A module's networks: its generator and critic by their usual names, else its children."""
    found = {
        common_name(name): child
        for name, child in module.named_children()
        if next(child.parameters(), None) is not None
    }
    known = {name: child for name, child in found.items() if name in ("generator", "critic")}
    return known or found or {"all": module}


def networks_in(function: Any) -> dict[str, nn.Module]:
    """The networks that a function uses: its own, its object's, or those it names."""
    if isinstance(function, nn.Module):
        return {"generator": function}
    owner = getattr(function, "__self__", None)
    if isinstance(owner, nn.Module):
        return networks_of(owner)
    try:
        named = inspect.getclosurevars(function)
    except TypeError:
        return {}
    everything = {**named.globals, **named.nonlocals}
    return {common_name(n): net for n, net in everything.items() if isinstance(net, nn.Module)}


@contextmanager
def own_random_numbers(seed: int) -> Iterator[None]:
    """Seeded random numbers of torch, NumPy and Python; afterwards theirs go on as before.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> before = torch.get_rng_state()
        >>> with own_random_numbers(1):
        ...     _ = torch.rand(3)
        >>> torch.equal(before, torch.get_rng_state())
        True
    """
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  # what users use
    try:
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            random.seed(seed)
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


@contextmanager
def batch_statistics(networks: Iterable[nn.Module]) -> Iterator[bool]:
    """Normalisation by the batch, and whether there is any; running moments stay as they are."""
    layers = [
        layer
        for network in networks
        for layer in network.modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.track_running_stats
    ]
    before = [{k: v.clone() for k, v in layer.named_buffers()} for layer in layers]
    for layer in layers:
        layer.training = True
    try:
        yield bool(layers)
    finally:
        for layer, buffers in zip(layers, before, strict=True):
            layer.training = False
            for name, values in buffers.items():
                getattr(layer, name).copy_(values)


@final
class GivenGame(Game):
    """One generator, as functions; the member axis that monitors need is added.

    Points are flattened to ``(1, n, d)``; the critic gets them in their own shape.

    Arguments:
        real: The real points.
        fake: Makes n generated points.
        iteration: Of the training, for the choice of held-out points.
        critic: From points in their own shape to one score each, or ``None``.
        networks: By the name that their gradients are logged under.
        features: Maps points to vectors ``(n, d)`` before divergences are estimated.
        objective: What is trained, for the critic's value and the saturating gradient.
        norms: Gradient norms that were taken when the optimizers stepped; those of now if omitted.
    """

    def __init__(
        self,
        real: RealPoints,
        fake: Callable[[int], Any],
        iteration: int,
        critic: Callable[[Any], Any] | None = None,
        networks: Mapping[str, nn.Module] | None = None,
        features: Callable[[Any], Any] | None = None,
        objective: Objective | None = None,
        norms: Mapping[str, Tensor] | None = None,
    ):
        self.seeds, self.iteration, self.objective = (0,), iteration, objective
        self._real, self._fake, self._critic, self._features = real, fake, critic, features
        self._networks, self._norms = dict(networks or {}), dict(norms or {})
        self._shape: torch.Size | None = None
        self._starts: dict[str, int] = {}
        self.critic = self._scored if critic is not None else None

    def real(self, n: int, streams: Streams) -> Tensor:
        start = self._starts.get(streams.purpose, 0)
        self._starts[streams.purpose] = start + n
        return self._rows(self._real.draw(n, start, self.iteration), "real")

    def fake(self, n: int, streams: Streams) -> Tensor:
        made = first_tensor(self._fake(n), "fake")
        if len(made) != n:
            raise ValueError(f"fake({n}) gives {len(made)} points; it must give {n}")
        return self._rows(made, "fake")

    def held_out(self, n: int, purpose: str) -> HeldOut:
        held = super().held_out(min(n, self._real.most or n), purpose)
        if held.real.shape[-1] != held.fake.shape[-1]:
            raise ValueError(
                f"real points have {held.real.shape[-1]} numbers each and fake ones "
                f"{held.fake.shape[-1]}; they must be of the same space"
            )
        return held._replace(real=held.real.to(held.fake))

    def _rows(self, points: Tensor, name: str) -> Tensor:
        if points.ndim == 0:
            raise ValueError(f"{name} gives a single number; points have shape (n, ...)")
        if name == "fake" or self._shape is None:
            self._shape = points.shape[1:]
        return points.reshape(1, len(points), -1)

    def _scored(self, points: Tensor) -> Tensor:
        assert self._critic is not None
        assert self._shape is not None
        scores = self._critic(points[0].reshape(-1, *self._shape))
        scores = scores[0] if isinstance(scores, (tuple, list)) else scores
        if not isinstance(scores, Tensor) or scores.shape[:1] != points.shape[1:2]:
            raise ValueError(
                f"critic gives {getattr(scores, 'shape', type(scores).__name__)} for "
                f"{points.shape[1]} points; it must give one score for each"
            )
        return scores.reshape(len(scores), -1).mean(-1)[None, :, None]

    def described(self, points: Tensor) -> Tensor:
        if self._features is None:
            return points
        assert self._shape is not None
        vectors = first_tensor(self._features(points[0].reshape(-1, *self._shape)), "features")
        return vectors.reshape(1, len(vectors), -1)

    def pool(self) -> Tensor:
        """Every real point that is known, ``(1, N, d)``."""
        drawn = self._real.pool if len(self._real.pool) else self._real.draw(2000, 0, 0)
        return self._rows(drawn, "real")

    def networks(self) -> Iterable[nn.Module]:
        return [
            net
            for net in (*self._networks.values(), self._critic, self._features)
            if isinstance(net, nn.Module)
        ]

    def reported(self) -> dict[str, Tensor]:
        now = {name: norm_of_one(net.parameters()) for name, net in self._networks.items()}
        norms = {**now, **self._norms}
        return {tags.gradient(name): norm for name, norm in norms.items() if norm is not None}
