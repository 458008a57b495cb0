"""The size and the noise of the -log D gradient while the discriminator trains."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from divergences import Critic, Discriminator, Streams
from divergences.learned.base import Learned
from gans import Generator, NoiseGenerator, NonSaturating, Objective, Ring, Wasserstein
from scripts.arguments.log_d_alternative.identity import SOURCE
from scripts.lab.claims import Check, Claim, Findings
from scripts.lab.fixed_generator import (
    BLUR,
    Noisy,
    Pair,
    generator_gradient,
    geometric_band,
    looks,
)
from scripts.lab.jobs import CommonSettings, Job, Results
from scripts.lab.plotting import Colour, captioned, drawing, legends

FROM = 100
"""Step from which growth is counted: the discriminator has then found out where the fakes are."""
GROWN = {"size": 1.3, "variance": 2.0}
"""Factors that count as growth; twice as much noise is what one would act upon."""
DISCRIMINATOR = "-log D through a discriminator"
NOISY = "-log D, both laws with noise"
CRITIC = "WGAN through a critic"
BOUND = "bound on critics"
Seen = dict[str, dict[str, Tensor]]
"""What :func:`along_training` finds, by set-up."""


@dataclass(frozen=True)
class Settings(CommonSettings):
    """How long and how many opponents train against how many random generators.

    Attributes:
        steps: Of the discriminator or critic.
        generators: Each with an equal share of the opponents.
        discriminators: Of different seeds.
        others: Opponents in each control.
        minibatches: Drawn at each look for the variance between them.
        batch: Points of a minibatch.
        looks: How often, at log-spaced steps.
    """

    steps: int = 2000
    generators: int = 3
    discriminators: int = 24
    others: int = 9
    minibatches: int = 16
    batch: int = 128
    looks: int = 14


def ring(members: int, generators: int) -> Pair:
    """Random generators against the ring, member k's of seed ``k % generators``."""
    seeds = [k % generators for k in range(members)]
    generator = NoiseGenerator(Streams(seeds, "generator"), 2, hidden=(64, 64))
    return Pair(Ring(), generator, generator)


def noisy_ring(members: int, generators: int) -> Pair:
    real, fake, generator = ring(members, generators)
    return Pair(Noisy(real, BLUR), Noisy(fake, BLUR), generator)


def lipschitz_bound(generator: Generator, points: int, batch: int) -> float:
    r"""Most that the variance between minibatches can be through any 1-Lipschitz critic.

    The gradient at one point is :math:`J^T \nabla f` with J the derivative of the point in the
    weights, so with a slope of at most 1 its square is at most that of J's Frobenius norm; a
    minibatch mean varies by no more than the mean of that over the size of the batch.

    Arguments:
        generator: Of one member.
        points: Over which the mean is taken.
        batch: Points of a minibatch.
    """
    weights = {name: w.detach() for name, w in generator.named_parameters()}
    noise = generator.noise(Streams([0], "look"), points)[0]

    def place(weights: dict[str, Tensor], z: Tensor) -> Tensor:
        return functional_call(generator, weights, (z[None, None],)).flatten()

    jacobian = vmap(jacrev(place), in_dims=(None, 0), chunk_size=64)(weights, noise)
    squares = torch.stack([j.flatten(1).square().sum(1) for j in jacobian.values()])
    return float(squares.sum(0).mean()) / batch


def sample_kurtosis(values: Tensor) -> Tensor:
    """Fourth central moment over the squared variance along the first dimension; 3 if normal."""
    centred = values - values.mean(0)
    return centred.pow(4).mean(0) / centred.square().mean(0).square()


def along_training(
    opponent: Learned,
    objective: Objective,
    make: Callable[[int, int], Pair],
    members: int,
    settings: Settings,
) -> dict[str, Tensor]:
    """Of the generator's gradient, at each look: how large, how noisy, how heavy-tailed.

    ``size`` is the norm of the mean over all minibatches and ``variance`` the summed variance of
    the coordinates between minibatches, both ``(members, looks)``; ``kurtosis`` that of each
    coordinate of the mean between the members of one generator, of which the median is kept,
    ``(looks,)``.
    """
    at, seen, pair = set(observed(settings)), [], make(members, settings.generators)

    def observe(step: int, network: nn.Module) -> None:
        if step not in at:
            return
        points = Streams([0] * members, "look")  # the same at every look and for every member
        drawn = []
        for _ in range(settings.minibatches):
            gradient = generator_gradient(
                network, pair, objective.generator_loss, points, settings.batch
            )
            drawn.append(torch.cat([g.flatten(1) for g in gradient], 1).double())
        variance, mean = torch.var_mean(torch.stack(drawn), 0)
        rivals = mean.unflatten(0, (-1, settings.generators))
        moving = rivals.std(0) > 0  # a unit that is off for all points has no gradient
        kurtosis = sample_kurtosis(rivals[:, moving]).median()
        seen.append((mean.norm(dim=-1), variance.sum(-1), kurtosis))

    pair.generator.requires_grad_(False)
    opponent.fit(pair.real, pair.fake, range(members), observe)
    size, variance, kurtosis = (torch.stack(column, -1) for column in zip(*seen, strict=True))
    return {"size": size, "variance": variance, "kurtosis": kurtosis}


def observed(settings: Settings) -> list[int]:
    """Log-spaced steps from 10 on, :data:`FROM` among them."""
    return sorted({FROM, *(step for step in looks(settings.steps, settings.looks) if step >= 10)})


def bounds_on_critics(settings: Settings) -> Tensor:
    """The bound for each generator."""
    one_member = (
        NoiseGenerator(Streams([seed], "generator"), 2, hidden=(64, 64))
        for seed in range(settings.generators)
    )
    bounds = [lipschitz_bound(generator, 1024, settings.batch) for generator in one_member]
    return torch.tensor(bounds, dtype=torch.float64)


def experiments(settings: Settings) -> dict[str, Job]:
    steps, many, few = settings.steps, settings.discriminators, settings.others
    discriminator, critic = Discriminator(steps=steps), Critic(steps=steps)
    log_d, w1 = NonSaturating(), Wasserstein()
    return {
        DISCRIMINATOR: Job(26, along_training, discriminator, log_d, ring, many, settings),
        CRITIC: Job(14, along_training, critic, w1, ring, few, settings),
        NOISY: Job(11, along_training, discriminator, log_d, noisy_ring, few, settings),
        BOUND: Job(1, bounds_on_critics, settings),
    }


def judge(results: Results, settings: Settings) -> Findings:
    """Claim ``unstable``."""
    seen = {name: results[name] for name in (DISCRIMINATOR, CRITIC, NOISY)}
    at, most = observed(settings), results[BOUND]
    return Findings(
        claims=[unstable_claim(seen, at, most)],
        figures={"log_d_unstable": unstable_figure(seen, at, most)},
        tables={"log_d_unstable": by_step(seen, at)},
    )


def growth(seen: dict[str, Tensor], what: str, steps: Sequence[int]) -> Tensor:
    """Decades from step :data:`FROM` to the last, per member."""
    values = seen[what]
    return (values[:, -1] / values[:, steps.index(FROM)]).log10()


def growth_check(name: str, seen: Seen, what: str, steps: Sequence[int]) -> Check:
    decades = growth(seen[name], what, steps)
    text = f"{name}: decades its {what} grew from step {FROM}, mean"
    return Check.at_least(text, math.log10(GROWN[what]), decades)


def bound_check(name: str, seen: Seen, most: Tensor) -> Check:
    last = seen[name]["variance"][:, -1]
    decades = (last / most.repeat(len(last) // len(most))).log10()
    what = f"{name}: variance in decades above the most that any 1-Lipschitz critic can have, mean"
    return Check.at_least(what, 0.0, decades)


def unstable_claim(seen: Seen, steps: Sequence[int], most: Tensor) -> Claim:
    first, ours = steps.index(FROM), seen[DISCRIMINATOR]
    relative = (ours["variance"].sqrt() / ours["size"]).log().mean(0).exp()
    kurtosis, members = ours["kurtosis"], len(ours["size"])
    critic, usual = growth(seen[CRITIC], "variance", steps), reference(members // len(most))
    return Claim(
        id="unstable",
        source=f"{SOURCE}, Theorem 2.6 and Figure 3",
        statement="The gradient of the -log D loss grows, and so does its variance, as the "
        "discriminator trains.",
        equation=r"E_z [-\nabla_\theta \log D(g_\theta(z))]",
        checks=[
            *[growth_check(DISCRIMINATOR, seen, what, steps) for what in GROWN],
            bound_check(DISCRIMINATOR, seen, most),
        ],
        controls=[
            *[growth_check(NOISY, seen, what, steps) for what in GROWN],
            bound_check(CRITIC, seen, most),
        ],
        n_seeds=members,
        figure="log_d_unstable",
        note=f"{members} discriminators, {members // len(most)} against each of {len(most)} "
        "random generators. The noise grows mostly because the gradient does: the standard "
        f"deviation of a minibatch gradient was {relative[first]:.2f} of its size at step {FROM} "
        f"and is {relative[-1]:.2f} at the end. "
        f"A critic's variance grew, too, by {10 ** critic.mean():.1f} times while it learnt, but "
        "cannot exceed what its slope of at most 1 allows. Theorem 2.6 models the "
        "discriminator's error as white noise and concludes that each coordinate is Cauchy, "
        "without a variance: that did not show. The kurtosis of a coordinate between "
        f"discriminators went from {kurtosis[first]:.1f} to {kurtosis[-1]:.1f}; "
        f"of {members // len(most)} numbers it is {usual['normal']:.1f} if they are normal and "
        f"{usual['Cauchy']:.1f} if they are Cauchy.",
    )


def reference(members: int) -> dict[str, float]:
    """Median kurtosis of as many independent numbers, normal and Cauchy."""
    generator = torch.Generator().manual_seed(0)
    above, below = torch.randn((2, members, 4000), generator=generator, dtype=torch.float64)
    return {
        "normal": float(sample_kurtosis(above).median()),
        "Cauchy": float(sample_kurtosis(above / below).median()),
    }


def by_step(seen: Seen, steps: Sequence[int]) -> list[dict[str, object]]:
    """A row per experiment and look, geometric means over members."""
    return [
        {
            "gradient": name,
            "step": step,
            "size": float(found["size"][:, i].log().mean().exp()),
            "variance": float(found["variance"][:, i].log().mean().exp()),
            "kurtosis": float(found["kurtosis"][i]),
        }
        for name, found in seen.items()
        for i, step in enumerate(steps)
    ]


@captioned
def unstable_figure(seen: Seen, steps: Sequence[int], most: Tensor) -> Figure:
    """Left and middle: the curve of the -log D loss keeps rising, that of the critic levels off.
    Right: what a Cauchy law would show is the upper line.
    """
    figure, drawn = drawing(9.6, 3.8, 1, 3)
    panels = dict(zip([*GROWN, "kurtosis"], drawn, strict=True))
    for (name, found), colour in zip(
        seen.items(), (Colour.JS, Colour.W1, Colour.TRAP), strict=True
    ):
        for what in GROWN:
            geometric_band(panels[what], steps, found[what], colour, name)
    ours = seen[DISCRIMINATOR]
    panels["kurtosis"].plot(steps, ours["kurtosis"], "o-", ms=3.5, lw=1.4, color=Colour.JS)
    panels["size"].set(title="Norm", yscale="log")
    panels["variance"].set(title="Variance between minibatches", yscale="log")
    panels["kurtosis"].set(title="Kurtosis between discriminators", ylim=(0, 6))
    label = "most at a slope of 1 or less"
    panels["variance"].axhline(float(most.mean()), color=Colour.EXACT, lw=1, ls=":", label=label)
    usual = reference(len(ours["size"]) // len(most))
    for law, style in (("normal", ":"), ("Cauchy", "--")):
        panels["kurtosis"].axhline(
            usual[law], color=Colour.EXACT, lw=1, ls=style, label=f"if {law}"
        )
    for axes in panels.values():
        axes.set(xlabel="training steps of the opponent", xscale="log")
    legends(*drawn)
    return figure
