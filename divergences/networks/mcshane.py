"""Functions of slope at most 1, given at points and continued as far down as the slope allows."""

from typing import final

import torch
from torch import Tensor, nn

ACCURATE = 4  # dimensions up to which distances come from differences, not from inner products


def distances(x: Tensor, anchors: Tensor) -> Tensor:
    """Distances of shape ``(K, n, m)``, between ``(K, n, d)`` and ``(K, m, d)``.

    From inner products they are off by about 1e-3 of a length near 0 in float32, which in few
    dimensions is where a good part of the points may be.
    """
    if x.shape[-1] <= ACCURATE:
        squares = sum(
            (x[..., i, None] - anchors[:, None, :, i]).square() for i in range(x.shape[-1])
        )
        assert isinstance(squares, Tensor)
    else:
        lengths = x.square().sum(-1, keepdim=True) + anchors.square().sum(-1)[:, None]
        squares = torch.baddbmm(lengths, x, anchors.mT, alpha=-2)
    return squares.clamp_min(torch.finfo(x.dtype).tiny).sqrt()


@final
class McShane(nn.Module):
    r"""K functions of slope at most 1: a maximum of cones on fixed points, or a softer one.

    .. math:: f(x) = \tau \log \sum_j \exp\frac{g_j - \|x - a_j\|}{\tau}
        \;\to\; \max_j (g_j - \|x - a_j\|) \quad (\tau \to 0)

    Its gradient is an average of unit vectors, and so never longer than 1, for every tau.

    References:
        | Extension of range of functions (McShane, 1934), Theorem 1
        | https://doi.org/10.1090/S0002-9904-1934-05978-0

    Arguments:
        anchors: :math:`a_j`, of shape ``(K, m, d)``; not trained.
        softness: :math:`\tau \ge 0`.

    Example:
        >>> tent = McShane(torch.tensor([[[0.0], [4.0]]]))
        >>> tent(torch.tensor([[[1.0], [3.5], [9.0]]]))[0, :, 0]
        tensor([-1.0000, -0.5000, -5.0000], grad_fn=<SelectBackward0>)
    """

    anchors: Tensor

    def __init__(self, anchors: Tensor, softness: float = 0.0, heights: Tensor | None = None):
        super().__init__()
        self.softness = softness
        self.register_buffer("anchors", anchors)
        start = anchors.new_zeros(anchors.shape[:2]) if heights is None else heights.clone()
        self.heights = nn.Parameter(start)

    def cones(self, x: Tensor) -> Tensor:
        return self.heights[:, None] - distances(x, self.anchors)

    def forward(self, x: Tensor) -> Tensor:
        cones = self.cones(x)
        if self.softness == 0:
            return cones.amax(-1, keepdim=True)
        return self.softness * (cones / self.softness).logsumexp(-1, keepdim=True)

    def shares(self, x: Tensor) -> Tensor:
        """How much of each point's gradient comes from each cone, on average, ``(K, m)``."""
        cones = self.cones(x)
        if self.softness == 0:
            best = cones.argmax(-1)
            return torch.zeros_like(self.heights).scatter_add(
                1, best, torch.full_like(cones[..., 0], 1 / best.shape[1])
            )
        return (cones / self.softness).softmax(-1).mean(1)
