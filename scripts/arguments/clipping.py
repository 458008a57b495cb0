r"""What clipping does to a deep critic: gradients that explode or vanish on their way back.

Critics of twelve ReLU layers are trained on a fixed problem, the data against the data plus
normal noise, and asked how large the gradient of their score is at every layer.

Source: Improved Training of Wasserstein GANs (Gulrajani et al., 2017), Section 3 and Figure 1b.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.optim import Adam, Optimizer, RMSprop

import divergences as dv
from divergences.networks.layers import Linear
from gans import Ring, SwissRoll, Target, Wasserstein
from scripts.lab.claims import Check, Claim, Findings, in_table, standard_error
from scripts.lab.jobs import CommonSettings, Job, Results
from scripts.lab.plotting import Colour, captioned, drawing, legends, with_band

DEPTH = 12


@dataclass(frozen=True)
class Settings(CommonSettings):
    """Width of the critic, its training, and two clip values.

    Gradients explode under the larger one and vanish under the smaller one.

    A layer of saturated weights multiplies a gradient by about ``c * width / 2``. The paper's
    critic is 512 wide.
    """

    width: int = 64
    steps: int = 200
    batch: int = 64
    large: float = 0.1
    small: float = 0.01


PROFILES = {"quick": Settings(), "paper": Settings(width=512, steps=2000, large=0.1, small=0.001)}
TARGETS: dict[str, Target] = {"8 Gaussians": Ring(1.0, 0.02), "swiss roll": SwissRoll()}
PENALISED = "gradient penalty"
UNTRAINED = "untrained"
Gradients = dict[tuple[str, str], Tensor]
"""Of each layer, ``(seeds, layers)``, by critic and target."""


def games(settings: Settings) -> dict[str, tuple[dv.Constraint, Callable[..., Optimizer], int]]:
    """Constraint, optimizer and steps by name."""
    rmsprop, adam = partial(RMSprop, lr=5e-4), partial(Adam, lr=5e-4, betas=(0.0, 0.9))
    return {
        f"clip {settings.large:g}": (dv.WeightClipping(settings.large), rmsprop, settings.steps),
        f"clip {settings.small:g}": (dv.WeightClipping(settings.small), rmsprop, settings.steps),
        PENALISED: (dv.LipschitzPenalty(10.0), adam, 3 * settings.steps),
        UNTRAINED: (dv.Unconstrained(), adam, 0),
    }


def deep_critic(streams: dv.Streams, width: int) -> dv.MLP:
    """Weights start with variance 2 / fan-in, which keeps gradients through ReLU as they are."""
    critic = dv.MLP(streams, 2, 1, (width,) * DEPTH)
    with torch.no_grad():
        for layer in critic.modules():
            if isinstance(layer, Linear):
                layer.weight.mul_(math.sqrt(6))  # from torch's variance of 1 / (3 fan-in)
                layer.bias.zero_()
    return critic


def layer_gradients(critic: nn.Sequential, points: Tensor) -> Tensor:
    """log10 of the mean norm of the score's gradient at the input of each linear layer.

    In float64, and of shape ``(K, layers)``, the critic's own input first.
    """
    inputs, h = [], points.detach().double().requires_grad_(True)
    for layer in critic.double():
        if isinstance(layer, Linear):
            inputs.append(h)
        h = layer(h)
    gradients = torch.autograd.grad(h.sum(), inputs)
    return torch.stack([g.norm(dim=-1).mean(-1) for g in gradients], -1).log10()


def trained(name: str, target: Target, seeds: int, settings: Settings) -> dict[str, Tensor]:
    """A trained critic's layer gradients, ``(seeds, layers)``, and its value over exact W1."""
    constraint, optimizer_of, steps = games(settings)[name]
    streams = dv.Streams(range(seeds))
    critic = deep_critic(streams, settings.width)
    constraint.parametrize(critic)
    constraint.project(critic)
    optimizer, objective = optimizer_of(critic.parameters()), Wasserstein()

    def batch() -> tuple[Tensor, Tensor]:
        real, other = (target.draw(streams, settings.batch) for _ in range(2))
        return real, other + streams.randn(settings.batch, 2)

    for _ in range(steps):
        real, fake = batch()
        on_real, on_fake = critic(torch.cat([real, fake], 1)).squeeze(-1).chunk(2, 1)
        loss = objective.critic_loss(on_real, on_fake)
        loss = loss + constraint.penalty(critic, real, fake, streams)
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        constraint.project(critic)
    real, fake = batch()
    with torch.no_grad():
        on_real, on_fake = critic(torch.cat([real, fake], 1)).squeeze(-1).double().chunk(2, 1)
    return {
        "layers": layer_gradients(critic, torch.cat([real, fake], 1)),
        "share": (on_real.mean(-1) - on_fake.mean(-1))
        / dv.EarthMover(floor=False)(real, fake).value,
    }


def experiments(settings: Settings) -> dict[str, Job]:
    return {
        f"{name}, {law}": Job(6, trained, name, target, settings.seeds, settings)
        for name in games(settings)
        for law, target in TARGETS.items()
    }


def judge(results: Results, settings: Settings) -> Findings:
    """Claim ``clipping-depth``."""
    found = {
        (name, law): results[f"{name}, {law}"]["layers"]
        for name in games(settings)
        for law in TARGETS
    }
    shares = {law: results[f"{PENALISED}, {law}"]["share"] for law in TARGETS}
    return Findings(
        claims=[depth_claim(found, shares, settings)],
        figures={"clipping": by_layer(found)},
        tables={"clipping": table(found)},
    )


def per_layer(gradients: Tensor) -> Tensor:
    """Decades by which the gradient grows per layer on its way back, by least squares."""
    layer = torch.arange(gradients.shape[-1], dtype=gradients.dtype)
    layer = layer - layer.mean()
    centred = gradients - gradients.mean(-1, keepdim=True)
    return -(centred * layer).sum(-1) / layer.square().sum()


def explodes(what: str, gradients: Tensor) -> Check:
    growth = per_layer(gradients)
    return Check.all_at_least(f"{what}: decades per layer back, least of the seeds", 0.1, growth)


def vanishes(what: str, gradients: Tensor) -> Check:
    growth = per_layer(gradients)
    return Check.all_at_most(f"{what}: decades per layer back, largest of the seeds", -0.1, growth)


def depth_claim(found: Gradients, shares: dict[str, Tensor], settings: Settings) -> Claim:
    large, small = f"clip {settings.large:g}", f"clip {settings.small:g}"
    size = f"{PENALISED}: |decades per layer back|, largest of the seeds"
    value = f"{PENALISED}: its value as a share of exact W1, mean of seeds"
    checks, controls = [], []
    for law, share in shares.items():
        flat = per_layer(found[PENALISED, law])
        checks += [
            explodes(f"{law}, {large}", found[large, law]),
            vanishes(f"{law}, {small}", found[small, law]),
            Check.at_most(f"{law}, {size}", 0.05, flat.abs().max(), standard_error(flat)),
            Check.at_least(f"{law}, {value}", 0.5, share),
        ]
        for name in (PENALISED, UNTRAINED):
            controls += [
                explodes(f"{law}, {name}", found[name, law]),
                vanishes(f"{law}, {name}", found[name, law]),
            ]
    return Claim(
        id="clipping-depth",
        source="Gulrajani et al. 2017, arXiv 1704.00028, Section 3 and Figure 1b",
        statement="Through a critic of twelve layers clipping makes the gradient explode or "
        "vanish, depending on the clip value; a gradient penalty keeps it flat.",
        checks=checks,
        controls=controls,
        equation=r"\frac{\partial f}{\partial h_l} = W_{l+1}^T D_{l+1} W_{l+2}^T D_{l+2} \cdots "
        r"W_L^T, \quad |W_{ij}| \le c",
        n_seeds=next(iter(found.values())).shape[0],
        figure="clipping",
        note=f"Critics {settings.width} wide, {settings.steps} steps, thrice that with the "
        "penalty. Over twelve layers a tenth of a decade per layer is a factor of 16. Which clip "
        "values explode depends on the width: a layer whose "
        "weights sit at the clip value multiplies by about c width / 2.",
    )


def table(found: Gradients) -> list[dict[str, Any]]:
    """One row per critic and target."""
    return [
        {
            "critic": name,
            "target": law,
            **in_table(decades_per_layer_back=per_layer(gradients)),
            "log10_at_input": float(gradients[:, 0].mean()),
            "log10_at_last_layer": float(gradients[:, -1].mean()),
        }
        for (name, law), gradients in found.items()
    ]


@captioned
def by_layer(found: Gradients) -> Figure:
    """The gradient's size on its way back through the layers, on a log scale: a slope means that
    it grows or vanishes.
    """
    figure, panels = drawing(9.6, 4.0, 1, len(TARGETS), sharey=True)
    names = list(dict.fromkeys(name for name, _ in found))
    for law, axes in zip(TARGETS, panels, strict=True):
        for name, colour in zip(
            names, (Colour.FIRST, Colour.TRAP, Colour.W1, Colour.EXACT), strict=True
        ):
            gradients = found[name, law]
            layers = range(1, gradients.shape[-1] + 1)
            with_band(axes, list(layers), gradients.T, colour, name)
        axes.set(title=law, xlabel="layer (1 is the critic's input)")
    legends(*panels)
    panels[0].set_ylabel("log10 of the gradient's norm")
    return figure
