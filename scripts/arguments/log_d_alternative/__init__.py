r"""The -log D loss: a gradient that stays, at a price.

Instead of the saturating loss E log(1 - D) a generator can minimise E[-log D]. At the optimal
discriminator its gradient is that of KL(Pg||Pr) - 2 JS: one term pulls the laws together, the
other pushes them apart (identity). It does not vanish as the discriminator trains but grows, and
the more so from minibatch to minibatch (instability). And what it descends barely penalises a mode
that is missing, while it charges points where there are no data without bound (dropped_modes).

Source: Towards Principled Methods for Training Generative Adversarial Networks (Arjovsky &
Bottou, 2017), Section 2.2.2.
"""

from scripts.arguments.log_d_alternative import dropped_modes, identity, instability
from scripts.arguments.log_d_alternative.instability import Settings

PROFILES = {
    "quick": Settings(),
    "paper": Settings(
        steps=20_000, generators=5, discriminators=100, others=20, minibatches=64, looks=30
    ),
}
PARTS = (identity, instability, dropped_modes)
