"""Gradient norms when optimizers step: afterwards, other backward passes add to the gradients."""

from collections.abc import Callable, Mapping
from typing import Any, final

from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from gans.monitors.gradient_norms import norm_of_one


@final
class StepNorms:
    """The norm of each network's gradient when its parameters were last stepped.

    Arguments:
        networks: The networks by name, as they are when an optimizer steps.
        wanted: Whether a step's norms are; they cost time.
    """

    def __init__(
        self, networks: Callable[[], Mapping[str, nn.Module]], wanted: Callable[[], bool]
    ):
        self._networks, self._wanted = networks, wanted
        self._hook: Any = None
        self.latest: dict[str, Tensor] = {}

    def take(self, optimizer: Any, *_: Any) -> None:
        """Keep the norms of what this optimizer steps."""
        if not self._wanted():
            return
        stepped = {id(p) for group in optimizer.param_groups for p in group["params"]}
        for name, network in self._networks().items():
            norm = norm_of_one(p for p in network.parameters() if id(p) in stepped)
            if norm is not None:
                self.latest[name] = norm

    def follow(self) -> None:
        """Keep them from now on at every step of any torch optimizer.

        For gradients that are there before the step, not for optimizers that are given a closure.
        """
        self._hook = self._hook or register_optimizer_step_pre_hook(self.take)

    def close(self) -> None:
        """Follow no more."""
        if self._hook is not None:
            self._hook.remove()
        self._hook = None
