r"""Saturating training of theta against a discriminator of slope at most L, beside its flow.

With the discriminator kept optimal the saturating loss is 2 JS_L less a constant. Gradient flow of
JS_L from theta > 0 moves theta by :math:`-\tfrac L2 \sigma(-L\theta/2)`, that is

.. math:: \left(1 + e^{L\theta/2}\right) d\theta = -\tfrac L2\, dt, \qquad
    t(\theta_0 \to \theta_1) = \tfrac 2L \left[\theta_0 - \theta_1
    + \tfrac 2L \left(e^{L\theta_0/2} - e^{L\theta_1/2}\right)\right].

The time to arrive grows as 1/L for small slopes, because the push is L/4 at most, and as
exp(L theta / 2) for large ones, because JS_L is flat where L theta is large: the vanishing
gradient again. Some slope between is the fastest. At 0 there is a kink of slopes L/4: a step of
length h in time goes on to move theta by hL/4.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, final

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.optim import SGD, Adam

from divergences import MLP, Constraint, SpectralNorm, Streams, Unconstrained
from gans import Saturating, SegmentGenerator, VanillaGAN
from scripts.arguments.segments.common import HOME
from scripts.arguments.segments.trained_theta import Trajectory
from scripts.lab.claims import Check, Claim, in_table, over_seeds
from scripts.lab.plotting import Colour, captioned, drawing, legends
from scripts.lab.training import quiet_trainer

ARRIVING, STALLED = (0.5, 2.0, 8.0), 16.0
SLOPES = (*ARRIVING, STALLED)
START, NEAR = 1.0, 0.1
RATE = 0.01
STEP = 2 * RATE
"""Of time per iteration: the saturating loss is twice JS_L."""
ITERATIONS, LAST = 480, 40
"""Iterations of theta, and the last of them, in which it is to be next to 0."""
TRAINING: dict[str, Any] = {
    "target": HOME,
    "objective": Saturating(),
    "generator": partial(SegmentGenerator, theta=START),
    "generator_optimizer": partial(SGD, lr=RATE),
    # as in WGAN training: with momentum the discriminator would lag behind theta
    "critic_optimizer": partial(Adam, lr=3e-3, betas=(0.0, 0.9), fused=True),
    "n_critic": 5,
    "batch_size": 32,
}


def time_between(start: Tensor, end: Tensor, slope: Tensor | float) -> Tensor:
    """Time that the gradient flow of JS_L takes from theta = start to end, 0 <= end <= start.

    Example:
        >>> time_between(torch.tensor(1.0), torch.tensor(0.0), slope=2.0)
        tensor(2.7183)
    """
    half = torch.as_tensor(slope / 2).to(start)
    return (start - end + ((half * start).expm1() - (half * end).expm1()) / half) / half


def theta_at(times: Tensor, start: float, slope: float) -> Tensor:
    """Where the flow of JS_L from ``start`` is at some times: 0 from its arrival on.

    Example:
        >>> theta_at(torch.tensor([0.0, 2.0, 3.0], dtype=torch.float64), 1.0, slope=2.0)
        tensor([1.0000, 0.3289, 0.0000], dtype=torch.float64)
    """
    low, high = torch.zeros_like(times), torch.full_like(times, start)
    for _ in range(60):
        middle = (low + high) / 2
        early = time_between(torch.full_like(times, start), middle, slope) < times
        low, high = torch.where(early, low, middle), torch.where(early, middle, high)
    return torch.where(high < 1e-12, 0.0, high)


@final
class Steep(nn.Module):
    """A perceptron's scores times L, one per member."""

    def __init__(self, streams: Streams, d_in: int, d_out: int, slopes: Sequence[float]):
        super().__init__()
        self.network = MLP(streams, d_in, d_out, (16, 16))
        self.register_buffer("slopes", torch.tensor(slopes)[:, None, None])

    def forward(self, points: Tensor) -> Tensor:
        return self.slopes * self.network(points)


def walk(
    slopes: Sequence[float], seeds: int, constraint: Constraint, warmup: int, iterations: int
) -> Tensor:
    """Theta after each iteration, ``(slopes, seeds, iterations + 1)``."""
    module = VanillaGAN(
        constraint=constraint,
        critic=partial(Steep, slopes=[slope for slope in slopes for _ in range(seeds)]),
        warmup=warmup,
        iterations=iterations,
        seeds=range(seeds * len(slopes)),
        **TRAINING,
    )
    trajectory = Trajectory()
    quiet_trainer(callbacks=[trajectory]).fit(module)
    path = torch.stack(trajectory.thetas, -1).double().view(len(slopes), seeds, -1)
    return torch.cat([torch.full_like(path[..., :1], START), path], -1)


def limited_walks(seeds: int, warmup: int, iterations: int) -> Tensor:
    """Paths under each slope, ``(slopes, seeds, iterations + 1)``."""
    return walk(SLOPES, seeds, SpectralNorm(), warmup, iterations)


def free_walks(seeds: int, warmup: int, iterations: int) -> Tensor:
    """Paths without a limit, ``(seeds, iterations + 1)``."""
    return walk([1.0], seeds, Unconstrained(), warmup, iterations)[0]


def arrival(path: Tensor) -> Tensor:
    """Time until theta is below :data:`NEAR`, between two iterations by a line; or infinity."""
    below = path < NEAR
    k = below.double().argmax(-1, keepdim=True).clamp_min(1)
    before, after = path.gather(-1, k - 1)[..., 0], path.gather(-1, k)[..., 0]
    share = (before - NEAR) / (before - after)
    return torch.where(below.any(-1), STEP * (k[..., 0] - 1 + share), math.inf)


def predicted_arrival(slope: float) -> float:
    ends = torch.tensor([START, NEAR], dtype=torch.float64)
    return float(time_between(ends[0], ends[1], slope))


def in_time(who: str, path: Tensor, slope: float) -> Check:
    """Times to arrive, ``(seeds,)``, over that of the flow."""
    share = arrival(path) / predicted_arrival(slope)
    return Check.near(f"{who}: time until theta = .1 / closed form, mean of seeds", 1, share, 0.05)


def along(path: Tensor, slope: float) -> Tensor:
    """Mean path of the seeds less that of the flow, until the flow arrives."""
    times = STEP * torch.arange(path.shape[-1], dtype=torch.float64)
    flow = theta_at(times, START, slope)
    return (path.mean(0) - flow)[flow >= NEAR]


def stays_near(who: str, path: Tensor) -> Check:
    rest, what = path[:, -LAST:].abs().mean(-1), "mean |theta| over the last iterations"
    return Check.at_most(f"{who}: {what}, mean of seeds", NEAR, rest)


def claim(found: Tensor, free: Tensor) -> Claim:
    """Claim ``seg-train-lipschitz``."""
    walks = dict(zip(SLOPES, found, strict=True))
    end = STEP * torch.tensor([found.shape[-1] - 1.0], dtype=torch.float64)
    jumps = {s: walks[s][:, -LAST:].diff(dim=-1).abs().amax(-1) for s in ARRIVING}
    farthest = max(float(along(walks[s], s).abs().max()) for s in SLOPES)
    fastest = min(SLOPES, key=lambda s: float(arrival(walks[s]).mean()))
    return Claim(
        id="seg-train-lipschitz",
        source="derived here from Goodfellow et al. 2014, Theorem 1; Zhou et al. 2019, arXiv "
        "1902.05687, on what the constraint does",
        statement="Saturating training against a discriminator of slope at most L, kept optimal, "
        "brings theta to 0 in the time that the closed form of JS_L predicts: slowly where L is "
        "small, exponentially slowly where it is large.",
        checks=[
            *(in_time(f"L = {slope:g}", walks[slope], slope) for slope in ARRIVING),
            Check.at_most(
                "mean path of the seeds, farthest from the flow's, any L and time", 0.03, farthest
            ),
            Check.near(
                f"L = {STALLED:g}: theta at the end, of which the flow predicts a standstill",
                float(theta_at(end, START, STALLED)),
                walks[STALLED][:, -1],
                0.01,
            ),
            *(stays_near(f"L = {slope:g}", walks[slope]) for slope in ARRIVING),
            Check.at_most("L of the earliest arrival is neither the least ...", 2.0, fastest),
            Check.at_least("... nor the largest that arrives", 2.0, fastest),
        ],
        controls=[
            in_time("no constraint, against L = 2", free, 2.0),
            stays_near("no constraint", free),
            in_time("L = 2, against the flow of L = 8", walks[2.0], 8.0),
            stays_near(f"L = {STALLED:g}", walks[STALLED]),
        ],
        equation=r"\dot\theta = -\frac{L}{2}\,\sigma\left(-\frac{L\theta}{2}\right), \qquad "
        r"t = \frac 2L \left[\theta_0 - \theta_1 + \frac 2L \left(e^{L\theta_0/2} - "
        r"e^{L\theta_1/2}\right)\right]",
        n_seeds=found.shape[1],
        figure="seg_train_lipschitz",
        note="Descent on JS_L itself would go on to jump by hL/4, for the kink at 0. A trained "
        "discriminator changes its sign gradually: theta overshoots by up to "
        + ", ".join(f"{-walks[s].min():.2f} (L = {s:g})" for s in ARRIVING)
        + ", and its longest jumps at last are "
        + ", ".join(f"{float(jumps[s].mean()) / (STEP * s / 4):.2f}" for s in ARRIVING)
        + f" of hL/4. Without a constraint theta is {free[:, -1].mean():.3f} after "
        f"{free.shape[-1] - 1} iterations.",
    )


def by_limit(found: Tensor) -> list[dict[str, Any]]:
    """One row per L: the times to arrive, predicted and measured."""
    return [
        {"slope": s, "predicted": predicted_arrival(s), **in_table(measured=arrival(path))}
        for s, path in zip(SLOPES, found, strict=True)
    ]


@captioned
def drawn(found: Tensor, free: Tensor) -> Figure:
    """Left: theta over time beside the closed form, dashed. Right: the time it takes is least for
    a middling L.
    """
    figure, (paths, times) = drawing(10.5, 3.9, 1, 2, width_ratios=(1.6, 1))
    clock = STEP * torch.arange(found.shape[-1], dtype=torch.float64)
    colours = ("#3c8d5a", Colour.W1, "#7b4ea3", Colour.JS)
    for slope, path, colour in zip(SLOPES, found, colours, strict=True):
        paths.plot(clock, path.T, color=colour, lw=0.8, alpha=0.5)
        paths.plot([], [], color=colour, lw=1.4, label=f"L = {slope:g}, trained")
        paths.plot(clock, theta_at(clock, START, slope), color=Colour.EXACT, lw=1.1, ls="--")
    paths.plot(clock, free.T, color=Colour.TRAP, lw=1)
    paths.plot([], [], color=Colour.TRAP, lw=1.4, label="no constraint")
    paths.plot([], [], color=Colour.EXACT, lw=1.1, ls="--", label="flow, closed form")
    paths.set(xlabel="time (2 x learning rate x iterations)", ylabel="theta", ylim=(-0.3, 1.1))
    paths.set_title("Saturating training, a discriminator of slope at most L", fontsize=11)
    slopes = torch.logspace(-1, math.log10(24), 120, dtype=torch.float64)
    times.plot(
        slopes, [predicted_arrival(float(s)) for s in slopes], color=Colour.EXACT, lw=1.1, ls="--"
    )
    for slope, path, colour in zip(ARRIVING, found, colours, strict=False):
        mean, bar = over_seeds(arrival(path))
        times.errorbar(slope, mean, bar, fmt="o", ms=6, color=colour)
    times.axhline(float(clock[-1]), color=Colour.TRAP, lw=0.8, ls=":", label="end of training")
    times.set(xscale="log", yscale="log", xlabel="L", ylim=(1, 3000))
    times.set_title("Time until theta = .1", fontsize=11)
    legends(paths, times)
    return figure
