r"""What cures the vanishing gradient: the Wasserstein objective, or the Lipschitz constraint?

A discriminator whose slope is limited measures neither JS nor W1, but something between that has a
closed form on the segments and a gradient (limited_slope, trained), and becomes either of the two
at the ends (family). What the gradient of W1 is worth: it has a kink where theta is home (kink),
and from minibatches it is biased (biased).

Sources: Zhou et al. 2019, arXiv 1902.05687; Qin et al. 2018, arXiv 1811.09567; Bellemare et al.
2017, arXiv 1705.10743.
"""

from __future__ import annotations

from dataclasses import dataclass

from scripts.arguments.lipschitz_js import biased, family, kink, trained
from scripts.lab.claims import Findings
from scripts.lab.jobs import CommonSettings, Job, Results


@dataclass(frozen=True)
class Settings(CommonSettings):
    """Lengths and repeats.

    Attributes:
        steps: Training steps of the discriminators.
        iterations: Of theta with a trained critic.
        repeats: Pairs of samples whose gradients are averaged.
    """

    steps: int = 400
    iterations: int = 150
    repeats: int = 100


PROFILES = {"quick": Settings(), "paper": Settings(steps=4000, iterations=400, repeats=2000)}


def experiments(settings: Settings) -> dict[str, Job]:
    seeds = settings.seeds
    return {
        "critic": Job(4, kink.through_a_critic, seeds, settings.iterations),
        "limited": Job(4, trained.limited, seeds, settings.steps),
        "family": Job(3, family.families, range(seeds)),
        "programs": Job(2, trained.programs),
        "unlimited": Job(1, trained.unlimited, seeds, settings.steps),
        "descents": Job(1, kink.descents, seeds),
        "enumerated": Job(1, biased.enumerated),
        "walks": Job(1, biased.walks, biased.WALKERS),
        **{
            f"scales {d} {n}": Job(1, biased.scales, settings.repeats, d, n)
            for d, n in biased.SHAPES
        },
    }


def judge(found: Results, settings: Settings) -> Findings:
    """Claims ``lipschitz-js``, ``lipschitz-limit``, ``seg-kink`` and ``biased-gradients``."""
    read, free, solved = found["limited"], found["unlimited"], found["programs"]
    scaled = {(d, n): found[f"scales {d} {n}"] for d, n in biased.SHAPES}
    return Findings(
        claims=[
            trained.claim(solved, read, free),
            family.claim(found["family"]),
            kink.claim(found["descents"], found["critic"]),
            biased.claim(found["enumerated"], found["walks"], scaled),
        ],
        figures={
            "lipschitz_js": family.of_the_family(read),
            "seg_kink": kink.paths(found["descents"], found["critic"]),
            "biased_gradients": biased.drawn(found["enumerated"], scaled),
        },
        tables={"lipschitz_js": trained.by_slope(solved, read, free)},
        data={"limited_slope": trained.for_the_slider(read)},
    )
