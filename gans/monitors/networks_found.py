"""A GAN's networks under the names that their gradients are logged with."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

GENERATORS = ("generator", "gen", "g", "netg")
CRITICS = ("discriminator", "critic", "disc", "d", "netd")


def common_name(name: str) -> str:
    """``generator`` or ``critic`` for the names that such networks usually have.

    Example:
        >>> common_name("netG"), common_name("D"), common_name("encoder")
        ('generator', 'critic', 'encoder')
    """
    plain = name.lower().replace("_", "")
    if plain in GENERATORS:
        return "generator"
    return "critic" if plain in CRITICS else name


def networks_of(module: nn.Module) -> dict[str, nn.Module]:
    """A module's networks: its generator and critic by their usual names, else its children."""
    found = {
        common_name(name): child
        for name, child in module.named_children()
        if next(child.parameters(), None) is not None
    }
    known = {name: child for name, child in found.items() if name in ("generator", "critic")}
    return known or found or {"all": module}


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
