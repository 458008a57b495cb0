"""What a target is: a distribution that draws from the members' own random streams."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.utils import broadcast_all

from divergences.array_likes import HALVES
from divergences.random_streams import Streams


class NoiseSource(Protocol):
    """What noise is drawn from: :class:`~divergences.Streams`, or torch's own generator."""

    def rand(self, *shape: int) -> Tensor:
        """Uniform numbers of this shape."""
        ...

    def randn(self, *shape: int) -> Tensor:
        """Normal numbers of this shape."""
        ...


class _Global:
    """Torch's own generator, asked as streams are; ``torch.rand()`` of no size is an error."""

    @staticmethod
    def rand(*shape: int) -> Tensor:
        return torch.rand(shape)

    @staticmethod
    def randn(*shape: int) -> Tensor:
        return torch.randn(shape)


class Target(Distribution, ABC):
    """Points of dimension d, made from uniform and normal noise by a fixed map.

    A concrete target names its parameters in ``arg_constraints``; each is a tensor of
    ``batch_shape``. Tensors that all members share, such as weights, are its ``_shared``.
    """

    # torch declares these two as properties and assigns class attributes to them itself
    arg_constraints: ClassVar[dict[str, constraints.Constraint]]  # pyright: ignore
    support: ClassVar[constraints.Constraint]  # pyright: ignore

    @abstractmethod
    def noise(self, source: NoiseSource, *shape: int) -> tuple[Tensor, ...]:
        """Base noise with leading dimensions ``shape``, from torch or from a Streams."""

    @abstractmethod
    def push(self, *noise: Tensor) -> Tensor:
        """Points ``(..., *batch_shape, d)`` from noise ``(..., *batch_shape, *)``."""

    def draw(self, streams: Streams, n: int) -> Tensor:
        """Points of shape ``(K, n, d)``, each member's from its own stream."""
        if self.batch_shape not in (Size(), Size([len(streams)])):
            raise ValueError(
                f"a target of batch_shape {tuple(self.batch_shape)} cannot serve {len(streams)} "
                f"members; give it batch_shape () or ({len(streams)},)"
            )
        noise = [t.movedim(0, 1) for t in self.noise(streams, n)]
        return self.push(*noise).movedim(0, 1)

    def held_out(self, streams: Streams, n: int) -> Tensor:
        """Points of shape ``(K, m, d)`` that training does not see, m at most ``n``.

        Fresh draws, all ``n`` of them, where the law is known; a part kept back where it is not.
        """
        return self.draw(streams, n)

    def as_given(self, points: Tensor) -> Tensor:
        """Points ``(..., d)`` in the units of the data that the target was made of."""
        return points

    def sample(self, sample_shape: Size | tuple[int, ...] = Size()) -> Tensor:
        with torch.no_grad():
            return self._from_global_generator(sample_shape)

    def rsample(self, sample_shape: Size | tuple[int, ...] = Size()) -> Tensor:
        if not self.has_rsample:
            raise NotImplementedError(
                f"{type(self).__name__} picks a component at random, which has no derivative in "
                "its weights; use sample()"
            )
        return self._from_global_generator(sample_shape)

    def _from_global_generator(self, sample_shape: Size | tuple[int, ...]) -> Tensor:
        like = next(iter((self._parameters() | self._shared()).values()))
        noise = self.noise(_Global, *sample_shape, *self.batch_shape)
        return self.push(*[t.to(like) for t in noise])

    def _parameters(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self.arg_constraints}

    def _shared(self) -> dict[str, Tensor]:
        """Tensors without member axes, which move with the parameters but do not expand."""
        return {}

    def _with_parameters(self, parameters: dict[str, Tensor], batch_shape: Size) -> Self:
        new: Any = self._get_checked_instance(type(self))
        new.__dict__.update(self.__dict__ | parameters)
        new._batch_shape = batch_shape
        return new

    def expand(self, batch_shape: Size | tuple[int, ...], _instance: Any = None) -> Self:
        batch_shape = Size(batch_shape)
        expanded = {name: t.expand(batch_shape) for name, t in self._parameters().items()}
        return self._with_parameters(expanded, batch_shape)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Self:
        """The same law with its parameters on ``device``, as ``dtype`` if one is given."""
        tensors = self._parameters() | self._shared()
        moved = {name: t.to(device, dtype) for name, t in tensors.items()}
        return self._with_parameters(moved, self.batch_shape)


def finite(target: str, **parameters: Tensor | float) -> tuple[Tensor, ...]:
    """Parameters as floating-point tensors of one shape, or an error naming the bad value."""
    for name, value in parameters.items():
        values = torch.as_tensor(value, dtype=torch.get_default_dtype())
        if isinstance(value, Tensor) and (value.is_complex() or value.dtype == torch.bool):
            raise TypeError(f"{target}: {name} has dtype {value.dtype}; convert it to float")
        bad = values[~torch.isfinite(values)]
        if bad.numel():
            raise ValueError(f"{target}: {name} = {bad[0].item()} is not a finite number")
    return broadcast_all(*[v if isinstance(v, Tensor) else float(v) for v in parameters.values()])


def widened(values: Tensor) -> Tensor:
    """The same numbers in single precision if they came in half: results need more digits."""
    return values.float() if values.dtype in HALVES else values


def fine_uniform(pair: Tensor) -> Tensor:
    """Uniform numbers of 48 bits from the last axis of two, for choices among very many.

    A single-precision uniform number takes 2^24 values: choosing among a million with it would
    favour some by a sixteenth.
    """
    high, low = pair.double().unbind(-1)
    return ((high * 2**24).floor() + low) / 2**24
