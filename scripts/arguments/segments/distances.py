"""What trained discriminators, critics and sample estimators read over theta."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

import divergences as dv
from divergences.networks.slopes import input_gradient
from gans import Gaussian, ParallelSegments
from scripts.arguments.segments.common import (
    FAR,
    HOME,
    LOG2,
    LOOKS,
    SOURCE,
    THETAS,
    Members,
    Settings,
    on_quadrature,
)
from scripts.arguments.segments.generator_gradients import generator_gradients
from scripts.arguments.segments.plots import by_sample, for_the_slider, over_theta, overview
from scripts.lab.claims import Check, Claim, Findings, over_seeds, worst
from scripts.lab.jobs import Job, Results

SIZES = (300, 1000, 3000)
OVERLAPPING = Gaussian(0.0), Gaussian(1.0)


def discriminators(seeds: int, steps: int, whiten: bool) -> dict[str, Tensor]:
    """JS as trained discriminators read it over theta, and the saturating gradients on the way."""
    members = Members(THETAS, seeds)
    fake = on_quadrature(members.moved, len(members.flat_seeds))
    found: dict[str, Tensor] = {}

    def observe(step: int, network: nn.Module) -> None:
        if step in LOOKS:
            gradient = generator_gradients(network, fake)["saturating"]
            found[f"gradient {step}"] = members.table(gradient)

    discriminator = dv.Discriminator(steps=steps, whiten=whiten)
    fit = discriminator.fit(HOME, members.moved, members.flat_seeds, observe)
    found["js"] = members.table(fit.held_out(HOME, members.moved).value)
    return found


def critics(seeds: int, steps: int) -> dict[str, Tensor]:
    """W1 as spectrally normalised critics read it over theta, and their slope at the fakes."""
    members = Members(THETAS, seeds)
    critic = dv.Critic(steps=steps, constraint=dv.SpectralNorm())
    fit = critic.fit(HOME, members.moved, members.flat_seeds)
    fake = on_quadrature(members.moved, len(members.flat_seeds))
    slope = -input_gradient(fit.network, fake)[..., 0].mean(-1)
    read = fit.held_out(HOME, members.moved)
    return {"w1": members.table(read.value), "slope": members.table(slope)}


def transport(repeats: int, n: int) -> dict[str, Tensor]:
    """Exact transport between independent samples of the segments: value and theta-gradient."""
    thetas = torch.tensor([0.0, 0.001, 0.01, 0.1, 1.0])
    members = Members(thetas, repeats)
    streams = dv.Streams(members.flat_seeds, "transport")
    real = HOME.draw(streams, n)
    theta = members.moved.theta.requires_grad_(True)
    height = streams.rand(n)
    estimate = dv.EarthMover(floor=False)(
        real, torch.stack([theta[:, None].expand_as(height), height], -1)
    )
    (gradient,) = torch.autograd.grad(estimate.value.sum(), theta)
    return {
        "thetas": thetas.double(),
        "w1": members.table(estimate.value),
        "gradient": members.table(gradient),
    }


def nearest_neighbours(repeats: int, theta: float, sizes: Sequence[int]) -> dict[str, Tensor]:
    """Sample KL between the two segments at growing n, and how many of the estimates warn."""
    away = ParallelSegments(theta)
    found: dict[str, list[Tensor]] = {"kl": [], "ignoring supports": [], "warnings": []}
    for n in sizes:
        streams = dv.Streams(range(repeats), f"neighbours {n}", dtype=torch.float64)  # no ties
        real, fake = HOME.draw(streams, n), away.draw(streams, n)
        looked = dv.NearestNeighbours(k=1)(real, fake)
        found["kl"].append(looked.value)
        blind = dv.NearestNeighbours(k=1, check_support=False)(real, fake)
        found["ignoring supports"].append(blind.value)
        found["warnings"].append(torch.tensor([len(looked.warnings), len(blind.warnings)]))
    return {name: torch.stack(values).double() for name, values in found.items()}


def experiments(settings: Settings) -> dict[str, Job]:
    seeds = settings.seeds
    return {
        "js": Job(20, discriminators, seeds, settings.steps, True),
        "raw": Job(20, discriminators, seeds, settings.steps, False),
        "w1": Job(25, critics, seeds, settings.steps),
        "transport": Job(12, transport, 2 * seeds, 1000),
        "apart": Job(2, nearest_neighbours, 4 * seeds, 0.5, SIZES),
        "home": Job(2, nearest_neighbours, 4 * seeds, 0.0, SIZES),
    }


def judge(found: Results, settings: Settings) -> Findings:
    """Claims ``seg-exact``, ``seg-js``, ``seg-w`` and ``seg-kl-samples``."""
    return Findings(
        claims=[
            exact_claim(),
            js_claim(found["js"]["js"], found["raw"]["js"]),
            w1_claim(found["w1"], found["transport"], found["js"]["js"]),
            sample_kl_claim(found["apart"], found["home"]),
        ],
        figures={"segments": overview(found)},
        tables={
            "segments": over_theta(found),
            "segments_transport": by_sample(found["transport"]),
        },
        data={"segments": for_the_slider(found)},
    )


def exact_claim() -> Claim:
    """The closed forms against measures of atoms: 200 per segment, at all thetas."""
    p, q = HOME, ParallelSegments(THETAS)
    atoms = torch.arange(200)
    apart = torch.stack([(atoms < 100).double(), (atoms >= 100).double()]) / 100
    together = apart[:1].expand(2, -1)
    pairs = torch.stack([together if theta == 0 else apart for theta in THETAS])
    of_atoms = {
        "KL(P_0 to P_theta)": (dv.exact.kl_divergence(p, q), dv.discrete.kl_divergence),
        "KL(P_theta to P_0)": (dv.exact.kl_divergence(q, p), dv.discrete.kl_divergence),
        "JS": (dv.exact.js_divergence(p, q), dv.discrete.js_divergence),
        "total variation": (dv.exact.total_variation(p, q), dv.discrete.total_variation),
    }
    checks = []
    for name, (closed, divergence) in of_atoms.items():
        solved = divergence(pairs[:, 0], pairs[:, 1])
        for where, mask in (("theta != 0", THETAS != 0), ("theta = 0", THETAS == 0)):
            what = f"{name} at {where}: closed form against atoms"
            checks.append(Check.near(what, float(solved[mask][0]), closed[mask][0], 1e-6))
            same = bool((closed[mask] == closed[mask][0]).all())
            checks.append(Check.near(f"{name} is the same at every {where}", 1, same, 0))
    heights = on_quadrature(HOME, 1, 100).double()
    moved = heights + torch.stack([THETAS, torch.zeros_like(THETAS)], -1)[:, None]
    solved = dv.EarthMover(floor=False)(heights.expand(len(THETAS), -1, -1), moved).value
    gap = dv.exact.wasserstein(p, q) - solved
    checks.append(Check.zero("largest error of W1 = |theta| against a linear program", gap, 1e-6))
    normal = "two normal laws 1 apart"
    return Claim(
        id="seg-exact",
        source=f"{SOURCE}, Example 1",
        statement="KL is infinite both ways, JS is log 2, total variation 1 and W1 = |theta| for "
        "every theta != 0; all are 0 at theta = 0.",
        checks=checks,
        controls=[
            Check.near(f"{normal}: KL", math.inf, dv.exact.kl_divergence(*OVERLAPPING), 1e-6),
            Check.near(
                f"{normal}: total variation", 1, dv.exact.total_variation(*OVERLAPPING), 1e-6
            ),
        ],
        equation=r"\mathrm{KL} = \infty, \quad \mathrm{JS} = \log 2, \quad \mathrm{TV} = 1, "
        r"\quad W_1 = |\theta| \qquad (\theta \ne 0)",
        figure="segments",
    )


def at_log2(where: str, js: Tensor) -> Check:
    return Check.all_near(f"JS farthest from log 2, any seed, {where}", LOG2, js, 5e-4)


def flat(what: str, js: Tensor) -> Check:
    spread = js.mean(-1).max() - js.mean(-1).min()
    what = f"{what}: range of JS over theta != 0, as a share of log 2"
    return Check.at_most(what, 1e-3, spread / LOG2)


def is_distance(who: str, reading: Tensor) -> Check:
    """Readings at |theta| >= .1, shape (thetas, seeds), must be |theta| within half a percent."""
    ratio = reading / THETAS[FAR].abs()[:, None]
    what = f"{who}: reading / |theta| farthest from 1, any seed, |theta| >= .1"
    return Check.all_near(what, 1, ratio, 5e-3)


def js_claim(js: Tensor, raw: Tensor) -> Claim:
    away, home, near = js[THETAS != 0], js[THETAS == 0], THETAS == 0.001
    return Claim(
        id="seg-js",
        source=f"{SOURCE}, Example 1 and Figure 1",
        statement="A discriminator trained to its optimum measures JS = log 2 at every theta != "
        "0, however small, and 0 at theta = 0.",
        checks=[
            at_log2("theta != 0", away),
            Check.near("JS farthest from 0, any seed, theta = 0", 0, worst(home, 0), 2e-3),
            flat("inputs divided by their spread", away),
        ],
        controls=[at_log2("theta = 0", home), flat("raw inputs", raw[THETAS != 0])],
        equation=r"\log 2 + \frac{1}{2} E_{P_0}[\log D^*] + \frac{1}{2} E_{P_\theta}"
        r"[\log(1 - D^*)] = \mathrm{JS}(P_0, P_\theta)",
        n_seeds=js.shape[-1],
        figure="segments",
        note="Inputs are divided by their pooled standard deviation, which makes every theta the "
        "same problem for the network. On raw inputs the same training measures "
        f"{raw[near].mean():.3f} at theta = .001 and {raw[THETAS == 1].mean():.4f} at 1: a smooth "
        "V that looks like a Wasserstein distance and only measures how far training has come.",
    )


def w1_claim(critic: dict[str, Tensor], emd: dict[str, Tensor], js: Tensor) -> Claim:
    w1, slope = critic["w1"], critic["slope"]
    signed = slope[FAR] * THETAS[FAR].sign()[:, None]
    at_home, floor = worst(w1[THETAS == 0], 0), emd["w1"][emd["thetas"] == 0]
    return Claim(
        id="seg-w",
        source=f"{SOURCE}, Example 1 and Figure 1",
        statement="A Lipschitz critic measures W1 = |theta|, with slope sign(theta).",
        checks=[
            is_distance("critic", w1[FAR]),
            Check.near("reading farthest from 0, any seed, theta = 0", 0, at_home, 3e-3),
            Check.all_near(
                "slope x sign(theta) farthest from 1, any seed, |theta| >= .1", 1, signed, 0.01
            ),
        ],
        controls=[is_distance("discriminator's JS", js[FAR])],
        equation=r"\max_{\|f\|_L \le 1} E_{P_0}[f] - E_{P_\theta}[f] = |\theta|",
        n_seeds=w1.shape[-1],
        figure="segments",
        note="The critic is spectrally normalised. Exact transport between independent samples of "
        f"1000 points is {floor.mean():.4f} ± {over_seeds(floor)[1]:.4f} at theta = 0 "
        "(theory: .4431 / sqrt(n) = .0140), and its gradient is smoothed there: "
        + ", ".join(
            f"{g.mean():.2f} at {t:g}"
            for t, g in zip(emd["thetas"].tolist(), emd["gradient"], strict=True)
            if t > 0
        )
        + ".",
    )


def grows(where: str, found: dict[str, Tensor]) -> Check:
    """Each doubling of the points brings neighbours of one's own twice as near in d dimensions."""
    blind = found["ignoring supports"].mean(-1)
    growth = (blind[-1] - blind[0]) / math.log(SIZES[-1] / SIZES[0])
    what = f"growth per log n of the nearest-neighbour KL, {where} (d = 2)"
    return Check.near(what, 2, growth, 0.2)


def sample_kl_claim(apart: dict[str, Tensor], home: dict[str, Tensor]) -> Claim:
    repeats = apart["kl"].shape[-1]
    blind, least = apart["ignoring supports"].mean(-1), apart["kl"].min()
    warned = apart["warnings"] / repeats
    return Claim(
        id="seg-kl-samples",
        source="A4: KL is infinite as soon as supports part",
        statement="KL estimates from samples of parted segments do not converge: they grow "
        "with n, and must say that KL is infinite.",
        checks=[
            grows("theta = .5", apart),
            Check.at_least("smallest estimate that looks at the supports first", math.inf, least),
            Check.at_least("warnings per estimate, either way, theta = .5", 1, warned.min()),
            Check.near("estimate at theta = 0, n = 3000", 0, home["kl"][-1]),
        ],
        controls=[grows("theta = 0", home)],
        equation=r"\mathrm{KL}_{n} \approx d \log n + \mathrm{const}",
        n_seeds=repeats,
        note="Ignoring the supports it measures "
        + ", ".join(f"{v:.1f} at n = {n}" for n, v in zip(SIZES, blind.tolist(), strict=True))
        + ": a plausible number at each n, and wrong at all of them.",
    )
