r"""Minibatch gradients of W1 are biased, those of the energy distance are not.

Bernoulli laws. The model gives 1 the probability theta, the law theta*; of m points K are 1, with
K binomial. W1 between the model and the sample is \|theta - K/m\|, so that

.. math:: E\,\partial_\theta W_1 = P(K < m\theta) - P(K > m\theta),

and not sign(theta - theta*). What it leads to is the median of K/m: with one point the likelier
outcome for certain, however close theta* is to 1/2. At theta* = 1/m and theta = 1/(2m) the bias is
:math:`2 (1 - 1/m)^m`, which tends to 2/e: no m is enough for all laws. The energy distance is
:math:`2 (\theta - K/m)^2`, whose derivative is linear in K/m.

Both sides sampled. X and Y are m points each of one law. As W1(sX, sY) = s W1(X, Y), and as
neither side is preferred, E W1(X, sY) has at s = 1 the derivative E W1(X, Y)/2, half of what is
read between equal laws: the model learns to be narrower than the data, the more so the fewer the
points and the more dimensions. The energy distance without bias is 0 on average, and half of that
is 0.

Source: Bellemare et al. 2017, arXiv 1705.10743.
"""

import itertools
import math
from collections.abc import Callable

import torch
from matplotlib.figure import Figure
from scipy.stats import binom
from torch import Tensor

from divergences import EarthMover, EnergyDistance, Estimator, Streams
from scripts.lab.claims import Check, Claim, standard_error
from scripts.lab.plotting import Colour, captioned, drawing

TRUE = 0.3
SIZES = (1, 2, 3, 4, 6, 8)
"""Minibatches of which all 2^m samples are tried."""
LARGE = (16, 64, 256, 1024)
GRID = torch.linspace(0, 1, 481, dtype=torch.float64)
"""Holds all multiples of 1/m for ``SIZES``, which is where kinks are."""
BETWEEN = (GRID[1:] + GRID[:-1]) / 2
STEPS, WALKERS = 2000, 8
SHAPES = ((1, 16), (8, 16), (32, 16), (8, 64))
"""Dimensions and points per side."""


def w1(theta: Tensor, other: Tensor) -> Tensor:
    """W1 of two laws on 0 and 1: the area between their distribution functions."""
    return ((1 - theta) - (1 - other)).abs()


def energy(theta: Tensor, other: Tensor) -> Tensor:
    """2 E\\|X - Y\\| - E\\|X - X'\\| - E\\|Y - Y'\\| of two laws on 0 and 1."""
    between = theta * (1 - other) + other * (1 - theta)
    return 2 * between - 2 * theta * (1 - theta) - 2 * other * (1 - other)


Distance = Callable[[Tensor, Tensor], Tensor]
DISTANCES: dict[str, Distance] = {"W1": w1, "energy": energy}


def over_all_samples(
    distance: Distance, m: int, theta: Tensor, true: float = TRUE
) -> tuple[Tensor, Tensor]:
    """Expected distance to a sample of ``m`` points, and expected derivative in theta."""
    samples = torch.tensor(list(itertools.product((0.0, 1.0), repeat=m)), dtype=torch.float64)
    chance = (true**samples * (1 - true) ** (1 - samples)).prod(-1)
    inner = theta.clone().requires_grad_()
    each = distance(inner, samples.mean(-1)[:, None])
    expected = (chance[:, None] * each).sum(0)
    (gradient,) = torch.autograd.grad(expected.sum(), inner)
    return expected.detach(), gradient


def enumerated() -> dict[str, Tensor]:
    """For each distance: values on ``GRID``, derivatives on ``BETWEEN``, ``(sizes, points)``."""
    rare = [over_all_samples(w1, m, torch.tensor([0.5 / m]).double(), 1 / m) for m in SIZES[1:]]
    found = {"rare": torch.cat([gradient + 1 for _, gradient in rare])}
    for name, distance in DISTANCES.items():
        inner = BETWEEN.clone().requires_grad_()
        whole = distance(inner, torch.tensor(TRUE, dtype=torch.float64))
        (found[f"{name} true"],) = torch.autograd.grad(whole.sum(), inner)
        found[name] = torch.stack([over_all_samples(distance, m, GRID)[0] for m in SIZES])
        found[f"{name} gradient"] = torch.stack(
            [over_all_samples(distance, m, BETWEEN)[1] for m in SIZES]
        )
    return found


def walks(seeds: int) -> dict[str, Tensor]:
    """Descent on minibatches of one point, from 1/2: theta, ``(seeds, steps + 1)``."""
    draws = (Streams(range(seeds), "coins", dtype=torch.float64).rand(STEPS) < TRUE).double()
    found = {}
    for name, distance in DISTANCES.items():
        theta = torch.full((seeds,), 0.5, dtype=torch.float64)
        path = [theta]
        for k in range(STEPS):
            inner = theta.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(distance(inner, draws[:, k]).sum(), inner)
            # 1/(4k) makes theta the mean of what was drawn, where the derivative is that of 2 d^2
            step = 0.25 / (k + 1) if name == "energy" else 0.25 / math.sqrt(k + 1)
            theta = (theta - step * gradient).clamp(0, 1)
            path.append(theta)
        found[name] = torch.stack(path, -1)
    return found


def scales(repeats: int, d: int, n: int) -> dict[str, Tensor]:
    """Normal samples of scale 1: what is read of equal laws, the derivative in one's scale."""
    streams = Streams(range(repeats), f"scales {d} {n}", dtype=torch.float64)
    x, y = streams.randn(n, d), streams.randn(n, d)
    apart = Streams(range(repeats), f"floors {d} {n}", dtype=torch.float64)
    a, b = apart.randn(n, d), apart.randn(n, d)
    found = {}
    estimators: dict[str, Estimator] = {"W1": EarthMover(floor=False), "energy": EnergyDistance()}
    for name, estimator in estimators.items():
        scale = torch.ones(repeats, dtype=torch.float64, requires_grad=True)
        read = estimator(x, scale[:, None, None] * y).value
        (gradient,) = torch.autograd.grad(read.sum(), scale)
        found |= {f"{name} gradient": gradient, f"{name} floor": estimator(a, b).value}
    return found


def binomial_gradient(m: int, theta: Tensor) -> Tensor:
    """P(K < m theta) - P(K > m theta), for m theta that are no whole numbers."""
    below = torch.as_tensor(binom.cdf((m * theta).floor().numpy(), m, TRUE))
    return 2 * below - 1


def bias_of_rare(m: int) -> float:
    """Bias at theta* = 1/m and theta = 1/(2m), in closed form."""
    return 2 * (1 - 1 / m) ** m


def unbiased(name: str, found: dict[str, Tensor]) -> Check:
    bias = found[f"{name} gradient"] - found[f"{name} true"]
    what = f"{name}: minibatch gradient less true one, farthest of sizes and theta"
    return Check.zero(what, bias, 1e-12)


def leads_to(name: str, found: dict[str, Tensor], size: int, predicted: float) -> Check:
    least = GRID[found[name][SIZES.index(size)].argmin()]
    what = f"{name}, theta* = {TRUE:g}, minibatch of {size}: theta of the least expected distance"
    return Check.near(what, predicted, least, 1e-12)


def ends_at(name: str, path: Tensor, predicted: float, tolerance: float) -> Check:
    what = f"{name}, descent on one point at a time: theta at last, mean of seeds"
    return Check.near(what, predicted, path[:, -1], tolerance)


def half_of_floor(name: str, d: int, n: int, seen: dict[str, Tensor], share: float) -> Check:
    """The derivative is ``share`` times the mean floor, within four standard errors."""
    gradient, floor = seen[f"{name} gradient"], seen[f"{name} floor"]
    error = math.hypot(float(standard_error(gradient)), share * float(standard_error(floor)))
    what = f"{name}, {n} points in {d}-D: derivative in the scale at equal laws"
    return Check.near(what, share * float(floor.mean()), gradient, 4 * error, error)


def claim(
    found: dict[str, Tensor], walked: dict[str, Tensor], scaled: dict[tuple[int, int], dict]
) -> Claim:
    """Claim ``biased-gradients``."""
    binomial = torch.stack([binomial_gradient(m, BETWEEN) for m in SIZES])
    of_rare = torch.tensor([bias_of_rare(m) for m in SIZES[1:]], dtype=torch.float64)
    seeds = len(walked["W1"])
    spread = math.sqrt(TRUE * (1 - TRUE) / STEPS / seeds)
    return Claim(
        id="biased-gradients",
        source="Bellemare et al. 2017, arXiv 1705.10743, on Bernoulli laws",
        statement="The gradient of W1 to a minibatch is biased, however large the minibatch, and "
        "following it can end at the wrong law, even at a certain outcome where the data have "
        "none; that of the energy distance is not biased.",
        checks=[
            *(leads_to("W1", found, m, float(binom.median(m, TRUE)) / m) for m in SIZES),
            Check.zero(
                "W1: expected gradient over all samples, from the binomial law, farthest",
                found["W1 gradient"] - binomial,
                1e-12,
            ),
            Check.zero(
                "W1: bias at theta* = 1/m and theta = 1/(2m), less 2 (1 - 1/m)^m, farthest",
                found["rare"] - of_rare,
                1e-12,
            ),
            ends_at("W1", walked["W1"], 0, 0.02),
            unbiased("energy", found),
            leads_to("energy", found, 1, TRUE),
            ends_at("energy", walked["energy"], TRUE, 4 * spread),
            *(half_of_floor("W1", d, n, scaled[d, n], 0.5) for d, n in SHAPES),
            *(half_of_floor("energy", d, n, scaled[d, n], 0.0) for d, n in SHAPES),
        ],
        controls=[
            unbiased("W1", found),
            leads_to("W1", found, 1, TRUE),
            ends_at("W1", walked["W1"], TRUE, 4 * spread),
            *(half_of_floor("W1", d, n, scaled[d, n], 0.0) for d, n in SHAPES),
        ],
        equation=r"E\,\partial_\theta W_1(\hat P_m, Q_\theta) = P(K < m\theta) - P(K > m\theta) "
        r"\ne \mathrm{sign}(\theta - \theta^*), \quad K \sim \mathrm{Bin}(m, \theta^*)",
        n_seeds=seeds,
        figure="biased_gradients",
        note="Where both sides are samples the derivative in the model's scale at equal laws is "
        "half of what is read between samples of equal laws: "
        + ", ".join(
            f"{scaled[d, n]['W1 gradient'].mean():.3g} for {n} points in {d}-D" for d, n in SHAPES
        )
        + ". A generator that follows it ends up narrower than its data. On coins the bias at "
        f"theta* = 1/m is {bias_of_rare(2):g} for 2 points and {bias_of_rare(1024):.3f} for 1024.",
    )


@captioned
def drawn(found: dict[str, Tensor], scaled: dict[tuple[int, int], dict]) -> Figure:
    """Left: the expected distance to m points; each dot is where it is least. Dots of W1 lie
    beside the true theta* = .3, those of the energy distance on it. Right: what is left of the
    bias.
    """
    figure, (value, gradient, size) = drawing(12.0, 3.9, 1, 3)
    for m, alpha in ((1, 0.4), (2, 0.65), (8, 1.0)):
        k = SIZES.index(m)
        for name, colour in (("W1", Colour.W1), ("energy", Colour.FIRST)):
            curve, least = found[name][k], int(found[name][k].argmin())
            value.plot(GRID, curve, color=colour, alpha=alpha, lw=1.3, label=f"{name}, m = {m}")
            value.plot(GRID[least], curve[least], "o", color=colour, alpha=alpha, ms=5)
        blue = {"color": Colour.W1, "alpha": alpha, "lw": 1.3, "label": f"m = {m}"}
        gradient.plot(BETWEEN, found["W1 gradient"][k], **blue)
    for axes in (value, gradient):
        axes.axvline(TRUE, color=Colour.EXACT, lw=0.8, ls=":")
    gradient.plot(
        BETWEEN, found["W1 true"], color=Colour.EXACT, lw=1, ls="--", label="true: a sign"
    )
    value.set(xlabel="theta", title="expected distance to m points\n(dots: where it is least)")
    value.legend(fontsize=7)
    gradient.set(xlabel="theta", title="expected gradient of W1\n(theta* = .3)")
    gradient.legend(fontsize=8)
    sizes = [*range(2, 11), *LARGE]
    size.plot(sizes, [bias_of_rare(m) for m in sizes], ".-", color=Colour.W1, label="coins: 1/m")
    size.axhline(2 / math.e, color=Colour.EXACT, lw=0.8, ls=":")
    for marker, (d, n) in zip("osDs", SHAPES, strict=True):
        for name, colour in (("W1", Colour.W1), ("energy", Colour.FIRST)):
            bias = scaled[d, n][f"{name} gradient"]
            label = f"scale, {d}-D" if name == "W1" and n == SHAPES[0][1] else "_"
            size.errorbar(n, float(bias.mean()), float(standard_error(bias)), marker=marker,
                          color=colour, ms=5, label=label)  # fmt: skip
    size.axhline(0, color=Colour.FIRST, lw=1)
    size.set(xscale="log", xlabel="points m", title="bias over m\n(blue: W1, red: energy, 0)")
    size.legend(fontsize=7)
    return figure
