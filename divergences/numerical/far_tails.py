r"""What an average has beyond all draws: tails that are rare, and matter.

Where p falls like a power of x and log(p / q) grows like another, most of a mean may lie so far
out that no draw shows it, or all of it: between t laws of two degrees of freedom and a normal law
KL is infinite, however wide the normal law is.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent

from divergences.numerical.integration import Average
from divergences.numerical.log_densities import log_density

DECADES = 60  # widths of p from its median that are looked at
STEPS = 4  # in a factor of ten


def beyond_the_draws(f: Average, p: Any, q: Any, n: int) -> Tensor | None:
    """What the mean of ``f`` has where ``n`` draws of p hardly reach, which may be infinite.

    Of laws on the line, and of vectors of independent ones, for which ``f`` adds up.

    Returns:
        A tensor of the batch shape; ``None`` for other laws.

    Example:
        >>> from torch.distributions import Normal, StudentT
        >>> two, three = (StudentT(torch.tensor(df).double()) for df in (2.0, 3.0))
        >>> wide = Normal(0.0, torch.tensor(100.0).double())
        >>> kl = Average("kl", lambda log_p, log_q: log_p - log_q)
        >>> [round(float(beyond_the_draws(kl, law, wide, 1000)), 4) for law in (two, three)]
        [inf, 0.0051]
    """
    laws, vectors = _on_the_line(p, q)
    if laws is None:
        return None
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        draws = laws[0].sample(torch.Size([401])).double()
    shape = torch.broadcast_shapes(*(law.batch_shape for law in laws))
    if any(law.batch_shape != shape[len(shape) - len(law.batch_shape) :] for law in laws):
        return None
    quantiles = draws.quantile(draws.new_tensor([0.16, 0.5, 0.84]), dim=0)
    low, middle, high = (level.expand(shape) for level in quantiles)
    width = ((high - low) / 2).clamp_min(1e-300)
    log_r = torch.arange(STEPS * DECADES, dtype=torch.float64) * math.log(10) / STEPS
    log_r = log_r.reshape(-1, *(1,) * middle.ndim) + width.log()
    total, endless = torch.zeros(()), torch.zeros((), dtype=torch.bool)
    for sign in (-1, 1):
        x = middle + sign * log_r.exp()
        at = torch.cat([middle[None], x])  # more than in the middle is what no draw shows
        log_p, log_q = (
            log_density(law, at.reshape(-1, *law.batch_shape)).reshape(at.shape) for law in laws
        )
        value = f.of(log_p, log_q)
        value, log_p = (value[1:] - value[0]).abs(), log_p[1:]
        there = (log_p > -math.inf) & value.isfinite() & (value > 0)
        mass = torch.where(there, log_p + log_r, -math.inf)  # of a stretch of factor e
        terms = torch.where(there, (mass + value.log()).exp(), 0.0)
        total = total + torch.where(mass.exp() * n < 1, terms, 0.0)
        endless = endless | (terms[-1] > 0.999 * terms[len(terms) // 2]) & (terms[-1] > 0)
    missing = torch.where(endless, math.inf, total.sum(0) * math.log(10) / STEPS)
    return missing.sum(-1) if vectors else missing


def _on_the_line(p: Any, q: Any) -> tuple[tuple[Distribution, Distribution] | None, bool]:
    """Two laws of numbers, each member of a batch one, and whether these are coordinates."""
    if not (isinstance(p, Distribution) and isinstance(q, Distribution)):
        return None, False
    if not p.event_shape and not q.event_shape:
        return (p, q), False
    if all(isinstance(law, Independent) and len(law.event_shape) == 1 for law in (p, q)):
        bases = tuple(law.base_dist for law in (p, q))  # type: ignore[union-attr]
        if not any(base.event_shape for base in bases):
            return (bases[0], bases[1]), True
    return None, False
