r"""Two parallel segments: every divergence jumps, one distance falls smoothly to zero.

P_0 is uniform on the unit segment at x = 0, P_theta on its copy at x = theta. For every
theta != 0, KL is infinite both ways, JS is log 2 and total variation 1; W1 is |theta|. What is
measured: whether trained discriminators, critics and sample estimators find those numbers
(distances), what a penalty or clipping makes a critic read instead (constraints), what each tells
a generator (generator_gradients), and where a generator with the single parameter theta ends up
(trained_theta).

Source: Wasserstein GAN (Arjovsky et al., 2017), Example 1 and Figure 1.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from scripts.arguments.segments import constraints, distances, generator_gradients, trained_theta
from scripts.arguments.segments.common import PROFILES, Settings
from scripts.lab.claims import Findings
from scripts.lab.jobs import Lab

__all__ = ["PROFILES", "Settings", "run"]


def run(lab: Lab, settings: Settings) -> Findings:
    """All ``seg-*`` claims; the parts submit their experiments together and wait side by side."""
    parts = (
        trained_theta,
        distances,
        constraints,
        generator_gradients,
    )  # longest first
    with ThreadPoolExecutor(len(parts)) as threads:
        found = list(threads.map(lambda part: part.run(lab, settings), parts))
    return Findings.merged([*found[1:], found[0]])
