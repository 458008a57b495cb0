r"""The gradient flow of JS and KL between laws that have densities, on the line.

The moving law is uniform between neighbouring knots, with the same mass in each cell. Moving the
knots moves the law, and both divergences are integrals over cells. The flow among these laws is
:math:`\dot x_k = -\partial F / \partial x_k` over a knot's mass, 1/n, and half of that at the
ends. Nothing is assumed of densities or scores.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor
from torch.distributions import Normal

NODES = 8  # of Gauss and Legendre, per cell


def normal(mean: float, deviation: float) -> Normal:
    """A normal law in double precision."""
    return Normal(
        loc=torch.tensor(mean, dtype=torch.float64),
        scale=torch.tensor(deviation, dtype=torch.float64),
    )


def knots_of(law: Normal, cells: int) -> Tensor:
    """Quantiles between which the law has nearly all of its mass, and equally much in each."""
    return law.icdf((torch.arange(cells + 1, dtype=torch.float64) + 0.5) / (cells + 1))


def at_nodes(knots: Tensor, law: Normal) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights, lengths of cells, and the logarithms of both densities at the nodes of each."""
    places, weights = (torch.as_tensor(a) for a in np.polynomial.legendre.leggauss(NODES))
    length = knots.diff()
    points = knots[:-1, None] + length[:, None] * (1 + places) / 2
    of_cell = -math.log(len(length)) - length.log()
    return weights / 2, length, law.log_prob(points), of_cell[:, None]


def kl(knots: Tensor, law: Normal) -> Tensor:
    """KL from the law between knots to another."""
    weights, length, log_p, log_q = at_nodes(knots, law)
    return ((log_q - log_p) @ weights).sum() / len(length)


def js(knots: Tensor, law: Normal) -> Tensor:
    """JS of the law between knots and another, in nats."""
    weights, length, log_p, log_q = at_nodes(knots, law)
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    of_q = ((log_q - log_m) @ weights).sum() / len(length)
    inside = length * ((log_p.exp() * (log_p - log_m)) @ weights)
    left, right = law.cdf(knots[0]), law.cdf(-knots[-1] + 2 * law.mean)
    return (of_q + inside.sum() + (left + right) * math.log(2)) / 2


Functional = Callable[[Tensor, Normal], Tensor]


def mass(knots: Tensor) -> Tensor:
    """Mass that moves with each knot."""
    share = torch.full_like(knots, 1 / (len(knots) - 1))
    share[[0, -1]] /= 2
    return share


def velocity(functional: Functional, knots: Tensor, law: Normal) -> Tensor:
    """Velocities of the knots under the flow of a divergence."""
    at = knots.detach().requires_grad_()
    return -torch.autograd.grad(functional(at, law), at)[0] / mass(knots)


def flow(functional: Functional, knots: Tensor, law: Normal, times: Tensor) -> Tensor:
    """Knots at some times, ``(times, knots)``, by an implicit method: the flow is stiff.

    Raises:
        RuntimeError: If the solver gives up.
    """

    def right_side(_: float, x: np.ndarray) -> np.ndarray:
        return velocity(functional, torch.as_tensor(x), law).numpy()

    band = 1  # a knot only sees its neighbours
    found: Any = solve_ivp(
        right_side,
        (0.0, float(times[-1])),
        knots.numpy(),
        method="LSODA",
        t_eval=times.numpy(),
        rtol=1e-7,
        atol=1e-9,
        lband=band,
        uband=band,
    )
    if not found.success:
        raise RuntimeError(f"the flow was not followed to its end: {found.message}")
    return torch.as_tensor(found.y.T.copy())


def expected_field(points: Tensor, law: Normal, moving: Normal) -> Tensor:
    r"""Velocity of the flow of JS between laws with densities: :math:`\frac12 \sigma(f)\,f'` with
    f = log p/q (MonoFlow, Theorem 3.2 and Table 1)."""
    at = points.detach().requires_grad_()
    ratio = law.log_prob(at) - moving.log_prob(at)
    slope = torch.autograd.grad(ratio.sum(), at)[0]
    return torch.sigmoid(ratio.detach()) * slope / 2
