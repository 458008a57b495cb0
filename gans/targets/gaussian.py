"""Normal laws on the line, whose divergences are known in closed form."""

from typing import final

import torch
from torch import Size, Tensor
from torch.distributions import Normal, constraints

from divergences.exact import kl_divergence, total_variation, wasserstein
from gans.targets.base import NoiseSource, Target, finite, widened
from gans.targets.representable import representable


@final
class Gaussian(Target):
    r"""A normal law on the line, with points of shape ``(1,)`` so that networks can take them.

    Two of them are Figure 2 of the WGAN paper. KL, total variation, W1 and W2 are exact, through
    :class:`torch.distributions.Normal`.

    Arguments:
        loc: Mean, of shape ``batch_shape``.
        scale: Standard deviation, greater than 0.

    Example:
        >>> wasserstein(Gaussian(0.0, 1.0), Gaussian(3.0, 1.0))
        tensor(3.)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.independent(constraints.real, 1)
    has_rsample = True

    def __init__(
        self,
        loc: Tensor | float = 0.0,
        scale: Tensor | float = 1.0,
        validate_args: bool | None = None,
    ):
        self.loc, self.scale = finite("Gaussian", loc=loc, scale=scale)
        super().__init__(self.loc.shape, Size([1]), validate_args)

    @property
    def normal(self) -> Normal:
        """The same law with scalar points."""
        return Normal(self.loc, self.scale)

    @property
    def mean(self) -> Tensor:
        return self.loc[..., None]

    @property
    def variance(self) -> Tensor:
        square = self.scale.double().square()
        return representable("Gaussian: the variance", square, self.scale)[..., None]

    def entropy(self) -> Tensor:
        return self.normal.entropy()

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density with respect to length on the line, computed in double precision."""
        value = widened(value)
        dtype = torch.promote_types(value.dtype, self.scale.dtype)
        loc, scale = self.loc.double(), self.scale.double()
        z = (value.squeeze(-1).double() - loc) / scale
        return (Normal(0.0, 1.0).log_prob(z) - scale.log()).to(dtype)

    def noise(self, source: NoiseSource, *shape: int) -> tuple[Tensor, ...]:
        return (source.randn(*shape),)

    def push(self, *noise: Tensor) -> Tensor:
        return (self.loc + self.scale * noise[0])[..., None]


@kl_divergence.register(Gaussian, Gaussian)
def _gaussians_kl(p: Gaussian, q: Gaussian) -> Tensor:
    return kl_divergence(p.normal, q.normal)


@total_variation.register(Gaussian, Gaussian)
def _gaussians_tv(p: Gaussian, q: Gaussian) -> Tensor:
    return total_variation(p.normal, q.normal)


@wasserstein.register(Gaussian, Gaussian)
def _gaussians_wasserstein(p: Gaussian, q: Gaussian, order: float) -> Tensor:
    return wasserstein(p.normal, q.normal, order)
