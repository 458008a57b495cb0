"""What to look at in each figure, by its name."""

CAPTIONS = {
    "biased_gradients": (
        "Left: the expected distance to m points; each dot is where it is least. Dots of W1 lie "
        "beside the true theta* = .3, those of the energy distance on it. Right: what is left "
        "of the bias."
    ),
    "binary_entropy": (
        "Left: the entropy of a coin is largest in the middle. Right: the loss of a guess; "
        "squares are the article's two guesses."
    ),
    "clipping": (
        "The gradient's size on its way back through the layers, on a log scale: a slope means "
        "that it grows or vanishes."
    ),
    "couplings": (
        "Four ways to move the same earth, each line a transport of probability. The cost "
        "stands above; only the last is W1."
    ),
    "critic_accuracy": (
        "Left: a critic's value, where 1 is right. Right: the direction of its gradient, where "
        "1 is right."
    ),
    "critic_budget": (
        "Both rise with training where a critic improves. Look for the one that does not: the "
        "clipped critic."
    ),
    "critic_training": (
        "Each marker is a critic; the height is how good its generator became. If better "
        "critics made better generators, the markers would rise to the right."
    ),
    "dirac": "Each path starts at the dot and should end at the cross. Circles never arrive.",
    "discriminator_vs_critic": (
        "Right, in the shaded region: the slope where the generated points are. That of the "
        "discriminator is almost 0 there, that of the critic is 1."
    ),
    "estimators_coverage": (
        "Each dot is one estimator on one pair of distributions. Inside or to the right of the "
        "band its intervals hold the truth often enough."
    ),
    "images_gradients": (
        "On a log scale: the gradient through a discriminator falls by decades, that through a "
        "critic under a penalty stays."
    ),
    "images_js_w1": (
        "Above: JS of pictures as they are made stays near the dashed ceiling; with noise it "
        "falls. Below: exact transport falls at once, and only the WGAN's own value with it."
    ),
    "information_asymmetry": (
        "Left: the two directions of KL differ. Right: in the shaded part a detour is shorter "
        "than the direct way, which a metric forbids."
    ),
    "information_losses": (
        "Left: the same batch, one change at a time, from the value by hand to PyTorch's. "
        "Right: two losses, whose difference stays constant."
    ),
    "information_measures": (
        "Left: the rarer, the more informative. Right: cross-entropy is above entropy, and "
        "touches it where Q = P."
    ),
    "lipschitz_js": (
        "Left: each colour is a limit L on the slope. Middle: times 4 / L the curves with small "
        "L approach W1, dashed. Right: their derivatives. Points are trained discriminators."
    ),
    "log_d_identity": (
        "Right: the dots, the gradient of the -log D loss, lie on the sum of the two lines of "
        "the left."
    ),
    "log_d_mode_dropping": (
        "Left: what it costs to drop a mode; right: what it costs to make points where no data "
        "are. One divergence hardly charges the first, the other hardly the second."
    ),
    "log_d_unstable": (
        "Left and middle: the curve of the -log D loss keeps rising, that of the critic levels "
        "off. Right: what a Cauchy law would show is the upper line."
    ),
    "minibatch_objectives": (
        "Circles: the modes. Points: what a generator makes after a short game, without a "
        "critic except in the panels called relativistic."
    ),
    "modes_grid": (
        "Left: how many of the 25 modes are kept over training. Right: the points at the end, "
        "with the modes as circles."
    ),
    "modes_ring": (
        "Left: how many of the 8 modes are kept over training. Right: the points at the end, "
        "with the modes as circles."
    ),
    "optimal_discriminator": (
        "Above: the trained discriminator lies on p / (p + q). Below: the error, largest where "
        "there are no points."
    ),
    "optimal_discriminator_finite_data": (
        "Both distributions are the same, so that the truth is 0. The upper curve is measured "
        "on the points trained on, the lower one on others."
    ),
    "optimal_discriminator_floor": (
        "Left: the distance between two samples of one law, which should be 0. Right: the "
        "straight line is the truth; subtracting the floor falls below it."
    ),
    "particle_flows": (
        "Above: particles start on the right and should reach the crosses. Below: how much of "
        "the distance is left over time."
    ),
    "practice_tracking": (
        "In each panel: does the green curve, the network's own value, fall with the blue one, "
        "the exact W1? And does the orange JS stay at the dotted log 2?"
    ),
    "seg_kink": (
        "Right: with a fixed step theta jumps to and fro by the step; left, the curves that "
        "keep falling converge."
    ),
    "seg_train_lipschitz": (
        "Left: theta over time beside the closed form, dashed. Right: the time it takes is "
        "least for a middling L."
    ),
    "segments": (
        "Above: JS is the same at every theta, however small, and W1 a straight line. Below: "
        "what a generator would follow. Gradients next to theta = 0 are large though JS is "
        "flat: they are what a discriminator leaves that is not yet at its optimum. It is given "
        "the points divided by their spread, so that in units of theta its slopes are divided "
        "by |theta|. The legend has what is divided: it falls with every further step, and is 0 "
        "at the optimum."
    ),
    "segments_constraints": (
        "Left: penalised critics lie on curves above W1, by a known amount. Right: clipped ones "
        "lie far below; crosses are corrected for their slope."
    ),
    "segments_gradient": (
        "The better the opponent is trained, the smaller the saturating gradient; that of the "
        "critic stays at 1."
    ),
    "segments_training": "Each line is a seed; theta should reach 0. Above: GANs. Below: WGANs.",
    "silence": (
        "Left: games that fail lose their pull. Right: the bar is the 95 % interval of the "
        "share of seeds that fail, the dot the share itself, beside the published one."
    ),
    "training": (
        "Two games at three of their iterations: the generated points, red, should reach the "
        "circles."
    ),
    "vanishing_gradient": (
        "Left: the gradient falls as the discriminator is trained, where the distributions do "
        "not overlap. Right: it stays where they do, or through a critic."
    ),
}
"""Each says where the eye should go; the claims say what was measured."""
