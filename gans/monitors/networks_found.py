"""A GAN's networks under the names that their gradients are logged with."""

import re
from collections.abc import Sequence

from torch import nn

PLAYERS = {
    "generator": {"generator", "gen", "g", "netg"},
    "critic": {"discriminator", "critic", "disc", "d", "netd"},
}
WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+")
DEEPEST = 3
"""Levels of modules within modules that are searched for players."""


def networks_of(module: nn.Module) -> dict[str, nn.Module]:
    """A module's networks: its generators and critics by their usual names, else its children.

    Several of one kind, such as ``G_AB`` and ``G_BA``, keep their own names.

    Example:
        >>> pair = nn.ModuleDict({"model_G": nn.Linear(1, 1), "model_D": nn.Linear(1, 1)})
        >>> [*networks_of(pair)], [*networks_of(nn.Sequential(pair))]
        (['generator', 'critic'], ['generator', 'critic'])
    """
    level = _learning(module)
    children = level
    for depth in range(DEEPEST):
        found = {player: _of_player(level, words) for player, words in PLAYERS.items()}
        # deeper down, a layer may happen to have such a name
        if any(found.values()) if depth == 0 else all(found.values()):
            return {
                player if len(nets) == 1 else name: net
                for player, nets in found.items()
                for name, net in nets.items()
            }
        level = {
            f"{outer}.{name}": net
            for outer, child in level.items()
            for name, net in _learning(child).items()
        }
    return children or {"all": module}


def _learning(module: nn.Module) -> dict[str, nn.Module]:
    return {
        n: net for n, net in module.named_children() if next(net.parameters(), None) is not None
    }


def _of_player(networks: dict[str, nn.Module], words: set[str]) -> dict[str, nn.Module]:
    """Those of which the name, or else a part of it, is one of the words."""
    named = {path: path.rpartition(".")[2] for path in networks}
    exact = [p for p, name in named.items() if name.lower().replace("_", "") in words]
    loose = [p for p, name in named.items() if words & {w.lower() for w in WORD.findall(name)}]
    return {path: networks[path] for path in exact or loose}


def whole_of(called: Sequence[nn.Module]) -> nn.Module | None:
    """The networks with parameters among those that were called, as one, or ``None``.

    Where a module of several players was called itself, its generator is meant.

    Example:
        >>> net = nn.Linear(1, 1)
        >>> whole_of([nn.ReLU(), net]) is net
        True
    """
    learning = [net for net in called if next(net.parameters(), None) is not None]
    if len(learning) > 1:
        return nn.ModuleList(learning)
    of_two = networks_of(learning[0]) if learning else {}
    return (
        of_two["generator"] if {*of_two} == {"generator", "critic"} else next(iter(learning), None)
    )
