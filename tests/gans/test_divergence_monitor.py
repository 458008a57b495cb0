"""Anybody's GAN: every kind of real points, any logger, and names for staged failures."""

import csv
import math

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from divergences import EarthMover, RossJS
from gans import DivergenceMonitor, NonSaturating, Wasserstein
from gans.monitors import tags
from gans.monitors.divergences import DivergenceEstimates
from gans.monitors.networks_found import networks_of
from gans.monitors.real_points import RealPoints
from gans.monitors.users_gan import GivenGame
from gans.networks import evaluating
from tests.gans.test_callbacks import read

pytestmark = pytest.mark.filterwarnings("ignore:.*estimate|.*workers")


def blobs(n, generator=None):
    """Four modes of the plane."""
    centres = torch.tensor([[2.0, 0], [-2, 0], [0, 2], [0, -2]])
    which = torch.randint(4, (n,), generator=generator)
    return centres[which] + 0.3 * torch.randn(n, 2, generator=generator)


class Automatic(pl.LightningModule):
    """A generator that learns to be the blobs' mean, automatically; five dimensions."""

    def __init__(self):
        super().__init__()
        self.netG, self.netD = nn.Linear(5, 5), nn.Linear(5, 1)

    def sample(self, n):
        return self.netG(torch.randn(n, 5))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)

    def training_step(self, batch, batch_idx):
        return (self.sample(16) - batch[0]).square().mean() + self.netD(batch[0]).square().mean()


def fitted(folder, logger, **settings):
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(128, 5), torch.zeros(128))
    settings = {"every": 4, "n": 32, "pictures": 1, **settings}
    monitor = DivergenceMonitor(fake="sample", critic="netD", **settings)
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=logger,
        default_root_dir=folder,
        callbacks=[monitor],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    model = Automatic()
    trainer.fit(model, DataLoader(data, 16))
    return monitor, model


@pytest.mark.filterwarnings("ignore")
def test_scalars_are_the_same_in_all_loggers_and_figures_go_where_they_can(tmp_path):
    loggers = [TensorBoardLogger(tmp_path, "tb", ""), CSVLogger(tmp_path, "csv", "")]
    monitor, model = fitted(tmp_path, loggers)
    events = read(tmp_path / "tb")
    rows = list(csv.DictReader((tmp_path / "csv" / "metrics.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == [0, 4, 8]
    for tag in (tags.JS, f"range/{tags.W1_UPPER}/low", "gradient/generator", tags.SLOPE_MEAN):
        ours = [float(row[tag]) for row in rows if row[tag]]
        assert [e.value for e in events.Scalars(tag)] == pytest.approx(ours, rel=1e-6)
    assert [e.step for e in events.Images("samples")] == [0, 4, 8]
    assert [e.step for e in events.Images("at_a_glance/js")] == [8]
    _, alone = fitted(tmp_path / "csv_only", CSVLogger(tmp_path / "csv_only"))
    assert len(list((tmp_path / "csv_only").rglob("samples_*.png"))) == 3
    assert len(list((tmp_path / "csv_only").rglob("at_a_glance_*_000008.png"))) == 2
    quiet, unwatched = fitted(tmp_path / "none", False)
    assert quiet.latest.keys() == monitor.latest.keys()
    for a, b, c in zip(*(m.parameters() for m in (model, alone, unwatched)), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(b, c)


def test_warnings_about_one_gan_number_no_members():
    real = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    game = GivenGame(RealPoints(real, 64), lambda n: real[:1].expand(n, 2), 0)
    told = []
    DivergenceEstimates(16, warn=told.append).read(game)
    assert told
    assert not any("member" in warning for warning in told)


class Stream(IterableDataset):
    """Items one after the other, without a length."""

    def __init__(self, items):
        self.items = items

    def __iter__(self):
        return iter(self.items)


class Counted(Stream):
    def __len__(self):
        return len(self.items)


POINTS = torch.arange(40.0).reshape(20, 2)
SOURCES = {
    "tensor": POINTS,
    "array": POINTS.numpy(),
    "integers": POINTS.long().numpy(),
    "dataset of pairs": TensorDataset(POINTS, torch.zeros(20)),
    "loader": DataLoader(TensorDataset(POINTS), batch_size=3, shuffle=True),
    "batches": [POINTS[:10], POINTS[10:]],
    "batches with labels": [(POINTS[:10], torch.zeros(10)), (POINTS[10:], torch.ones(10))],
    "batches as dicts": [{"x": z, "label": z[:, 0]} for z in (POINTS[:10], POINTS[10:])],
    "stream of points": Stream(POINTS),
    "stream with a length": Counted(POINTS.numpy()),
    "stream of points with labels": Stream([(point, 1) for point in POINTS]),
    "batches of a stream": DataLoader(Stream(POINTS), batch_size=3),
    "list of points": list(POINTS),
    "list of arrays": list(POINTS.numpy()),
    "list of lists": POINTS.tolist(),
    "points with labels": [(point, 1) for point in POINTS],
    "points as dicts": [{"x": point, "label": torch.tensor(1)} for point in POINTS],
    "points alone in tuples": [(point,) for point in POINTS],
    "points alone in dicts": [{"x": point} for point in POINTS],
    "batches alone in tuples": [(z,) for z in (POINTS[:10], POINTS[10:])],
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_real_points_of_every_kind_are_drawn_without_replacement(source):
    real = RealPoints(source, keep=1000)
    first, second = real.draw(10, 0, seed=3), real.draw(10, 10, seed=3)
    assert sorted(torch.cat([first, second])[:, 0].tolist()) == POINTS[:, 0].tolist()
    assert not torch.equal(first, real.draw(10, 0, seed=4))


IN_ORDER = {
    "batches": lambda points: list(points.split(100)),
    "a stream": Stream,
    "a loader with a sampler": lambda points: DataLoader(
        TensorDataset(points), batch_size=100, sampler=range(len(points))
    ),
}


@pytest.mark.parametrize("made", IN_ORDER.values(), ids=IN_ORDER)
def test_points_in_order_of_their_classes_are_all_taken(made):
    """Also if those of the first class are as many as are kept."""
    places = torch.arange(4.0).repeat_interleave(500)[:, None]
    real = RealPoints(made(places), keep=500)
    counts = torch.stack([(real.pool == k).sum() for k in range(4)])
    assert counts.sum() == 500
    assert counts.min() > 80  # of 125 on average


def test_what_is_seen_in_part_and_changes_on_the_way_is_said():
    places = torch.arange(40.0).repeat_interleave(500)[:, None]
    with pytest.warns(UserWarning, match="real is not in random order: of its first 2000 points"):
        RealPoints(list(places.split(100)), keep=500)
    RealPoints(list(places[torch.randperm(len(places))].split(100)), keep=500)


GIVES = {
    "score and features": lambda x, score, features: (score, features),
    "features and score": lambda x, score, features: [features, score],
    "features of several layers": lambda x, score, features: ([features, 2 * features], score),
    "names": lambda x, score, features: {"features": features, "logits": score[:, 0]},
    "a map": lambda x, score, features: score[:, :, None, None].expand(-1, -1, 3, 3),
}


@pytest.mark.parametrize("gives", GIVES.values(), ids=GIVES)
def test_a_critic_s_score_is_found_beside_its_features(gives):
    """Its slope is 3; that of the features is 100 and more."""

    def critic(x):
        return gives(x, 3 * x[:, :1], 100 * x.repeat(1, 4))

    monitor = DivergenceMonitor(torch.randn(600, 2), blobs, critic=critic, n=64)
    assert float(monitor.read(0)["critic/slope_max"]) == pytest.approx(3)


UNDENSE = {
    "sparse_coo": lambda x: x.to_sparse(),
    "sparse_csr": lambda x: x.to_sparse_csr(),
    "quantized": lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
    "nested": lambda x: torch.nested.as_nested_tensor(list(x)),
    "meta": lambda x: x.to("meta"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "made"), UNDENSE.items(), ids=UNDENSE)
def test_tensors_that_are_no_arrays_of_numbers_are_refused(kind, made):
    functions = {
        "fake": lambda n: made(blobs(n)),
        "features": lambda x: made(x),
        "critic": lambda x: made(x[:, :1]),
        "real": lambda n: made(blobs(n)),
    }
    for name, function in functions.items():
        monitor = DivergenceMonitor(**{"real": blobs, "fake": blobs, "n": 16, name: function})
        with pytest.raises(
            (TypeError, ValueError), match=f"{name} gives a {kind} tensor: give a dense one"
        ):
            monitor.read(0)


@pytest.mark.parametrize("lack", [MemoryError("std::bad_alloc"), RuntimeError(
    "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 32000000000 bytes. Error code 12"
)], ids=["system", "torch"])  # fmt: skip
def test_a_lack_of_memory_names_the_number_of_points(lack):
    def fake(n):
        raise lack

    with pytest.raises(ValueError, match=r"^n = 1000000000: there is too little memory.* fewer"):
        DivergenceMonitor(POINTS, fake, n=10**9).read(0)


def test_without_an_estimate_of_w1_its_floor_is_not_reported():
    for estimators in ([], [RossJS()], [EarthMover()]):
        found = DivergenceMonitor(blobs, blobs, n=16, estimators=estimators, pictures=0).read(0)
        assert (tags.W1_FLOOR in found) == (tags.W1_UPPER in found)


UNCLEAR = {
    "two scores": lambda x: (x[:, :1], x[:, 1:]),
    "classes": lambda x: x,
    "maps of features": lambda x: x[:, :, None, None],
    "maps of two sizes": lambda x: [x[:, :1, None], x[:, :1, None].expand(-1, -1, 4)],
}


@pytest.mark.parametrize("critic", UNCLEAR.values(), ids=UNCLEAR)
def test_a_critic_whose_score_cannot_be_told_is_refused(critic):
    with pytest.raises(ValueError, match=r"must give one score for each.* critic=lambda x: "):
        DivergenceMonitor(torch.randn(600, 2), blobs, critic=critic, n=64).read(0)


def test_generated_points_may_be_a_list_or_made_for_inference():
    @torch.inference_mode()
    def unrecorded(n):
        return blobs(n)

    real = torch.randn(600, 2, generator=torch.Generator().manual_seed(0))
    looks = [
        DivergenceMonitor(real, fake, critic=lambda x: x[:, :1], n=64).read(0)
        for fake in (blobs, lambda n: list(blobs(n)), lambda n: blobs(n).tolist(), unrecorded)
    ]
    for look in looks[1:]:
        assert look.keys() == looks[0].keys()
        assert float(look["critic/dual"]) == pytest.approx(float(looks[0]["critic/dual"]))


@pytest.mark.parametrize("seed", range(3))
def test_a_script_s_own_seed_makes_no_copies(seed):
    """Data from a seeded script, and a perfect generator that is looked at with step = seed."""
    torch.manual_seed(seed)
    monitor = DivergenceMonitor(torch.randn(2000, 2), lambda n: torch.randn(n, 2))
    monitor.read(seed)
    assert monitor.states == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"real": 3.0}, "real = 3.0: it must be a tensor"),
        ({"real": torch.zeros(3, 2)}, "at least 8 points"),
        ({"fake": 3}, "fake = 3: it must be a function"),
        ({"critic": 3}, "critic = 3: it must be a function"),
        ({"every": 0}, "every = 0"),
        ({"objective": "wgan"}, "objective = 'wgan'"),
        ({"networks": {"G": 3}}, "networks: G is 3"),
    ],
)
def test_bad_arguments_are_named_at_once(arguments, error):
    with pytest.raises((TypeError, ValueError), match=error):
        DivergenceMonitor(**{"real": POINTS, "fake": blobs, **arguments})


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"fake": None}, "fake is missing"),
        ({"real": None}, "real is missing"),
        ({"fake": lambda n: torch.zeros(3, 2)}, "gives 3 points"),
        ({"fake": lambda n: torch.randn(n, 3)}, "must be of the same space"),
        ({"critic": lambda x: x.sum()}, "one score for each"),
    ],
)
def test_what_functions_return_is_checked(arguments, error):
    with pytest.raises((TypeError, ValueError), match=error):
        DivergenceMonitor(**{"real": POINTS, "fake": blobs, "n": 8, **arguments}).read()


def test_networks_are_found_and_evaluated_without_a_trace():
    net = nn.ModuleDict({"netG": nn.Linear(2, 2), "netD": nn.Linear(2, 1), "other": nn.ReLU()})
    assert networks_of(net) == {"generator": net["netG"], "critic": net["netD"]}
    G = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout().eval())
    before, modes = {k: v.clone() for k, v in G.state_dict().items()}, [m.training for m in G]
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    DivergenceMonitor(blobs, lambda n: G(torch.randn(n, 2)), n=16).read()
    assert torch.equal(torch.rand(3), expected)
    assert [m.training for m in G] == modes
    assert all(torch.equal(before[k], v) for k, v in G.state_dict().items())
    with evaluating([G]):
        assert not G[1].training


# staged failures: each is a generator and a critic at three moments of its training


class Still(nn.Module):
    """A generator and a critic that a test changes between looks."""

    def __init__(self, fake, critic=None):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))
        self.fake, self.score = fake, critic

    def forward(self, n):
        return self.fake(n) + 0 * self.shift


def states(fake, critic=None, objective=None, real=None, moves=True):
    """Names after three looks; the parameters move unless said otherwise."""
    generator = Still(fake)
    data = blobs(2000, torch.Generator().manual_seed(7)) if real is None else real
    monitor = DivergenceMonitor(
        data,
        lambda n: generator(n),
        critic=critic and (lambda x: critic(x, monitor._step)),
        objective=objective,
        networks={"generator": generator},
    )
    for step in range(3):
        monitor.read(step)
        if moves:
            with torch.no_grad():
                generator.shift += 1e-3
    return [state.name for state in monitor.states]


def distance(x):
    """Log odds of a discriminator of the blobs."""
    centres = torch.tensor([[2.0, 0], [-2, 0], [0, 2], [0, -2]])
    return 3 - 8 * torch.cdist(x, centres).amin(-1)


def half(n):
    """Two of the four modes."""
    some = blobs(8 * n)
    return some[some[:, 0].abs() > 1][:n]


CENTRE = torch.tensor([2.0, 0.0])
MEMORY = blobs(2000, torch.Generator().manual_seed(7))
STAGED = {
    "healthy": ([], {"fake": blobs, "critic": lambda x, t: 0.1 * distance(x)}),
    "saturated": (
        ["JS at log 2"],
        {
            "fake": lambda n: 0.3 * torch.randn(n, 2),
            "critic": lambda x, t: (1 if t else 0.01) * 30 * (x.norm(dim=-1) - 1.2),
            "objective": NonSaturating(),
        },
    ),
    "flat": (
        ["critic too flat"],
        {
            "fake": lambda n: blobs(n) + 1,
            "critic": lambda x, t: -0.01 * x.sum(-1),
            "objective": Wasserstein(),
        },
    ),
    "steep": (
        ["critic too steep"],
        {
            "fake": lambda n: blobs(n) + 1,
            "critic": lambda x, t: -5 * x.sum(-1),
            "objective": Wasserstein(),
        },
    ),
    "exploding": (
        ["exploding critic"],
        {"fake": blobs, "critic": lambda x, t: (1e6 if t else 1) * x.sum(-1)},
    ),
    "one mode": (["missing regions"], {"fake": lambda n: 0.3 * torch.randn(n, 2) + CENTRE}),
    "half the modes": (
        ["missing regions"],
        {"fake": half},
    ),
    "memorised": (
        ["copies of training points"],
        {"fake": lambda n: MEMORY[torch.randint(2000, (n,))]},
    ),
    "frozen": (["generator does not move"], {"fake": blobs, "moves": False}),
    "labels swapped": (
        ["labels swapped"],
        {"fake": lambda n: blobs(n) + 1.2, "critic": lambda x, t: -distance(x)},
    ),
    "another scale": (["another scale"], {"fake": lambda n: 300 * blobs(n)}),
    "NaN": (["not finite"], {"fake": lambda n: blobs(n) * math.nan}),
}


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize(("names", "staged"), STAGED.values(), ids=STAGED)
def test_a_staged_failure_is_named_and_nothing_else(names, staged, seed):
    torch.manual_seed(seed)
    found = states(**staged, real=MEMORY if "copies of training points" in names else blobs(2000))
    assert [name for name in found if name != "W1 below what the sample resolves"] == names


class Normalised(nn.Module):
    """Its batches are elsewhere than where its running moments say, which stay as they are."""

    def __init__(self, off):
        super().__init__()
        self.off, self.shift = off, nn.Parameter(torch.full((), 5.0))
        self.norm = nn.BatchNorm1d(2, momentum=0.0)

    def forward(self, n):
        return self.norm(torch.randn(n, 2) + self.off) + self.shift


@pytest.mark.parametrize("off", [0.0, 5.0])
def test_batch_statistics_that_differ_from_the_running_ones_are_named(off):
    generator = Normalised(off)
    monitor = DivergenceMonitor(blobs, lambda n: generator(n), networks={"generator": generator})
    for step in range(3):
        monitor.read(step)
        with torch.no_grad():
            generator.shift += 1e-3
    named = "batch normalisation" in [state.name for state in monitor.states]
    assert named == (off > 0)


@pytest.mark.parametrize("seed", range(2))
def test_data_of_0_to_255_are_of_another_scale_and_a_collapse_is_not(seed):
    """In many dimensions points lie far from each other, and from the middle of all of them."""
    draw = torch.Generator().manual_seed(seed)
    light = torch.rand(600, 64, generator=draw) * (torch.rand(600, 1, generator=draw) + 0.6)
    named = {}
    for name, real, middle in (
        ("scale", 255 * light, 0.0),
        ("collapse", light, light.mean(0)),
        ("collapse far out", light, 2.0),
    ):
        monitor = DivergenceMonitor(
            real, lambda n, middle=middle: middle + 0.003 * torch.randn(n, 64), n=128
        )
        for step in range(2):
            monitor.read(step)
        named[name] = {state.name for state in monitor.states}
    assert "another scale" in named["scale"]
    assert "another scale" not in named["collapse"] | named["collapse far out"]
    assert "missing regions" not in named["scale"]


@pytest.mark.parametrize("d", [2, 16])
@pytest.mark.parametrize(("kept", "width"), [(4, 0.5), (4, 1), (3, 1)])
def test_modes_that_are_too_narrow_are_not_missing(kept, width, d):
    """At the edges of narrow modes there are regions without a generated point, too."""
    draw = torch.Generator().manual_seed(d + kept)
    centres = torch.eye(d)[:2].repeat(2, 1) * torch.tensor([4.0, 4, -4, -4])[:, None]

    def modes(n, count=4, scale=1.0):
        which = torch.randint(count, (n,), generator=draw)
        return centres[which] + scale * torch.randn(n, d, generator=draw)

    monitor = DivergenceMonitor(modes(2000), lambda n: modes(n, kept, width))
    for step in range(2):
        monitor.read(step)
    assert ("missing regions" in [state.name for state in monitor.states]) == (kept < 4)


@pytest.mark.parametrize(("factors", "named"), [((40, 40, 7), True), ((7, 7), False)])
def test_a_scale_that_was_named_is_named_until_it_is_near(factors, named):
    for last, wanted in ((factors, named), ((*factors, 2), False)):
        left = list(last)
        monitor = DivergenceMonitor(blobs(1000), lambda n, left=left: left[0] * blobs(n), n=128)
        for step in range(len(last)):
            monitor.read(step)
            left[:] = left[1:] or left
        assert ("another scale" in [state.name for state in monitor.states]) == wanted


@pytest.mark.parametrize("slope", [0.5, 1.0, 1.4, 5.0])
def test_a_limit_below_w1_allows_for_a_steep_critic(slope):
    """W1 of a law and the same moved by 1 is 1, and the critic measures slope times that."""
    draw = torch.Generator().manual_seed(0)
    real, differentiated = torch.randn(2000, 2, generator=draw), []

    def critic(points):
        differentiated.append(points.requires_grad)
        return -slope * points[:, :1]

    monitor = DivergenceMonitor(
        real=real,
        fake=lambda n: torch.randn(n, 2, generator=draw) + torch.tensor([1.0, 0.0]),
        critic=critic,
        objective=Wasserstein(),
        n=500,
    )
    found = monitor.read(0)[tags.W1_CRITIC]
    assert float(found.value) == pytest.approx(slope, rel=0.15)
    assert 0.4 * min(slope, 1.0) < float(found.ci[0]) < 1
    assert (found.bound == "lower") == (slope <= 1)
    assert sum(differentiated) == 3  # at generated points twice, and once between both sides
