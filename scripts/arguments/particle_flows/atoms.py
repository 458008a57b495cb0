r"""Gradient flows of finitely many particles of equal mass towards finitely many points.

A particle moves against the gradient of a divergence F between both empirical laws, divided by the
particle's mass: :math:`\dot y_j = -n\,\partial F / \partial y_j`, the Wasserstein gradient flow of
F among laws of n atoms.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor

from divergences import EarthMover
from divergences.discrete import js_divergence
from divergences.samples.network_simplex import solvers

Array = NDArray[np.float64]
Field = Callable[[Tensor, Tensor], Tensor]
"""From target points ``(m, d)`` and particles ``(n, d)`` to velocities ``(n, d)``."""
PROBE = 1e-3
"""How far a particle is moved to and fro where a divergence has no gradient of its own."""
OFF = 1e-6
"""Of a plan's masses, and of its cost from its potentials: errors of what is a solution."""


def js_of_atoms(x: Tensor, y: Tensor) -> Tensor:
    """JS of two empirical laws, which only sees which of their atoms coincide.

    Example:
        >>> x = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
        >>> js_of_atoms(x, x), js_of_atoms(x, x + 0.01)
        (tensor(0., dtype=torch.float64), tensor(0.6931, dtype=torch.float64))
    """
    _, place = torch.cat([x, y]).unique(dim=0, return_inverse=True)
    counts = [torch.bincount(place[part], minlength=int(place.max()) + 1).to(x)
              for part in (slice(len(x)), slice(len(x), None))]  # fmt: skip
    return js_divergence(counts[0] / len(x), counts[1] / len(y))


def js_field(x: Tensor, y: Tensor) -> Tensor:
    """Velocities of the flow of JS, by central differences of its value."""
    field = torch.zeros_like(y)
    for place in np.ndindex(*y.shape):
        ends = []
        for step in (PROBE, -PROBE):
            moved = y.clone()
            moved[place] += step
            ends.append(js_of_atoms(x, moved))
        field[place] = -len(y) * (ends[0] - ends[1]) / (2 * PROBE)
    return field


def descent(value: Callable[[Tensor, Tensor], Tensor]) -> Field:
    """The velocities that go with a divergence that has a gradient."""

    def field(x: Tensor, y: Tensor) -> Tensor:
        at = y.detach().requires_grad_()
        return -len(y) * torch.autograd.grad(value(x, at), at)[0]

    return field


def w1(x: Tensor, y: Tensor) -> Tensor:
    return EarthMover(floor=False)(x, y).value


def mmd(width: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Squared MMD of two empirical laws under a Gaussian kernel of that width."""

    def value(x: Tensor, y: Tensor) -> Tensor:
        def mean(a: Tensor, b: Tensor) -> Tensor:
            squares = (a[:, None] - b[None]).square().sum(-1)
            return (-squares / (2 * width**2)).exp().mean()

        return mean(x, x) + mean(y, y) - 2 * mean(x, y)

    return value


def limited_plan(distances: Array, slope: float) -> tuple[float, Array]:
    r"""JS_L of n and m atoms, and the plan that says which atoms pull at which.

    Only the constraints between the two sides bind: f is wanted high on the one and low on the
    other, so that the least L-Lipschitz function above loses nothing. Their multipliers carry the
    masses :math:`\sigma(-f(x_i))/2n` to :math:`\sigma(f(y_j))/2m` along pairs whose constraint
    binds: they are an optimal plan, of which f/L are the potentials. The derivative of JS_L in the
    distance of a pair is L times its multiplier.

    Arguments:
        distances: Of the atoms, ``(n, m)``.
        slope: L.

    Raises:
        RuntimeError: If the masses, or the plan's cost and its potentials, differ by more than
            :data:`OFF`.
    """
    n, m = distances.shape
    i, j = np.divmod(np.arange(n * m), m)
    rise = np.zeros((n * m, n + m))  # of f from y to x
    rise[np.arange(n * m), i], rise[np.arange(n * m), n + j] = 1, -1
    most = slope * distances.ravel()

    def loss(f: Array) -> tuple[float, Array]:
        on_x, on_y = f[:n], f[n:]
        value = np.logaddexp(0, -on_x).mean() / 2 + np.logaddexp(0, on_y).mean() / 2
        return value, np.r_[-expit(-on_x) / (2 * n), expit(on_y) / (2 * m)]

    limits: Any = {"type": "ineq", "fun": lambda f: most - rise @ f, "jac": lambda f: -rise}
    options = {"ftol": 1e-15, "maxiter": 500}
    found: Any = minimize(
        loss, np.zeros(n + m), jac=True, method="SLSQP", constraints=[limits], options=options
    )
    slopes = np.abs(loss(found.x)[1])
    given, taken = slopes[:n], slopes[n:]
    plan = solvers().emd(given / given.sum(), taken / taken.sum(), distances) * given.sum()
    dual = given @ found.x[:n] - taken @ found.x[n:]
    off = abs(given.sum() - taken.sum()) + abs(slope * (plan * distances).sum() - dual)
    if off > OFF:
        raise RuntimeError(f"JS_L's plan is off by {off:.1e} ({found.message})")
    return float(np.log(2) - found.fun), plan


def limited_field(slope: float) -> Field:
    """Velocities of the flow of JS_L, from its plan by the envelope theorem."""

    def field(x: Tensor, y: Tensor) -> Tensor:
        apart = y[None] - x[:, None]
        length = apart.norm(dim=-1)
        _, plan = limited_plan(length.numpy(), slope)
        pull = torch.as_tensor(plan) / length.clamp_min(1e-300) * (length > 0)
        return -len(y) * slope * (pull[..., None] * apart).sum(0)

    return field


def followed(field: Field, x: Tensor, start: Tensor, step: float, steps: int) -> Tensor:
    """Where the particles are after each of Euler's steps, ``(steps + 1, n, d)``."""
    path = [start]
    for _ in range(steps):
        velocity = field(x, path[-1])
        if not velocity.any():  # a flow that stands still once does so for ever
            break
        path.append(path[-1] + step * velocity)
    return torch.stack(path + path[-1:] * (steps + 1 - len(path)))
