r"""Lower bounds on a divergence, read from the scores a critic gives to samples.

Each function takes the scores of points from P and of points from Q, tensors or other arrays of
shape ``(..., n)`` and ``(..., m)``, and returns an :class:`~divergences.Estimate` of shape
``(...)``. The bounds hold for any critic that has *not* seen these points; on its training points
a critic that overfits gives anything up to the maximum. Their intervals have one side: see
:func:`lower_bound`.

Bounds on a divergence that can be infinite hang on exponentials of scores, whose mean a sample
may not show: their stderr is ``nan`` where the mean rests on a few points, and a warning says
where one law has mass that the other's sample does not reach.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from divergences.array_likes import as_tensor
from divergences.estimate import Estimate, Z

FEWEST_BEHIND_A_MEAN = 10.0  # fewer effective points than this leave no usable standard error
NOT_FINITE = "the value is not finite: scores are NaN, infinite, or their exponentials overflow"
OUT_OF_REACH = 0.2  # share of one sample beyond all scores of the other that means "diverging"


def effective_size(log_weights: Tensor) -> Tensor:
    r"""How many equal weights spread as much as these: :math:`(\sum w)^2 / \sum w^2`.

    Arguments:
        log_weights: :math:`\log w`, shape ``(..., n)``.

    Returns:
        Between 1 and ``n``, shape ``(...)``.

    Example:
        >>> effective_size(torch.tensor([[0.0, 0.0, 0.0], [50.0, 0.0, 0.0]]))
        tensor([3., 1.])
    """
    return (2 * log_weights.logsumexp(-1) - (2 * log_weights).logsumexp(-1)).exp()


def _where(flags: Tensor, sentence: Callable[[int], str]) -> list[str]:
    """A sentence for every flagged member, from its number; named where there are several."""
    flagged = flags.reshape(-1).nonzero().flatten().tolist()
    return [f"member {k}: {sentence(k)}" if flags.ndim else sentence(k) for k in flagged]


def rests_on_few(value: Tensor, stderr: Tensor, *log_weights: Tensor) -> tuple[Tensor, list[str]]:
    """The stderr, ``nan`` where a mean of these weights hangs on a handful of points, and why."""
    warnings = []
    for weights in log_weights:
        size = effective_size(weights)
        few = ~(size >= FEWEST_BEHIND_A_MEAN) & torch.isfinite(value)
        stderr = torch.where(few, math.nan, stderr)
        sizes, n = size.reshape(-1).tolist(), weights.shape[-1]
        warnings += _where(
            few,
            lambda k, sizes=sizes, n=n: (
                f"a mean of exponentials rests on {sizes[k]:.1f} of {n} points: the value has no "
                "usable error"
            ),
        )
    return stderr, warnings


def out_of_reach(high: Tensor, low: Tensor, quantity: str) -> list[str]:
    """A warning where many of the ``high`` scores lie beyond every one of the ``low`` scores.

    Arguments:
        high: Scores of the law whose points the scores should be large at, shape ``(..., n)``.
        low: Scores of the other, shape ``(..., m)``.
        quantity: What is infinite if the first law has mass where the second has none, in words.

    Example:
        >>> out_of_reach(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 3.0]), "KL")
        []
    """
    beyond = (high > low.amax(-1, keepdim=True)).double().mean(-1)
    shares = beyond.reshape(-1).tolist()
    return _where(
        beyond > OUT_OF_REACH,
        lambda k: (
            f"{shares[k]:.0%} of one sample's scores lie beyond all of the other's: the "
            f"{quantity} may be any larger than this, or infinite"
        ),
    )


def lower_bound(
    value: Tensor,
    stderr: Tensor,
    supremum: float,
    n: tuple[int, int],
    warnings: Sequence[str] = (),
    quantity: str = "",
) -> Estimate:
    """What a critic shows: a number that the divergence is at least, whatever it is beyond.

    The interval is one-sided. Fresh points tell how well the critic's own value is known, and
    nothing about how far the critic is from the optimal one; so the upper end is the largest
    value that the divergence can take.

    Arguments:
        value: The bound, shape ``(...)``.
        stderr: Its standard error.
        supremum: Largest value of the divergence, ``inf`` if there is none.
        n: Sizes of the two samples.
        warnings: What the method knows it cannot know.
        quantity: Which divergence it is, as :class:`~divergences.Estimate` has it.

    Example:
        >>> lower_bound(torch.tensor(0.5), torch.tensor(0.1), math.inf, (8, 8)).ci
        (tensor(0.3040), tensor(inf))
    """
    warnings = [*warnings, *_where(~torch.isfinite(value), lambda _: NOT_FINITE)]
    ends = (value - Z * stderr, torch.full_like(value, supremum))
    return Estimate(value, stderr, ends, "lower", n, warnings=tuple(warnings), quantity=quantity)


def check_scores(p_scores: Any, q_scores: Any) -> tuple[Tensor, Tensor]:
    """Return both in double precision, or say what is wrong with them.

    Raises:
        TypeError: If either holds no real numbers.
        ValueError: If either is empty or has no dimension, or leading shapes differ.

    Example:
        >>> check_scores(torch.zeros(3), torch.zeros(2, 3))
        Traceback (most recent call last):
        ...
        ValueError: p_scores have shape (3,) and q_scores (2, 3): they must agree in all but ...
    """
    p_scores, q_scores = as_tensor(p_scores, "p_scores"), as_tensor(q_scores, "q_scores")
    for name, scores in (("p_scores", p_scores), ("q_scores", q_scores)):
        if scores.ndim == 0 or scores.numel() == 0:
            raise ValueError(f"{name} have shape {tuple(scores.shape)}; at least 1 is needed")
    if p_scores.shape[:-1] != q_scores.shape[:-1]:
        raise ValueError(
            f"p_scores have shape {tuple(p_scores.shape)} and q_scores {tuple(q_scores.shape)}: "
            "they must agree in all but the number of points"
        )
    return p_scores.double(), q_scores.double()


def variance(values: Tensor) -> Tensor:
    """Sample variance over the last dimension, ``nan`` of a single value.

    Example:
        >>> variance(torch.tensor([[1.0, 3.0]])), variance(torch.tensor([[1.0]]))
        (tensor([2.]), tensor([nan]))
    """
    single = values.shape[-1] < 2  # of which torch warns
    return torch.full_like(values[..., 0], math.nan) if single else values.var(-1)


def sum_of_means(first: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:
    """Value and standard error of a sum of independent sample means over the last dimension."""
    terms = (first, *others)
    value = torch.stack([t.mean(-1) for t in terms]).sum(0)
    squared = torch.stack([variance(t) / t.shape[-1] for t in terms]).sum(0)
    return value, squared.sqrt()


def jensen_shannon(p_logits: Any, q_logits: Any) -> Estimate:
    r"""Lower bound on the Jensen-Shannon divergence from a discriminator's logits, in nats.

    .. math:: \mathrm{JS}(P, Q) \ge \log 2
        + \tfrac12 E_P[\log \sigma(f)] + \tfrac12 E_Q[\log \sigma(-f)]

    with equality iff :math:`f = \log p/q`. At most :math:`\log 2`; negative where the
    discriminator does worse than a coin. Computed in float64 through log-sigmoid, because the gap
    to log 2 is the quantity of interest and float32 loses it below 6e-8.

    References:
        | Generative Adversarial Nets (Goodfellow et al., 2014), Theorem 1
        | https://arxiv.org/abs/1406.2661

    Arguments:
        p_logits: Logits on points of P, shape ``(..., n)``.
        q_logits: Logits on points of Q, shape ``(..., m)``.

    Example:
        >>> jensen_shannon(torch.full((4,), 9.0), torch.full((4,), -9.0)).value
        tensor(0.6930, dtype=torch.float64)
    """
    p_logits, q_logits = check_scores(p_logits, q_logits)
    on_p, on_q = logsigmoid(p_logits), logsigmoid(-q_logits)
    value, stderr = sum_of_means(on_p / 2, on_q / 2)
    n = (p_logits.shape[-1], q_logits.shape[-1])
    return lower_bound(math.log(2) + value, stderr, math.log(2), n, quantity="js")


def kantorovich_rubinstein(p_scores: Any, q_scores: Any) -> Estimate:
    r"""Lower bound on W1 from the scores of a 1-Lipschitz critic, in the data's own length.

    .. math:: W_1(P, Q) \ge E_P[f] - E_Q[f] \quad\text{for every } \|f\|_{Lip} \le 1

    with equality at the Kantorovich potential. A critic with Lipschitz constant K bounds
    :math:`K\,W_1` instead: a lower bound on W1 only after division by K.

    References:
        | Wasserstein GAN (Arjovsky et al., 2017), Equation 2
        | https://arxiv.org/abs/1701.07875

    Arguments:
        p_scores: Scores of points of P, shape ``(..., n)``.
        q_scores: Scores of points of Q, shape ``(..., m)``.

    Example:
        >>> x = torch.linspace(0, 1, 5)
        >>> kantorovich_rubinstein(x + 3, x).value
        tensor(3., dtype=torch.float64)
    """
    on_p, on_q = check_scores(p_scores, q_scores)
    value, stderr = sum_of_means(on_p, -on_q)
    n = (on_p.shape[-1], on_q.shape[-1])
    return lower_bound(value, stderr, math.inf, n, quantity="w1")


def donsker_varadhan(p_scores: Any, q_scores: Any) -> Estimate:
    r"""KL(P||Q) at the best scaling of any function f, in nats; f + constant gives the same.

    .. math:: \mathrm{KL}(P \| Q) \ge E_P[f] - \log E_Q[e^f]

    with equality iff :math:`f = \log p/q` up to a constant. The log-mean-exp is taken in float64,
    and the standard error from the delta method. Being the logarithm of a sample mean, the second
    term is low by about :math:`\mathrm{Var}(e^f) / (2 m\, E[e^f]^2)`, which the interval
    allows for, and by anything where rare points of Q carry the mean; so the *estimate* is no
    strict lower bound, unlike :func:`nwj`.

    References:
        | Asymptotic evaluation of certain Markov process expectations for large time, IV
          (Donsker & Varadhan, 1983), https://doi.org/10.1002/cpa.3160360204
        | MINE: Mutual Information Neural Estimation (Belghazi et al., 2018), Theorem 1,
          https://arxiv.org/abs/1801.04062

    Arguments:
        p_scores: f at points of P, shape ``(..., n)``.
        q_scores: f at points of Q, shape ``(..., m)``.

    Example:
        >>> halves = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, -99.0, -99.0, -99.0, -99.0, -99.0])
        >>> donsker_varadhan(torch.zeros(10), halves).value
        tensor(0.6931, dtype=torch.float64)
    """
    on_p, on_q = check_scores(p_scores, q_scores)
    n, m = on_p.shape[-1], on_q.shape[-1]
    log_mean = on_q.logsumexp(-1) - math.log(m)
    relative = (on_q - log_mean[..., None]).exp()
    value = on_p.mean(-1) - log_mean
    stderr = (variance(on_p) / n + variance(relative) / m).sqrt()
    stderr, warnings = rests_on_few(value, stderr, on_q)
    warnings += out_of_reach(on_p, on_q, "KL divergence")
    known = lower_bound(value, stderr, math.inf, (n, m), warnings, "kl")
    low = known.ci[0] - variance(relative) / (2 * m)
    return replace(known, ci=(low, known.ci[1]), bound="none")


def nwj(p_scores: Any, q_scores: Any) -> Estimate:
    r"""Lower bound on KL(P||Q) without a logarithm of a mean, in nats.

    .. math:: \mathrm{KL}(P \| Q) \ge E_P[f] - E_Q[e^{f - 1}]

    with equality iff :math:`f = 1 + \log p/q`. Never above the Donsker-Varadhan bound of the same
    f, and unbiased for its own expectation.

    References:
        | Estimating divergence functionals and the likelihood ratio by convex risk minimization
          (Nguyen, Wainwright & Jordan, 2010), Equation 9, https://arxiv.org/abs/0809.0853

    Arguments:
        p_scores: f at points of P, shape ``(..., n)``.
        q_scores: f at points of Q, shape ``(..., m)``.

    Example:
        >>> nwj(torch.ones(4), torch.ones(4)).value
        tensor(0., dtype=torch.float64)
    """
    on_p, on_q = check_scores(p_scores, q_scores)
    value, stderr = sum_of_means(on_p, -(on_q - 1).exp())
    stderr, warnings = rests_on_few(value, stderr, on_q)
    warnings += out_of_reach(on_p, on_q, "KL divergence")
    n = (on_p.shape[-1], on_q.shape[-1])
    return lower_bound(value, stderr, math.inf, n, warnings, "kl")
