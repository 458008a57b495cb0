r"""One step of a generator is one step of its points along a flow through the critic.

Each point of a minibatch of n has a velocity, :math:`v(x) = -n\,\partial \ell / \partial x`, which
the critic and the objective decide. A generator whose parameters are the points themselves moves
them by the rate times v/n. Any other moves all points, by the rate :math:`\eta`, to

.. math:: G_{\theta - \eta g}(z) = G_\theta(z)
    + \frac{\eta}{n} \sum_j J_\theta(z) J_\theta(z_j)^T v(G_\theta(z_j)) + O(\eta^2)

that is along the flow as the generator's own tangent kernel averages it. And where the critic is
the optimal discriminator, f = log p/q, the velocities of the saturating game are those of the
gradient flow of 2 JS.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

import gans
from divergences import MLP, SpectralNorm, Streams
from gans.monitors import AdversarialGame, descent_at
from scripts.arguments.particle_flows.laws_on_a_line import expected_field, normal

OBJECTIVES: dict[str, gans.Objective] = {
    "saturating": gans.Saturating(),
    "non-saturating": gans.NonSaturating(),
    "Wasserstein": gans.Wasserstein(),
}
RATES = (0.08, 0.04, 0.02, 0.01)
POINTS = 32


@final
class FreePoints(gans.Generator):
    """Points that are their own parameters, ``(K, n, d)``."""

    def __init__(self, streams: Streams, dimension: int):
        super().__init__()
        self.places = nn.Parameter(streams.randn(POINTS, dimension))

    def noise(self, streams: Streams, n: int) -> Tensor:
        return torch.zeros_like(self.places)

    def forward(self, noise: Tensor) -> Tensor:
        return self.places + noise


SMOOTH = partial(gans.NoiseGenerator, hidden=(16, 16), network=partial(MLP, activation=nn.Tanh))
PLAIN_DESCENT, ADAM = partial(SGD), partial(Adam)


def step_and_flow(
    objective: gans.Objective,
    seeds: int,
    rate: float,
    optimizer: Callable[..., Optimizer] = PLAIN_DESCENT,
    generator: Callable[..., Any] = SMOOTH,
    flows_by: gans.Objective | None = None,
) -> tuple[Tensor, Tensor]:
    """How far a generator's step moved its points, and how far the flow does, ``(K, n, d)``.

    Arguments:
        objective: Of the game.
        seeds: Members, each with a critic as it was initialised.
        rate: Of the step.
        optimizer: Makes the optimizer.
        generator: Makes the generators.
        flows_by: Another objective for the flow's velocities.
    """
    module = gans.VanillaGAN(
        gans.Ring(),
        objective,
        SpectralNorm(),
        generator=generator,
        critic=partial(MLP, hidden=(16, 16), activation=nn.Tanh),
        batch_size=POINTS,
        seeds=range(seeds),
    ).double()
    module.streams.dtype = torch.float64
    state = module.streams.state_dict()
    noise = module.generator.noise(module.streams, POINTS)
    module.streams.load_state_dict(state)
    parameters = list(module.generator.parameters())
    before = module.generator(noise)
    game = AdversarialGame(module)
    game.objective = flows_by or objective
    field = descent_at(game, before.detach())
    # J J' v as the derivative of J' u in u, along J' v
    along = torch.zeros_like(field, requires_grad=True)
    pulled = torch.autograd.grad(before, parameters, along, create_graph=True)
    pulls = torch.autograd.grad(before, parameters, field / POINTS, retain_graph=True)
    (flow,) = torch.autograd.grad(pulled, along, pulls)
    module.generator_step(optimizer(parameters, lr=rate))
    return (module.generator(noise) - before).detach(), rate * flow.detach()


def errors(seeds: int, rates: Sequence[float] = RATES, **settings: Any) -> Tensor:
    """Root mean square of step less flow over that of the largest flow, ``(rates, seeds)``."""
    found = [step_and_flow(seeds=seeds, rate=rate, **settings) for rate in rates]
    size = found[0][1].square().mean((-2, -1)).sqrt()
    return torch.stack([(a - b).square().mean((-2, -1)).sqrt() / size for a, b in found])


def first_order(seeds: int) -> dict[str, Tensor]:
    """Errors of the objectives and of what is no flow, and of free points at the largest rate."""
    found = {name: errors(seeds, objective=o) for name, o in OBJECTIVES.items()}
    saturating = OBJECTIVES["saturating"]
    found["Adam"] = errors(seeds, objective=saturating, optimizer=ADAM)
    found["another objective's flow"] = errors(
        seeds, objective=saturating, flows_by=OBJECTIVES["non-saturating"]
    )
    found["free points"] = torch.stack(
        [errors(seeds, RATES[:1], objective=o, generator=FreePoints)[0]
         for o in OBJECTIVES.values()]
    )  # fmt: skip
    return found


def order(error: Tensor) -> Tensor:
    """The power of the rate that errors fall with, from the two smallest rates, per seed."""
    return (error[-2] / error[-1]).log2() / math.log2(RATES[-2] / RATES[-1])


def along_random_fields(seeds: int) -> dict[str, Tensor]:
    """Derivative of JS as the law moves along random fields, and what the velocities say of it."""
    law, moving = normal(0, 1), normal(1.5, 0.8)
    x = torch.linspace(-12, 14, 20_001, dtype=torch.float64)
    q = moving.log_prob(x).exp()
    streams = Streams(range(seeds), "fields", dtype=torch.float64)
    numbers = streams.rand(3, 3)
    measured, predicted = [], []
    for size, wave, phase in numbers:
        angles = (0.5 + wave[:, None]) * x + 6.3 * phase[:, None]
        field = (size[:, None] * angles.sin()).sum(0)
        slope = ((size * (0.5 + wave))[:, None] * angles.cos()).sum(0)
        epsilon = torch.zeros((), dtype=torch.float64, requires_grad=True)
        stretch = 1 + epsilon * slope
        log_q = moving.log_prob(x) - stretch.log()
        log_p = law.log_prob(x + epsilon * field)
        log_m = torch.logaddexp(log_p, log_q) - math.log(2)
        inside = q * (log_q - log_m) + log_p.exp() * stretch * (log_p - log_m)
        value = torch.trapezoid(inside, x) / 2
        measured.append(torch.autograd.grad(value, epsilon)[0])
        predicted.append(-torch.trapezoid(q * expected_field(x, law, moving) * field, x))
    return {"measured": torch.stack(measured), "predicted": torch.stack(predicted)}
