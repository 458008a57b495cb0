"""Pictures of a generator and its critic at one moment of training."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from divergences.networks.slopes import input_gradient

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
    members, dtype = len(real), real.dtype
    (real, lost_real), (fake, lost_fake) = (_finite(z[member].detach()) for z in (real, fake))
    lost = [(lost_real, "real"), (lost_fake, "generated")]
    told = [title, *(f"{count} {kind} points are not finite" for count, kind in lost if count)]
    figure = Figure(figsize=(5.2, 4.4))  # a layout engine would double the time this takes
    figure.subplots_adjust(left=0.13, right=0.86, bottom=0.11, top=0.92)
    axes = figure.subplots()
    projected = real.shape[-1] > 2
    if projected and len(real):
        (real, fake), share = _principal(real, fake)
        told.append(f"two components hold {100 * share:.0f} % of the real variance")
    of_member = None
    if critic is not None and not projected and len(real) + len(fake):
        of_member = _OfMember(critic, members, member, dtype)
    draw = _draw_line if real.shape[-1] == 1 else _draw_plane
    draw(axes, of_member, real, fake)
    axes.set_title(": ".join(filter(None, told)), fontsize=9)
    if projected:
        axes.set(xlabel="first principal component", ylabel="second principal component")
    return figure


def _finite(points: Tensor) -> tuple[Tensor, int]:
    """The points ``(n, d)`` that can be drawn, in double precision, and how many cannot."""
    kept = points.double()[torch.isfinite(points).all(-1)]
    return kept, len(points) - len(kept)


class _OfMember(NamedTuple):
    """The scores of one member's critic."""

    critic: Callable[[Tensor], Tensor]
    members: int
    member: int
    dtype: torch.dtype

    def scores(self, points: Tensor) -> Tensor:
        """At points ``(n, d)``."""
        with torch.no_grad():
            return self.critic(self._for_all(points))[self.member, :, 0].cpu()

    def gradient(self, points: Tensor) -> Tensor:
        return input_gradient(self.critic, self._for_all(points))[self.member].cpu()

    def _for_all(self, points: Tensor) -> Tensor:
        return points.to(self.dtype).expand(self.members, *points.shape)


def _principal(real: Tensor, fake: Tensor) -> tuple[tuple[Tensor, Tensor], float]:
    """Both samples, ``(n, 2)``, in the plane where the real one varies most, and its share."""
    middle = real.mean(0)
    scales, axes = torch.linalg.svd(real - middle, full_matrices=False)[1:]
    shares = scales.square() / scales.square().sum().clamp(min=torch.finfo(scales.dtype).tiny)
    plane = axes[:2].T
    return ((real - middle) @ plane, (fake - middle) @ plane), float(shares[:2].sum())


def _window(real: Tensor, fake: Tensor, margin: float = 0.25) -> tuple[Tensor, Tensor]:
    """Corners of a box around both samples, no side shorter than a fifth of the longest."""
    points = torch.cat([real, fake])
    low, high = points.amin(0), points.amax(0)
    least = max(1e-3, 1e-6 * float(points.abs().max()))  # of points that all coincide
    side = (high - low).clamp(min=0.2 * float((high - low).max().clamp(min=least)))
    middle = (low + high) / 2
    return middle - side * (0.5 + margin), middle + side * (0.5 + margin)


def _draw_plane(axes: Axes, critic: _OfMember | None, real: Tensor, fake: Tensor) -> None:
    if critic is not None:
        _draw_critic(axes, critic, real, fake)
    for points, colour, name in ((real, REAL, "real"), (fake, FAKE, "generated")):
        axes.plot(*points[:, :2].T.cpu(), ".", ms=2.5, mew=0, color=colour, label=name)
    axes.legend(loc="upper right", markerscale=3, framealpha=0.9)
    axes.set_xlabel("x₀")  # as mathematics it would take a quarter of the figure's time
    axes.set_ylabel("x₁")


def _draw_critic(axes: Axes, critic: _OfMember, real: Tensor, fake: Tensor) -> None:
    low, high = _window(real, fake)
    fine, coarse = 40, 13

    def lattice(count: int) -> Tensor:
        steps = [
            torch.linspace(float(a), float(b), count, dtype=real.dtype, device=real.device)
            for a, b in zip(low, high, strict=True)
        ]
        return torch.cartesian_prod(*steps)

    image = axes.imshow(
        critic.scores(lattice(fine)).view(fine, fine).T.numpy(),
        origin="lower",
        extent=(float(low[0]), float(high[0]), float(low[1]), float(high[1])),
        aspect="auto",
        interpolation="bilinear",
        cmap="PuOr",
        alpha=0.75,
    )
    axes.figure.colorbar(image, ax=axes, label="critic score")
    arrows = lattice(coarse)
    gradient = critic.gradient(arrows)
    axes.quiver(*arrows.T.cpu(), *gradient.T, color="0.25", width=0.003, alpha=0.8)


def _draw_line(axes: Axes, critic: _OfMember | None, real: Tensor, fake: Tensor) -> None:
    for points, colour, name in ((real, REAL, "real"), (fake, FAKE, "generated")):
        if not len(points):
            continue
        low, high = _window(points, points, margin=0)
        axes.hist(
            points[:, 0].cpu().numpy(),
            bins=np.linspace(float(low), float(high), 41).tolist(),
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
    low, high = _window(real, fake)
    x = torch.linspace(float(low), float(high), 200, dtype=real.dtype, device=real.device)[:, None]
    right = axes.twinx()
    right.plot(x[:, 0].cpu(), critic.scores(x), color="0.2")
    right.set_ylabel("critic score")
