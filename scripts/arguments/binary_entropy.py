r"""Two outcomes: the entropy of a coin, and the binary cross-entropy as the two-class case.

.. math:: H(x) = -x \log x - (1 - x) \log(1 - x)

is zero where one outcome is certain, the same for x and 1 - x, concave, and largest at 1/2, where
it is one bit: its derivative :math:`\log\frac{1 - x}{x}` is zero there and nowhere else. The
binary cross-entropy of a label x and a guess y is the cross-entropy of the vectors (x, 1 - x) and
(y, 1 - y), which is all there is to the formula.

Sources: articles A1, A3 and A4; Shannon (1948), Figure 7.
"""

import math
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from divergences import Streams
from divergences.discrete import cross_entropy, entropy
from scripts.lab.claims import Check, Claim, Findings
from scripts.lab.jobs import CommonSettings, Job, Results
from scripts.lab.plotting import Colour, captioned, drawing

ROUNDING = 1e-12
GUESSES = {0.8: (0.3219, 0.2231), 0.7: (0.5146, 0.3567)}
"""Guessed probabilities of a cat, and what the loss on a picture of one is, in bits and nats."""


@dataclass(frozen=True)
class Settings(CommonSettings):
    """How many random labels and guesses per seed."""

    pairs: int = 2000


PROFILES = {"quick": Settings(), "paper": Settings(pairs=100_000)}


def both(x: Tensor) -> Tensor:
    """The law of a coin, with the last dimension its two outcomes."""
    return torch.stack([x, 1 - x], -1)


def binary(x: Tensor, y: Tensor) -> Tensor:
    """The article's formula, -(x log y + (1 - x) log(1 - y))."""
    return -(x * y.log() + (1 - x) * torch.log1p(-y))


def coins() -> dict[str, Tensor]:
    """Entropy over the probability of heads, in bits, and its derivative."""
    x = torch.linspace(0, 1, 1001, dtype=torch.float64)
    inner = x[1:-1].clone().requires_grad_()
    (slope,) = torch.autograd.grad(entropy(both(inner), base=2).sum(), inner)
    return {"x": x, "entropy": entropy(both(x), base=2), "slope": slope}


def losses(seeds: int, pairs: int) -> dict[str, Tensor]:
    """Random soft labels and guesses: the formula, the two-class cross-entropy, PyTorch's."""
    x, y = Streams(range(seeds), "labels", dtype=torch.float64).rand(2, pairs).unbind(1)
    of_vectors = cross_entropy(both(x), both(y))
    return {
        "formula": (binary(x, y) - of_vectors).abs().amax(-1),
        "torch": (F.binary_cross_entropy(y, x, reduction="none") - of_vectors).abs().amax(-1),
        "one term": (-(x * y.log()) - of_vectors).abs().amax(-1),
        "logits": (F.binary_cross_entropy_with_logits(y, x, reduction="none") - of_vectors)
        .abs()
        .amax(-1),
    }


def pictures() -> dict[str, Tensor]:
    """A1's picture of a cat under two guesses, in bits and nats, and a guess that rules it out."""
    cat = torch.tensor([1.0, 0.0], dtype=torch.float64)
    guesses = both(torch.tensor(list(GUESSES), dtype=torch.float64))
    nothing = torch.zeros(1, dtype=torch.float64)
    return {
        "bits": cross_entropy(cat, guesses, base=2),
        "nats": cross_entropy(cat, guesses),
        "ruled out": cross_entropy(cat, both(nothing))[0],
        "ruled out, torch": F.binary_cross_entropy(nothing, torch.ones_like(nothing)),
    }


def experiments(settings: Settings) -> dict[str, Job]:
    return {
        "coins": Job(1, coins),
        "losses": Job(1, losses, settings.seeds, settings.pairs),
        "pictures": Job(1, pictures),
    }


def judge(found: Results, settings: Settings) -> Findings:
    """Claim ``binary-entropy``."""
    return Findings(claims=[claim(found)], figures={"binary_entropy": curves(found["coins"])})


def at_half(what: str, x: Tensor, values: Tensor) -> list[Check]:
    most = int(values.argmax())
    return [
        Check.near(f"{what}: largest entropy, bits", 1, values[most], ROUNDING),
        Check.near(f"{what}: where it is largest", 0.5, x[most], ROUNDING),
    ]


def equal(what: str, farthest: Tensor) -> Check:
    return Check.zero(f"{what}, from cross_entropy of vectors: farthest", farthest, 1e-10)


def claim(found: Results) -> Claim:
    seen, made, shown = found["coins"], found["losses"], found["pictures"]
    x, h = seen["x"], seen["entropy"]
    thirds = both(x)[:, :, None].expand(-1, -1, 2).flatten(1) / 2  # each side a fair coin more
    off = seen["slope"] - ((1 - x[1:-1]) / x[1:-1]).log2()
    on_pictures = [
        Check.near(f"loss on a cat guessed at {guess:g}, {unit}", value, shown[unit][i], 5e-5)
        for i, (guess, values) in enumerate(GUESSES.items())
        for unit, value in zip(("bits", "nats"), values, strict=True)
    ]
    return Claim(
        id="binary-entropy",
        source="A3 and A4; A1's picture of a cat; Shannon 1948, Figure 7",
        statement="The entropy of two outcomes is largest when they are equally likely, where it "
        "is one bit, and the binary cross-entropy is the cross-entropy of two classes.",
        checks=[
            *at_half("two outcomes", x, h),
            Check.near("entropy of a certain outcome, larger of the two", 0, h[[0, -1]].max(), 0),
            Check.zero("H(x) - H(1 - x): farthest from 0", h - h.flip(0), ROUNDING),
            Check.zero("derivative from log2((1 - x) / x): farthest", off, 1e-10),
            Check.at_most("largest second difference (concave: below 0)", 0, h.diff(n=2).max()),
            *on_pictures,
            equal("the binary formula", made["formula"]),
            equal("torch's binary_cross_entropy", made["torch"]),
        ],
        controls=[
            at_half("four outcomes", x, entropy(thirds, base=2))[0],
            equal("the formula without its second term", made["one term"]),
            equal("torch's loss of logits, given probabilities", made["logits"]),
        ],
        equation=r"H(x) = -x \log_2 x - (1 - x) \log_2 (1 - x) \le 1, \quad "
        r"-(x \log y + (1 - x) \log(1 - y)) = \mathrm{CE}\big((x, 1 - x), (y, 1 - y)\big)",
        n_seeds=len(made["torch"]),
        figure="binary_entropy",
        note="They part at a guess that rules the label out: the cross-entropy is "
        f"{float(shown['ruled out']):g}, torch's binary_cross_entropy is "
        f"{float(shown['ruled out, torch']):g}, because it lets no logarithm fall below -100.",
    )


@captioned
def curves(seen: dict[str, Tensor]) -> Figure:
    """Left: the entropy of a coin is largest in the middle. Right: the loss of a guess; squares
    are the article's two guesses.
    """
    figure, (left, right) = drawing(9.6, 3.8, 1, 2)
    x, h = seen["x"], seen["entropy"]
    left.plot(x, h, color=Colour.EXACT, lw=1.6)
    left.plot([0.5], [1], "o", color=Colour.EXACT)
    left.annotate("1 bit at 1/2", (0.5, 1), (0.5, 0.86), ha="center", fontsize=9)
    left.set(xlabel="probability of one of the outcomes", ylabel="bits", title="Entropy of a coin")
    y = x[1:-1]
    for label, colour, style in (
        (1.0, Colour.FIRST, "-"),
        (0.0, Colour.SECOND, "-"),
        (0.3, Colour.EXACT, "--"),
    ):
        loss = binary(torch.full_like(y, label), y) / math.log(2)
        right.plot(y, loss, color=colour, ls=style, lw=1.4, label=f"label {label:g}")
        right.plot([label], [float(h[round(1000 * label)])], "o", color=colour, ms=5)
    for guess, (bits, _) in GUESSES.items():
        right.plot([guess], [bits], "s", color=Colour.FIRST, ms=5)
        right.annotate(f"{bits:g}", (guess, bits), (guess - 0.01, bits + 0.12), fontsize=9)
    right.set(xlabel="guess", ylabel="bits", ylim=(-0.1, 5))
    right.set_title("Binary cross-entropy: at the label it is H", fontsize=11)
    right.legend(fontsize=9, loc="upper center")
    return figure
