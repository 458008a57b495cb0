"""Pictures of a generator and its critic at one moment of training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from divergences.networks.lipschitz import input_gradient

REAL, FAKE = "#1f5fa8", "#c8501e"


def draw_state(
    critic: Callable[[Tensor], Tensor] | None,
    real: Tensor,
    fake: Tensor,
    member: int = 0,
    title: str = "",
) -> Figure:
    """One member's real and fake points, over its critic's scores and their gradient.

    In three dimensions and more, both sides are projected to the first two principal components
    of the real points, and the critic is left out; the title says how much of their variance
    these hold.

    Arguments:
        critic: Maps points ``(K, n, d)`` to scores ``(K, n, 1)``; ``None`` draws points only.
        real: Points of the target, ``(K, n, d)``.
        fake: Points of the generator, likewise.
        member: Which member to draw.
        title: Above the axes.
    """
    figure = Figure(figsize=(5.2, 4.4))  # a layout engine would double the time this takes
    figure.subplots_adjust(left=0.13, right=0.86, bottom=0.11, top=0.92)
    axes = figure.subplots()
    projected = real.shape[-1] > 2
    if projected:
        (real, fake), share = _principal(real[member].detach(), fake[member].detach())
        held = f"two components hold {100 * share:.0f} % of the real variance"
        title = f"{title}: {held}" if title else held
        critic, member = None, 0
    draw = _draw_line if real.shape[-1] == 1 else _draw_plane
    draw(axes, critic, real, fake, member)
    axes.set_title(title, fontsize=9)
    if projected:
        axes.set(xlabel="first principal component", ylabel="second principal component")
    return figure


def _principal(real: Tensor, fake: Tensor) -> tuple[tuple[Tensor, Tensor], float]:
    """Both samples, ``(1, n, 2)``, in the plane where the real one varies most, and its share."""
    middle = real.double().mean(0)
    centred = real.double() - middle
    scales, axes = torch.linalg.svd(centred, full_matrices=False)[1:]
    shares = scales.square() / scales.square().sum().clamp(min=torch.finfo(scales.dtype).tiny)
    plane = axes[:2].T
    sides = (centred @ plane)[None], ((fake.double() - middle) @ plane)[None]
    return (sides[0].float(), sides[1].float()), float(shares[:2].sum())


def _window(
    real: Tensor, fake: Tensor, member: int, margin: float = 0.25
) -> tuple[Tensor, Tensor]:
    """Corners of a box around both samples, no side shorter than a fifth of the longest."""
    points = torch.cat([real[member], fake[member]])
    low, high = points.amin(0), points.amax(0)
    side = (high - low).clamp(min=0.2 * float((high - low).max().clamp(min=1e-3)))
    middle = (low + high) / 2
    return middle - side * (0.5 + margin), middle + side * (0.5 + margin)


def _scores(
    critic: Callable[[Tensor], Tensor], points: Tensor, members: int, member: int
) -> Tensor:
    """One member's scores at points ``(n, d)``."""
    with torch.no_grad():
        return critic(points.expand(members, *points.shape))[member, :, 0]


def _draw_plane(
    axes: Axes,
    critic: Callable[[Tensor], Tensor] | None,
    real: Tensor,
    fake: Tensor,
    member: int,
) -> None:
    if critic is not None:
        _draw_critic(axes, critic, real, fake, member)
    for points, colour, name in ((real, REAL, "real"), (fake, FAKE, "generated")):
        axes.plot(*points[member].T.cpu(), ".", ms=2.5, mew=0, color=colour, label=name)
    axes.legend(loc="upper right", markerscale=3, framealpha=0.9)
    axes.set_xlabel("x₀")  # as mathematics it would take a quarter of the figure's time
    axes.set_ylabel("x₁")


def _draw_critic(
    axes: Axes, critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, member: int
) -> None:
    low, high = (corner.cpu() for corner in _window(real, fake, member))
    fine, coarse = 60, 13

    def lattice(count: int) -> Tensor:
        steps = [torch.linspace(float(a), float(b), count) for a, b in zip(low, high, strict=True)]
        return torch.cartesian_prod(*steps).to(real)

    surface = _scores(critic, lattice(fine), len(real), member)
    image = axes.imshow(
        surface.view(fine, fine).T.cpu().numpy(),
        origin="lower",
        extent=(float(low[0]), float(high[0]), float(low[1]), float(high[1])),
        aspect="auto",
        cmap="PuOr",
        alpha=0.75,
    )
    axes.figure.colorbar(image, ax=axes, label="critic score")
    arrows = lattice(coarse)
    gradient = input_gradient(critic, arrows.expand(len(real), *arrows.shape))[member]
    axes.quiver(*arrows.T.cpu(), *gradient.T.cpu(), color="0.25", width=0.003, alpha=0.8)


def _draw_line(
    axes: Axes,
    critic: Callable[[Tensor], Tensor] | None,
    real: Tensor,
    fake: Tensor,
    member: int,
) -> None:
    for points, colour, name in ((real, REAL, "real"), (fake, FAKE, "generated")):
        axes.hist(
            points[member, :, 0].cpu().numpy(),
            bins=40,
            density=True,
            color=colour,
            alpha=0.5,
            label=name,
        )
    axes.set_xlabel("x")
    axes.set_ylabel("density")
    axes.legend(loc="upper left")
    if critic is None:
        return
    low, high = _window(real, fake, member)
    x = torch.linspace(float(low[0]), float(high[0]), 200)[:, None].to(real)
    scores = _scores(critic, x, len(real), member)
    right = axes.twinx()
    right.plot(x[:, 0].cpu(), scores.cpu(), color="0.2")
    right.set_ylabel("critic score")
