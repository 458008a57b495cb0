"""Whether many members fit into memory, by the least that each takes, before they are built."""

from torch import nn

from divergences.available_memory import available, gigabytes

MANY = 1000
"""Members that are built without asking: a minute's work."""
DRAWN = 2**15 * 4 + 2 * 5056
"""Bytes of one kind of random numbers of a member, drawn ahead, and of its generator."""
COPIES = 4
"""Weights, their gradients, and two moments of an optimizer such as Adam."""


def refuse_too_many(members: int, network: nn.Module | None = None) -> None:
    """Refuse more members than there is memory for.

    Arguments:
        members: How many are asked for.
        network: That of one of them; without it only random numbers are counted.

    Raises:
        ValueError: With what they take at least, what there is, and how many would fit at most.
    """
    there = available()
    if members <= MANY or there is None:
        return
    weights = [] if network is None else [p.nelement() * p.element_size()
                                          for p in network.parameters()]  # fmt: skip
    each = DRAWN + COPIES * sum(weights)
    if members * each > there:
        raise ValueError(
            f"seeds = {members:,} members take at least {gigabytes(members * each)} of memory, "
            f"and {gigabytes(there)} are available; {max(1, there // each):,} would fit at most. "
            "Train the others in further runs, or with python -m scripts.sweep"
        )
