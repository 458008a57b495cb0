"""One random stream per member, so that no member's numbers depend on its neighbours."""

import zlib
from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor

from divergences.checks import each, entries, seed_number, shown, whole_number

KINDS = {"rand": torch.rand, "randn": torch.randn}


class _Channel:
    """Numbers of one kind and shape, drawn ahead in blocks from a generator per member.

    The generators stay on the device where the first number was wanted.
    """

    def __init__(
        self, seeds: Sequence[int], purpose: str, kind: str, shape: tuple[int, ...], ahead: int
    ):
        if min(shape, default=0) < 0:
            raise ValueError(f"shape = {shape}: a size is negative")
        name = f"{purpose}/{kind}/{shape}"
        self.draw = KINDS[kind]
        self.shape = shape
        self.seeds = [zlib.crc32(f"{seed}/{name}".encode()) for seed in seeds]
        self.generators: list[torch.Generator] = []
        self.length = max(1, ahead // max(1, torch.Size(shape).numel()))
        self.start, self.position = torch.empty(0), 0
        self.block: Tensor | None = None  # drawn from ``start`` when it is first needed

    def _begin(self, where: torch.device) -> None:
        self.generators = [_generator(where).manual_seed(seed) for seed in self.seeds]
        self.start = self._states()

    def _states(self) -> Tensor:
        return torch.stack([g.get_state() for g in self.generators])

    def _draw(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        size = (self.length, *self.shape)
        drawn = [
            self.draw(size, generator=g, dtype=dtype, device=g.device) for g in self.generators
        ]
        return torch.stack(drawn, dim=1).to(device)

    def next(self, device: torch.device, dtype: torch.dtype, where: torch.device) -> Tensor:
        if not self.generators:
            self._begin(where)
        if self.block is None:
            self.block = self._draw(device, dtype)
        if self.position == self.length:
            self.start, self.position = self._states(), 0
            self.block = self._draw(device, dtype)
        self.position += 1
        return self.block[self.position - 1]

    def state_dict(self) -> dict[str, Any]:
        device = self.generators[0].device.type
        return {"start": self.start, "position": self.position, "device": device}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.start, self.position = entries("Streams", state, "start", "position")
        self.block = None
        if len(self.start) != len(self.seeds):
            raise ValueError(
                f"a saved state of {len(self.start)} seeds does not fit {len(self.seeds)}"
            )
        device = state.get("device", "cpu")
        try:
            self.generators = [torch.Generator(device) for _ in self.seeds]
        except (RuntimeError, TypeError) as error:
            raise ValueError(
                f"a saved state of random numbers that were drawn on {shown(device)}, which is "
                "not there; continue on such a device, or begin a new run"
            ) from error
        for generator, start in zip(self.generators, self.start, strict=True):
            generator.set_state(start.clone())  # a row of a stack crashes set_state


def _generator(where: torch.device) -> torch.Generator:
    """A generator there, or on the processor for a device that has none."""
    try:
        return torch.Generator(where)
    except RuntimeError:
        return torch.Generator()


@final
class Streams:
    """Uniform and normal numbers for K members, each from its own seed.

    Member ``k``'s numbers are a function of ``seeds[k]``, ``purpose`` and the calls made so far;
    adding, removing or reseeding another member leaves them as they are. Another kind of device
    gives other numbers, unless they are ``drawn_on`` the same one.

    Arguments:
        seeds: One integer per member.
        purpose: Separates streams of the same seed: training, initialisation, held-out points.
        device: Where the numbers are wanted.
        dtype: Their floating-point type.
        ahead: Numbers drawn at once per member, kind and shape, so that K generators cost little
            per call. Another value may give other numbers.

    Attributes:
        drawn_on: Where generators are, of a kind and shape that was not asked for before: where
            numbers are wanted by default. Those on ``"cpu"`` give the same numbers on all devices.
        share: Rank r and number w of processes that share what is drawn: of w times as many
            numbers this one keeps every w-th, from the r-th on.

    Example:
        >>> pair, alone = Streams([3, 4]), Streams([4])
        >>> bool((pair.rand(5)[1] == alone.rand(5)[0]).all())
        True
    """

    def __init__(
        self,
        seeds: Sequence[int],
        purpose: str = "training",
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        ahead: int = 2**15,
    ):
        self.seeds = list(each("seeds", seeds, seed_number))
        if not self.seeds:
            raise ValueError("seeds is empty; give one integer per member, such as [0]")
        self.purpose, self.device, self.dtype = purpose, torch.device(device), dtype
        self.ahead = whole_number("ahead", ahead)
        self.drawn_on: torch.device | None = None
        self.share: tuple[int, int] = (0, 1)
        self._channels: dict[tuple[str, tuple[int, ...]], _Channel] = {}

    def __len__(self) -> int:
        return len(self.seeds)

    def rand(self, *shape: int) -> Tensor:
        """Uniform numbers on [0, 1), of shape ``(K, *shape)``."""
        return self._next("rand", shape)

    def randn(self, *shape: int) -> Tensor:
        """Standard normal numbers of shape ``(K, *shape)``."""
        return self._next("randn", shape)

    def _next(self, kind: str, shape: tuple[int, ...]) -> Tensor:
        rank, world = self.share
        if world > 1 and shape:
            # every world-th, so that consecutive minibatches stay apart
            return self._whole(kind, (shape[0] * world, *shape[1:]))[:, rank::world]
        return self._whole(kind, shape)

    def _whole(self, kind: str, shape: tuple[int, ...]) -> Tensor:
        channel = self._channels.get((kind, shape))
        if channel is None:
            channel = _Channel(self.seeds, self.purpose, kind, shape, self.ahead)
            self._channels[kind, shape] = channel
        return channel.next(self.device, self.dtype, self.drawn_on or self.device)

    def state_dict(self) -> dict[str, Any]:
        """Generator states and positions: what a checkpoint needs to continue bit for bit."""
        return {
            "/".join([kind, *map(str, shape)]): channel.state_dict()
            for (kind, shape), channel in self._channels.items()
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the state was saved.

        Raises:
            ValueError: If it is not a state of streams with as many seeds.
        """
        channels = {}
        for name, channel_state in state.items():
            kind, *sizes = str(name).split("/")
            if kind not in KINDS or not all(size.isdecimal() for size in sizes):
                raise ValueError(f"{shown(name)} names no stream; it would be such as 'rand/64/2'")
            shape = tuple(map(int, sizes))
            channel = _Channel(self.seeds, self.purpose, kind, shape, self.ahead)
            channel.load_state_dict(channel_state)
            channels[kind, shape] = channel
        self._channels = channels
