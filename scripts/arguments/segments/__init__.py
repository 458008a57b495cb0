r"""Two parallel segments: every divergence jumps, one distance falls smoothly to zero.

P_0 is uniform on the unit segment at x = 0, P_theta on its copy at x = theta. For every
theta != 0, KL is infinite both ways, JS is log 2 and total variation 1; W1 is |theta|. What is
measured: whether trained discriminators, critics and sample estimators find those numbers
(distances), what a penalty or clipping makes a critic read instead (constraints), what each tells
a generator (generator_gradients), and where a generator with the single parameter theta ends up
(trained_theta).

Source: Wasserstein GAN (Arjovsky et al., 2017), Example 1 and Figure 1.
"""

from scripts.arguments.segments import constraints, distances, generator_gradients, trained_theta
from scripts.arguments.segments.common import PROFILES, Settings
from scripts.lab.claims import Findings
from scripts.lab.jobs import Job, Results

__all__ = ["PROFILES", "Settings", "experiments", "judge"]


def experiments(settings: Settings) -> dict[str, Job]:
    """The longest first."""
    return {
        **trained_theta.experiments(settings),
        **distances.experiments(settings),
        **constraints.experiments(settings),
        **generator_gradients.experiments(settings),
    }


def judge(results: Results, settings: Settings) -> Findings:
    """All ``seg-*`` claims."""
    return Findings.merged(
        [
            distances.judge(results),
            constraints.judge(results, settings),
            generator_gradients.judge(results),
            trained_theta.judge(results),
        ]
    )
