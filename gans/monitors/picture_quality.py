"""How good generated pictures are: on the data or off, all of it or a part, new or copied."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import final

import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor

from divergences.checks import whole_number
from divergences.estimate import Estimate
from divergences.estimator import Estimator
from divergences.failed_estimates import Answers
from divergences.random_streams import Streams
from divergences.samples.coverage import Coverage, Density, Precision, Recall
from divergences.samples.earth_mover import EarthMover
from divergences.samples.held_out_dual import HeldOutDual
from divergences.samples.random_halves import random_order
from gans.monitors.fresh_discriminator import fresh_discriminator
from gans.monitors.game import Game
from gans.monitors.kernel_classifier import KernelClassifier
from gans.monitors.readings import Monitor, Readings
from gans.monitors.real_cloud import nearest
from gans.targets.images import Pixels

SCORED = 400
"""Pictures a side whose scores exact transport is given."""
NEIGHBOURS: tuple[Estimator, ...] = (Precision(), Recall(), Density(), Coverage())


def copies(points: Tensor, training: Tensor) -> Tensor:
    """Share of points ``(n, d)`` that are copies of pictures of training ``(m, d)``.

    A copy lies nearer to a picture than half of the way to that picture's nearest neighbour in
    training.

    Example:
        >>> training = torch.tensor([[0.0], [1.0], [3.0]])
        >>> copies(torch.tensor([[0.1], [0.6], [4.5], [5.0]]), training)
        tensor(0.5000)
    """
    apart = nearest(training, training, itself=True)[0]
    distance, which = nearest(points, training)
    return (distance < apart[which] / 2).float().mean()


@final
class PictureQuality(Monitor):
    """Precision, recall, density, coverage, copies, a fresh discriminator's view, and classes.

    Everything is measured on pictures rounded to their grey levels, as a file would hold them,
    between generated and held-out ones, in the space of pixels. ``..._floor`` is the same between
    pictures of training and held-out ones, measured once: what a generator reads that draws from
    the data. ``pictures_ema/...`` and ``w1_ema/...`` are the same of the moving average of the
    generators' weights, where there is one: it is another model, and often the better one. Of
    targets without pictures nothing is measured.

    Where pictures have classes, a :class:`KernelClassifier` of those of training says which a
    generated one is of: ``pictures/classes`` counts those found, of one or, for stacked pictures,
    of their combinations. W1 between its scores, one number per class, lies between
    ``w1/scores_HeldOutDual`` and ``w1/scores_EarthMover``, in expectation; ``w1/scores_floor`` is
    the latter between two parts of the held-out pictures. Pictures of different classes are about
    1.4 apart there. Where points hold their class, ``pictures/right_class`` is the share whose
    picture is of it, and ``w1/class_C`` exact transport within class C.

    Arguments:
        n: Generated pictures per member.
        steps: Training of the fresh discriminator. With twice as many, its bound on JS of two
            generators of digits was .001 and .012 larger, and its standard error 1.4 times as
            large.
        warn: Called once with each reason that something cannot be measured.
    """

    def __init__(
        self, n: int = 800, steps: int = 150, warn: Callable[[str], object] = rank_zero_warn
    ):
        self.n = whole_number("n", n, least=16)
        self.steps = whole_number("steps", steps)
        self._warn = warn
        self.forget()

    def forget(self) -> None:
        self._answers = Answers(self._warn)
        self._floor: Readings = {}
        self._classifier: KernelClassifier | None = None

    @torch.no_grad()
    def read(self, game: Game) -> Readings:
        law = game.pictures()
        if law is None:
            return {}
        found, averaged = self._of(law, game), game.averaged()
        if averaged is not None:
            for tag, value in self._of(law, averaged).items():
                group, name = tag.split("/")
                found[f"{group}_ema/{name}"] = value
        return found | self._floor

    def _of(self, law: Pixels, game: Game) -> Readings:
        streams = game.streams("pictures")
        held = law.rounded(game.real(self.n, streams))
        n = held.shape[1]
        made = game.fake(2 * n, streams)
        fake, again = law.rounded(made).split(n, 1)
        real = law.rounded(game.again(n, streams))
        training = pictures_of_training(law)
        if not self._floor:
            floor = self._floors(held, training, game.seeds)
            self._floor = {f"{name}_floor": value for name, value in floor.items()}
        found = self._neighbours(held, fake)
        found["pictures/copies"] = torch.stack([copies(one, training) for one in fake])
        found |= self._seen(real, again, held, fake, game.seeds)
        return found | self._of_classes(law, game, made[:, :n])

    def _floors(self, held: Tensor, training: Tensor, seeds: Sequence[int]) -> Readings:
        """Pictures of training in the place of generated ones, each on one side only."""
        order = random_order(len(training), 0)
        half = min(held.shape[1], len(training)) // 2
        rows = training[order[: 2 * half].to(training.device)].expand(len(held), -1, -1)
        found = self._neighbours(held, rows)
        found["pictures/copies"] = torch.stack([copies(one, training) for one in held])
        sides = *held[:, : 2 * half].split(half, 1), *rows.split(half, 1)
        return found | self._seen(sides[0], sides[2], sides[1], sides[3], seeds)

    def _neighbours(self, held: Tensor, fake: Tensor) -> Readings:
        none, found = torch.full((len(fake),), math.nan), {}
        for estimator in NEIGHBOURS:
            tag = f"pictures/{estimator.quantity}"
            ask = partial(estimator, held, fake)
            found[tag] = self._answers(tag, ask, Estimate(none, none))
        return found

    @torch.enable_grad()
    def _seen(
        self, real: Tensor, fake: Tensor, held: Tensor, others: Tensor, seeds: Sequence[int]
    ) -> Readings:
        seen = fresh_discriminator(real, fake, held, others, seeds, self.steps)
        return {"pictures/js_fresh": seen.js, "pictures/c2st_fresh": seen.accuracy}

    def _of_classes(self, law: Pixels, game: Game, fake: Tensor) -> Readings:
        if law.labels is None:
            return {}
        if self._classifier is None:
            self._classifier = classifier_of(law)
        label = class_of(law, self._classifier, fake)
        held = game.real(self.n, game.streams("classes"))
        found: Readings = {
            "pictures/classes": torch.tensor([float(len(one.unique())) for one in label])
        }
        if fake.shape[-1] > law.pixels:
            given = fake[..., law.pixels :].argmax(-1)
            found["pictures/right_class"] = (label == given).float().mean(-1)
            found |= within_classes(law, held, fake)
        return found | self._of_scores(law, held, fake)

    def _of_scores(self, law: Pixels, held: Tensor, fake: Tensor) -> Readings:
        """W1 from both sides in the space of the classifier's scores."""
        assert self._classifier is not None
        real, made = (scores_of(law, self._classifier, points) for points in (held, fake))
        few = min(SCORED, real.shape[1] // 2)
        sides, parts = (real[:, :few], made[:, :few]), (real[:, :few], real[:, few : 2 * few])
        none, transport = torch.full((len(fake),), math.nan), EarthMover(floor=False)
        asked = {
            f"w1/scores_{EarthMover.__name__}": partial(transport, *sides),
            f"w1/scores_{HeldOutDual.__name__}": partial(HeldOutDual(), *sides),
            "w1/scores_floor": partial(transport, *parts),
        }
        return {tag: self._answers(tag, ask, Estimate(none, none)) for tag, ask in asked.items()}


def pictures_of_training(law: Pixels) -> Tensor:
    """The pictures of training; of stacked ones some of their combinations."""
    if law.stacked == 1:
        return law.rounded(law.points + law.width / 2)
    streams = Streams([0], "training", law.points.device, law.points.dtype)
    return law.rounded(law.draw(streams, len(law.points))[0])


def classifier_of(law: Pixels) -> KernelClassifier:
    """One of the pictures of training; of stacked ones, of their channels."""
    assert law.labels is not None
    points = law.points[:, : law.pixels // law.stacked] + law.width / 2
    return KernelClassifier(points, law.labels, len(law.classes))


def scores_of(law: Pixels, classifier: KernelClassifier, points: Tensor) -> Tensor:
    """The classifier's score of each class, of stacked pictures channel by channel, ``(K, n, c)``.

    Arguments:
        law: What the pictures are of.
        classifier: Of :func:`classifier_of`.
        points: Shape ``(K, n, d)``.
    """
    return classifier.scores(law.rounded(points).unflatten(-1, (law.stacked, -1))).flatten(-2)


def class_of(law: Pixels, classifier: KernelClassifier, points: Tensor) -> Tensor:
    """The class of each picture, or the number of its combination of classes, ``(K, n)``."""
    digits = scores_of(law, classifier, points).unflatten(-1, (law.stacked, -1)).argmax(-1)
    places = len(law.classes) ** torch.arange(law.stacked, device=digits.device)
    return (digits * places).sum(-1)


def within_classes(law: Pixels, held: Tensor, fake: Tensor) -> Readings:
    """Exact transport between pictures of the same class, by class; NaN where there are none."""
    transport, found = EarthMover(floor=False), {}
    for label, name in enumerate(law.classes):
        sides = [
            [law.rounded(one)[one[:, law.pixels :].argmax(-1) == label] for one in points]
            for points in (held, fake)
        ]
        found[f"w1/class_{name}"] = torch.tensor([
            float(transport(a, b).value) if min(len(a), len(b)) > 1 else math.nan
            for a, b in zip(*sides, strict=True)
        ])  # fmt: skip
    return found
