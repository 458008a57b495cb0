"""Real images: what JS, W1 and the losses show while digits of 8 x 8 pixels are learnt.

Fixed before the seeds that are judged were run, on other seeds: settings of the games, looks, and
what counts. JS "stays at its ceiling" where it is at least 90 % of what the same discriminator
finds on a pair whose JS is log 2, and "through most of training" is at half of the looks or more.
Transport falls "by at least a third" in every seed. A gradient falls "by orders of magnitude" if
by two decades or more. A value falls "with sample quality" if its rank correlation with exact
transport over all looks, from the generator's first step on, is at least .8 in the mean of seeds.
One game covers "more" if its mean difference over seeds is above the 99 % point of Student's t.
"""

import math
from typing import Any

from scipy.stats import t as student
from torch import Tensor

from scripts.arguments.images.digit_games import (
    NOISE,
    PLANE,
    Settings,
    disjoint,
    follow,
    gan,
    stacked,
    standing_still,
    wgan,
)
from scripts.arguments.images.plots import beside, gradients, samples
from scripts.arguments.vanishing_gradient import ORDERS, fallen
from scripts.lab.claims import FAILS, Check, Claim, Findings, over_seeds
from scripts.lab.fixed_generator import looks
from scripts.lab.jobs import Job, Results
from scripts.lab.training_monitors import spearman

SEEDS = 5  # at least
FIRST = 10
"""Seeds below were looked at while settings were chosen."""
AT_CEILING, MOST, THIRD, TRACKS, SURE = 0.9, 0.5, 1 / 3, 0.8, 0.99
WGAN_LP, GAN = "WGAN-LP", "GAN, -log D"
EPOCHS = (1, 10, 25)
FULL, ONE, USUAL = STACKED = "relativistic, R1 + R2", "relativistic, R1", "non-saturating"
PROFILES = {
    "quick": Settings(),
    "paper": Settings(
        iterations=5000, gan_iterations=10_000, count=20, fresh_steps=1000, transported=800,
        steps=4000, stacked=20_000, counted=26_000, channels=(64, 32), hidden=(256, 256),
    ),
}  # fmt: skip


def experiments(settings: Settings) -> dict[str, Job]:
    seeds = range(FIRST, FIRST + max(settings.seeds, SEEDS))
    return {
        WGAN_LP: Job(60, follow, wgan, settings.iterations, seeds, settings),
        GAN: Job(50, follow, gan, settings.gan_iterations, seeds, settings),
        "disjoint": Job(2, disjoint, seeds, settings),
        **{name: Job(12, stacked, name, seeds, settings) for name in STACKED},
        **{still(epochs): Job(15, standing_still, epochs, seeds, settings) for epochs in EPOCHS},
    }


def still(epochs: int) -> str:
    return f"after {epochs} epoch{'s' if epochs > 1 else ''}"


def judge(results: Results, settings: Settings) -> Findings:
    """Claims ``images-js-w1``, ``images-vanishing``, ``images-loss-tracks``, ``images-modes``."""
    games = {name: results[name] for name in (WGAN_LP, GAN)}
    standing = {still(epochs): results[still(epochs)] for epochs in EPOCHS}
    ceiling = float(results["disjoint"]["js"].mean())
    return Findings(
        claims=[
            flat_claim(games, results["disjoint"], ceiling),
            vanishing_claim(standing),
            tracking_claim(games),
            modes_claim(results),
        ],
        figures={
            "images_js_w1": beside(games, ceiling),
            "images_gradients": gradients(standing, looks(settings.steps, settings.looks)),
            "images_samples": samples(games),
        },
        tables={"images": by_look(games), "images_quality": quality(games)},
    )


def at_ceiling(what: str, js: Tensor, ceiling: float) -> tuple[str, float, Tensor]:
    share = (js >= AT_CEILING * ceiling).double().mean(-1)
    return (
        f"{what}: share of looks with JS at {AT_CEILING:.0%} of its ceiling or more",
        MOST,
        share,
    )


def stays(what: str, js: Tensor, ceiling: float) -> Check:
    return Check.at_least(*at_ceiling(what, js, ceiling))


def leaves(what: str, js: Tensor, ceiling: float) -> Check:
    """The same where noise on both sides makes the laws overlap, so that JS falls as well."""
    return Check.at_most(*at_ceiling(what, js, ceiling))


def falls(name: str, transport: Tensor) -> Check:
    fall = 1 - transport[:, -1] / transport[:, 0]
    return Check.all_at_least(f"{name}: fall of exact transport, least of seeds", THIRD, fall)


def flat_claim(games: dict[str, Any], pair: dict[str, Tensor], ceiling: float) -> Claim:
    last = {name: run["js_rounded"][:, -1] / ceiling for name, run in games.items()}
    noise = f"noise of {NOISE:g} on both sides"
    return Claim(
        id="images-js-w1",
        source="Arjovsky, Chintala & Bottou 2017, arXiv 1701.07875, Section 2; on images: ours",
        statement="While digits are learnt, JS of generated and real ones stays at its ceiling "
        "through most of training, and exact transport between them falls by at least a third.",
        expected=FAILS,
        equation=r"\mathrm{JS}(P_r, P_g) = \log 2 \text{ where supports are disjoint}",
        checks=[
            *[stays(name, run["js"], ceiling) for name, run in games.items()],
            *[falls(name, run["transport"]) for name, run in games.items()],
            leaves(f"digits and their projections, {noise}", pair["js_noisy"][:, None], ceiling),
            *[leaves(f"{name}, {noise}", run["js_noisy"], ceiling) for name, run in games.items()],
        ],
        controls=[stays("digits and their projections", pair["js"][:, None], ceiling)],
        limits=[
            Check.at_most(
                f"{name}, rounded to grey levels: JS at the end over its ceiling",
                AT_CEILING,
                last[name],
            )
            for name in games
        ],
        n_seeds=len(games[GAN]["js"]),
        figure="images_js_w1",
        note=f"At the end {at_the_end(games, ceiling)}. "
        f"The ceiling of a discriminator that is judged on 898 pictures, {ceiling:.3f} nats, "
        f"is what it finds between digits and their projections to {PLANE} dimensions, whose JS "
        "is log 2 = .693. Dequantised digits have a density and what a generator makes of 32 "
        "numbers has none, so JS of pictures as they are made is log 2 all along. Rounded to grey "
        "levels, as a file holds them, both laws have atoms: at the end "
        f"{float(last[WGAN_LP].mean()):.2f} ({WGAN_LP}) and {float(last[GAN].mean()):.2f} ({GAN}) "
        "of the ceiling are found.",
    )


def at_the_end(games: dict[str, Any], ceiling: float) -> str:
    """How far JS is below its ceiling, and transport below its start, in each game."""
    ends = {
        name: (run["js"][:, -1] / ceiling, 1 - run["transport"][:, -1] / run["transport"][:, 0])
        for name, run in games.items()
    }
    return " and ".join(
        f"JS is at {float(js.mean()):.0%} of its ceiling and transport has fallen by "
        f"{float(fall.mean()):.0%} ({name})"
        for name, (js, fall) in ends.items()
    )


def vanishing_claim(standing: dict[str, Any]) -> Claim:
    what = "decades from its peak to the last step, geometric mean of seeds"
    *earlier, last = standing
    return Claim(
        id="images-vanishing",
        source="Arjovsky & Bottou 2017, arXiv 1701.04862, Figure 2, scaled down",
        statement="With the generator of digits fixed after 1, 10 and 25 epochs, the gradient of "
        "the saturating loss falls by orders of magnitude as a discriminator trains.",
        expected=FAILS,
        equation=r"\| \nabla_\theta E_z \log(1 - D(g_\theta(z))) \| \to 0",
        checks=[
            Check.at_least(f"{last}: {what}", ORDERS, fallen(standing[last]["discriminator"])),
            *[
                Check.at_most(f"critic, {name}: {what}", ORDERS, fallen(run["critic"]))
                for name, run in standing.items()
            ],
        ],
        controls=[
            Check.at_least(f"{name}: {what}", ORDERS, fallen(standing[name]["discriminator"]))
            for name in earlier
        ],
        n_seeds=len(next(iter(standing.values()))["critic"]),
        figure="images_gradients",
        note="Decades that it falls by, through a discriminator and through a critic: "
        + "; ".join(
            f"{name} {float(fallen(run['discriminator']).mean()):.1f} and "
            f"{float(fallen(run['critic']).mean()):.1f}"
            for name, run in standing.items()
        )
        + ". A better generator is harder to tell from digits in the steps given. An epoch is 15 "
        "minibatches of 64 of the 899 digits of training; the critic is under a one-sided penalty "
        "of weight 10.",
    )


def tracks(name: str, own: Tensor, quality: Tensor, what: str) -> Check:
    rho = spearman(own, quality)
    return Check.at_least(
        f"{name}: Spearman correlation of {what} over training, mean of seeds", TRACKS, rho
    )


def tracking_claim(games: dict[str, Any]) -> Claim:
    critic, discriminator = games[WGAN_LP], games[GAN]
    raw, excess = "its own value with exact W1", "its own value with the excess of exact W1"
    smoothed = "JS with noise on both sides with the excess of exact W1"
    training = "its own value on digits of training with exact W1"
    return Claim(
        id="images-loss-tracks",
        source="Arjovsky, Chintala & Bottou 2017, arXiv 1701.07875, Figures 3 and 4",
        statement="While digits are learnt, the value of a WGAN's critic falls with exact "
        "transport; what a GAN's discriminator measures does not.",
        expected=FAILS,
        checks=[
            tracks(WGAN_LP, critic["own"], critic["transport"], raw),
            tracks(WGAN_LP, critic["own"], critic["excess"], excess),
            *[
                Check.at_most(
                    f"{GAN}: Spearman correlation of {what} over training, mean of seeds",
                    TRACKS,
                    spearman(discriminator["own"], quality),
                )
                for what, quality in (
                    (raw, discriminator["transport"]),
                    (excess, discriminator["excess"]),
                )
            ],
        ],
        controls=[tracks(GAN, discriminator["js_noisy"], discriminator["excess"], smoothed)],
        limits=[
            Check.at_most(
                f"{WGAN_LP}: Spearman correlation of {training}, mean of seeds",
                TRACKS,
                spearman(critic["own_training"], critic["transport"]),
            )
        ],
        equation=r"\max_{\|f\|_L \le 1} E_{P_r}[f] - E_{P_g}[f] = W_1(P_r, P_g)",
        n_seeds=len(critic["js"]),
        figure="images_js_w1",
        note="The correlation with exact W1 rests on the looks after most of the fall, which "
        "differ by little more than their spread. It is "
        f"{float(spearman(critic['own'], critic['transport']).mean()):.2f} for the critic's value "
        "on held-out digits, of a critic with 100 steps before the generator's first, and "
        f"{float(spearman(critic['own_training'], critic['transport']).mean()):.2f} on the 899 "
        "digits that it is trained on. The excess of exact transport is what is left without "
        "half of that between two samples of either law, since transport between samples is too "
        "long, and the longer the wider they spread.",
    )


def more(what: str, first: Tensor, second: Tensor) -> Check:
    """Whether a game covers more: Student's t of the paired differences over seeds."""
    mean, error = over_seeds(first - second)
    least = float(student.ppf(SURE, len(first) - 1))
    covers = mean / error if error else math.copysign(math.inf, mean) if mean else 0.0
    return Check.at_least(f"{what}: mean difference over its standard error", least, covers)


def modes_claim(seen: Results) -> Claim:
    modes = {name: seen[name]["modes"] for name in STACKED}
    counts = ", ".join(f"{float(found.mean()):.0f} ({name})" for name, found in modes.items())
    share = ", ".join(f"{float(seen[name]['recognised'].mean()):.0%}" for name in STACKED)
    return Claim(
        id="images-modes",
        source="Huang et al. 2025, arXiv 2501.05441: 1000 modes with R1 and R2, 693 for a GAN "
        "with both, and failures with R1 alone, on 28 x 28 pixels",
        statement="On stacked digits the relativistic loss with R1 and R2 covers more of the "
        "1,000 combinations than with R1 alone and than the non-saturating loss.",
        checks=[
            more(f"{FULL} against {ONE}", modes[FULL], modes[ONE]),
            more(f"{FULL} against {USUAL}", modes[FULL], modes[USUAL]),
        ],
        controls=[more(f"{FULL} against itself on other noise", modes[FULL], seen[FULL]["again"])],
        equation=r"E\,\mathrm{softplus}(f(y) - f(x)) + \tfrac\gamma2 E\|\nabla f(x)\|^2 + "
        r"\tfrac\gamma2 E\|\nabla f(y)\|^2",
        n_seeds=len(modes[FULL]),
        note=f"Combinations among generated pictures: {counts}. The classifier takes any picture "
        f"for digits; so many have three digits that score as 95 % of held-out ones do: {share}. "
        "Perceptrons and digits of 8 x 8 pixels; the published networks, sizes and lengths could "
        "not be run here.",
    )


def by_look(games: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per game and look: means over seeds."""
    keys = ("own", "own_training", "transport", "excess", "js", "js_rounded", "js_noisy")
    return [
        {"game": name, "iteration": at} | {key: float(run[key][:, i].mean()) for key in keys}
        for name, run in games.items()
        for i, at in enumerate(run["iterations"])
    ]


def quality(games: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per game, at its end: means over seeds."""
    keys = ("precision", "recall", "copies")
    return [
        {"game": name} | {key: float(run[key].mean()) for key in keys}
        for name, run in games.items()
    ]
