"""Training on cross-entropy against training on KL: one descent, two values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.nn import Tanh
from torch.nn import functional as F
from torch.optim import LBFGS, SGD

from divergences import MLP, Streams
from divergences.discrete import cross_entropy, entropy, kl_divergence
from scripts.lab.claims import FAILS, Check, Claim

Loss = Callable[[Tensor, Tensor], Tensor]
"""From logits and targets, ``(..., C)``, to the loss of each, ``(...)``."""


def ce(logits: Tensor, target: Tensor) -> Tensor:
    return cross_entropy(target, logits.softmax(-1))


def kl(logits: Tensor, target: Tensor) -> Tensor:
    return kl_divergence(target, logits.softmax(-1))


def backward_kl(logits: Tensor, target: Tensor) -> Tensor:
    return kl_divergence(logits.softmax(-1), target)


def torch_kl(logits: Tensor, target: Tensor) -> Tensor:
    return F.kl_div(logits.log_softmax(-1), target, reduction="none").sum(-1)


def torch_ce(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits.movedim(-1, 1), target.movedim(-1, 1), reduction="none")


def moving(loss: Loss) -> Loss:
    """The same loss where half of the target is the prediction itself, not held fixed."""
    return lambda logits, target: loss(logits, (target + logits.softmax(-1)) / 2)


@dataclass(frozen=True)
class Run:
    """One training: the loss before each step and its gradient, ``(steps, K)`` and with P."""

    values: Tensor
    gradients: Tensor
    parameters: Tensor

    def farthest(self, other: "Run") -> Tensor:
        """The largest difference in gradients, relative to the largest gradient."""
        return (self.gradients - other.gradients).abs().max() / self.gradients.abs().max()


def train(loss: Loss, points: Tensor, target: Tensor, seeds: Sequence[int], steps: int) -> Run:
    """Train a small classifier per seed; two calls start from the same weights."""
    streams = Streams(seeds, "classifier", dtype=torch.float64)
    network = MLP(streams, points.shape[-1], target.shape[-1], (16,), Tanh)
    weights = list(network.parameters())
    optimizer = SGD(weights, lr=0.5, momentum=0.9)
    values, gradients = [], []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss(network(points), target).mean(-1)
        value.sum().backward()
        values.append(value.detach())
        gradients.append(torch.cat([flat(w.grad) for w in weights if w.grad is not None], -1))
        optimizer.step()
    end = torch.cat([flat(w.detach()) for w in weights], -1)
    return Run(torch.stack(values), torch.stack(gradients), end)


def flat(weights: Tensor) -> Tensor:
    return weights.reshape(len(weights), -1).clone()


def training(seeds: Sequence[int], steps: int) -> dict[str, Tensor]:
    """A classifier trained on soft labels by cross-entropy, by KL, and where they must differ.

    The data are the same for all seeds, which set the initial weights.
    """
    streams = Streams([0] * len(seeds), "soft labels", dtype=torch.float64)
    points = streams.randn(64, 2)
    target = (points @ streams.randn(2, 3)).softmax(-1)
    other = target.roll(1, dims=1)

    def run(loss: Loss, labels: Tensor = target) -> Run:
        return train(loss, points, labels, seeds, steps)

    by_ce, by_kl, wrong = run(ce), run(kl), run(kl, other)
    drifting_ce, drifting_kl = run(moving(ce)), run(moving(kl))
    own = entropy(target).mean(-1)
    return {
        "CE": by_ce.values,
        "KL": by_kl.values,
        "entropy": own,
        "gradients": by_ce.farthest(by_kl),
        "gradients in torch": torch.stack(
            [by_ce.farthest(run(torch_ce)), by_ce.farthest(run(torch_kl))]
        ).max(),
        "gradients to another target": by_ce.farthest(wrong),
        "gradients to a moving target": drifting_ce.farthest(drifting_kl),
        "weights": (by_ce.parameters - by_kl.parameters).abs().max(),
        "weights of another target": (by_ce.parameters - wrong.parameters).abs().max(),
        "gap": (by_ce.values - by_kl.values - own).abs().max(),
        "gap of a moving target": (drifting_ce.values - drifting_kl.values - own).abs().max(),
        "minimiser": (minimiser(target) - target).abs().max(),
        "minimiser of another target": (minimiser(other) - target).abs().max(),
    }


def minimiser(target: Tensor) -> Tensor:
    """The prediction at which descent on the cross-entropy to ``target`` comes to rest."""
    logits = torch.zeros_like(target, requires_grad=True)
    optimizer = LBFGS(
        [logits],
        max_iter=2000,
        tolerance_grad=1e-10,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = ce(logits, target).sum()
        value.backward()
        return value

    optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    return logits.detach().softmax(-1)


def ce_is_kl_claim(found: dict[str, Tensor]) -> Claim:
    def gradients(what: str, key: str) -> Check:
        return Check.zero(f"gradients, {what}: farthest / largest", found[key], 1e-9)

    def gap(what: str, key: str) -> Check:
        return Check.zero(f"CE - KL at any step, {what}: farthest from H(P)", found[key], 1e-9)

    def weights(what: str, key: str) -> Check:
        return Check.zero(f"trained weights, {what}: farthest", found[key], 1e-9)

    def rest(what: str, key: str) -> Check:
        return Check.zero(f"minimiser of CE, {what}: farthest from P", found[key], 1e-6)

    return Claim(
        id="ce-is-kl",
        source="A1, A3, A4",
        statement="Training on cross-entropy and training on KL are the same: same gradients, "
        "same minimiser. The two values differ by the entropy of the targets, a constant.",
        equation=r"\nabla_\theta \mathrm{CE}(P, Q_\theta) = "
        r"\nabla_\theta \mathrm{KL}(P \| Q_\theta)",
        checks=[
            gradients("CE and KL", "gradients"),
            gradients("these and torch's cross_entropy and kl_div", "gradients in torch"),
            weights("CE and KL", "weights"),
            gap("fixed targets", "gap"),
            rest("free logits", "minimiser"),
        ],
        controls=[
            gradients("KL to other targets", "gradients to another target"),
            gradients("targets that move with the network", "gradients to a moving target"),
            weights("KL to other targets", "weights of another target"),
            gap("targets that move with the network", "gap of a moving target"),
            rest("other targets", "minimiser of another target"),
        ],
        n_seeds=found["CE"].shape[-1],
        figure="information_losses",
        note="A classifier of 16 hidden units on 64 points with soft labels, in float64, each "
        f"loss trained alone from the same weights for {len(found['CE'])} steps; the tolerance "
        "leaves room for rounding to grow over the steps. It needs targets that stay as they "
        "are: if the target moves with the network, its entropy has a gradient too.",
    )


def distil(seeds: Sequence[int]) -> dict[str, Tensor]:
    """CE and KL to teachers that differ from sample to sample, in value and in the gradient."""
    streams = Streams(seeds, "teachers", dtype=torch.float64)
    sharpness = (1.5 * streams.randn(256, 1)).exp()
    teacher = (sharpness * streams.randn(256, 10)).softmax(-1)
    student = streams.randn(256, 10)

    def differ(first: Loss, second: Loss) -> Tensor:
        gradients = []
        for loss in (first, second):
            logits = student.clone().requires_grad_()
            gradients += torch.autograd.grad(loss(logits, teacher).sum(), logits)
        return (gradients[0] - gradients[1]).abs().max() / gradients[0].abs().max()

    excess, own = ce(student, teacher) - kl(student, teacher), entropy(teacher)
    pairs = product((ce, torch_ce), (kl, torch_kl))
    return {
        "gradients": torch.stack([differ(a, b) for a, b in pairs]).max(),
        "gradients of a moving teacher": differ(moving(ce), moving(kl)),
        "gradients of the other direction": differ(ce, backward_kl),
        "values": (excess - own).abs().max(),
        "spread": own.std(),
    }


def distillation_claim(found: dict[str, Tensor], seeds: int) -> Claim:
    def differ(what: str, key: str) -> Check:
        return Check.at_least(f"gradients in the student differ, {what}", 1e-9, found[key])

    return Claim(
        id="distillation",
        source="A4; distillation: Hinton et al. 2015, arXiv 1503.02531",
        statement="Cross-entropy is enough only where the target's entropy is constant; in "
        "distillation, where the target is a model and varies from sample to sample, it teaches "
        "something else than KL, which must be used instead.",
        expected=FAILS,
        equation=r"\mathrm{CE}(P_x, Q_\theta) = \mathrm{KL}(P_x \| Q_\theta) + H(P_x)",
        checks=[
            differ("a teacher for each sample", "gradients"),
            Check.near("CE - KL: farthest from the teacher's entropy", 0, found["values"], 1e-12),
            Check.at_least("sd of that entropy over samples", 1e-9, found["spread"]),
        ],
        controls=[
            differ("a target that moves with the student", "gradients of a moving teacher"),
            differ("CE against KL(Q || P)", "gradients of the other direction"),
        ],
        n_seeds=seeds,
        note="Half true. The values do differ by the teacher's entropy, and that varies from "
        "sample to sample; so KL says how close the student is, and CE does not. But the "
        "teacher's entropy does not depend on the student: up to rounding the gradients are the "
        "same, and so is what is learnt. They differ where the target itself moves with the "
        "student, as the control shows.",
    )
