"""GANs of many shapes, as others write them: measured, or refused in a sentence; never changed."""

import csv
import random
import warnings

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric import Fabric
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.nn.utils import parametrizations
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from gans import DivergenceMonitor, NonSaturating, VanillaGAN
from gans.monitors import tags
from gans.monitors.readings import value
from gans.monitors.without_trace import Evaluation, own_random_numbers, random_generators
from gans.targets import Gaussian
from tests.small_games import segments

pytestmark = pytest.mark.filterwarnings("ignore")


def images(n=96):
    """Blurred stripes, (n, 1, 8, 8)."""
    made = torch.rand(n, 1, 8, 1, generator=torch.Generator().manual_seed(3)) * torch.ones(8)
    return made + 0.1 * torch.randn(n, 1, 8, 8, generator=torch.Generator().manual_seed(4))


class Images(pl.LightningModule):
    """Convolutions with batch normalisation, dropout and a spectral norm; optimized by hand."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.netG = nn.Sequential(
            nn.Linear(4, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Unflatten(1, (1, 8, 8))
        )
        self.netD = nn.Sequential(
            nn.LeakyReLU(0.2, inplace=True),  # would change the points that it is given
            parametrizations.spectral_norm(nn.Conv2d(1, 4, 3, 2)),
            nn.BatchNorm2d(4),
            nn.Dropout2d(0.3),
            nn.Flatten(),
            nn.utils.spectral_norm(nn.Linear(36, 1)),
        )
        self.source = torch.Generator().manual_seed(1)
        self.choice = np.random.default_rng(2)

    def sample(self, n):
        self.eval()  # as people do, and it is left in training mode
        scale = 1 + self.choice.random() * random.random()
        points = self.netG(scale * torch.randn(n, 4, generator=self.source))
        self.train()
        return points

    def scores(self, points):
        return self.netD(points.clone())

    def configure_optimizers(self):
        return [torch.optim.Adam(net.parameters(), 1e-3) for net in (self.netG, self.netD)]

    def training_step(self, batch, batch_idx):
        real = batch[0] if isinstance(batch, (tuple, list)) else batch["image"]
        real = real.to(self.dtype)
        for_g, for_d = self.optimizers()
        loss = nn.functional.softplus
        fake = self.netG(torch.randn(len(real), 4, dtype=self.dtype) * (1 + random.random()))
        for_d.zero_grad()
        self.manual_backward((loss(-self.scores(real)) + loss(self.scores(fake.detach()))).mean())
        for_d.step()
        for_g.zero_grad()
        self.manual_backward(loss(-self.scores(fake)).mean())
        for_g.step()


class Flat(Images):
    """Scores of shape (n,) beside features, in a tuple; optimizers without Lightning's wrapper."""

    def scores(self, points):
        return self.netD(points.clone())[:, 0]

    def judged(self, points):
        return self.scores(points), points.flatten(1)

    def optimizers(self, use_pl_optimizer=True):
        return super().optimizers(use_pl_optimizer=False)


class Validated(Images):
    """With a validation loop and curves of its own."""

    def validation_step(self, batch, batch_idx):
        self.log("val", self.scores(batch[0]).mean())


class Automatic(Images):
    """Lightning takes the steps."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = True

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)

    def training_step(self, batch, batch_idx):
        return self.scores(self.netG(torch.randn(8, 4))).square().mean()


PICTURES = images()
LABELLED = TensorDataset(PICTURES, torch.arange(96))


class Augmented(Dataset):
    """Points that are drawn with the global random numbers of torch and NumPy."""

    def __len__(self):
        return 96

    def __getitem__(self, index):
        noise = torch.randn(1, 8, 8) * np.random.rand()  # noqa: NPY002
        return {"image": PICTURES[index] + 0.01 * noise, "label": index}


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(image, 0) for image in PICTURES])


def mean_and_rows(x):
    return torch.cat([x.mean((2, 3)), x.mean(3)[:, 0]], 1)


GANS = {
    "tensor": (Images, {"real": PICTURES}),
    "loader of pairs": (Images, {"real": DataLoader(LABELLED, 32, shuffle=True)}),
    "the trainer's loader": (Images, {}),
    "augmented dataset": (Images, {"real": Augmented()}),
    "stream": (Images, {"real": DataLoader(Stream(), 32)}),
    "features in place": (Images, {"real": PICTURES, "features": lambda x: x.mul_(2).mean(3)}),
    "other numbers of features": (Images, {"real": PICTURES, "features": mean_and_rows}),
    "tuple of flat scores": (Flat, {"real": PICTURES.numpy(), "critic": "judged"}),
    "module as critic": (Images, {"real": PICTURES, "critic": "netD"}),
    "dotted name": (Images, {"real": PICTURES, "fake": "netG.sampled"}),
    "no critic": (Images, {"real": PICTURES, "critic": None}),
    "validated": (Validated, {"real": PICTURES.double()}),
}


def fitted(folder, kind, monitored, stop=None, resume=None, every=3, logger=True, **settings):
    """The module after two epochs of three batches, with random numbers after it."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    model = kind()
    model.netG.sampled = model.sample
    callbacks = [ModelCheckpoint(folder, filename="{step}", every_n_train_steps=2, save_top_k=-1)]
    monitor = None
    if monitored is not None:
        asked = {"fake": "sample", "critic": "scores", "objective": NonSaturating()} | monitored
        monitor = DivergenceMonitor(every=every, n=24, pictures=0, **asked)
        callbacks.append(monitor)
    trainer = pl.Trainer(
        max_epochs=2,
        max_steps=stop or -1,
        accelerator="cpu",
        logger=CSVLogger(folder, "csv", "") if logger else False,
        default_root_dir=folder,
        callbacks=callbacks,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        **settings,
    )
    loader = DataLoader(Augmented(), 32, shuffle=True, generator=torch.Generator().manual_seed(7))
    held = DataLoader(LABELLED, 48) if kind is Validated else None
    trainer.fit(model, loader, held, ckpt_path=resume, weights_only=False)
    numbers = np.random.rand(4)  # noqa: NPY002
    after = torch.rand(4), numbers, random.random(), model.choice.random()
    return model, monitor, [*after, model.source.get_state().tolist(), trainer]


def same(one, other):
    assert one[0].state_dict().keys() == other[0].state_dict().keys()
    for name, tensor in one[0].state_dict().items():
        assert torch.equal(tensor, other[0].state_dict()[name]), name
    for name, p in one[0].named_parameters():
        q = dict(other[0].named_parameters())[name]
        assert (p.grad is None) == (q.grad is None)
        assert p.grad is None or torch.equal(p.grad, q.grad), name
    assert [m.training for m in one[0].modules()] == [m.training for m in other[0].modules()]
    for mine, theirs in zip(one[2][:-1], other[2][:-1], strict=True):
        assert np.array_equal(mine, theirs)


@pytest.fixture(scope="module")
def unwatched(tmp_path_factory):
    return {
        kind: fitted(tmp_path_factory.mktemp(kind.__name__), kind, None)
        for kind in (Images, Flat, Validated)
    }


@pytest.mark.parametrize(("kind", "asked"), GANS.values(), ids=GANS)
def test_a_gan_is_measured_and_trains_on_bit_for_bit(kind, asked, unwatched, tmp_path):
    watched = fitted(tmp_path, kind, asked)
    same(watched, unwatched[kind])
    found = watched[1].latest
    for tag in (tags.W1_UPPER, tags.W1_LOWER, tags.JS, "gradient/generator", "gradient/critic"):
        known = torch.isfinite(value(found[tag])).all()
        assert known or (tag == tags.JS and "too narrow" in str(found[tag])), tag
    assert (tags.SLOPE_MEAN in found) == ("critic" not in asked or asked["critic"] is not None)


def test_a_failed_look_stops_no_callback_that_monitors_what_it_measures():
    """NaN in place of the value before would end a run with ``EarlyStopping``."""
    monitor = DivergenceMonitor(PICTURES, "sample", every=2, n=16, pictures=0)
    trainer, module = pl.Trainer(logger=False, enable_checkpointing=False), Images()
    module.trainer = trainer
    monitor._try(trainer, module, 2)
    before = trainer.callback_metrics[tags.W1_UPPER]
    module.sample = lambda n: torch.zeros(n, 3)
    with pytest.warns(UserWarning, match="there is no look at batch 4"):
        monitor._try(trainer, module, 4)
    assert trainer.callback_metrics[tags.W1_UPPER] == before > 0


@pytest.mark.parametrize("kind", [Images, Automatic], ids=["by hand", "automatic"])
def test_callbacks_of_lightning_can_monitor_what_was_measured(kind, tmp_path):
    """They come after the monitor; the loggers get no number more, and training is the same."""
    monitor = DivergenceMonitor(PICTURES, "sample", every=2, n=16, pictures=0)
    stopping = EarlyStopping(tags.W1_UPPER, patience=0, min_delta=1e9, strict=True)
    best = ModelCheckpoint(tmp_path, monitor=tags.W1_UPPER, every_n_train_steps=1)
    trained = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=CSVLogger(tmp_path, "csv", ""),
        callbacks=[monitor, stopping, best],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trained.fit(kind(), DataLoader(Augmented(), 32))
    last = float(monitor.latest[tags.W1_UPPER].value)
    assert float(trained.callback_metrics[tags.W1_UPPER]) == pytest.approx(last, rel=1e-6)
    assert trained.current_epoch == 2  # the second was not better by min_delta
    assert best.best_model_path
    rows = list(csv.DictReader((tmp_path / "csv" / "metrics.csv").read_text().splitlines()))
    looks = [float(row[tags.W1_UPPER]) for row in rows]
    assert float(best.best_model_score) == pytest.approx(min(looks), rel=1e-6)


@pytest.mark.parametrize("every", [1, 4, 1000, np.int64(5)])
def test_any_cadence_does(every, unwatched, tmp_path):
    watched = fitted(tmp_path, Images, {"real": PICTURES}, every=every)
    same(watched, unwatched[Images])
    rows = list(csv.DictReader((tmp_path / "csv" / "metrics.csv").read_text().splitlines()))
    seen = [int(row["step"]) for row in rows if row[tags.JS]]
    assert seen == sorted({0, *range(0, 7, every), 6})


def test_a_resumed_run_shows_what_an_uninterrupted_one_does(tmp_path):
    whole = fitted(tmp_path / "whole", Images, {"real": PICTURES}, every=1, logger=False)
    torch.manual_seed(9)
    first = tmp_path / "whole" / "step=8.ckpt"  # two steps for each of four batches
    second = fitted(tmp_path / "b", Images, {"real": PICTURES}, resume=first, every=1)
    assert second[1]._looks._states[0].first.weights == whole[1]._looks._states[0].first.weights
    assert second[1]._seen == 6
    text = (tmp_path / "b" / "csv" / "metrics.csv").read_text()
    assert [int(row["step"]) for row in csv.DictReader(text.splitlines())] == [5, 6]


@pytest.mark.parametrize("precision", ["64-true", "bf16-true", "bf16-mixed"])
def test_other_precisions_are_measured(precision, tmp_path):
    _, monitor, _ = fitted(tmp_path, Single, {"real": PICTURES}, precision=precision, logger=False)
    assert torch.isfinite(value(monitor.latest[tags.W1_UPPER])).all()


class Single(Images):
    """All random numbers are torch's, in the precision that a trainer sets for new tensors."""

    def sample(self, n):
        return self.netG(torch.randn(n, 4))


# loops of one's own


class Experiment:
    """No torch module itself; holds its networks and random numbers in a dictionary."""

    def __init__(self):
        self.nets = {
            "up": nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)),
            "judge": nn.Sequential(
                nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 1)
            ),
        }
        self.noise = {"torch": torch.Generator(), "old": np.random.RandomState(1)}

    def draw(self, n):
        factor = float(self.noise["old"].rand())
        return self.nets["up"](factor * torch.randn(n, 3, generator=self.noise["torch"]))

    def state(self):
        nets = [v.clone() for net in self.nets.values() for v in net.state_dict().values()]
        old = self.noise["old"].get_state()[1]
        modes = [p.training for net in self.nets.values() for p in net.modules()]
        return [*nets, self.noise["torch"].get_state(), torch.as_tensor(old.astype(int)), modes]


def test_networks_and_random_numbers_that_no_name_leads_to_are_found():
    mine = Experiment()
    mine.nets["judge"][0].eval()
    before = mine.state()
    monitor = DivergenceMonitor(torch.randn(200, 2), mine.draw, lambda x: mine.nets["judge"](x))
    monitor.read()
    for a, b in zip(before, mine.state(), strict=True):
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
    mine.nets["judge"](mine.draw(8)).sum().backward()
    monitor.read()
    assert {"gradient/generator", "gradient/critic"} <= monitor.latest.keys()
    assert "generator does not move" in [state.name for state in monitor.states]
    assert {id(g) for g in random_generators(mine.draw)} == {id(g) for g in mine.noise.values()}


def test_buffers_that_a_network_changes_in_evaluation_mode_are_put_back():
    class Counting(nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            return super().forward(x)

    for known in (True, False):
        net = Counting()
        with Evaluation([net] if known else []):
            net(torch.zeros(1, 2))
            assert net.calls == 1
        assert net.calls == 0


def test_a_spectral_norm_of_the_old_kind_holds_before_the_first_step():
    layer = nn.utils.spectral_norm(nn.Linear(64, 64))
    before = {name: buffer.clone() for name, buffer in layer.state_dict().items()}
    monitor = DivergenceMonitor(points(300, 64), lambda n: points(n, 64), lambda x: layer(x)[:, 0])
    monitor.read()
    assert float(value(monitor.latest[tags.SLOPE_MAX])) <= 1.01
    assert all(torch.equal(before[name], now) for name, now in layer.state_dict().items())


def test_networks_of_fabric_are_measured():
    fabric = Fabric(accelerator="cpu", precision="bf16-mixed")
    critic = fabric.setup(nn.Linear(2, 1))
    monitor = DivergenceMonitor(points(300), points, critic)
    assert float(value(monitor.read()[tags.SLOPE_MAX])) > 0
    with pytest.raises(RuntimeError, match=r"fabric\.backward"):
        critic(points(4)).sum().backward()


def fails(n):
    raise KeyError("latent")


def points(n, d=2):
    return torch.randn(n, d)


WRONG = {
    "fake fails": ({"fake": fails}, r"fake\(256\) fails in fails with KeyError: 'latent'"),
    "a network is no function of n": ({"fake": nn.Linear(2, 2)}, "called with a number of points"),
    "critic fails": ({"critic": nn.Linear(3, 1)}, "critic.* fails in Linear with RuntimeError"),
    "features fail": ({"features": nn.Linear(3, 1)}, "features.* fails in Linear"),
    "few features": ({"features": lambda x: x.mean(0)}, "one vector for each"),
    "real fails": ({"real": fails}, r"real\(256\) fails in fails"),
    "few real": ({"real": lambda n: points(3)}, r"real\(256\) gives 3 points; it must give 256"),
    "always the same": ({"real": lambda n: torch.ones(n, 2)}, "the same points each time"),
    "a number": ({"fake": lambda n: torch.tensor(1.0)}, r"fake\(256\) gives a single number"),
    "not finite": ({"real": torch.full((9, 2), float("nan"))}, "9 of 9 points with numbers"),
    "iterator": ({"real": iter([points(9)])}, "of an iterator"),
    "noise beside points": ({"fake": lambda n: {"z": points(n), "x": points(n)}}, "2 entries, of"),
    "pairs of points": ({"real": TensorDataset(points(90), points(90))}, "not clear which holds"),
    "an object": ({"fake": lambda n: slice(points(n))}, r"no tensor or array: give points alone"),
    "a critic of labels": ({"critic": lambda x, y: x.sum(1)}, r"where it takes labels or codes"),
    "axes": ({"real": torch.rand(40, 8, 8, 3), "fake": lambda n: torch.rand(n, 3, 8, 8)}, "order"),
    "labels first": ({"real": [(torch.arange(40.0), points(40))]}, "the first entry is taken"),
    "detached": ({"critic": lambda x: x.sum(1).detach()}, "scores without a gradient"),
    "arrays": ({"critic": lambda x: x.sum(1).detach().numpy()}, "one score for each"),
    "several": ({"critic": lambda x: x.sum()}, r"gives a tensor of shape \(\)"),
    "nothing": ({"fake": lambda n: None}, "fake gives None"),
    "complex": ({"fake": lambda n: points(n) + 1j}, "complex"),
    "distributions": ({"real": Normal(torch.zeros(2), 1)}, "Independent"),
    "lengths": (
        {"real": [points(20), points(20, 3)]},
        "all must have the same",
    ),
}


@pytest.mark.parametrize(("arguments", "error"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_measured_is_refused_in_a_sentence(arguments, error):
    with pytest.raises((TypeError, ValueError), match=error):
        DivergenceMonitor(**{"real": points(300), "fake": points, **arguments}).read()


ODD = {
    "lists": ({"real": [[0.1 * i, float(i % 7)] for i in range(60)]}, 2),
    "eight points": ({"real": points(8)}, 2),
    "one dimension": ({"real": torch.randn(100), "fake": lambda n: torch.randn(n)}, 1),
    "generated points NaN": ({"fake": lambda n: points(n) * float("nan")}, 2),
    "all equal": ({"fake": lambda n: torch.zeros(n, 2)}, 2),
    "dictionary of scores": ({"critic": lambda x: {"logits": x.sum(1)}}, 2),
    "whole numbers as scores": ({"critic": lambda x: x.sum(1, keepdim=True) * 1}, 2),
    "maps of scores": ({"critic": lambda x: x[:, None, :, None]}, 2),
    "half precision": ({"fake": lambda n: points(n).half()}, 2),
    "flat and shaped": ({"real": points(200, 4), "fake": lambda n: torch.randn(n, 1, 2, 2)}, 4),
}


@pytest.mark.parametrize(("arguments", "d"), ODD.values(), ids=ODD)
def test_what_is_odd_is_measured(arguments, d):
    monitor = DivergenceMonitor(**{"real": points(300), "fake": points, **arguments})
    for step in range(2):
        found = monitor.read(step)
    assert tags.W1_UPPER in found
    assert monitor._looks._clouds[0].points.shape[1] == d


def test_a_failure_in_the_middle_of_training_is_a_warning(tmp_path):
    class Breaking(Images):
        def sample(self, n):
            if self.trainer.global_step > 2:
                raise OSError("no disk")
            return super().sample(n)

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fitted(tmp_path, Breaking, {"real": PICTURES}, every=1)
    expected = "there is no look at batch 2: fake(256) fails in"
    assert any(str(w.message).startswith(expected) for w in said)
    with pytest.raises(TypeError, match="Images has no such method"):
        fitted(tmp_path / "b", Images, {"fake": "samples"})


# laws that are known


def test_the_exact_distance_stands_beside_the_estimates_where_both_laws_are_known():
    at = torch.tensor(1.5)
    monitor = DivergenceMonitor(Normal(0.0, 1.0), lambda n: Normal(at, torch.tensor(1.0)))
    found = monitor.read()
    assert float(found[tags.W1_EXACT]) == pytest.approx(1.5)
    assert float(found[tags.divergence("kl_exact")]) == pytest.approx(1.5**2 / 2)
    assert float(value(found[tags.W1_LOWER])) < 1.6 < 1.4 + float(value(found[tags.W1_UPPER]))
    mixture = MixtureSameFamily(
        Categorical(torch.ones(2)), Independent(Normal(torch.randn(2, 3), torch.ones(2, 3)), 1)
    )
    without = DivergenceMonitor(mixture, lambda n: points(n, 3)).read()
    assert tags.W1_EXACT not in without


def test_modules_of_ours_are_measured_with_all_their_members(tmp_path):
    module = segments(iterations=4, seeds=(0, 1, 2))
    monitor = DivergenceMonitor(every=2, n=32)
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=CSVLogger(tmp_path, "csv", ""),
        callbacks=[monitor], enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=tmp_path, enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(module)
    exact = module.generator.theta.detach().abs().reshape(-1)
    assert torch.allclose(monitor.latest[tags.W1_EXACT], exact, atol=1e-6)
    assert value(monitor.latest[tags.W1_UPPER]).shape == (3,)
    other = segments(iterations=4, seeds=(0, 1, 2))
    pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path, enable_checkpointing=False,
    ).fit(other)  # fmt: skip
    assert all(
        torch.equal(a, b) for a, b in zip(module.parameters(), other.parameters(), strict=True)
    )
    assert torch.equal(module.streams.rand(4), other.streams.rand(4))


def test_a_member_that_stands_still_is_named_and_the_others_are_not(tmp_path):
    module = VanillaGAN(Gaussian(torch.zeros(()), torch.ones(())), seeds=(4, 5), batch_size=8)
    monitor = DivergenceMonitor(n=16)
    for step in range(2):
        monitor._look(step, module)
        with torch.no_grad():
            for parameter in module.generator.parameters():
                parameter[1] += 0.01
    assert [(s.name, s.evidence[:17]) for s in monitor.states if "move" in s.name] == [
        ("generator does not move", "member 0 (seed 4)")
    ]


def test_own_random_numbers_are_those_of_their_seed_and_leave_the_others_as_they_were():
    own = torch.Generator()

    def drawn():
        at_once = random.random(), np.random.rand()  # noqa: NPY002
        return *at_once, float(torch.rand(1)), float(torch.rand(1, generator=own))

    def seeded(seed):
        with own_random_numbers(seed, [own]):
            return drawn()

    def start():
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        torch.manual_seed(0)
        own.manual_seed(0)

    start()
    undisturbed = [drawn(), drawn()]
    start()
    before, first = drawn(), seeded(3)
    assert [before, drawn()] == undisturbed
    assert seeded(3) == first
    assert all(a != b for a, b in zip(seeded(4), first, strict=True))
