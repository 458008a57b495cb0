"""Anybody's GAN as a game of one member: functions of points, and networks if known."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from divergences.available_memory import lack_of_memory
from divergences.checks import shown
from divergences.random_streams import Streams
from gans.monitors import tags
from gans.monitors.game import POOL, Game, HeldOut
from gans.monitors.gradient_norms import norm_of_one
from gans.monitors.real_points import (
    RealPoints,
    drawn_from,
    first_tensor,
    refuse_undense,
    stacked,
)
from gans.monitors.without_trace import own_random_numbers
from gans.objectives import Objective

REMEDIES = {
    "fake": "it is called with a number of points, and must return as many; a network of noise is "
    "given as, for instance, lambda n: generator(torch.randn(n, 64))",
    "critic": "it is called with points as fake makes them, and must return one score for each; "
    "where it takes labels or codes, too, let real and fake give points that hold them, and pass, "
    "for instance, lambda p: critic(p[:, :2], p[:, 2:])",
    "features": "it is called with points as fake makes them, and must return one vector for each",
    "real": "it is called with a number of points, and must return as many",
}


@final
class GivenGame(Game):
    """One generator, as functions; the member axis that monitors need is added.

    Points are flattened to ``(1, n, d)``; the critic gets them in their own shape.

    Arguments:
        real: The real points.
        fake: Makes n generated points, or returns a distribution that they are drawn from.
        iteration: Of the training, for the choice of held-out points.
        critic: From points in their own shape to one score each, or ``None``.
        networks: By the name that their gradients are logged under.
        features: Maps points to vectors ``(n, d)`` before divergences are estimated.
        objective: What is trained, for the critic's value and the saturating gradient.
        norms: Gradient norms that were taken when the optimizers stepped; those of now if omitted.
        generators: Random generators of the functions' own.
        context: Makes the context that training calls the functions in.
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
        generators: Sequence[Any] = (),
        context: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ):
        self.seeds, self.iteration, self.objective = (0,), iteration, objective
        self._real, self._fake, self._critic, self._features = real, fake, critic, features
        self._generators, self._context = generators, context
        self._networks, self._norms = dict(networks or {}), norms
        self._shapes: dict[str, torch.Size] = {}
        self._dtype = torch.get_default_dtype()
        self._law: Distribution | None = None
        self._starts: dict[str, int] = {}
        self._before: Tensor | None = None
        self.critic = self._scored if critic is not None else None

    def _called(self, name: str, function: Any, asked: str, call: Any, given: Any) -> Any:
        """What a user's function returns, or an error that names it and what it is asked for."""
        try:
            with self._context():
                return call(given)
        except Exception as error:  # the user's own code may raise anything
            if isinstance(error, torch.OutOfMemoryError) or lack_of_memory(error):
                raise
            called = getattr(function, "__qualname__", type(function).__qualname__)
            raise ValueError(
                f"{name}({asked}) fails in {called} with {type(error).__name__}: {error}; "
                f"{REMEDIES[name]}"
            ) from error

    def real(self, n: int, streams: Streams) -> Tensor:
        start = self._starts.get(streams.purpose, 0)
        self._starts[streams.purpose] = start + n
        return self._drawn(n, start)

    def _drawn(self, n: int, start: int) -> Tensor:
        draw = partial(self._real.draw, start=start, seed=self.iteration)
        points = self._called("real", self._real.function, str(n), draw, n)
        if len(points) != n:
            raise ValueError(f"real({n}) gives {len(points)} points; it must give {n}")
        return self._rows(points, "real")

    def again(self, n: int, streams: Streams) -> Tensor:
        before, after = self._before, self.real(n, streams)
        if before is not None and self._real.function and torch.equal(before[:, :n], after):
            raise ValueError(
                f"real({n}) gives the same points each time; it must draw new ones, or be a "
                "tensor or dataset of all of them"
            )
        return after

    def fake(self, n: int, streams: Streams) -> Tensor:
        made = self._called("fake", self._fake, str(n), self._fake, n)
        self._law = made if isinstance(made, Distribution) else None
        if self._law is not None:
            made = self._called("fake", self._fake, str(n), partial(drawn_from, self._law), n)
        made = first_tensor(stacked(made, n), "fake")
        if made.ndim == 0 or len(made) != n:
            raise ValueError(f"fake({n}) gives {_count(made)}; it must give {n}")
        return self._rows(made, "fake")

    def probe(self, n: int) -> Tensor:
        with own_random_numbers(0, self._generators):
            return self.fake(n, self.streams("probe"))

    def held_out(self, n: int, purpose: str) -> HeldOut:
        held = super().held_out(min(n, self._real.most or n), purpose)
        if held.real.shape[-1] != held.fake.shape[-1]:
            raise ValueError(
                f"real points have {held.real.shape[-1]} numbers each and fake ones "
                f"{held.fake.shape[-1]}; they must be of the same space (of pairs such as images "
                "with labels, the first entry is taken)"
            )
        self._before = held.real
        return held._replace(real=held.real.to(held.fake))

    def _rows(self, points: Tensor, name: str) -> Tensor:
        self._shapes[name] = points.shape[1:]
        if name == "fake":
            self._dtype = points.dtype
        if len(self._shapes) == 2 and not _same_order(*self._shapes.values()):
            real, fake = (tuple(self._shapes[side]) for side in ("real", "fake"))
            raise ValueError(
                f"real points have shape {real} and fake ones {fake}; bring both into the same "
                "order of axes"
            )
        return points.reshape(1, len(points), -1)

    def _own_shape(self, points: Tensor) -> Tensor:
        """Points as ``fake`` makes them; a copy, so that functions may change it in place."""
        shape = self._shapes["fake"]
        return points[0].reshape(-1, *shape).to(self._dtype, copy=True)

    def _scored(self, points: Tensor) -> Tensor:
        n = points.shape[1]
        shape = (n, *self._shapes["fake"])
        asked = f"points of shape {shape}"
        given = self._called("critic", self._critic, asked, self._critic, self._own_shape(points))
        scores = given if isinstance(given, Tensor) else _one_score_each(given, n)
        if scores is not None:
            refuse_undense(scores, "critic")
        if scores is None or not _scores(scores, n):
            raise ValueError(
                f"critic(points of shape {shape}) gives {_shapes(given)}; it must give one score "
                "for each, of shape (n,) or (n, 1), or a map of scores (n, 1, rows, columns): "
                "pass a function that chooses it, such as critic=lambda x: critic(x)[-1], or "
                "their mean"
            )
        if points.requires_grad and torch.is_grad_enabled() and not scores.requires_grad:
            raise ValueError(
                f"critic(points of shape {shape}) gives scores without a gradient; it must not "
                "detach them, nor compute them under torch.no_grad()"
            )
        return scores.reshape(n, -1).mean(-1)[None, :, None].to(points.dtype)

    def described(self, points: Tensor) -> Tensor:
        found = points
        if self._features is not None:
            asked, own = f"points of shape {tuple(points.shape)}", self._own_shape(points)
            given = self._called("features", self._features, asked, self._features, own)
            vectors = first_tensor(given, "features")
            if vectors.ndim == 0 or len(vectors) != points.shape[1]:
                raise ValueError(
                    f"features({points.shape[1]} points) gives {_count(vectors)}; it must give "
                    "one vector for each"
                )
            found = vectors.reshape(1, len(vectors), -1)
        return found if found.dtype in (torch.float32, torch.float64) else found.float()

    def pool(self) -> Tensor:
        if self._real.function is not None and not len(self._real.pool):
            with own_random_numbers(0, self._generators):
                self._real.pool = self._drawn(POOL, 0)[0]
        return self._rows(self._real.pool, "real")

    def laws(self) -> tuple[Distribution, Distribution] | None:
        known = self._features is None and self._real.law is not None and self._law is not None
        return (self._real.law, self._law) if known else None  # pyright: ignore

    def networks(self) -> Iterable[nn.Module]:
        return [
            net
            for net in (*self._networks.values(), self._fake, self._critic, self._features)
            if isinstance(net, nn.Module)
        ]

    def reported(self) -> dict[str, Tensor]:
        norms = self._norms
        if norms is None:
            norms = {name: norm_of_one(net.parameters()) for name, net in self._networks.items()}
        return {tags.gradient(name): norm for name, norm in norms.items() if norm is not None}


def _count(points: Tensor) -> str:
    return f"{len(points)} points" if points.ndim else "a single number"


def _scores(given: Tensor, n: int) -> bool:
    """Whether it is one score, or one map of scores, for each of n points."""
    return given.ndim > 0 and len(given) == n and (given.ndim == 1 or given.shape[1] == 1)


def _parts(given: Any) -> list[Any]:
    """All entries of tuples, lists and mappings, however deep; else what it is."""
    if isinstance(given, Mapping):
        given = list(given.values())
    if isinstance(given, (tuple, list)):
        return [part for entry in given for part in _parts(entry)]
    return [given]


def _one_score_each(given: Any, n: int) -> Tensor | None:
    """The one tensor that is a score for each point, beside features and classes."""
    found = [part for part in _parts(given) if isinstance(part, Tensor) and _scores(part, n)]
    return found[0] if len(found) == 1 else None


def _shapes(given: Any) -> str:
    if not all(isinstance(part, Tensor) for part in _parts(given)):
        return shown(given)
    shapes = ", ".join(str(tuple(part.shape)) for part in _parts(given))
    return f"a tensor of shape {shapes}" if isinstance(given, Tensor) else f"tensors of {shapes}"


def _same_order(a: torch.Size, b: torch.Size) -> bool:
    """Whether two shapes, flattened, have their numbers in the same order: one is flat already."""
    wide_a, wide_b = ([side for side in shape if side != 1] for shape in (a, b))
    return len(wide_a) < 2 or len(wide_b) < 2 or wide_a == wide_b
