"""What a generator with the single parameter theta is told by a discriminator and by a critic."""

import math

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from divergences import Critic, Discriminator, SpectralNorm
from divergences.networks.slopes import input_gradient
from scripts.arguments.segments.common import HOME, LOG2, SOURCE, Members, Settings, on_quadrature
from scripts.lab.claims import Check, Claim, Findings
from scripts.lab.jobs import Job, Results
from scripts.lab.plotting import Colour, captioned, drawing, legends, with_band


def generator_gradients(network: nn.Module, fake: Tensor) -> dict[str, Tensor]:
    """The gradient in theta of each generator loss through a discriminator, and what limits it.

    With logit f and fakes (theta, z): the saturating loss E log(1 - D) has derivative
    -E[sigmoid(f) df/dx0], the -log D loss -E[sigmoid(-f) df/dx0]. Since sigmoid(f) <=
    -log(1 - D) = softplus(f), the first is at most K E[softplus(f)], K the steepest df/dx0.
    """
    points = fake.detach().requires_grad_(True)
    logits = network(points).squeeze(-1)
    (slope,) = torch.autograd.grad(logits.sum(), points)
    slope, logits = slope[..., 0].double(), logits.detach().double()
    return {
        "saturating": -(torch.sigmoid(logits) * slope).mean(-1),
        "non-saturating": -(torch.sigmoid(-logits) * slope).mean(-1),
        "bound": slope.abs().amax(-1) * nn.functional.softplus(logits).mean(-1),
        "steepest": slope.abs().amax(-1),
    }


def along_training(seeds: int, steps: int) -> dict[str, Tensor]:
    """The generator gradients at theta = 1 after *every* step of a discriminator's training."""
    members = Members(torch.ones(1), seeds)
    real, fake = (on_quadrature(law, seeds) for law in (HOME, members.moved))
    history: list[dict[str, Tensor]] = []

    def observe(step: int, network: nn.Module) -> None:
        seen = generator_gradients(network, fake)
        with torch.no_grad():
            on_real, on_fake = network(real).squeeze(-1), network(fake).squeeze(-1)
        seen["js"] = Discriminator.read(on_real, on_fake).value
        history.append(seen)

    Discriminator(steps=steps).fit(HOME, members.moved, members.flat_seeds, observe)
    return {name: torch.stack([seen[name] for seen in history], -1) for name in history[0]}


def critic_along_training(seeds: int, steps: int) -> Tensor:
    """The generator's gradient at theta = 1 after every step of a critic's training."""
    members = Members(torch.ones(1), seeds)
    fake = on_quadrature(members.moved, seeds)
    history: list[Tensor] = []

    def observe(step: int, network: nn.Module) -> None:
        history.append(-input_gradient(network, fake)[..., 0].mean(-1).double())

    critic = Critic(steps=steps, constraint=SpectralNorm())
    critic.fit(HOME, members.moved, members.flat_seeds, observe)
    return torch.stack(history, -1)


def experiments(settings: Settings) -> dict[str, Job]:
    seeds, steps = settings.seeds, settings.followed
    return {
        "discriminator followed": Job(20, along_training, seeds, steps),
        "critic followed": Job(20, critic_along_training, seeds, steps),
    }


def judge(results: Results, settings: Settings) -> Findings:
    """Claim ``seg-gradient``."""
    seen, slope = results["discriminator followed"], results["critic followed"]
    return Findings(
        claims=[gradient_claim(seen, slope)],
        figures={"segments_gradient": dying_gradient(seen, slope)},
    )


def vanished(what: str, gradient: Tensor) -> Check:
    return Check.at_most(what, 1e-3, gradient[:, -1])


def points_home(who: str, gradient: Tensor) -> Check:
    what = f"{who}: gradient farthest from sign(theta) = 1, any seed"
    return Check.all_near(what, 1, gradient[:, -1], 0.01)


def gap_bound(seen: dict[str, Tensor]) -> Tensor:
    """Of the saturating gradient, by how much JS lacks to log 2."""
    return 2 * seen["steepest"] * (LOG2 - seen["js"])


def gradient_claim(seen: dict[str, Tensor], slope: Tensor) -> Claim:
    saturating, other = seen["saturating"].abs(), seen["non-saturating"].abs()
    steps = saturating.shape[-1]
    by_k = (saturating / seen["bound"]).max()
    by_gap = (saturating / gap_bound(seen)).max()
    fallen = (saturating.amax(-1) / saturating[:, -1]).log10()
    grown = (other[:, -1] / other[:, 99]).log10()
    return Claim(
        id="seg-gradient",
        source=f"{SOURCE}, Example 1; Arjovsky & Bottou 2017, arXiv 1701.04862, Theorem 2.4",
        statement="The better the discriminator, the smaller the saturating gradient in theta: it "
        "vanishes. Through the critic it is sign(theta).",
        checks=[
            vanished(f"saturating gradient at theta = 1 after {steps} D steps", saturating),
            Check.at_least("decades it fell from its peak, least of the seeds", 1.5, fallen.min()),
            Check.at_most("|gradient| / (K E[-log(1 - D)]), largest at any step", 1.0001, by_k),
            Check.at_most("|gradient| / (2 K (log 2 - JS)), largest at any step", 1.0001, by_gap),
            points_home("critic", slope),
        ],
        controls=[
            vanished(f"critic's gradient at theta = 1 after {steps} steps", slope.abs()),
            points_home("discriminator, saturating loss", seen["saturating"]),
        ],
        equation=r"|\nabla_\theta E[\log(1 - D)]| \le K\,E[-\log(1 - D)] "
        r"\le 2 K (\log 2 - \mathrm{JS})",
        n_seeds=len(slope),
        figure="segments_gradient",
        note=f"It first rises, to {saturating.mean(0).max():.2f}, while the discriminator is "
        "still learning. The -log D gradient goes the other way: from step 100 on it grew "
        f"{10 ** grown.mean():.1f}-fold, to {other[:, -1].mean():.0f}.",
    )


@captioned
def dying_gradient(seen: dict[str, Tensor], slope: Tensor) -> Figure:
    """The better the opponent is trained, the smaller the saturating gradient; that of the critic
    stays at 1.
    """
    figure, (sizes, bound) = drawing(9.6, 4.2, 1, 2)
    kept = torch.logspace(0, math.log10(slope.shape[-1]), 150).long().unique() - 1
    step, slope = (kept + 1).tolist(), slope[:, kept]
    seen = {name: values[:, kept] for name, values in seen.items()}
    curves = {
        "-log D loss through D": (seen["non-saturating"].abs(), Colour.TRAP),
        "critic: sign(theta)": (slope.abs(), Colour.W1),
        "saturating loss through D": (seen["saturating"].abs(), Colour.JS),
    }
    for label, (values, colour) in curves.items():
        with_band(sizes, step, values.T, colour, label)
    sizes.set(xlabel="training steps of the opponent", ylabel="|d loss / d theta| at theta = 1")
    sizes.set_title("One vanishes, one explodes, one stays")
    with_band(bound, step, seen["saturating"].abs().T, Colour.JS, "saturating gradient")
    limits = {
        "K E[-log(1 - D)]": (seen["bound"], ":"),
        "2 K (log 2 - JS)": (gap_bound(seen), "--"),
    }
    for label, (values, style) in limits.items():
        bound.plot(
            step, values.mean(0), color=Colour.EXACT, lw=1, ls=style, label=f"bound {label}"
        )
    bound.set(xlabel="training steps of D", title="... and must: the gap to log 2 bounds it")
    for axes in (sizes, bound):
        axes.set(xscale="log", yscale="log")
    legends(sizes, bound)
    return figure
