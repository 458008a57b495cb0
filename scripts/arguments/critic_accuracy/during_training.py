"""What the choice of critic does to a WGAN on the same data, beside how well it measures W1."""

from functools import partial
from typing import Any, final

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.optim import Adam

from divergences import MLP, Constraint, EarthMover, Streams
from gans import WGAN, Generator, Transported
from scripts.lab.claims import FAILS, Check, Claim, in_table, means, standard_error
from scripts.lab.plotting import Colour, captioned, drawing
from scripts.lab.training import quiet_trainer
from scripts.lab.training_monitors import spearman

SAMPLES = 1024  # per side of exact transport
READINGS = 2  # of every generator, on samples of their own
ByCritic = dict[str, dict[str, Tensor]]
"""What was measured, by critic."""


@final
class Pushed(Generator):
    """A law whose points a network moves; it starts as that law, W1 from the target away.

    Arguments:
        streams: The members' random streams.
        dimension: Of the points it makes.
        base: The law, of the same dimension.
        hidden: Widths of the hidden layers.
    """

    def __init__(self, streams: Streams, dimension: int, base: Any, hidden: tuple[int, ...]):
        super().__init__()
        self.base = base
        self.move = MLP(streams, dimension, dimension, hidden)
        last = self.move[-1]
        with torch.no_grad():
            for parameter in last.parameters():
                parameter.zero_()

    def noise(self, streams: Streams, n: int) -> Tensor:
        return self.base.draw(streams, n)

    def forward(self, noise: Tensor) -> Tensor:
        return noise + self.move(noise)


def trained(
    law: Transported,
    constraint: Constraint,
    activation: type[nn.Module],
    hidden: tuple[int, ...],
    seeds: int,
    iterations: int,
) -> dict[str, Tensor]:
    """W1 of generators from the law they were trained on, by exact transport between samples.

    The generators start as the law's base. What is read is the moving average of each, without
    the last minibatches' noise.

    Returns:
        ``w1`` of shape ``(READINGS, K)`` and ``floor`` of shape ``(K,)``.
    """
    names = range(seeds)
    module = WGAN(
        law,
        constraint=constraint,
        generator=partial(Pushed, base=law.base, hidden=hidden),
        critic=partial(MLP, hidden=hidden, activation=activation),
        critic_optimizer=partial(Adam, lr=2e-3, fused=True),
        generator_optimizer=partial(Adam, lr=1e-3, betas=(0.5, 0.9), fused=True),
        ema=0.98,
        iterations=iterations,
        seeds=names,
    )
    quiet_trainer().fit(module)
    generator = module.generator_ema
    assert generator is not None
    readings = []
    for reading in range(READINGS):
        streams = Streams(names, f"reading {reading}")
        with torch.no_grad():
            fake = generator.draw(streams, SAMPLES).double()
        readings.append(EarthMover()(fake, law.draw(streams, SAMPLES).double()))
    return {"w1": torch.stack([r.value for r in readings]), "floor": readings[0].floor}


def ranks_like(what: str, one: Tensor, other: Tensor) -> Check:
    """Two orders of the critics are the same, or differ by one swap of neighbours among five."""
    rho = spearman(one, other)
    return Check.at_least(f"{what}: Spearman correlation over critics, mean of seeds", 0.9, rho)


def off(accuracy: ByCritic) -> Tensor:
    """How far each critic's value is from W1, one row per seed of the critics."""
    return torch.stack([a["deviation"].abs() for a in accuracy.values()], 1).double()


def astray(accuracy: ByCritic) -> Tensor:
    """How far each critic's gradient is from the true one: 1 - cosine, one row per seed."""
    return torch.stack([1 - a["cosine"] for a in accuracy.values()], 1).double()


def claim(accuracy: ByCritic, generators: ByCritic) -> Claim:
    """Does the better W1 critic train the better generator?

    Arguments:
        accuracy: Per critic what :func:`~scripts.lab.w1.accuracy.compared` finds.
        generators: Per critic what :func:`trained` finds.
    """
    first, second = torch.stack([g["w1"] for g in generators.values()], 2)
    seeds = len(first)
    each = off(accuracy)
    error, angle = (e.mean(0).expand(seeds, -1) for e in (each, astray(accuracy)))
    ends = ", ".join(f"{g['w1'].mean():.2f} ({name})" for name, g in generators.items())
    floor = torch.stack([g["floor"] for g in generators.values()]).mean()
    by_angle = spearman(angle, first)
    return Claim(
        id="critic-better-generator",
        source="against it Stanczuk et al. 2021, arXiv 2103.01678, Section 4, and Mallasto et al. "
        "2019, arXiv 1910.03875",
        statement="The critic that measures W1 better trains the better generator.",
        expected=FAILS,
        checks=[ranks_like("|value / W1 - 1| and the generator's W1", error, first)],
        controls=[
            ranks_like("the generators' W1 on two samples", first, second),
            ranks_like("|value / W1 - 1| of one seed and the next", each, each.roll(1, 0)),
        ],
        equation=r"\mathrm{rank}\,|E_P[f] - E_Q[f] - W_1| = \mathrm{rank}\,W_1(P, G)",
        n_seeds=seeds,
        figure="critic_training",
        note=f"The generators end at W1 = {ends}; two samples of the target are {floor:.2f} "
        "apart. The gradient's error, 1 - cosine, has a rank correlation of "
        f"{by_angle.mean():.2f} ± {standard_error(by_angle):.2f} with it.",
    )


def table(accuracy: ByCritic, generators: ByCritic) -> list[dict[str, Any]]:
    """One row per critic: its own accuracy, its generators' W1 and floor, means over seeds."""
    return [
        {
            "critic": name,
            **means(accuracy[name], "deviation", "cosine"),
            **in_table(generator_w1=found["w1"].mean(0)),
            **means(found, "floor"),
        }
        for name, found in generators.items()
    ]


@captioned
def scatter(
    accuracy: ByCritic, generators: ByCritic, start: float, colours: dict[str, str]
) -> Figure:
    """Each marker is a critic; the height is how good its generator became. If better critics made
    better generators, the markers would rise to the right.
    """
    figure, panels = drawing(9.6, 4.0, 1, 2, sharey=True)
    floor = float(torch.stack([g["floor"] for g in generators.values()]).mean())
    for axes, errors in zip(panels, (off(accuracy), astray(accuracy)), strict=True):
        for name, x in zip(generators, errors.mean(0).tolist(), strict=True):
            w1 = generators[name]["w1"].mean(0)
            axes.plot([x] * len(w1), w1, "o", color=colours[name], ms=4, alpha=0.6)
            axes.plot(x, w1.mean(), "D", color=colours[name], ms=7, label=name)
        axes.axhline(start, color=Colour.EXACT, lw=0.8, ls=":")
        axes.axhline(floor, color=Colour.EXACT, lw=0.8, ls="--")
        axes.set(xlim=(0, None), ylim=(0, 1.1 * start))
    left, right = panels
    left.set(xlabel="error of the critic's value, |value / W1 - 1|", ylabel="W1 of the generator")
    right.set(xlabel="error of its gradient, 1 - cosine")
    right.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, 0.92))
    for height, words in ((start, "before training"), (floor, "two samples of the target")):
        left.annotate(words, (0.02, height), (0, 3), textcoords="offset points", fontsize=8)
    return figure
