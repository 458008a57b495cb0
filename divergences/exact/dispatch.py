"""Looking a formula up by the types of both distributions."""

import functools
from collections.abc import Callable
from typing import Concatenate, Generic, ParamSpec, TypeVar, final

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent

from divergences.exact.parameters import all_finite

Options = ParamSpec("Options")
Formula = TypeVar("Formula", bound=Callable[..., Tensor])


@final
class ExactDivergence(Generic[Options]):
    """The exact value of one divergence, by a formula that depends on both arguments' types.

    Calling it checks the two distributions and then runs ``evaluate``, which asks
    :meth:`formula` which of the registered formulas applies.

    Args:
        evaluate: The divergence as a function of ``p``, ``q`` and its own options; lends the
            object its name, signature and docstring.
        instead: What to use for a pair without a formula, said in the error.
    """

    def __init__(
        self,
        evaluate: Callable[Concatenate[Distribution, Distribution, Options], Tensor],
        instead: str,
    ) -> None:
        self._evaluate = evaluate
        self._instead = instead
        self._formulas: dict[tuple[type, type], Callable[..., Tensor]] = {}
        self.__name__: str
        self.__qualname__: str
        functools.update_wrapper(self, evaluate)

    def __call__(
        self, p: Distribution, q: Distribution, *args: Options.args, **options: Options.kwargs
    ) -> Tensor:
        shape = check_pair(p, q)
        try:
            value = self._evaluate(p, q, *args, **options)
        except NotImplementedError as reason:
            raise NotImplementedError(
                f"{self.__name__} of {_name(p)} and {_name(q)} has no exact value here: {reason}. "
                f"Use {self._instead}, or register a formula with "
                f"@{self.__name__}.register({type(p).__name__}, {type(q).__name__})"
            ) from reason
        if not all_finite(value) and bool(value.isnan().any()):
            raise ValueError(
                f"{self.__name__} of {_name(p)} and {_name(q)}: the formula gives nan, as its "
                "terms overflow at these parameters or one of them is nan; rescale the space, "
                f"or use {self._instead}"
            )
        return value.expand(shape)

    def register(self, P: type, Q: type) -> Callable[[Formula], Formula]:
        """Return a decorator that makes a function the formula of a pair of types.

        The function is called with ``p``, ``q`` and the divergence's options (for
        :func:`wasserstein` the order) and returns their broadcast batch shape. It may raise
        ``NotImplementedError(why)`` where its formula does not reach. It also serves subclasses
        that keep the ``log_prob`` of ``P`` and ``Q``, until a more specific pair is registered; a
        subclass with a ``log_prob`` of its own is another law. The same pair again replaces it.

        Raises:
            TypeError: If ``P`` or ``Q`` is not a class of distributions.
        """
        for kind in (P, Q):
            if not (isinstance(kind, type) and issubclass(kind, Distribution)):
                raise TypeError(f"{kind!r} is not a subclass of torch.distributions.Distribution")

        def remember(formula: Formula) -> Formula:
            self._formulas[P, Q] = formula
            return formula

        return remember

    def formula(self, p: Distribution, q: Distribution) -> Callable[..., Tensor]:
        """Return the most specific registered formula for a pair.

        Raises:
            NotImplementedError: If no formula fits.
            RuntimeError: If several fit and none is the most specific in both arguments.
        """
        related = [(P, Q) for P, Q in self._formulas if isinstance(p, P) and isinstance(q, Q)]
        fitting = [(P, Q) for P, Q in related if _is_the_law(p, P) and _is_the_law(q, Q)]
        best = [
            (P, Q)
            for P, Q in fitting
            if not any(
                (P, Q) != (R, S) and issubclass(R, P) and issubclass(S, Q) for R, S in fitting
            )
        ]
        if len(best) > 1:
            pairs = " and ".join(f"({P.__name__}, {Q.__name__})" for P, Q in best)
            raise RuntimeError(
                f"{self.__name__} of {_name(p)} and {_name(q)} is ambiguous between {pairs}; "
                f"register ({type(p).__name__}, {type(q).__name__}) itself"
            )
        if best:
            return self._formulas[best[0]]
        for P, Q in related:
            side, kind = (q, Q) if _is_the_law(p, P) else (p, P)
            raise NotImplementedError(
                f"{type(side).__name__} has a log_prob of its own, so that the formula of "
                f"{kind.__name__} need not be right for it"
            )
        raise NotImplementedError("no formula is registered for this pair of types")

    @torch.no_grad()
    def knows(
        self, p: Distribution, q: Distribution, *args: Options.args, **options: Options.kwargs
    ) -> bool:
        """Whether a call with the same arguments returns a value: no ``NotImplementedError``.

        Bad input raises here as it does in the call.
        """
        try:
            self(p, q, *args, **options)
        except NotImplementedError:
            return False
        return True

    def __reduce__(self) -> str:  # pickled and copied by name, like the function it stands for
        return self.__qualname__


def exact(
    instead: str,
) -> Callable[
    [Callable[Concatenate[Distribution, Distribution, Options], Tensor]], ExactDivergence[Options]
]:
    return lambda evaluate: ExactDivergence(evaluate, instead)


def check_pair(p: Distribution, q: Distribution) -> torch.Size:
    """Return the broadcast batch shape of two comparable distributions."""
    for name, side in (("p", p), ("q", q)):
        if not isinstance(side, Distribution):
            raise TypeError(
                f"{name} is a {type(side).__name__}; pass a torch.distributions.Distribution, or "
                "use divergences.discrete for probability vectors and an estimator for samples"
            )
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"p has event shape {tuple(p.event_shape)} and q {tuple(q.event_shape)}: they must "
            "live in the same space; torch.distributions.Independent turns batch into event "
            "dimensions"
        )
    try:
        return torch.broadcast_shapes(p.batch_shape, q.batch_shape)
    except RuntimeError:
        raise ValueError(
            f"p has batch shape {tuple(p.batch_shape)} and q {tuple(q.batch_shape)}: they do not "
            "broadcast; use expand, or parameters with a dimension of size 1"
        ) from None


def _is_the_law(side: Distribution, kind: type[Distribution]) -> bool:
    """Whether a distribution has the density of a class that it is an instance of."""
    abstract = kind.log_prob is Distribution.log_prob
    return abstract or type(side).log_prob is kind.log_prob


def _name(side: Distribution) -> str:
    if isinstance(side, Independent):
        return f"{type(side).__name__}({_name(side.base_dist)})"
    return type(side).__name__
