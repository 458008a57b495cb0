"""Constraints on a critic's weights: clipped, of unit spectral norm, or orthonormal."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from divergences.checks import positive_number, whole_number
from divergences.networks.constraint import Constraint, affine_layers
from divergences.networks.layers import Linear


@final
class WeightClipping(Constraint):
    r"""Every weight and bias is clipped to ``[-c, c]`` after each critic step.

    The critic is then K-Lipschitz for *some* K: at most :math:`c^{L+1} H^L` times the root of the
    input dimension without biases (L hidden layers of width H), in practice about a third of
    that. Its dual value estimates :math:`K\,W_1`, with K unknown.

    References:
        | Wasserstein GAN (Arjovsky et al., 2017), Algorithm 1
        | https://arxiv.org/abs/1701.07875

    Arguments:
        c: The clip value, greater than 0.
    """

    def __init__(self, c: float = 0.01):
        self.c = positive_number("clip value c", c)

    @torch.no_grad()
    def project(self, critic: nn.Module) -> None:
        for parameter in critic.parameters():
            parameter.clamp_(-self.c, self.c)


@final
class SpectralNorm(Constraint):
    r"""Divides every weight matrix by its largest singular value, so each layer is 1-Lipschitz.

    With 1-Lipschitz activations the critic is 1-Lipschitz *exactly*, and its dual value a valid
    lower bound on W1: a tight one on segments, a loose one where the potential needs more
    gradient than products of unit-norm matrices and ReLUs pass on. While training, the singular
    value comes from one step of power iteration per pass; in ``eval()`` mode it is computed in
    full, so that what is read never overshoots. A matrix of zeros stays one.

    References:
        | Spectral Normalization for Generative Adversarial Networks (Miyato et al., 2018), Eq. 8
        | https://arxiv.org/abs/1802.05957
    """

    @property
    def certified(self) -> bool:
        return True

    def parametrize(self, critic: nn.Module) -> None:
        for layer in affine_layers("SpectralNorm", critic):
            parametrize.register_parametrization(layer, "weight", _UnitSpectralNorm(layer.weight))


class _UnitSpectralNorm(nn.Module):
    left: Tensor

    def __init__(self, weight: Tensor):
        super().__init__()
        u, _, _ = torch.linalg.svd(weight.detach(), full_matrices=False)
        self.register_buffer("left", u[..., :1].clone())

    def forward(self, weight: Tensor) -> Tensor:
        if not self.training:
            return weight / _or_one(torch.linalg.matrix_norm(weight, ord=2)[..., None, None])
        with torch.no_grad():
            right = nn.functional.normalize(weight.mT @ self.left, dim=-2)
            left = nn.functional.normalize(weight @ right, dim=-2)
            self.left.copy_(left)
        return weight / _or_one(left.mT @ weight @ right)


def _or_one(norm: Tensor) -> Tensor:
    """The norm; 1 for a matrix of zeros, which then stays one."""
    return torch.where(norm == 0, 1.0, norm)


@final
class Orthogonal(Constraint):
    r"""Keeps every weight matrix orthonormal, so no layer shrinks a gradient that passes through.

    With :class:`~divergences.MaxMin` between the layers the critic is 1-Lipschitz and its
    gradient keeps norm 1 through all square layers: the dual value is a lower bound on W1. Between
    N(0, 1) and N(0, 9) it reaches 94 to 98 % of W1 in 600 steps, where spectral normalisation with
    ReLU stops at 56 %.

    After each step the weights return to the nearest orthonormal matrix by Björck's iteration
    :math:`W \leftarrow W(3I - W^\top W)/2`. Singular values that start at most at 1 never exceed
    it on the way, so the bound holds, up to rounding, even before the iteration has converged.

    References:
        | Sorting out Lipschitz function approximation (Anil et al., 2019), Section 4 and Eq. 4
        | https://arxiv.org/abs/1811.05381
        | An Iterative Algorithm for Computing the Best Estimate of an Orthogonal Matrix (Björck &
          Bowie, 1971), https://doi.org/10.1137/0708036

    Arguments:
        iterations: Of Björck's iteration after each step, at least 1.

    Example:
        >>> from divergences import Streams
        >>> critic = nn.Sequential(Linear(3, 2, Streams([0])))
        >>> Orthogonal().parametrize(critic)
        >>> w = critic[0].weight[0].detach()
        >>> torch.allclose(w.mT @ w, torch.eye(2), atol=1e-5)
        True
    """

    @property
    def certified(self) -> bool:
        return True

    def __init__(self, iterations: int = 8):
        self.iterations = whole_number("iterations", iterations)

    @torch.no_grad()
    def parametrize(self, critic: nn.Module) -> None:
        for layer in affine_layers("Orthogonal", critic):
            left, _, right = torch.linalg.svd(layer.weight, full_matrices=False)
            layer.weight.copy_(left @ right)

    @torch.no_grad()
    def project(self, critic: nn.Module) -> None:
        for layer in [m for m in critic.modules() if isinstance(m, Linear)]:
            layer.weight.copy_(self._orthonormalised(layer.weight))

    def _orthonormalised(self, weight: Tensor) -> Tensor:
        wide = weight.shape[-2] < weight.shape[-1]
        w = weight.mT if wide else weight
        # the largest row sum of a Gram matrix bounds its largest eigenvalue, and is near 1 here
        w = w / (w.mT @ w).abs().sum(-1).amax(-1).sqrt()[:, None, None]
        for _ in range(self.iterations):
            w = 1.5 * w - 0.5 * w @ (w.mT @ w)
        return w.mT if wide else w
