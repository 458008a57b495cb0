"""How much memory tensors take while something runs, without taking it from the system's word."""

import weakref
from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@final
class Allocations(TorchDispatchMode):
    """Within it, bytes of the tensors that are made are counted.

    What operations take for themselves and give back is not seen: convolutions of the processor
    take up to a third more than this.

    Attributes:
        now: Bytes of those tensors that are still there.
        peak: The most that there were at one time.

    Example:
        >>> with Allocations() as allocations:
        ...     there = torch.zeros(1000)
        ...     gone = float((there + 1).sum())
        >>> allocations.now, allocations.peak
        (4000, 8004)
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        self.peak = max(self.peak, self.now)
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        where = storage._cdata
        if where not in self._sizes:
            self._sizes[where] = storage.nbytes()
            self.now += self._sizes[where]
            weakref.finalize(storage, self._gone, where)

    def _gone(self, where: int) -> None:
        self.now -= self._sizes.pop(where)
