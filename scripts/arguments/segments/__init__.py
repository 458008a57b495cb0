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
from scripts.arguments.segments.common import Settings

PROFILES = {"quick": Settings(), "paper": Settings(steps=4000, followed=10000, iterations=2000)}
PARTS = (distances, constraints, generator_gradients, trained_theta)
