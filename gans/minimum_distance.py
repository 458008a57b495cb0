"""Generators that a distance between minibatches trains, without a critic."""

from functools import partial
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim import Adam

from divergences.checks import shown
from divergences.estimator import Estimator
from divergences.random_streams import Streams
from divergences.samples.energy_distance_and_mmd import EnergyDistance
from gans.generator_module import GeneratorFactory, GeneratorModule, OptimizerFactory
from gans.gradients import Autograd
from gans.networks import NoiseGenerator
from gans.targets import Target

TRIED = 32
"""Points of the trial that shows whether a distance has a gradient."""


@final
class MinimumDistance(GeneratorModule):
    r"""Generators that minimise a distance between a real and a generated minibatch.

    .. math:: \min_\theta E\, d(\{x_1, \ldots, x_n\}, \{G_\theta(z_1), \ldots, G_\theta(z_n)\})

    There is no critic, and what monitors measure of one is left out. The energy distance and MMD
    are estimated without bias, so that their gradients are those of the laws' own distance. Exact
    transport (``EarthMover``), ``Sliced`` and ``Sinkhorn`` give too much between small minibatches
    (Bellemare et al. 2017, arXiv 1705.10743, Theorem 3): what they are least for is narrower than
    the target.

    References:
        | Generative Moment Matching Networks (Li et al., 2015), Equation 3
        | https://arxiv.org/abs/1502.02761
        | Learning Generative Models with Sinkhorn Divergences (Genevay et al., 2018)
        | https://arxiv.org/abs/1706.00292
        | The Cramer Distance as a Solution to Biased Wasserstein Gradients (Bellemare et al.,
          2017), Section 4
        | https://arxiv.org/abs/1705.10743

    Arguments:
        target: What the generators should learn.
        distance: An estimator whose value has a gradient in the points: ``EnergyDistance()``, the
            default, ``MMD``, ``Sinkhorn``, ``EarthMover`` or ``Sliced``; without ``floor``, which
            costs time and changes no gradient. ``MMD()`` without a bandwidth takes the median
            distance of each minibatch, and its gradient takes that for constant.
        generator: Makes the generators.
        generator_optimizer: Makes the generators' optimizer.
        kwargs: Further arguments of :class:`~gans.GeneratorModule`.

    Raises:
        TypeError: If ``distance`` is no estimator.
        ValueError: If it has no value for such minibatches, or its value no gradient.
        RuntimeError: In training, if its solver does not reach its tolerance.

    Example:
        >>> from gans import Ring
        >>> module = MinimumDistance(Ring(), seeds=[0, 1], batch_size=16)
        >>> noise, real = module.generator.noise(module.streams, 16), module.target.sample((2, 16))
        >>> module.generator_loss(module.generator, module.streams, noise, real).shape
        torch.Size([2])
    """

    def __init__(
        self,
        target: Target,
        distance: Estimator | None = None,
        generator: GeneratorFactory = NoiseGenerator,
        generator_optimizer: OptimizerFactory = partial(
            Adam, lr=1e-3, betas=(0.5, 0.9), fused=True
        ),
        **kwargs: Any,
    ):
        super().__init__(target=target, generator=generator, **kwargs)
        self.distance = EnergyDistance() if distance is None else distance
        if not isinstance(self.distance, Estimator):
            raise TypeError(f"distance = {shown(distance)}: it must be an Estimator")
        self.optimizer_factory = generator_optimizer
        self.generator_gradients = Autograd(self.generator, self.generator_loss)
        self.try_distance()

    def try_distance(self) -> None:
        """See that the distance has a value and a gradient between a few points.

        Raises:
            ValueError: If it has not.
        """
        streams, n = self._streams_of("trial"), min(self.batch_size, TRIED)
        real, others = self.target.draw(streams, n), self.target.draw(streams, n)
        losses = self.distance(real, others.requires_grad_()).value
        name = type(self.distance).__name__
        if not losses.requires_grad:
            raise ValueError(
                f"distance = {name}: its value has no gradient in the points; take "
                "EnergyDistance, MMD, Sinkhorn, EarthMover or Sliced"
            )
        if not torch.isfinite(losses).all():
            raise ValueError(
                f"distance = {name}: it is {losses.tolist()} between {n} points of each side; "
                "raise batch_size, or take another distance"
            )

    def configure_optimizers(self) -> Any:
        return self.scheduled(generator_optimizer=(self.optimizer_factory, self.generator))

    def on_fit_start(self) -> None:
        super().on_fit_start()
        world = self.trainer.world_size
        if world > 1:
            raise ValueError(
                f"{world} processes: a distance between minibatches is no mean over points, so "
                "that minibatches cannot be shared; take one process"
            )

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer: Any = self.optimizers()  # Lightning's, which counts iterations
        self.end_iteration(generator=self.generator_step(optimizer))

    def generator_minibatch(self) -> list[Tensor]:
        noise = self.generator.noise(self.streams, self.points)
        with torch.no_grad():
            return [noise, self.target.draw(self.streams, self.points)]

    def generator_loss(
        self, generator: nn.Module, streams: Streams, noise: Tensor, real: Tensor
    ) -> Tensor:
        """Distances of the generated from the real points, ``(K,)``."""
        return self.distance(real, generator(noise)).value
