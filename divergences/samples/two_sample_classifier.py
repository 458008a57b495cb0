"""Accuracy and AUC of a classifier that tells two samples apart, on points it has not seen."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from divergences.checks import seed_number, whole_number
from divergences.estimate import Bound, Estimate, Z
from divergences.estimator import Estimator, each_member
from divergences.samples.coordinates import standardised
from divergences.samples.rank_probability import probability_above

RIDGE = 1e-3  # of the features' second moment


@dataclass(frozen=True)
class TwoSampleClassifier(Estimator):
    """What the accuracy and the AUC have in common: scores of held-out points.

    The classifier is ridge regression of the label on the standardised columns and, with four
    points for each of these, on their squares, or squares and products. It sees how means, widths
    and correlations differ, and nothing else: 1/2 does not show that laws are equal.
    """

    bound: ClassVar[Bound] = "lower"

    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        whole_number("folds", self.folds, least=2, most=1000)
        seed_number("seed", self.seed)

    def measure(self, x: Tensor, y: Tensor) -> Estimate:
        return each_member(self._one, x, y, at_least=2 * self.folds)

    def _one(self, x: Tensor, y: Tensor) -> Estimate:
        of_x, of_y, notes = held_out_scores(x, y, int(self.folds), int(self.seed))
        value, stderr = self._read(of_x, of_y)
        n = 1.0 / len(x) + 1.0 / len(y)
        stderr = max(stderr, 0.5 * math.sqrt(n) / 10)  # all right in a sample is not all right
        value_, stderr_ = x.new_tensor(value), x.new_tensor(stderr)
        ci = value_ - Z * stderr_, torch.ones_like(value_)  # another may tell more apart
        return Estimate(value_, stderr_, ci, self.bound, (len(x), len(y)), warnings=notes)

    @abstractmethod
    def _read(self, of_x: np.ndarray, of_y: np.ndarray) -> tuple[float, float]:
        """Value and standard error, from scores that are high for points of y."""


def held_out_scores(
    x: Tensor, y: Tensor, folds: int, seed: int
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Scores of all points by a classifier of the other folds, centred at the even odds."""
    standard = standardised(x, y)
    z = torch.cat([standard.x, standard.y]).asinh()
    n, m, d = len(x), len(y), x.shape[1]
    terms = [torch.ones(n + m, 1, dtype=torch.float64), z]
    most = (n + m) / 4
    if d + d * (d + 1) // 2 < most:
        i, j = torch.triu_indices(d, d)
        terms.append(z[:, i] * z[:, j])
    elif 2 * d < most:
        terms.append(z.square())
    features = torch.cat(terms, 1)
    draw = np.random.default_rng(seed % 2**63)
    fold = torch.from_numpy(np.concatenate([draw.permutation(size) % folds for size in (n, m)]))
    target = torch.cat([torch.full((n,), -0.5), torch.full((m,), 0.5)]).double()
    weight = torch.cat([torch.full((n,), 1 / n), torch.full((m,), 1 / m)]).double()
    scores = torch.empty(n + m, dtype=torch.float64)
    for each in range(folds):
        held, rest = fold == each, fold != each
        weighted = features[rest] * weight[rest, None]
        moment = weighted.T @ features[rest]
        moment.diagonal().add_(RIDGE * moment.diagonal().mean())
        scores[held] = features[held] @ torch.linalg.solve(moment, weighted.T @ target[rest])
    notes = ()
    if (n + m) < 10 * features.shape[1]:
        notes = (f"few: {n + m} points for {features.shape[1]} terms of the classifier",)
    return scores[:n].numpy(), scores[n:].numpy(), notes


@final
@dataclass(frozen=True)
class ClassifierAccuracy(TwoSampleClassifier):
    r"""Balanced accuracy of a classifier of x against y on held-out points (C2ST), 1/2 to 1.

    No classifier exceeds :math:`(1 + \mathrm{TV}) / 2`, in expectation; 1/2 is what equal laws
    give, and others that differ in no mean, width or correlation.

    References:
        | Revisiting Classifier Two-Sample Tests (Lopez-Paz and Oquab, 2017)
        | https://arxiv.org/abs/1610.06545

    Arguments:
        folds: Parts of which each is scored by a classifier of the others.
        seed: Of the folds.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, or a sample is smaller than twice
            the number of folds.

    Example:
        >>> x = torch.linspace(0, 1, 50)[:, None]
        >>> ClassifierAccuracy()(x, x + 5).value
        tensor(1.)
    """

    quantity: ClassVar[str] = "c2st_accuracy"

    def _read(self, of_x: np.ndarray, of_y: np.ndarray) -> tuple[float, float]:
        right = [np.where(s == 0, 0.5, s > 0) for s in (-of_x, of_y)]
        variance = sum(r.var(ddof=1) / len(r) for r in right)
        return float(sum(r.mean() for r in right)) / 2, math.sqrt(variance) / 2


@final
@dataclass(frozen=True)
class ClassifierAUC(TwoSampleClassifier):
    r"""Probability that a classifier scores a held-out y above a held-out x (area under ROC).

    Between 0 and 1; 1/2 for equal laws. The stderr is DeLong's.

    References:
        | Revisiting Classifier Two-Sample Tests (Lopez-Paz and Oquab, 2017)
        | https://arxiv.org/abs/1610.06545
        | Comparing the Areas under Correlated ROC Curves (DeLong et al., 1988)
        | https://doi.org/10.2307/2531595

    Arguments:
        folds: Parts of which each is scored by a classifier of the others.
        seed: Of the folds.

    Raises:
        TypeError: If the samples are not floating-point tensors of one dtype.
        ValueError: If shapes disagree, points are not finite, or a sample is smaller than twice
            the number of folds.

    Example:
        >>> x = torch.linspace(0, 1, 50)[:, None]
        >>> ClassifierAUC()(x, x + 5).value
        tensor(1.)
    """

    quantity: ClassVar[str] = "c2st_auc"

    def _read(self, of_x: np.ndarray, of_y: np.ndarray) -> tuple[float, float]:
        value, variance = probability_above(of_x, of_y)
        return value, math.sqrt(variance)
