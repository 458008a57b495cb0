"""Claim ``particle-flows``: which flows bring particles to where the data are."""

from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from divergences import Streams
from divergences.discrete import js_divergence
from scripts.arguments.lipschitz_js.limited_slope import program
from scripts.arguments.lipschitz_js.limited_training import theta_at
from scripts.arguments.particle_flows import atoms
from scripts.arguments.particle_flows import laws_on_a_line as line
from scripts.arguments.particle_flows.generator_steps import along_random_fields
from scripts.lab.claims import Check, Claim

SLOPE, STEEP, WIDE, NARROW = 2.0, 40.0, 1.0, 0.1
FLOWS: dict[str, atoms.Field] = {
    "JS": atoms.js_field,
    "W1": atoms.descent(atoms.w1),
    "MMD, width 1": atoms.descent(atoms.mmd(WIDE)),
    "JS_L, L = 2": atoms.limited_field(SLOPE),
}
STUCK: dict[str, atoms.Field] = {
    "MMD, width .1": atoms.descent(atoms.mmd(NARROW)),
    "JS_L, L = 40": atoms.limited_field(STEEP),
}
"""The same with a kernel that is too narrow and a slope that is too large for the distance."""
PARTICLES, STEP, STEPS = 8, 0.05, 64
THICK, THIN = 0.5, 0.05
"""Standard deviations of segments with a thickness: they overlap, and they hardly do."""
ON_LINE, LINE_STEPS, CELLS = 24, 200, 48
LATTICE = 41  # points of the line on which JS under a limited slope is compared with JS
ARRIVED, STAYED = 0.1, 0.99
"""Shares of the distance at the start that are left."""


def on_segments(seeds: int) -> dict[str, Tensor]:
    """Paths from a segment to another one 1 apart, ``(seeds, steps + 1, particles, 2)``."""
    heights = Streams(range(seeds), "heights", dtype=torch.float64).rand(PARTICLES)
    paths: dict[str, list[Tensor]] = {name: [] for name in FLOWS | STUCK}
    for height in heights:
        home = torch.stack([torch.zeros_like(height), height], -1)
        start = torch.stack([torch.ones_like(height), height], -1)
        for name, field in (FLOWS | STUCK).items():
            paths[name].append(atoms.followed(field, home, start, STEP, STEPS))
    return {name: torch.stack(found) for name, found in paths.items()}


def overlapping() -> dict[str, Tensor]:
    """Paths across segments of thickness .5: ``(steps + 1, particles)`` on the line.

    JS and KL move laws that have densities; the others move as many quantiles.
    """
    home, away = line.normal(0, THICK), line.normal(1, THICK)
    times = STEP * torch.arange(LINE_STEPS + 1, dtype=torch.float64)
    knots = line.knots_of(away, CELLS)
    found = {
        "JS": line.flow(line.js, knots, home, times),
        "KL": line.flow(line.kl, knots, home, times),
    }
    x, y = (line.knots_of(one, ON_LINE - 1)[:, None] for one in (home, away))
    for name in ("W1", "MMD, width 1"):
        found[name] = atoms.followed(FLOWS[name], x, y, STEP, LINE_STEPS)[..., 0]
    return found


def limited_and_not(share: float) -> Tensor:
    """JS_L less JS of both thick segments on a lattice, for L a share of the slope of log p/q.

    That slope is theta over the variance everywhere.
    """
    points = torch.linspace(-2, 3, LATTICE, dtype=torch.float64)
    p, q = (line.normal(mean, THICK).log_prob(points).softmax(0) for mean in (0, 1))
    low, high = program(points[:, None].numpy(), p.numpy(), q.numpy(), share / THICK**2)
    return (low + high) / 2 - js_divergence(p, q)


def thin() -> Tensor:
    """Largest speed of the flow of JS between segments that hardly overlap."""
    knots = line.knots_of(line.normal(1, THIN), CELLS)
    return line.velocity(line.js, knots, line.normal(0, THIN)).abs().max()


def left_on_segments(path: Tensor) -> Tensor:
    """W1 to the target over what it was, over time, ``(steps + 1,)``, of one seed."""
    home = path[0] - torch.tensor([1.0, 0.0], dtype=path.dtype)
    apart = torch.cdist(path, home.expand_as(path)).numpy()
    matched = [linear_sum_assignment(costs) for costs in apart]
    pairs = zip(apart, matched, strict=True)
    return torch.tensor([costs[match].mean() for costs, match in pairs], dtype=path.dtype)


def left_on_line(path: Tensor) -> Tensor:
    """The same on the line: the points of both sides are matched in order."""
    home = line.knots_of(line.normal(0, THICK), path.shape[-1] - 1)
    apart = ((path - home).abs() * line.mass(home)).sum(-1)
    return apart / apart[0]


def measured(seeds: int) -> dict[str, Any]:
    """All paths, and what is left of the distance at the end of each."""
    segments, across = on_segments(seeds), overlapping()
    return {
        "segments": segments,
        "line": across,
        "left": {
            name: torch.stack([left_on_segments(path) for path in paths])
            for name, paths in segments.items()
        },
        "left on line": {name: left_on_line(path) for name, path in across.items()},
        "thin": thin(),
        "limited": {share: limited_and_not(share) for share in (1.0, 0.5)},
        "fields": along_random_fields(seeds),
    }


def arrives(who: str, left: Tensor) -> Check:
    """Of the distance at the start, per seed or one number."""
    what = f"{who}: W1 left at the end / at the start, most of the seeds"
    return Check.all_at_most(what, ARRIVED, left)


def stays(who: str, left: Tensor) -> Check:
    what = f"{who}: W1 left at the end / at the start, least of the seeds"
    return Check.all_at_least(what, STAYED, left)


def claim(found: dict[str, Any]) -> Claim:
    left, on_line = found["left"], found["left on line"]
    ends = {name: shares[:, -1] for name, shares in left.items()}
    times = STEP * torch.arange(STEPS + 1, dtype=torch.float64)
    paths = found["segments"]["JS_L, L = 2"][..., 0]
    late = (paths.mean(-1) - theta_at(times, 1.0, SLOPE)).abs().max()
    knots = found["line"]["KL"]
    means = (knots * line.mass(knots[0])).sum(-1)
    clock = STEP * torch.arange(len(means), dtype=torch.float64)
    decay = (means - means[0] * (-clock / THICK**2).exp()).abs().max()
    fields = found["fields"]

    def on_lattice(which: str, share: float) -> Check:
        what = f"thickness .5: JS_L less JS on a lattice, {which}"
        return Check.near(what, 0, found["limited"][share], 1e-8)

    def along_fields(which: str, predicted: Tensor) -> Check:
        what = f"derivative of JS along random fields, {which}"
        return Check.zero(what, fields["measured"] - predicted, 1e-9)

    return Claim(
        id="particle-flows",
        source="Yi, Zhu & Xu 2023, arXiv 2302.01075, Theorem 3.2; Glaser, Arbel & Gretton 2021, "
        "arXiv 2106.08929, on flows between disjoint supports",
        statement="Particles that follow the exact gradient flow of JS do not move between "
        "segments; those of W1, of MMD with a wide kernel and of JS under a limited slope arrive. "
        "Between laws that overlap all arrive; JS under a limit that log p/q keeps is JS itself.",
        checks=[
            stays("segments, JS", ends["JS"]),
            *(arrives(f"segments, {name}", ends[name]) for name in FLOWS if name != "JS"),
            Check.at_most("segments of thickness .05, JS: largest speed", 1e-30, found["thin"]),
            *(arrives(f"thickness .5, {n}", on_line[n][-1]) for n in on_line if n != "KL"),
            on_lattice("L the slope of log p/q", 1.0),
            Check.near(
                "segments, JS_L: mean x of particles, farthest from the closed form", 0, late, 0.03
            ),
            Check.near("thickness .5, KL: mean, farthest from exp(-t / variance)", 0, decay, 1e-5),
            along_fields("farthest from that of the velocities", fields["predicted"]),
        ],
        controls=[
            arrives("segments, JS", ends["JS"]),
            on_lattice("L half the slope of log p/q", 0.5),
            *(arrives(f"segments, {name}", ends[name]) for name in STUCK),
            stays("segments, W1", ends["W1"]),
            stays("thickness .5, JS", on_line["JS"][-1]),
            along_fields("from twice that of the velocities", 2 * fields["predicted"]),
        ],
        equation=r"\dot x = -\nabla \frac{\delta F}{\delta q}(x), \qquad F = \mathrm{JS}: \quad "
        r"\dot x = \frac 12 \sigma(f(x)) \nabla f(x), \quad f = \log \frac pq",
        n_seeds=len(ends["JS"]),
        figure="particle_flows",
        note="What arrives on segments does so by its reach: a kernel of width .1 or a slope of "
        "L = 40 is as blind at distance 1 as JS is, and leaves "
        + " and ".join(f"{ends[name].mean():.3f}" for name in STUCK)
        + " of the distance. With the kernel of width 1 the flow slows down near the target: "
        f"{ends['MMD, width 1'].mean():.3f} is left. Under W1 particles end up jumping "
        f"by the step, {STEP:g}.",
    )


def table(found: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per flow: what is left of the distance on segments, and across thick ones."""
    on_line = found["left on line"]
    return [
        {
            "flow": name,
            "left_on_segments": float(shares[:, -1].mean()),
            "left_across_thick_segments": float(on_line[name][-1]) if name in on_line else "",
        }
        for name, shares in found["left"].items()
    ]
