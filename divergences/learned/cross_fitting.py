"""Training on one half of two samples and reading on the other, both ways round.

A network learns the points that it is trained on, so what it measures there says little about the
laws. It is read on the other half; and it stops learning where points that are kept back from its
training say so. The halves then change places, so that every point is read once.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from divergences.estimate import Estimate, Z
from divergences.random_streams import Streams

KEPT_BACK = 5  # of that many points of a half, one is kept back to tell when to stop
FEWEST_KEPT_BACK, MOST_KEPT_BACK = 32, 1024
EVERY = 25  # steps between looks at the points that are kept back
PATIENCE = 8  # looks without an improvement that end a member's training
FEWEST_DISTINCT = 0.9  # share of a sample's points; with fewer, copies are pointed out
READ_AT_ONCE = 2**24  # numbers that a layer may put out while the other half is read


class Halves(NamedTuple):
    """Both samples in random order, what each of 2K networks learns, and where it is to stop.

    Attributes:
        x: The first sample, shape ``(K, n, d)``; the first half is read by the second K networks.
        y: The second, ``(K, m, d)``.
        x_train: Points of both halves that networks are trained on, ``(2K, a, d)``.
        y_train: The same of the second sample, ``(2K, b, d)``.
        x_kept: Points of both halves that are kept back from training.
        y_kept: The same of the second sample.
    """

    x: Tensor
    y: Tensor
    x_train: Tensor
    y_train: Tensor
    x_kept: Tensor
    y_kept: Tensor


def halves(x: Tensor, y: Tensor, streams: Streams) -> Halves:
    """Shuffle both samples, each in its own way, and divide them.

    One order for both would pair their points where both are sorted. A sample and itself are
    shuffled alike, so that no half holds what the other has not.

    Arguments:
        x: Points of shape ``(K, n, d)``, at least 4 of them.
        y: Points of shape ``(K, m, d)``, at least 4 of them.
        streams: What the order is drawn from.
    """
    same = torch.equal(x, y)
    of_x = streams.rand(x.shape[1])
    of_y = of_x if same else streams.rand(y.shape[1])
    x, y = _in_order(of_x, x), _in_order(of_y, y)
    (x_train, x_kept), (y_train, y_kept) = map(_both_halves, (x, y))
    return Halves(x, y, x_train, y_train, x_kept, y_kept)


def _in_order(keys: Tensor, sample: Tensor) -> Tensor:
    order = keys.argsort(1).to(sample.device)
    return sample.gather(1, order[..., None].expand_as(sample))


def _both_halves(sample: Tensor) -> tuple[Tensor, Tensor]:
    """What is trained on and what is kept back: first of the first half, then of the second."""
    half = sample.shape[1] // 2
    both = torch.cat([sample[:, :half], sample[:, -half:]])
    kept = min(max(half // KEPT_BACK, min(half // 2, FEWEST_KEPT_BACK)), MOST_KEPT_BACK)
    return both[:, kept:], both[:, :kept]


@final
class EarlyStopping:
    """Keeps each member's network as it was where the loss on points kept back was least.

    Called after every step; true when no member has improved for a while. A member that has
    stopped stays as it was, so that its result does not depend on its neighbours.

    Arguments:
        loss: From a network to each member's loss on the points kept back, shape ``(K,)``.
        members: K.

    Attributes:
        diverged: Whether a member's loss was once not finite, shape ``(K,)``.
    """

    def __init__(self, loss: Callable[[nn.Module], Tensor], members: int):
        self.loss = loss
        self.best: list[Tensor] = []
        self.least = torch.full((members,), math.inf)
        self.since = torch.zeros(members)
        self.diverged = torch.zeros(members, dtype=torch.bool)

    @torch.no_grad()
    def __call__(self, step: int, network: nn.Module) -> bool:
        if step > 1 and step % EVERY:
            return False
        loss = self.loss(network).cpu()
        state = network.state_dict().values()
        self.best = self.best or [tensor.clone() for tensor in state]
        learning = self.since < PATIENCE
        self.diverged |= learning & ~torch.isfinite(loss)
        better = learning & (loss < self.least)
        self.least = torch.where(better, loss, self.least)
        self.since = torch.where(better, 0, self.since + 1)
        for best, tensor in zip(self.best, state, strict=True):
            best[better] = tensor[better]
        return bool((self.since >= PATIENCE).all())

    @torch.no_grad()
    def restore(self, network: nn.Module) -> None:
        """Put the best networks back."""
        for best, tensor in zip(self.best, network.state_dict().values(), strict=True):
            tensor.copy_(best)


def in_parts(score: Callable[[Tensor], Tensor], points: Tensor, width: int) -> Tensor:
    """Scores of shape ``(K, n)`` at points of shape ``(K, n, d)``, in bounded memory.

    Arguments:
        score: From points to scores.
        points: All of them.
        width: Most numbers that a layer puts out per point.
    """
    at_once = max(1, READ_AT_ONCE // (len(points) * width))
    return torch.cat([score(part) for part in points.split(at_once, 1)], 1)


def read_across(score: Callable[[Tensor], Tensor], sample: Tensor, width: int) -> list[Tensor]:
    """Scores of the second half by the first K networks, and of the first half by the others.

    Arguments:
        score: From points ``(2K, n, d)`` to scores ``(2K, n)``.
        sample: A sample as :func:`halves` has ordered it, ``(K, n, d)``.
        width: Most numbers that a layer puts out per point.

    Returns:
        Shapes ``(K, n - n // 2)`` and ``(K, n // 2)``.
    """
    first, second = in_parts(score, sample.repeat(2, 1, 1), width).chunk(2)
    half = sample.shape[1] // 2
    return [first[:, half:], second[:, :half]]


def repeats(x: Tensor, y: Tensor) -> list[str]:
    """A warning for every member many of whose points are there more than once."""
    warnings = []
    for name, sample in (("x", x), ("y", y)):
        # equal points have equal sums; others hardly ever have
        weights = 1 + torch.arange(sample.shape[-1], device=sample.device).sin()
        sums = (sample.double() * weights).sum(-1).sort(-1).values
        distinct = 1 + (sums.diff(dim=-1) != 0).sum(-1)
        n = sample.shape[1]
        warnings += [
            f"member {k}: only {found} of the {n} points of {name} are distinct: copies stand in "
            "the half that is trained on and in the half that is read, and are not independent"
            for k, found in enumerate(distinct.tolist())
            if found < FEWEST_DISTINCT * n
        ]
    return warnings


def averaged(first: Estimate, second: Estimate) -> Estimate:
    """The mean of two readings of the same quantity on different points.

    What an interval allows for beyond 1.96 standard errors, such as a bias, is averaged; an end
    that is no multiple of a standard error away, such as a largest possible value, stays.
    """
    value = (first.value + second.value) / 2
    stderr = torch.hypot(first.stderr, second.stderr) / 2
    beyond = [r.value - r.ci[0] - Z * r.stderr for r in (first, second)]
    low = value - Z * stderr - (beyond[0] + beyond[1]) / 2
    return replace(first, value=value, stderr=stderr, ci=(low, (first.ci[1] + second.ci[1]) / 2))


def scaled(reading: Estimate, unit: Tensor) -> Estimate:
    """The reading in another unit, from each member's factor."""
    low, high = reading.ci
    value, stderr = reading.value * unit, reading.stderr * unit
    return replace(reading, value=value, stderr=stderr, ci=(low * unit, high * unit))


def usable(first: Estimate, second: Estimate, diverged: Tensor) -> Estimate:
    """The mean of both readings, or the one that is left, or ``nan`` where none is, and why.

    Arguments:
        first: Of the networks trained on the first half, shape ``(K,)``.
        second: Of those trained on the second.
        diverged: Whether training has, shape ``(2K,)``.
    """
    readings = (first, second)
    failed = [
        d | ~torch.isfinite(r.value) for r, d in zip(readings, diverged.chunk(2), strict=True)
    ]
    lost = [f | ~torch.isfinite(r.stderr) for r, f in zip(readings, failed, strict=True)]
    mean = averaged(first, second)
    columns = []
    for m, a, b in zip(*([e.value, e.stderr, *e.ci] for e in (mean, *readings)), strict=True):
        left = torch.where(lost[0], torch.where(lost[1], math.nan, b), a)
        columns.append(torch.where(lost[0] | lost[1], left, m))
    warnings = list(dict.fromkeys(first.warnings + second.warnings))
    for k in (lost[0] | lost[1]).nonzero().flatten().tolist():
        reason = (
            "training diverged; use a smaller learning rate or the logistic loss"
            if failed[0][k] or failed[1][k]
            else "a mean rests on too few points; use more points or the logistic loss"
        )
        one, other = (f"{r.value[k]:.4g} ± {r.stderr[k]:.2g}" for r in readings)
        what = "no estimate" if lost[0][k] and lost[1][k] else "only one half is used"
        warnings.append(f"member {k}: {what}: one half gives {one}, the other {other}: {reason}")
    value, stderr, low, high = columns
    return replace(mean, value=value, stderr=stderr, ci=(low, high), warnings=tuple(warnings))
