r"""What cures the vanishing gradient: the Wasserstein objective, or the Lipschitz constraint?

A discriminator whose slope is limited measures neither JS nor W1, but something between that has a
closed form on the segments and a gradient (limited_slope, trained), and becomes either of the two
at the ends (family). Training against it takes as long as the closed form says (limited_training).
What the gradient of W1 is worth: it has a kink where theta is 0 (kink), and from minibatches it
is biased (biased).

Sources: Zhou et al. 2019, arXiv 1902.05687; Qin et al. 2018, arXiv 1811.09567; Bellemare et al.
2017, arXiv 1705.10743.
"""

from dataclasses import dataclass

from scripts.arguments.lipschitz_js import biased, family, kink, limited_training, trained
from scripts.lab.claims import Findings
from scripts.lab.jobs import CommonSettings, Job, Results


@dataclass(frozen=True)
class Settings(CommonSettings):
    """Lengths and repeats.

    Attributes:
        steps: Training steps of the discriminators.
        iterations: Of theta with a trained critic.
        repeats: Pairs of samples whose gradients are averaged.
        warmup: Steps of the discriminators before theta moves.
        moves: Iterations of theta with a discriminator of limited slope.
    """

    steps: int = 400
    iterations: int = 150
    repeats: int = 100
    warmup: int = 500
    moves: int = limited_training.ITERATIONS


PROFILES = {"quick": Settings(), "paper": Settings(steps=4000, iterations=400, repeats=2000)}


def experiments(settings: Settings) -> dict[str, Job]:
    seeds = settings.seeds
    return {
        "critic": Job(4, kink.through_a_critic, seeds, settings.iterations),
        "limited": Job(4, trained.limited, seeds, settings.steps),
        "limited walks": Job(
            8, limited_training.limited_walks, seeds, settings.warmup, settings.moves
        ),
        "free walks": Job(3, limited_training.free_walks, seeds, settings.warmup, settings.moves),
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
    """Claims on JS under a limited slope, on the kink of W1 and on biased gradients."""
    walks = found["limited walks"], found["free walks"]
    read, free, solved = found["limited"], found["unlimited"], found["programs"]
    scaled = {(d, n): found[f"scales {d} {n}"] for d, n in biased.SHAPES}
    return Findings(
        claims=[
            trained.claim(solved, read, free),
            family.claim(found["family"]),
            limited_training.claim(*walks),
            kink.claim(found["descents"], found["critic"]),
            biased.claim(found["enumerated"], found["walks"], scaled),
        ],
        figures={
            "lipschitz_js": family.of_the_family(read),
            "seg_train_lipschitz": limited_training.drawn(*walks),
            "seg_kink": kink.paths(found["descents"], found["critic"]),
            "biased_gradients": biased.drawn(found["enumerated"], scaled),
        },
        tables={
            "lipschitz_js": trained.by_slope(solved, read, free),
            "seg_train_lipschitz": limited_training.by_limit(walks[0]),
        },
        data={"limited_slope": trained.for_the_slider(read)},
    )
