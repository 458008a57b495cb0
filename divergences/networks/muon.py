"""Steepest descent in the spectral norm, for networks whose layers are kept orthonormal."""

from collections.abc import Callable, Iterable
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer

# coefficients of the odd polynomial that Jordan (2024) found: it lifts small singular values
# 3.4 fold each time and leaves those near 1 between .7 and 1.2
QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


def orthogonal_factor(matrices: Tensor) -> Tensor:
    r""":math:`U V^\top` of each :math:`M = U \Sigma V^\top`, nearly: singular values .7 to 1.2.

    The singular vectors are those of M up to rounding. Directions whose singular value is below
    about a five-hundredth of M's Frobenius norm come out shorter, and a zero matrix stays zero.

    References:
        | Muon: An optimizer for hidden layers in neural networks (Jordan et al., 2024)
        | https://kellerjordan.github.io/posts/muon/

    Arguments:
        matrices: Shape ``(K, a, b)``.

    Example:
        >>> factor = orthogonal_factor(torch.tensor([[[3.0, 0.0], [0.0, -0.2]]]))
        >>> factor.round(decimals=1)
        tensor([[[ 0.7000,  0.0000],
                 [ 0.0000, -1.1000]]])
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    m = matrices.mT if tall else matrices
    tiny = torch.finfo(m.dtype).tiny
    # squares of momentum that has decayed for long underflow, and a zero length would give NaN
    m = m / m.abs().amax((-2, -1), keepdim=True).clamp_min(tiny)
    m = m / torch.linalg.matrix_norm(m)[..., None, None].clamp_min(tiny)
    if m.shape[-2] == 1:  # a vector of length 1 is its own factor
        return m.mT if tall else m
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        gram = m @ m.mT
        m = a * m + (b * gram + c * gram @ gram) @ m
    return m.mT if tall else m


@final
class Muon(Optimizer):
    r"""Every layer's step has singular values near ``lr``, whatever the size of the gradient.

    .. math:: M \leftarrow \mu M + (1 - \mu) \nabla_W, \qquad W \leftarrow W - \eta\, U V^\top,
        \quad M = U \Sigma V^\top

    Of all steps whose spectral norm is :math:`\eta` this one has the largest first-order descent.
    It turns all directions of a layer at once, where few large singular values rule the gradient.
    On a min-funnel pair of 64 dimensions and 64 funnels an
    :class:`~divergences.Orthogonal` critic of two
    :class:`~divergences.FullSort` layers of 128 units, on batches of 1024, points as well
    after 500 steps of it (cosine .80) as after 4000 of Adam's (.77).

    Vectors (biases, last layers) are matrices of one row: they go ``lr`` along the direction of
    their momentum.

    torch's own ``torch.optim.Muon`` takes single matrices, not K stacked ones.

    References:
        | Old Optimizer, New Norm: An Anthology (Bernstein & Newhouse, 2024), Section 2
        | https://arxiv.org/abs/2409.20325
        | Muon: An optimizer for hidden layers in neural networks (Jordan et al., 2024)
        | https://kellerjordan.github.io/posts/muon/

    Arguments:
        params: Of K members each, along the first axis: shape ``(K, a, b)`` or ``(K, n)``.
        lr: :math:`\eta`, greater than 0. Steps do not shrink near an optimum by themselves; let
            it fall, e.g. by ``cooldown``.
        momentum: :math:`\mu`, at least 0 and less than 1.

    Raises:
        ValueError: If ``lr`` or ``momentum`` is out of range, or a parameter has other axes.

    Example:
        >>> w = torch.nn.Parameter(torch.zeros(1, 1, 2))
        >>> optimizer = Muon([w], lr=0.1, momentum=0.0)
        >>> w.grad = torch.tensor([[[30.0, -40.0]]])
        >>> _ = optimizer.step()
        >>> w.data
        tensor([[[-0.0600,  0.0800]]])
    """

    def __init__(self, params: Iterable[Any], lr: float = 0.05, momentum: float = 0.9):
        if not 0 < lr < float("inf"):
            raise ValueError(f"lr = {lr} must be finite and above 0, e.g. .05")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum = {momentum} must be at least 0 and less than 1, e.g. .9")
        super().__init__(params, {"lr": lr, "momentum": momentum})
        for p in (p for group in self.param_groups for p in group["params"]):
            if p.ndim not in (2, 3):
                raise ValueError(
                    f"Muon: a parameter of shape {tuple(p.shape)}; K members' matrices are "
                    "(K, a, b), their vectors (K, n)"
                )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                if "momentum_buffer" not in self.state[p]:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p)
                moving = self.state[p]["momentum_buffer"]
                moving.lerp_(p.grad, 1 - group["momentum"])
                matrices = moving if p.ndim == 3 else moving[:, None]
                p.add_(orthogonal_factor(matrices).view_as(p), alpha=-group["lr"])
        return loss
