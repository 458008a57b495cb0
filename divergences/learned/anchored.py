r"""W1 from a potential that is given at sample points and continued with slope 1 at most.

Of all functions that are at least :math:`g_j` at the anchor :math:`a_j` and have no slope above 1,
:math:`\max_j (g_j - \|x - a_j\|)` is the smallest. So the potentials of optimal transport between
samples extend to all other points. Here the :math:`g_j` are not those of one sample's plan: they
are trained on fresh points, and do not fit the noise of a sample, which is what makes exact
transport between samples useless in many dimensions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.optim import Adam

from divergences import bounds
from divergences.checks import each, positive_number, real_number, whole_number
from divergences.estimate import Bound, Estimate
from divergences.learned.base import Fit, Learned
from divergences.learned.sources import Given, Source, as_source, streams_of_both
from divergences.networks.mcshane import McShane, distances
from divergences.random_streams import Streams

MOST = 1024  # points of a cone that its new anchor is chosen from and by


def moved_to_medoids(network: McShane, x: Tensor, y: Tensor) -> McShane:
    r"""Each cone on the best of its own points.

    Among the points of P on which cone j is the largest, the new anchor is the a that maximises
    :math:`\sum_y \|y - a\| - \sum_x \|x - a\|` over the cone's own points of P and Q.

    Arguments:
        network: Whose cones are to move.
        x: Points of P, shape ``(K, n, d)``.
        y: Points of Q, shape ``(K, m, d)``.
    """
    anchors, heights = network.anchors.clone(), network.heights.detach().clone()
    for k in range(len(x)):
        of_x, of_y = (_owners(network, k, points) for points in (x, y))
        for j in range(heights.shape[1]):
            anchors[k, j], heights[k, j] = _medoid(
                anchors[k, j], heights[k, j], x[k, of_x == j], y[k, of_y == j]
            )
    return McShane(anchors, network.softness, heights)


def _busiest(network: McShane, shares: Tensor, keep: int) -> McShane:
    best = shares.topk(min(keep, shares.shape[1]), 1).indices
    return McShane(
        network.anchors.gather(1, best[..., None].expand(-1, -1, network.anchors.shape[-1])),
        network.softness,
        network.heights.detach().gather(1, best),
    )


def _owners(network: McShane, k: int, points: Tensor) -> Tensor:
    """Which cone of member ``k`` is the largest at each of its points."""
    chunks = points[k].split(1024)
    cones = (network.heights[k] - distances(c[None], network.anchors[k, None])[0] for c in chunks)
    return torch.cat([c.argmax(-1) for c in cones])


def _medoid(anchor: Tensor, height: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = x[:MOST], y[:MOST]
    if len(x) < 3:
        return anchor, height
    candidates = torch.cat([anchor[None], x])[None]
    on_x, on_y = (
        distances(candidates.double(), points[None].double())[0].sum(1) for points in (x, y)
    )
    best = (on_y - on_x).argmax()
    # the cone keeps its mean over the points it has
    lift = (on_x + on_y)[best] - (on_x + on_y)[0]
    return candidates[0, best], height + (lift / (len(x) + len(y))).to(height)


@final
@dataclass(frozen=True, kw_only=True)
class AnchoredCritic(Learned):
    r"""Lower bound on W1 from cones on sample points: :math:`E_P[f] - E_Q[f]`, f as in McShane.

    Every function without slopes above 1 is a limit of such f as the anchors fill the space. With
    hundreds of anchors, chosen from thousands, f is good where the potential has its peaks near
    points of P, as min-funnel pairs do; a potential without peaks, such as that of a shifted
    copy, it can read but not follow: between two segments its value is right and its gradient
    *on* them points along them. It measures a lower bound always.

    The anchors are points of P: first the busiest of many candidates, all of whose heights are
    trained roughly; then, ``sweeps`` times, each moves to the best of the points on which its own
    cone is the largest. Last the heights are trained with the anchors at rest.

    References:
        | Large-Scale Optimal Transport and Mapping Estimation (Seguy et al., 2018), Section 3, for
          the dual on fresh points; https://arxiv.org/abs/1711.02283
        | Stochastic Optimization for Large-scale Optimal Transport (Genevay et al., 2016), Section
          4, for potentials that are vectors; https://arxiv.org/abs/1605.08527

    Arguments:
        anchors: How many cones are kept.
        candidates: Points of P that they are chosen from.
        screening: Steps that the candidates' heights are trained for.
        sweeps: How often the anchors move.
        sweep_steps: Steps before each sweep.
        pool: Points of each law that a sweep looks at.
        softness: :math:`\tau`, in the unit of the data. 0 is best in few dimensions. In many,
            where no point of P lies near a tip, cones averaged over several anchors point better.

        rates: Adam's step size, in the unit of the data, and what it falls to in the end.
        batch: As in :class:`~divergences.learned.base.Learned`; of its other settings ``hidden``,
            ``optimizer`` and ``cooldown`` mean nothing here.

    Raises:
        ValueError: If a number is below its least value.

    Example:
        >>> points = torch.randn(1024, 2, generator=torch.Generator().manual_seed(0))
        >>> critic = AnchoredCritic(candidates=256, steps=100)
        >>> estimate = critic(points[:, :1] + 3, points[:, 1:])
        >>> estimate.bound, bool((estimate.value - 3).abs() < 0.3)
        ('lower', True)
    """

    quantity: ClassVar[str] = "w1"
    bound: ClassVar[Bound] = "lower"

    anchors: int = 64
    candidates: int = 4096
    screening: int = 40
    sweeps: int = 4
    sweep_steps: int = 50
    pool: int = 8192
    softness: float = 0.0
    rates: tuple[float, float] = (0.03, 3e-4)
    batch: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("anchors", "candidates", "screening", "sweep_steps", "pool"):
            whole_number(name, getattr(self, name))
        whole_number("sweeps", self.sweeps, least=0)
        if len(each("rates", self.rates, positive_number)) != 2:
            raise ValueError(f"rates = {self.rates}: give the first and the last")
        if real_number("softness", self.softness) < 0:
            raise ValueError(f"softness = {self.softness}: it must be 0 or more")

    def fit(
        self,
        p: Given,
        q: Given,
        seeds: Sequence[int],
        observe: Callable[[int, nn.Module], bool | None] | None = None,
        start: Fit | None = None,
    ) -> Fit:
        """As that of every learned estimator; from a start only the heights go on."""
        one, other = as_source(p), as_source(q)
        streams, dimension = streams_of_both(one, other, seeds)
        with torch.no_grad():
            if start is None:
                network = self._placed(one, other, streams, dimension)
            else:
                network = McShane(one.draw(streams, self.anchors), self.softness)
                start.load_into(network, streams)
            self._train(network, one, other, streams, self.steps, observe)
        network.eval().requires_grad_(False)
        return Fit(network, tuple(seeds), self.read, streams, self.quantity)

    def width(self, points: Tensor) -> int:
        return max(points.shape[-1], self.anchors)

    def _placed(self, p: Source, q: Source, streams: Streams, dimension: int) -> McShane:
        """Cones whose anchors are chosen and moved, their heights trained roughly."""
        network = self.build(p, q, streams, dimension)
        shares = self._train(network, p, q, streams, self.screening)
        network = _busiest(network, shares, self.anchors)
        for _ in range(self.sweeps):
            self._train(network, p, q, streams, self.sweep_steps)
            pools = p.draw(streams, self.pool), q.draw(streams, self.pool)
            network = moved_to_medoids(network, *pools)
        return network

    def build(self, p: Source, q: Source, streams: Streams, dimension: int) -> McShane:
        return McShane(p.draw(streams, max(self.anchors, self.candidates)), self.softness)

    def _train(
        self,
        network: McShane,
        p: Source,
        q: Source,
        streams: Streams,
        steps: int,
        observe: Callable[[int, nn.Module], bool | None] | None = None,
    ) -> Tensor:
        """Ascend E_P[f] - E_Q[f]; each cone's share of P in the later half, ``(K, m)``."""
        first, last = self.rates
        optimizer = Adam(network.parameters(), lr=first, betas=(0.9, 0.999), fused=True)
        busy = torch.zeros_like(network.heights)
        for step in range(1, steps + 1):
            if steps == self.steps:
                optimizer.param_groups[0]["lr"] = first * (last / first) ** (step / steps)
            on_p = network.shares(p.draw(streams, self.batch))
            network.heights.grad = network.shares(q.draw(streams, self.batch)) - on_p
            optimizer.step()
            busy = busy + on_p * (2 * step > steps)
            if observe is not None and observe(step, network):
                break
        return busy

    def loss(self, network: nn.Module, x: Tensor, y: Tensor, streams: Streams) -> Tensor:
        return (network(y).mean(1) - network(x).mean(1)).squeeze(-1)

    def read(self, p_scores: Tensor, q_scores: Tensor) -> Estimate:
        return bounds.kantorovich_rubinstein(p_scores, q_scores)
