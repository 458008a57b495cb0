"""Networks with a leading member axis: K independent networks evaluated as one program."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from divergences.checks import each, positive_number, real_number, whole_number
from divergences.networks.input_gradients import slopes
from divergences.networks.recorded_passes import recorder as recording
from divergences.networks.recorded_passes import rectified
from divergences.random_streams import Streams

FREQUENCIES = 32  # waves per scale
RECTIFIERS: dict[type[nn.Module], float] = {nn.ReLU: 0.0, nn.LeakyReLU: 0.01}
"""Nonlinearities that only multiply negative numbers, to what they multiply these by."""
MOST_WEIGHTS = 2**26  # of all members; four times as many numbers while they are trained


def member_norms(tensors: Iterable[Tensor], members: int | None = None) -> Tensor:
    """Euclidean norm of each member's share of the tensors, shape ``(K,)``.

    Arguments:
        tensors: Each with the member axis first; with one member they may also lack it.
        members: K, where it cannot be taken from that axis.

    Example:
        >>> member_norms([torch.tensor([3.0, 0.0]), torch.tensor([[4.0], [1.0]])])
        tensor([5., 1.])
    """
    rows = [t.reshape(members or len(t), -1) for t in tensors]
    return torch.cat(rows, dim=1).norm(dim=1)


@torch.no_grad()
def move_average(average: nn.Module, live: nn.Module, decay: float) -> None:
    r"""Move averaged weights :math:`\bar w` to :math:`\beta \bar w + (1 - \beta) w`, in place.

    Buffers move likewise, such as the running moments of batch normalisation: those of an
    untrained network would not fit averaged weights. Whole numbers are copied.

    Arguments:
        average: Holds :math:`\bar w`.
        live: A network of the same kind, holds w.
        decay: :math:`\beta`, between 0 and 1.
    """
    for averaged, weight in zip(average.parameters(), live.parameters(), strict=True):
        averaged.lerp_(weight, 1 - decay)
    for averaged, buffer in zip(average.buffers(), live.buffers(), strict=True):
        if buffer.is_floating_point():
            averaged.lerp_(buffer, 1 - decay)
        else:
            averaged.copy_(buffer)


def check_decay(name: str, decay: float | None) -> None:
    """Refuse a moving average that never moves, or keeps nothing.

    Raises:
        TypeError: If the decay is given and no number.
        ValueError: If the decay is given and not between 0 and 1; names it.
    """
    if decay is not None and not 0 < real_number(name, decay) < 1:
        raise ValueError(f"{name} = {decay} must lie between 0 and 1, e.g. .999")


@final
class Linear(nn.Module):
    r"""K affine maps :math:`y_k = x_k W_k + b_k`, from ``(K, n, in)`` to ``(K, n, out)``.

    Weights and biases start uniform on :math:`\pm 1/\sqrt{in}`, torch's own default, each
    member's from its own stream.

    Example:
        >>> Linear(2, 3, Streams([0, 1]))(torch.zeros(2, 5, 2)).shape
        torch.Size([2, 5, 3])
    """

    def __init__(self, in_features: int, out_features: int, streams: Streams):
        super().__init__()
        bound = whole_number("in_features", in_features) ** -0.5
        out_features = whole_number("out_features", out_features)
        self.weight = nn.Parameter(bound * (2 * streams.rand(in_features, out_features) - 1))
        self.bias = nn.Parameter(bound * (2 * streams.rand(1, out_features) - 1))

    def forward(self, x: Tensor) -> Tensor:
        if self.weight.shape[-1] == 1:  # a batched product with a side of 1 takes 5 times as long
            members, in_features, _ = self.weight.shape
            if x.ndim != 3 or len(x) != members or x.shape[-1] != in_features:
                raise ValueError(  # where a batched product would raise, this one would broadcast
                    f"Linear: points of shape {tuple(x.shape)}: it must be ({members}, n, "
                    f"{in_features}), for as many members and dimensions as there are weights"
                )
            return (x * self.weight.mT).sum(-1, keepdim=True) + self.bias
        return torch.baddbmm(self.bias, x, self.weight)


@final
class MaxMin(nn.Module):
    r"""Sorts pairs of units: the maximum of each pair, then the minimum (GroupSort of size 2).

    A permutation of its inputs, so it is 1-Lipschitz and passes the whole gradient on. ReLU loses
    what it cuts off: a ReLU network of unit-norm layers cannot even represent ``abs``.

    References:
        | Sorting out Lipschitz function approximation (Anil et al., 2019), Section 4
        | https://arxiv.org/abs/1811.05381

    Example:
        >>> MaxMin()(torch.tensor([1.0, 2.0, 5.0, -3.0]))  # pairs (1, 5) and (2, -3)
        tensor([ 5.,  2.,  1., -3.])
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] % 2:
            raise ValueError(
                f"MaxMin sorts pairs, and {x.shape[-1]} units have no pairs; make the width even"
            )
        first, second = x.chunk(2, dim=-1)
        return torch.cat([torch.maximum(first, second), torch.minimum(first, second)], dim=-1)


@final
class FullSort(nn.Module):
    r"""Sorts all units of a layer (GroupSort of the layer's size).

    A permutation, as :class:`MaxMin` is, that lets one layer take the maximum of as many linear
    functions as it has units; pairs take a layer for every doubling. It costs several times as
    much.

    References:
        | Sorting out Lipschitz function approximation (Anil et al., 2019), Section 4
        | https://arxiv.org/abs/1811.05381

    Example:
        >>> FullSort()(torch.tensor([1.0, 2.0, 5.0, -3.0]))
        tensor([-3.,  1.,  2.,  5.])
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.gather(-1, _order(x.detach()))


def _order(x: Tensor) -> Tensor:
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return x.argsort(-1)
    return torch.from_numpy(np.argsort(x.numpy(), axis=-1))  # vectorised: a third of torch's time


@final
class FourierFeatures(nn.Module):
    r"""Points with random waves beside them: :math:`(x, \cos(xB), \sin(xB))`, B frozen.

    :math:`B_{ij} \sim N(0, s^2)` for each scale s: functions that vary over a length of about
    :math:`1/s` become easy to learn, which a perceptron on the bare points takes thousands of
    steps to find, or never does. On whitened points scales of 1, 2 and 4 suit a ring of eight
    modes. Every scale makes it easier to learn the points by heart, too.

    References:
        | Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional Domains
          (Tancik et al., 2020), Equation 5
        | https://arxiv.org/abs/2006.10739

    Arguments:
        streams: The members' random streams, one draw of B for each.
        in_features: Dimension of the points.
        scales: Standard deviations of the frequencies, each greater than 0.
        frequencies: How many per scale.

    Attributes:
        out_features: Dimension of what comes out,
            ``in_features + 2 * len(scales) * frequencies``.

    Example:
        >>> features = FourierFeatures(Streams([0]), 2, scales=(1.0, 4.0), frequencies=3)
        >>> features(torch.zeros(1, 1, 2))
        tensor([[[0., 0., 1., 1., 1., 1., 1., 1., 0., 0., 0., 0., 0., 0.]]])
    """

    waves: Tensor

    def __init__(
        self,
        streams: Streams,
        in_features: int,
        scales: Sequence[float] = (1.0, 2.0, 4.0),
        frequencies: int = FREQUENCIES,
    ):
        super().__init__()
        scales = each("scales", scales, positive_number)
        if not scales:
            raise ValueError("scales is empty; give at least one, e.g. (1, 2, 4)")
        frequencies = whole_number("frequencies", frequencies)
        normal = streams.randn(in_features, len(scales), frequencies)
        self.register_buffer("waves", (normal * normal.new_tensor(scales)[:, None]).flatten(2))
        self.out_features = in_features + 2 * len(scales) * frequencies

    def forward(self, x: Tensor) -> Tensor:
        phase = x @ self.waves
        return torch.cat([x, phase.cos(), phase.sin()], dim=-1)


@final
class MLP(nn.Sequential):
    """K multilayer perceptrons, from ``(K, n, in_features)`` to ``(K, n, out_features)``.

    Arguments:
        streams: The members' random streams; they set K and the initial weights.
        in_features: Dimension of the points that go in.
        out_features: Dimension of what comes out.
        hidden: Width of each hidden layer.
        activation: Class of the nonlinearity between layers.

    Attributes:
        rectifier: What the nonlinearity multiplies negative numbers by, if that is all it does,
            else ``None``: the slopes of rectified networks are written out, see
            :mod:`divergences.networks.input_gradients`.

    Example:
        >>> MLP(Streams([0, 1, 2]), 2, 1, hidden=(8, 8))(torch.zeros(3, 5, 2)).shape
        torch.Size([3, 5, 1])
    """

    def __init__(
        self,
        streams: Streams,
        in_features: int,
        out_features: int,
        hidden: Sequence[int] = (64, 64),
        activation: type[nn.Module] = nn.ReLU,
    ):
        widths = [
            whole_number("in_features", in_features),
            *each("hidden", hidden, whole_number),
            whole_number("out_features", out_features),
        ]
        numbers = len(streams) * sum(a * b for a, b in pairwise(widths))
        if numbers > MOST_WEIGHTS:
            raise ValueError(
                f"layer widths {widths} take {numbers:.2g} weights in {len(streams)} networks, "
                f"more than the {MOST_WEIGHTS} that memory is planned for; make layers smaller"
            )
        layers: list[nn.Module] = []
        for d_in, d_out in pairwise(widths):
            layers += [Linear(d_in, d_out, streams), activation()]
        super().__init__(*layers[:-1])
        self.rectifier = RECTIFIERS.get(activation)

    def forward(self, x: Tensor) -> Tensor:
        affine = None if torch.compiler.is_compiling() else self._affine(x)
        if affine is None or x.device.type != "cpu" or not self._as_made:
            return super().forward(x)
        rectifier, recorder = self.rectifier or 0.0, recording()
        if not torch.is_grad_enabled():
            return rectified(affine, rectifier, x)[0]
        scores = None if recorder is None else recorder.record(affine, rectifier, x)
        return super().forward(x) if scores is None else scores

    def input_gradient(self, x: Tensor) -> Tensor | None:
        """Gradient of each point's summed outputs with respect to that point, ``(K, n, d)``.

        Differentiable with respect to the weights; ``None`` where it takes autograd to find it.
        """
        affine = self._affine(x)
        if affine is None:
            return None
        weights, biases = [layer.weight for layer in affine], [layer.bias for layer in affine]
        return slopes(x, weights, biases, self.rectifier or 0.0)

    def _affine(self, x: Tensor) -> list[Linear] | None:
        """The affine layers, if there are but rectifiers between them, and no autocast."""
        if self.rectifier is None or torch.is_autocast_enabled(x.device.type):
            return None
        layers = list(self._modules.values())
        affine, between = layers[::2], layers[1::2]
        alike = all(getattr(one, "negative_slope", 0.0) == self.rectifier for one in between)
        rectifiers = alike and all(type(one) in RECTIFIERS for one in between)
        whole = len(affine) > len(between) and all(isinstance(one, Linear) for one in affine)
        return affine if rectifiers and whole else None  # pyright: ignore

    @property
    def _as_made(self) -> bool:
        """Whether no weight is computed from others, and nothing looks at single layers."""
        layers = list(self._modules.values())
        return all(type(layer) is Linear for layer in layers[::2]) and not any(
            layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks  # pyright: ignore
            for layer in layers
        )


@final
class Whiten(nn.Module):
    r"""Shifts and divides each coordinate by a fixed mean and standard deviation per member.

    A discriminator estimates :math:`p/(p+q)`, which is the same in any units of the points; its
    *training* is not. On segments a distance .001 apart an MLP on raw inputs needs
    thousands of steps to notice that there are two of them.

    Arguments:
        points: Pooled points of shape ``(K, n, d)`` that set mean and standard deviation. A
            coordinate that never varies is only shifted.

    Example:
        >>> points = torch.tensor([[[0.0, 5.0], [2.0, 5.0]]])
        >>> Whiten(points)(points)
        tensor([[[-1.,  0.],
                 [ 1.,  0.]]])
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, points: Tensor):
        super().__init__()
        if not points.is_floating_point():
            raise TypeError(f"points have dtype {points.dtype}; convert them with points.float()")
        sd, mean = torch.std_mean(points, dim=1, keepdim=True, correction=0)
        # rounding of the mean alone leaves a constant coordinate with a spread of about eps
        constant = sd <= 4 * torch.finfo(points.dtype).eps * mean.abs()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", torch.where(constant, torch.ones_like(sd), sd))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.scale
