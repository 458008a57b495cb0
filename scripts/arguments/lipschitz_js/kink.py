r"""W1 = \|theta\| has a kink at 0: what that does to descent, and what makes up for it.

Descent with the step h on \|theta\| moves theta by h, whatever is left to go: from the first time
that \|theta\| is below h it jumps between r and r - h for ever. The rest is never larger than the
step, so that W is as good as the step is small. On W2 squared, theta squared, the same step
shrinks theta by 1 - 2h each time; and with steps that fall to 0, but add up to infinity,
\|theta\| is below the last step. JS_L has a kink of slope L/4, so that its jumps have the length
hL/4; as its slope falls away from 0 orbits do not close, and theta ranges over one to two jumps.
"""

from collections.abc import Callable
from functools import partial

import torch
from matplotlib.figure import Figure
from torch import Tensor

from divergences import Critic, SpectralNorm, Streams, exact
from gans import ParallelSegments
from scripts.arguments.lipschitz_js.limited_slope import limited_js
from scripts.arguments.segments.common import HOME
from scripts.lab.claims import Check, Claim, standard_error, worst
from scripts.lab.plotting import Colour, captioned, drawing

STEPS = (0.1, 0.03, 0.01)
SLOPE = 2.0
ITERATIONS = 400
WATCHED = 20  # last iterations, over which theta's range is taken
CRITIC_STEP = 0.03


def w1(theta: Tensor) -> Tensor:
    return exact.wasserstein(HOME, ParallelSegments(theta))


def w2_squared(theta: Tensor) -> Tensor:
    return exact.wasserstein(HOME, ParallelSegments(theta), order=2).square()


def js(theta: Tensor) -> Tensor:
    return exact.js_divergence(HOME, ParallelSegments(theta))


LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "W1": w1,
    "W2 squared": w2_squared,
    "JS": js,
    "JS_L": partial(limited_js, slope=SLOPE),
}


def starts(seeds: int) -> Tensor:
    """One random theta per seed, between .5 and 1 or -1 and -.5."""
    u = Streams(range(seeds), "starts", dtype=torch.float64).rand(1)[:, 0]
    return (u - 0.5).sign() * (0.5 + (u - 0.5).abs())


def descend(loss: Callable[[Tensor], Tensor], start: Tensor, step: float, falls: bool) -> Tensor:
    """Paths of theta under gradient descent, ``(seeds, iterations + 1)``."""
    path = [start]
    for k in range(ITERATIONS):
        theta = path[-1].clone().requires_grad_()
        value = loss(theta).sum()
        if not value.requires_grad:  # a loss that is flat
            path.append(path[-1])
            continue
        (gradient,) = torch.autograd.grad(value, theta)
        path.append(path[-1] - step / (1 + k) ** (0.5 * falls) * gradient)
    return torch.stack(path, -1)


def descents(seeds: int) -> dict[str, Tensor]:
    """Paths for each loss, ``(steps, seeds, iterations + 1)``, and for W1 with falling steps."""
    start = starts(seeds)
    found = {
        name: torch.stack([descend(loss, start, step, falls=False) for step in STEPS])
        for name, loss in LOSSES.items()
    }
    found["W1, falling"] = torch.stack([descend(w1, start, step, falls=True) for step in STEPS])
    return found


def through_a_critic(seeds: int, iterations: int) -> Tensor:
    """Paths of theta with a trained critic's gradient in place of W1's, ``(seeds, ...)``."""
    critic = Critic(steps=5, batch=32, hidden=(16,), constraint=SpectralNorm())
    theta, fit = starts(seeds), None
    path = [theta]
    for _ in range(iterations):
        away = ParallelSegments(theta.float())
        warm = critic if fit is not None else Critic(steps=200, batch=32, hidden=(16,))
        fit = warm.fit(HOME, away, range(seeds), start=fit)
        moved = theta.float().requires_grad_()
        height = ((torch.arange(16) + 0.5) / 16).expand(seeds, 16)
        points = torch.stack([moved[:, None].expand_as(height), height], -1)
        (gradient,) = torch.autograd.grad(-fit.scores(points).mean(-1).sum(), moved)
        theta = theta - CRITIC_STEP * gradient.double()
        path.append(theta)
    return torch.stack(path, -1)


def last(path: Tensor) -> Tensor:
    return path[..., -WATCHED:]


def swing(path: Tensor) -> Tensor:
    """Range of theta over the last iterations, per seed."""
    return last(path).amax(-1) - last(path).amin(-1)


def jump(path: Tensor) -> Tensor:
    """Longest way theta goes at once over the last iterations, per seed."""
    return last(path).diff(dim=-1).abs().amax(-1)


def jumps(who: str, length: Tensor, predicted: float) -> Check:
    """Lengths ``(steps, seeds)``, per unit of step."""
    share = length / torch.tensor(STEPS, dtype=torch.float64)[: len(length), None]
    farthest = worst(share, predicted)
    return Check.near(f"{who}, per step, farthest", predicted, farthest, 0.05 * predicted)


def rests(who: str, path: Tensor, within: Tensor | float) -> Check:
    share = last(path).abs() / within
    return Check.at_most(f"{who}: largest |theta| at last / what it may be", 1, share.max())


def claim(found: dict[str, Tensor], trained: Tensor) -> Claim:
    """Claim ``seg-kink``."""
    step = torch.tensor(STEPS, dtype=torch.float64)[:, None, None]
    share = swing(trained) / CRITIC_STEP
    longest = max(range(len(STEPS)), key=lambda k: STEPS[k])
    squared = found["W2 squared"][longest]
    ratio = squared[:, 1:50] / squared[:, :49]
    jumped = jump(found["JS_L"])
    return Claim(
        id="seg-kink",
        source="Arjovsky, Chintala & Bottou 2017, arXiv 1701.07875, Example 1; Nesterov 2004, "
        "Section 3.2 (subgradient descent)",
        statement="W1 = |theta| has no derivative at 0: with a fixed step theta ends up jumping "
        "to and fro by the step, and no farther from 0. With W2 squared, or a falling step, it "
        "converges.",
        checks=[
            jumps("W1, fixed step: range of theta at last", swing(found["W1"]), 1.0),
            rests("W1, fixed step; may be: the step", found["W1"], step),
            jumps(f"JS_L, L = {SLOPE:g}, fixed step: longest jump at last", jumped, SLOPE / 4),
            rests("W2 squared, fixed step .1; may be: 1e-12", squared, 1e-12),
            Check.zero(
                "W2 squared: theta / theta before it, step .1, farthest from 1 - 2h",
                ratio - (1 - 2 * STEPS[longest]),
                1e-9,
            ),
            rests(
                "W1, falling step; may be: the last steps",
                found["W1, falling"][:2],
                step[:2] / (ITERATIONS - WATCHED) ** 0.5,
            ),
            Check.all_at_least(
                f"trained critic, step {CRITIC_STEP:g}: range of theta at last / step, least seed",
                1,
                share,
            ),
        ],
        controls=[
            jumps("JS, which is flat: range of theta at last", swing(found["JS"]), 1.0),
            rests("JS, which is flat; may be: the step", found["JS"], step),
            rests("W1, fixed step; may be: 1e-12", found["W1"], 1e-12),
            jumps("W2 squared: range of theta at last", swing(found["W2 squared"])[:1], 1.0),
        ],
        equation=r"\theta_{k+1} = \theta_k - h\,\mathrm{sign}(\theta_k), \qquad "
        r"\theta_{k+1} = (1 - 2h)\,\theta_k",
        n_seeds=len(trained),
        figure="seg_kink",
        note="JS is no better for having no kink where theta is: it jumps, and gives no gradient "
        "before. A kink costs an error as large as the step, which a falling rate takes away. "
        "Through a trained critic, which lags behind, theta swings by "
        f"{share.mean():.1f} ± {standard_error(share):.1f} steps.",
    )


@captioned
def paths(found: dict[str, Tensor], trained: Tensor) -> Figure:
    """Right: with a fixed step theta jumps to and fro by the step; left, the curves that keep
    falling converge.
    """
    figure, (distance, end) = drawing(10.5, 3.9, 1, 2)
    drawn = [
        ("W1", 0, Colour.W1, "-", f"W1, step {STEPS[0]:g}"),
        ("W1", 2, Colour.W1, "--", f"W1, step {STEPS[2]:g}"),
        ("W1, falling", 0, Colour.EXACT, "-", f"W1, step {STEPS[0]:g} / sqrt(k)"),
        ("W2 squared", 0, "#3c8d5a", "-", f"W2 squared, step {STEPS[0]:g}"),
        ("JS_L", 0, Colour.LIMITED, "-", f"JS_L, L = {SLOPE:g}, step {STEPS[0]:g}"),
        ("JS", 0, Colour.JS, "-", "JS, any step"),
    ]
    late = torch.arange(ITERATIONS - 30, ITERATIONS + 1)
    for name, k, colour, style, label in drawn:
        path, look = found[name][k, 0], {"color": colour, "ls": style, "lw": 1.1, "label": label}
        if name != "JS_L":  # it would cover the others
            distance.plot(path.abs(), **look)
        if name != "JS":
            end.plot(late, path[-31:], marker=".", ms=4, **look)
    critic = f"trained critic, step {CRITIC_STEP:g}"
    distance.plot(trained[0].abs(), color=Colour.W1, lw=0.8, alpha=0.5, label=critic)
    distance.set(yscale="log", ylim=(1e-14, 30), xlabel="iterations", ylabel="|theta|")
    distance.set_title("Distance from 0", fontsize=11)
    distance.legend(fontsize=8, loc="lower right")
    end.axhline(0, color=Colour.EXACT, lw=0.6, ls=":")
    end.set(xlabel="iterations", ylabel="theta", ylim=(-0.065, 0.12))
    end.legend(fontsize=8, loc="upper center", ncols=2)
    end.set_title("The last iterations: a jump as large as the step", fontsize=11)
    return figure
