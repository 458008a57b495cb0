"""A mean over points drawn from a density, and what may be wrong with it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cached_property
from typing import final

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.utils.checkpoint import checkpoint

from divergences.bounds import FEWEST_BEHIND_A_MEAN, effective_size
from divergences.numerical.densities import dimension_of, numbers_per_point
from divergences.numerical.drawn_pair import DrawnPair, sample
from divergences.numerical.far_tails import beyond_the_draws
from divergences.numerical.integration import LARGEST_ARRAY, Average
from divergences.numerical.log_densities import TINIEST
from divergences.numerical.supports import (
    centres_and_widths,
    component_draws,
    component_log_weights,
    edges,
)
from divergences.tail_index import tail_index

MOST_PROBES = 4096
"""Points at which it is looked whether one law has mass and the other none."""
FEWEST_OF_A_COMPONENT = 30
"""Expected draws of a component of a mixture below which it is looked at apart."""


@final
class MeanOfDraws:
    """The mean over draws from the first density of a pair, and what may be wrong with it."""

    def __init__(self, f: Average, pair: DrawnPair, n: int, with_gradient: bool) -> None:
        self.f, self.pair, self.n = f, pair, n
        self.kept: list[Tensor] | None = [] if with_gradient else None
        size = numbers_per_point(pair.p) + numbers_per_point(pair.q)
        step = max(1, LARGEST_ARRAY // size)
        parts = [self._terms(min(step, n - i)) for i in range(0, n, step)]
        self.terms, rounding, marks, ratios = (torch.cat(t) for t in zip(*parts, strict=True))
        self.rounding = pair.eps * rounding.mean(0)
        self.overflowed = (self.terms.abs() > -TINIEST / 10).any(0) & self.terms.isfinite().all(0)
        self.coinciding = self._coinciding(marks)
        self._check_masses(ratios)
        self.mean, self.stderr = self.terms.mean(0), self._spread() / math.sqrt(n)
        self._look_beyond_the_draws()

    def _terms(self, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        points = self.pair.draw(n)
        if not points.isfinite().all():
            raise ValueError(
                f"{int((~points.isfinite()).sum())} coordinates of {n} draws from "
                f"{type(self.pair.p).__name__} are NaN or infinite: its tail leaves float64"
            )
        if self.kept is not None:
            self.kept.append(points)
        log_p, log_q = self.pair.logs(points)
        bad = int(log_p.isneginf().sum())
        if bad:
            raise ValueError(
                f"log_prob of {type(self.pair.p).__name__} is -inf at {bad} of {log_p.numel()} "
                "of its own draws: they are rounded onto an end of its support, which Quadrature "
                "can do without, or sample and log_prob are not of one law"
            )
        log_p, log_q = torch.broadcast_tensors(log_p, log_q)
        logs = log_p.abs() + torch.where(log_q > -math.inf, log_q.abs(), 0.0)
        mark = points.double() @ torch.arange(1, points.shape[-1] + 1).double().sqrt()
        return self.f.of(log_p, log_q), 1 + logs, mark, log_q - log_p

    def slope(self) -> Tensor:
        """Of any value; its gradient is that of the mean."""
        parts = [checkpoint(self._slope_of, x, use_reentrant=False) for x in self.kept or ()]
        return torch.stack(parts).sum(0) / self.n

    def _slope_of(self, points: Tensor) -> Tensor:
        log_p, log_q = torch.broadcast_tensors(*self.pair.logs(points))
        terms = self.f.of(log_p, log_q.clamp_min(TINIEST))
        off = (terms.detach() - self.mean) * self.n / (self.n - 1)  # the mean is of the same draws
        return (terms + off * log_p).sum(0)

    @cached_property
    def off(self) -> Tensor:
        """Terms less their median."""
        middle = (self.n - 1) // 2  # NumPy selects faster than torch
        return self.terms - torch.from_numpy(np.partition(self.terms.numpy(), middle, 0)[middle])

    def _spread(self) -> Tensor:
        unit = self.terms.abs().amax(0).clamp(1e-300, 1e300)  # squares may leave float64
        return unit * (self.terms / unit).std(0)

    def _coinciding(self, marks: Tensor) -> Tensor:
        """Share of draws that equal another one, beyond what their dtype makes likely."""
        if self.pair.measure == "counting":
            return torch.zeros(marks.shape[1])
        ordered = np.sort(marks.numpy(), axis=0)  # faster than torch's
        shares = (np.diff(ordered, axis=0) == 0).sum(0) / self.n
        coarse = sample(self.pair.p, 1).dtype != torch.float64
        return torch.from_numpy(shares) - (self.n / 2**24 if coarse else 0.0)

    def _check_masses(self, log_ratios: Tensor) -> None:
        """E_p q/p is the mass of q where p is: at most 1, and 1 if q's own draws all lie there."""
        pair = self.pair
        if pair.q is pair.p:
            return
        known = all(type(d).__module__.startswith("torch.") for d in (pair.p, pair.q))
        ratios = log_ratios.exp()
        mean, stderr = ratios.mean(0), ratios.std(0) / math.sqrt(self.n)
        told = (effective_size(log_ratios.T) > 100) & (tail_index(ratios) < 0.5)
        share = 0.0
        if callable(getattr(pair.q, "sample", None)):
            other = pair.exchanged()
            points = other.draw(1000)
            share = (other.logs(points)[1] > -math.inf).double().mean(0).floor()
        missed = 10 / self.n  # mass that no draw fell on, at most
        off = mean - 1 > 6 * stderr + missed
        if not known:  # of torch's laws a part of q may lie where p hardly draws
            off |= share - mean > 6 * stderr + missed
        if (told & off).any():
            raise ValueError(
                f"the mean of q/p over draws from {type(pair.p).__name__} is {mean.tolist()}, "
                "where equal masses give 1: normalise both densities, or draw from the law whose "
                "log_prob it is"
            )

    def _look_beyond_the_draws(self) -> None:
        """Rare components of a mixture, and ends of supports between which no point fell."""
        self.rare, self.far = torch.zeros_like(self.mean), torch.zeros_like(self.mean)
        pair = self.pair
        if pair.measure not in ("volume", "counting") or not isinstance(pair.p, Distribution):
            return
        weights = component_log_weights(pair.p)
        weights = weights.reshape(len(weights), -1)
        if len(weights) > 1:
            expected = weights.exp() * self.n
            scarce = (expected < FEWEST_OF_A_COMPONENT) & (expected > 0)
            which = scarce.any(1).nonzero().flatten()
            draws = component_draws(pair.p, 16)[which] if len(which) else ()
            for c, points in zip(which.tolist(), draws, strict=True):
                points = points.reshape(16, weights.shape[1], -1)
                points = torch.where(points.isnan(), pair.draw(16), points)
                found = self.f.of(*pair.logs(points))
                self._note_infinite(found.isposinf() & scarce[c])
                off = (found - self.mean).abs().nan_to_num(0.0, posinf=0.0).amax(0)
                self.rare = self.rare + torch.where(scarce[c], weights[c].exp() * off, 0.0)
        if isinstance(pair.q, Distribution) and self.f.largest == math.inf:
            self._probe_supports()
            self._probe_tails()

    def _note_infinite(self, found: Tensor) -> None:
        self.mean = torch.where(found.any(0), math.inf, self.mean)

    def _probe_supports(self) -> None:
        pair = self.pair
        d = dimension_of(pair.p) or 1
        corners = torch.cat([edges(law).reshape(-1, d) for law in self._laws()])
        known = [*self._values(d)]
        if corners.isfinite().any():
            middle = pair.draw(1)[0].double().mean(0)
            if pair.measure == "counting":
                along = [_beside(corners[:, axis], middle[axis]) for axis in range(d)]
            else:
                scale = torch.cat([centres_and_widths(law)[1] for law in self._laws()])
                if not len(scale):
                    return
                size = scale.amax(0)
                along = [_between(corners[:, axis], size[axis], middle[axis]) for axis in range(d)]
            known.append(_combinations(along))
        for points in known:
            log_p, log_q = torch.broadcast_tensors(*pair.logs(points[:, None]))
            self._note_infinite((log_p > -math.inf) & self.f.of(log_p, log_q).isposinf())

    def _values(self, d: int) -> Iterator[Tensor]:
        """All values that the first law can have, where it lists them and they are few."""
        law = self.pair.p
        if isinstance(law, Distribution) and law.has_enumerate_support:
            try:
                values = law.enumerate_support(expand=False).reshape(-1, d).double()
            except NotImplementedError:  # each member has others
                return
            if len(values) <= MOST_PROBES:
                yield values

    def _probe_tails(self) -> None:
        if self.pair.measure == "volume":
            found = beyond_the_draws(self.f, self.pair.p, self.pair.q, self.n)
            self.far = self.far if found is None else found.expand(self.mean.shape)

    def _laws(self) -> list[Distribution]:
        return [law for law in (self.pair.p, self.pair.q) if isinstance(law, Distribution)]

    @cached_property
    def behind_the_mean(self) -> Tensor:
        size = self.off.abs()
        return effective_size(
            torch.where(size > 16 * self.rounding, size, 0.0).T.log()
        ).nan_to_num(0)

    def unseen(self) -> Tensor:
        """What a bounded integrand may have where no draw fell, where the spread tells little.

        A share of 3/n of the mass has no draw with a probability of 5 %.
        """
        if self.f.largest == math.inf:
            return torch.zeros_like(self.mean)
        most = 3 * self.f.largest / self.n
        return torch.where(self.behind_the_mean < FEWEST_BEHIND_A_MEAN, most, 0.0)

    def doubts(self, stderr: Tensor) -> list[tuple[Tensor, str, Tensor]]:
        """Which members' intervals the draws do not support, why, and which end is unknown."""
        size = self.off.abs()
        matters = size.amax(0) > 16 * self.rounding
        skewed = torch.sign(self.off.amax(0) + self.off.amin(0))
        found = []
        if self.f.largest == math.inf:
            few = self.behind_the_mean
            rests = matters & ~(few >= FEWEST_BEHIND_A_MEAN)
            sentence = (
                f"the mean rests on {few.min():.1f} of {self.n} draws: it has no usable error"
            )
            found.append((rests, sentence, skewed))
            # each side alone: a bounded one would set the threshold for the other
            k = torch.maximum(*(tail_index(t.clamp_min(0)) for t in (self.off, -self.off)))
            limit = min(1 - 1 / math.log10(max(self.n, 11)), 0.7)
            found.append(
                (
                    matters & (k > limit) & ~rests,
                    f"the terms have a tail of shape k = {k.max():.2f}, and above {limit:.2f} "
                    "their mean is infinite or converges too slowly to have an error",
                    skewed,
                )
            )
        both = torch.zeros_like(skewed)
        found.append(
            (
                self.overflowed,
                "log-densities leave what float64 can hold: the value is not known",
                both,
            )
        )
        found.append(
            (
                self.rare > torch.maximum(stderr / 4, 16 * self.rounding),
                f"components of a mixture that fewer than {FEWEST_OF_A_COMPONENT} draws fall on "
                f"contribute about {self.rare.max():.2g}: use Quadrature, or a larger n",
                both,
            )
        )
        most = float(self.far.max())
        amount = "without bound" if math.isinf(most) else f"about {most:.2g}"
        found.append(
            (
                self.far > torch.maximum(stderr / 2, 16 * self.rounding),
                f"tails that hardly any draw reaches contribute {amount}: use Quadrature, or a "
                "larger n",
                torch.ones_like(skewed),
            )
        )
        found.append(
            (
                self.coinciding > 1e-3,
                f"{self.coinciding.max():.2%} of the draws coincide: they are rounded, and "
                "what they hide is not known",
                both,
            )
        )
        return found


def _combinations(along: list[Tensor]) -> Tensor:
    """All points with these coordinates, or as many of them as are looked at, at random."""
    if math.prod(map(len, along)) <= MOST_PROBES:
        return torch.tensor(list(itertools.product(*along)), dtype=torch.float64)
    return torch.stack([row[torch.randint(len(row), (MOST_PROBES,))] for row in along], 1)


def _beside(corners: Tensor, middle: Tensor) -> Tensor:
    """Counts of one axis at the ends of supports and next to them, on either side."""
    ends = corners[corners.isfinite()].unique()
    return torch.cat([ends - 1, ends, ends + 1]).unique() if len(ends) else middle.round()[None]


def _between(corners: Tensor, size: Tensor, middle: Tensor) -> Tensor:
    """Points of one axis: some in every piece between ends of supports."""
    cuts = corners[corners.isfinite()].unique()
    if not len(cuts):
        return middle[None]
    low, length = cuts[:-1, None], cuts.diff()[:, None]
    inner = low + length * torch.tensor([0.01, 0.5, 0.99]).double()
    beyond = size * torch.tensor([1e-3, 0.1, 1.0]).double()
    return torch.cat([inner.flatten(), cuts[0] - beyond, cuts[-1] + beyond])
