"""A perceptron whose outputs are bounded, as the values of pictures are."""

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from divergences.networks.layers import MLP
from divergences.random_streams import Streams


@final
class BoundedMLP(nn.Module):
    """K multilayer perceptrons that end in tanh: generator networks for pictures.

    Many pixels of a picture are white or black. An affine last layer meets such a value at one
    input only, where tanh has it wherever the layer before is large. It cannot make points
    outside of [-1, 1], so it serves targets within.

    References:
        | Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
          Networks (Radford et al., 2016), Section 3
        | https://arxiv.org/abs/1511.06434

    Arguments:
        streams: The members' random streams.
        in_features: Dimension of the noise.
        out_features: Dimension of the points.
        hidden: Width of each hidden layer.
        activation: Class of the nonlinearity between layers.

    Example:
        >>> network = BoundedMLP(Streams([0, 1]), 4, 64, hidden=(8,))
        >>> points = network(Streams([0, 1]).randn(100, 4) * 1e6)
        >>> points.shape, points.abs().max().item()
        (torch.Size([2, 100, 64]), 1.0)
    """

    def __init__(
        self,
        streams: Streams,
        in_features: int,
        out_features: int,
        hidden: Sequence[int] = (64, 64),
        activation: type[nn.Module] = nn.ReLU,
    ):
        super().__init__()
        self.affine = MLP(streams, in_features, out_features, hidden, activation)

    def forward(self, noise: Tensor) -> Tensor:
        return self.affine(noise).tanh()
