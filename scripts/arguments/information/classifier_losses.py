"""The losses of PyTorch, rebuilt from information measures until nothing is left unexplained."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from divergences import Streams
from divergences.discrete import cross_entropy, entropy, kl_divergence
from scripts.lab.claims import Check, Claim

ROUNDING = 1e-12
"""What float64 leaves of a mean of some hundred terms of order one."""


def agree(what: str, ours: Tensor, torchs: Tensor) -> Check:
    """The two must be equal up to rounding, element by element."""
    return Check.zero(f"{what}: farthest", ours - torchs, ROUNDING)


def noise(seeds: int, *shape: int) -> Tensor:
    """Standard normal numbers ``(seeds, *shape)`` in float64."""
    return Streams(range(seeds), dtype=torch.float64).randn(*shape)


def one_hot(labels: Tensor, classes: int) -> Tensor:
    return F.one_hot(labels, classes).double()


@dataclass(frozen=True)
class Rung:
    """A value on the way from the hand calculation to PyTorch's."""

    name: str
    softmax: bool
    nats: bool
    mean: bool

    def value(self, guesses: Tensor, labels: Tensor) -> Tensor:
        q = guesses.softmax(-1) if self.softmax else guesses
        base = {} if self.nats else {"base": 2.0}
        losses = cross_entropy(one_hot(labels, q.shape[-1]), q, **base)
        return losses.mean() if self.mean else losses.sum()


HAND = Rung("by hand", False, False, False)
RUNGS = (
    HAND,
    Rung("softmax first", True, False, False),
    Rung("... in nats", True, True, False),
    Rung("... averaged", True, True, True),
)


def bridge() -> dict[str, float]:
    """The value on each rung for A1's two guesses, and what PyTorch prints."""
    guesses = torch.tensor([[0.9, 0.1, 0.0], [0.1, 0.1, 0.8]], dtype=torch.float64)
    labels = torch.tensor([0, 2])
    found = {rung.name: float(rung.value(guesses, labels)) for rung in RUNGS}
    for kept in ("softmax", "nats", "mean"):
        undone = {name: name != kept for name in ("softmax", "nats", "mean")}
        found[f"without {kept}"] = float(Rung("", **undone).value(guesses, labels))
    return found | {"torch": float(torch.nn.CrossEntropyLoss()(guesses, labels))}


def by_hand_claim(found: dict[str, float]) -> Claim:
    def rebuilt(what: str, key: str) -> Check:
        return Check.near(what, found["torch"], found[key], ROUNDING)

    return Claim(
        id="ce-by-hand",
        source="A1",
        statement="The cross-entropy that is 0.474 by hand is 0.654 in PyTorch, for three "
        "reasons: a softmax comes first, the unit is nats, and the batch is averaged.",
        equation=r"-\log_2 0.9 - \log_2 0.8 = 0.474",
        checks=[
            rebuilt("by hand with all three, against CrossEntropyLoss", "... averaged"),
            Check.near("by hand, bits", 0.474, found["by hand"], 5e-4),
            Check.near("CrossEntropyLoss", 0.654, found["torch"], 5e-4),
        ],
        controls=[
            rebuilt("with two, the softmax missing", "without softmax"),
            rebuilt("with two, in bits", "without nats"),
            rebuilt("with two, summed", "without mean"),
        ],
        figure="information_losses",
        note="Tolerance: rounding for the identity, the digits printed for the two numbers.",
    )


def composition_claim() -> Claim:
    labels = torch.arange(3)
    guesses = torch.tensor(
        [
            [[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.2, 0.2, 0.6]],
            [[0.2, 0.7, 0.1], [0.3, 0.2, 0.5], [0.6, 0.2, 0.2]],
        ],
        dtype=torch.float64,
    )
    printed = [0.8527, 1.2527]
    composed = [F.nll_loss(g.softmax(-1).log(), labels) for g in guesses]
    no_softmax = [F.nll_loss(g.log(), labels) for g in guesses]
    no_log = [F.nll_loss(g.softmax(-1), labels) for g in guesses]
    ours = [cross_entropy(one_hot(labels, 3), g.softmax(-1)).mean() for g in guesses]
    whole = [torch.nn.CrossEntropyLoss()(g, labels) for g in guesses]

    def checks(what: str, values: list[Tensor]) -> list[Check]:
        return [
            *(
                Check.near(f"{what}, guess {i}", number, value, 5e-5)
                for i, (number, value) in enumerate(zip(printed, values, strict=True), 1)
            ),
            agree(f"{what}, from CrossEntropyLoss", torch.stack(values), torch.stack(whole)),
        ]

    large = torch.tensor([[0.0, -120.0]])
    naive = F.nll_loss(large.softmax(-1).log(), torch.tensor([1]))
    safe = F.cross_entropy(large, torch.tensor([1]))
    return Claim(
        id="ce-composition",
        source="A1, A3",
        statement="CrossEntropyLoss is softmax, then log, then NLLLoss: 0.8527 and 1.2527 on the "
        "article's two guesses.",
        equation=r"\mathrm{CE}(z, y) = -\log \frac{e^{z_y}}{\sum_c e^{z_c}}",
        checks=[
            *checks("NLL(log(softmax))", composed),
            *checks("cross-entropy to the one-hot label", ours),
        ],
        controls=[*checks("without the softmax", no_softmax), *checks("without the log", no_log)],
        figure="information_losses",
        note="Tolerance: the four digits printed, and rounding. Equal on paper, not in floating "
        f"point: for logits 0 and -120 in float32 the composition gives {float(naive):g} and "
        f"CrossEntropyLoss {float(safe):g}.",
    )


def options_claim(seeds: int) -> Claim:
    logits = noise(seeds, 6, 4, 4, 3).flatten(0, 1)  # (N, C, d1, d2), d1 = C on purpose
    weight = noise(1, 4)[0].exp()
    labels = (noise(seeds, 6, 4, 3).flatten(0, 1) * 7).long().remainder(4)
    ignored = torch.where(labels == 3, -100, labels)
    probabilities = logits.movedim(1, -1).softmax(-1)
    each = cross_entropy(one_hot(labels, 4), probabilities)
    scale, kept = weight[labels], (labels != 3).double()
    used = kept * scale
    last = cross_entropy(one_hot(labels, 4), logits.movedim(2, -1).softmax(-1))
    torchs = {
        "none": F.cross_entropy(logits, labels, reduction="none"),
        "sum": F.cross_entropy(logits, labels, reduction="sum"),
        "mean": F.cross_entropy(logits, labels),
        "weight": F.cross_entropy(logits, labels, weight),
        "ignored": F.cross_entropy(logits, ignored),
        "both": F.cross_entropy(logits, ignored, weight),
    }
    return Claim(
        id="ce-options",
        source="A2",
        statement="In CrossEntropyLoss a weighted mean divides by the weights of the targets, "
        "ignored targets leave numerator and denominator, and classes are the second dimension.",
        equation=r"\frac{\sum_i w_{y_i} (-\log q_{i, y_i})}{\sum_i w_{y_i}}",
        checks=[
            agree("weighted mean", (scale * each).sum() / scale.sum(), torchs["weight"]),
            agree("reduction none on (N, C, d1, d2)", each, torchs["none"]),
            agree("reduction sum, relative", each.sum() / torchs["sum"], torch.ones(())),
            agree("reduction mean", each.mean(), torchs["mean"]),
            agree("ignored targets", (kept * each).sum() / kept.sum(), torchs["ignored"]),
            agree("ignored targets and weights", (used * each).sum() / used.sum(), torchs["both"]),
        ],
        controls=[
            agree(
                "weighted sum over the number of targets", (scale * each).mean(), torchs["weight"]
            ),
            agree("classes in the third dimension", last, torchs["none"]),
            agree("sum over the batch only", each.sum() / len(each), torchs["mean"]),
            agree("mean taken for a sum, relative", each.mean() / torchs["sum"], torch.ones(())),
            agree("weighted mean without weights", each.mean(), torchs["weight"]),
            agree("ignored targets counted as zero", (kept * each).mean(), torchs["ignored"]),
        ],
        n_seeds=seeds,
    )


def smoothing_claim(seeds: int) -> Claim:
    epsilon, classes = 0.1, 5
    logits = noise(seeds, 3, classes, 10).flatten(0, 1)
    labels = (noise(seeds, 3, 10).flatten(0, 1) * 7).long().remainder(classes)
    log_q = logits.movedim(1, -1).log_softmax(-1)
    q, label = log_q.exp(), one_hot(labels, classes)
    nll = -(label * log_q).sum(-1)
    formula = (1 - epsilon) * nll - epsilon * log_q.mean(-1)
    smooth = (1 - epsilon) * label + epsilon / classes
    elsewhere = (1 - epsilon) * label + epsilon / (classes - 1) * (1 - label)
    torchs = F.cross_entropy(logits, labels, reduction="none", label_smoothing=epsilon)

    def in_divergences(what: str, target: Tensor) -> list[Check]:
        rebuilt = kl_divergence(target, q) + entropy(target)
        return [
            agree(f"{what}: cross-entropy, from torch's", cross_entropy(target, q), torchs),
            agree(f"{what}: KL + entropy, from torch's", rebuilt, torchs),
        ]

    return Claim(
        id="label-smoothing",
        source="A2; Szegedy et al. 2015, arXiv 1512.00567, Section 7",
        statement="Label smoothing is (1 - eps) NLL + eps times the mean of -log q over classes, "
        "that is KL to the smoothed label plus that label's own entropy, a constant.",
        equation=r"(1 - \epsilon) (-\log q_y) + \frac{\epsilon}{C} \sum_c (-\log q_c) = "
        r"\mathrm{KL}(\tilde{P} \| Q) + H(\tilde{P})",
        checks=[
            agree("the formula, from torch's label_smoothing", formula, torchs),
            *in_divergences("smoothed label", smooth),
            agree("entropy of the smoothed label, over labels", *entropy_range(smooth)),
        ],
        controls=[
            agree("NLL alone, from torch's label_smoothing", nll, torchs),
            *in_divergences("unsmoothed label", label),
            *in_divergences("eps shared by the wrong classes only", elsewhere),
            agree("entropy of the predictions, over labels", *entropy_range(q)),
        ],
        n_seeds=seeds,
        note="On logits of the article's shape (3, 5, 10) for each seed, eps = .1.",
    )


def entropy_range(p: Tensor) -> tuple[Tensor, Tensor]:
    return entropy(p).max(), entropy(p).min()
