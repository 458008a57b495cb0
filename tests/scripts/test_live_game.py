"""The game that trains in the page takes the library's steps, and measures what it says."""

from functools import partial

import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch.optim import SGD, Adam

from divergences.networks.constraint import Unconstrained
from divergences.networks.gradient_penalty import LipschitzPenalty
from divergences.networks.layers import MLP
from divergences.networks.weight_constraints import SpectralNorm, WeightClipping
from divergences.random_streams import Streams
from divergences.samples.ross import RossJS
from gans.modules import VanillaGAN
from gans.monitors import AdversarialGame, descent_at
from gans.networks import NoiseGenerator, SegmentGenerator
from gans.objectives import NonSaturating, Saturating, Wasserstein
from gans.targets import ParallelSegments, Ring
from scripts.report.live_game import worker_source

N, CRITIC_STEPS, ITERATIONS = 16, 2, 2
OBJECTIVES = {
    "saturating": Saturating,
    "nonSaturating": NonSaturating,
    "wasserstein": Wasserstein,
}
CONSTRAINTS = {
    "none": Unconstrained,
    "clipping": partial(WeightClipping, 0.01),
    "penalty": LipschitzPenalty,
    "spectral": SpectralNorm,
}
HIDDEN = (32, 32)
TOLERANCE = 1e-5  # of largest singular values, which the page iterates for
GAMES = {
    "segments": (ParallelSegments(0.0), SegmentGenerator, partial(SGD, lr=0.05)),
    "ring": (
        Ring(scale=0.05),
        partial(NoiseGenerator, hidden=HIDDEN),
        partial(Adam, lr=1e-3, betas=(0.0, 0.9)),
    ),
}
CASES = [
    (game, objective, constraint)
    for game in GAMES
    for objective in OBJECTIVES
    for constraint in CONSTRAINTS
    if (objective, constraint) != ("wasserstein", "none")
]
STEPS = """
const array = (numbers) => Float64Array.from(numbers);
function load(network, { weights, biases }) {
  network.used = network.weights = weights.map(array);
  network.biases = biases.map(array);
}
return arguments[0].map((given) => {
  const trainer = new Trainer(given.settings);
  load(trainer.critic, given.critic);
  if (given.left) trainer.constraint.left = given.left.map(array);
  if (given.generator.theta) trainer.game.theta = array(given.generator.theta);
  else load(trainer.game.network, given.generator);
  for (const { critic, noise } of given.iterations) {
    for (const step of critic) trainer.criticStep(...step.map(array));
    trainer.generatorStep(array(noise));
  }
  trainer.constraint.settle(trainer.critic);
  const [real, fake] = [given.real, given.fake].map(array);
  return {
    critic: trainer.critic.parameters.map((values) => [...values]),
    generator: trainer.game.parameters.map((values) => [...values]),
    descent: [...trainer.descent(fake)],
    own: trainer.objective.value(trainer.scores(real), trainer.scores(fake)),
  };
});
"""


def flat(tensor):
    return tensor.detach().double().flatten().tolist()


def layers(network):
    return [layer for layer in network if hasattr(layer, "bias")]


def raw(layer):
    """The weight that is trained, which a constraint may divide."""
    divided = getattr(layer, "parametrizations", None)
    return layer.weight if divided is None else divided.weight.original


def parameters(network):
    return {
        "weights": [flat(raw(layer)) for layer in layers(network)],
        "biases": [flat(layer.bias) for layer in layers(network)],
    }


def played(game, objective, constraint):
    """What the page is given, and the module after the same steps."""
    target, generator, generator_optimizer = GAMES[game]
    module = VanillaGAN(
        target=target,
        objective=OBJECTIVES[objective](),
        constraint=CONSTRAINTS[constraint](),
        generator=generator,
        critic=partial(MLP, hidden=HIDDEN),
        generator_optimizer=generator_optimizer,
        critic_optimizer=partial(Adam, lr=1e-3, betas=(0.0, 0.9)),
        batch_size=N,
        seeds=(0,),
    ).double()
    module.streams.dtype = torch.float64
    mirror = Streams((0,), dtype=torch.float64)  # draws what the module draws
    points = Streams((0,), "points", dtype=torch.float64)
    rates = {"criticRate": 1e-3, "generatorRate": generator_optimizer.keywords["lr"]}
    settings = {"game": game, "objective": objective, "constraint": constraint, "seed": 0}
    given = {
        "settings": settings | rates,
        "critic": parameters(module.critic),
        "generator": {"theta": flat(module.generator.theta)}
        if game == "segments"
        else parameters(module.generator.network),
        "iterations": [],
    }
    if constraint == "spectral":
        given["left"] = [flat(x.parametrizations.weight[0].left) for x in layers(module.critic)]
    for_critic, for_generator = module.configure_optimizers()
    for _ in range(ITERATIONS):
        steps = []
        for _ in range(CRITIC_STEPS):
            real, fake = target.draw(points, N).double(), module.generator.draw(points, N).detach()
            epsilon = mirror.rand(N, 1) if constraint == "penalty" else torch.full((N,), 0.5)
            module.critic_step(for_critic, real, fake)
            steps.append([flat(real), flat(fake), flat(epsilon)])
        noise = module.generator.noise(mirror, N)
        module.generator_step(for_generator)
        given["iterations"].append({"critic": steps, "noise": flat(noise)})
    real, fake = target.draw(points, N).double(), module.generator.draw(points, N).detach()
    given |= {"real": flat(real), "fake": flat(fake)}
    return given, module, real, fake


def test_its_steps_are_those_of_the_library(chromium):
    """22 games: weights after steps of both players, from the same weights and points."""
    chromium.get("about:blank")
    all_played = [played(*case) for case in CASES]
    found = chromium.execute_script(
        str(worker_source()) + STEPS, [given for given, *_ in all_played]
    )
    for case, (given, module, real, fake), page in zip(CASES, all_played, found, strict=True):
        critic, network = layers(module.critic), module.generator
        own = [raw(layer) for layer in critic] + [layer.bias for layer in critic]
        made = layers(network.network) if case[0] == "ring" else []
        its = [raw(x) for x in made] + [x.bias for x in made] or [network.theta]
        for expected, values in [
            *zip(own, page["critic"], strict=True),
            *zip(its, page["generator"], strict=True),
        ]:
            assert values == pytest.approx(flat(expected), abs=1e-8), case
        moved = max(
            abs(a - b)
            for before, after in zip(given["critic"]["weights"], page["critic"], strict=False)
            for a, b in zip(before, after, strict=True)
        )
        assert moved > 1e-3, case  # or nothing would have been compared
        module.critic.eval()
        pull = descent_at(AdversarialGame(module), fake)
        assert page["descent"] == pytest.approx(flat(pull), abs=TOLERANCE), case
        with torch.no_grad():
            value = module.objective.estimate(module.scores(real), module.scores(fake)).value
        assert page["own"] == pytest.approx(float(value), abs=TOLERANCE), case


def test_its_distances_are_those_between_the_points(chromium):
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1, 100, 2, generator=draw, dtype=torch.float64)
    y = 0.7 * torch.randn(1, 100, 2, generator=draw, dtype=torch.float64) + 0.5
    chromium.get("about:blank")
    measure = """
      const [x, y] = [...arguments].map((numbers) => Float64Array.from(numbers));
      return [transportCost(x, y), transportCost(y, x), neighboursJS(x, y), neighboursJS(y, x)];"""
    w1, back, js, same = chromium.execute_script(str(worker_source()) + measure, flat(x), flat(y))
    costs = cdist(x[0], y[0])
    assert w1 == pytest.approx(costs[linear_sum_assignment(costs)].mean(), abs=1e-12)
    assert back == pytest.approx(w1, abs=1e-12)
    assert same == pytest.approx(js, abs=1e-12)
    estimate = RossJS(k=3)(x, y)
    assert js == pytest.approx(float(estimate.value), abs=2 * float(estimate.stderr))


def test_a_seed_gives_the_same_game_and_looking_changes_nothing(chromium):
    chromium.get("about:blank")
    play = """
      const settings = { game: "ring", objective: "wasserstein", constraint: "penalty",
        criticRate: 0.001, generatorRate: 0.001, nCritic: 2, warmup: 1, seed: arguments[0] };
      const play = (look) => {
        const trainer = new Trainer(settings);
        trainer.warmUp();
        for (let i = 0; i < 3; i += 1) {
          trainer.iterate();
          if (look) trainer.frame();
        }
        return [...trainer.game.network.weights[0]];
      };
      return [play(false), play(true)];"""
    once, looked = chromium.execute_script(str(worker_source()) + play, 0)
    other, _ = chromium.execute_script(str(worker_source()) + play, 1)
    assert once == looked
    assert once != other


def test_a_game_that_has_no_best_critic_is_refused(chromium):
    chromium.get("about:blank")
    refused = """
      try {
        new Trainer({ game: "ring", objective: "wasserstein", constraint: "none", seed: 0 });
      } catch (error) { return error.message; }"""
    assert "unless its slope is bounded" in chromium.execute_script(str(worker_source()) + refused)
