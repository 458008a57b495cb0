"""Many-dimensional modes that fill only a subspace: the 1200-dimensional mixture."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Size, Tensor
from torch.distributions import constraints

from divergences.checks import whole_number
from gans.targets.base import finite
from gans.targets.gaussian_mixtures import Modes, mode_probabilities


@final
class SubspaceModes(Modes):
    r"""Normal modes of 700 dimensions, laid into 1200 by a random isometry.

    A point is :math:`Q (\text{spread} \cdot c_k + \text{scale} \cdot z)` with
    :math:`z \sim N(0, I_{700})`, centres :math:`c_k` drawn once from :math:`N(0, I_{700})`, and
    orthonormal columns Q, the Q factor of a 1200 x 700 normal matrix; ``seed`` fixes both.

    Published are the numbers 10, 700 and 1200, that the modes are normal, and that a sample counts
    as good within 10 standard deviations of its nearest mode. The centres, the standard deviation
    and the embedding are not; those here are ours, with the grid's ratio of distance between modes
    to their reach, about 13. Note that a normal law of 700 dimensions has its points at
    :math:`\sqrt{700} \approx 26.5` standard deviations (per coordinate) from its centre, hardly
    any of them below 24: within a radius of 10 a perfect sampler scores nothing. The radius that
    holds 98.89 %, as three deviations do in the plane, is 28.1.

    References:
        | VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning (Srivastava et
          al., 2017), Section 4.1
        | https://arxiv.org/abs/1705.07761
        | GDPP: Learning Diverse Generations using Determinantal Point Processes (Elfeki et al.,
          2019), Table 1
        | https://arxiv.org/abs/1812.00068

    Arguments:
        spread: Standard deviation of the centres' coordinates in the subspace, greater than 0.
        scale: Standard deviation of each mode along each direction of the subspace, greater than
            0.
        modes: How many, at least 1.
        latent: Dimension of the subspace, at least 1.
        dimension: Of the points, at least ``latent``.
        seed: Of the centres and the isometry.
        weights: Relative weights of the modes, each greater than 0; equal if ``None``.

    Raises:
        ValueError: If a number or dimension is too small, a parameter is not finite or not
            positive, or ``weights`` are not ``modes`` positive finite numbers.

    Example:
        >>> law = SubspaceModes(modes=3, latent=4, dimension=6)
        >>> law.centres.shape, torch.linalg.matrix_rank(law.sample((50,)))
        (torch.Size([3, 6]), tensor(4))
    """

    arg_constraints = {"spread": constraints.positive, "scale": constraints.positive}

    def __init__(
        self,
        spread: Tensor | float = 1.0,
        scale: Tensor | float = 0.1,
        modes: int = 10,
        latent: int = 700,
        dimension: int = 1200,
        seed: int = 0,
        weights: Sequence[float] | None = None,
        validate_args: bool | None = None,
    ):
        modes = whole_number("SubspaceModes: modes", modes)
        latent = whole_number("SubspaceModes: latent", latent)
        dimension = whole_number("SubspaceModes: dimension", dimension)
        if not 1 <= latent <= dimension:
            raise ValueError(
                f"SubspaceModes: latent = {latent} must lie between 1 and dimension = {dimension}"
            )
        self.spread, self.scale = finite("SubspaceModes", spread=spread, scale=scale)
        self.weights = mode_probabilities("SubspaceModes", weights, modes, self.spread)
        generator = torch.Generator().manual_seed(seed)
        normal = torch.randn(dimension, latent, generator=generator, dtype=torch.float64)
        isometry = torch.linalg.qr(normal).Q
        centres = torch.randn(modes, latent, generator=generator, dtype=torch.float64)
        self._isometry = isometry.to(self.spread)
        self._unit_centres = (centres @ isometry.mT).to(self.spread)
        super().__init__(self.spread.shape, Size([dimension]), validate_args)

    @property
    def centres(self) -> Tensor:
        return self.spread[..., None, None] * self._unit_centres

    @property
    def noise_dimension(self) -> int:
        return self._isometry.shape[1]

    def _variance_within(self) -> Tensor:
        return super()._variance_within() * self._isometry.double().square().sum(1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to volume, which exists only where the modes fill the space."""
        dimension, latent = self._isometry.shape
        if latent < dimension:
            raise NotImplementedError(
                f"SubspaceModes: a law on a subspace of {latent} dimensions has no density on all "
                f"{dimension}; estimate divergences from samples instead"
            )
        return super().log_prob(value)

    def push(self, *noise: Tensor) -> Tensor:
        uniform, normal = noise
        return super().push(uniform, normal.to(self._isometry) @ self._isometry.mT)

    def _shared(self) -> dict[str, Tensor]:
        return super()._shared() | {
            "_isometry": self._isometry,
            "_unit_centres": self._unit_centres,
        }
