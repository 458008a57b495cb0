"use strict";

// One game in training: the steps of gans.AdversarialModule for one member.
class Trainer {
  static BATCH = 64;
  static SHOWN = 128; // points of each law that are drawn and compared
  static SIDE = 32; // cells of the critic's surface
  static ARROWS = 9; // along a side
  static MOVES = 16; // generated points with an arrow of their own

  constructor(settings) {
    const { game, objective, constraint, criticRate, generatorRate, seed } = settings;
    this.random = new Random(seed);
    this.game = new GAMES[game](this.random);
    this.objective = OBJECTIVES[objective];
    this.constraint = new CONSTRAINTS[constraint]();
    if (objective === "wasserstein" && constraint === "none") {
      throw new Error("a Wasserstein critic has no best value unless its slope is bounded");
    }
    this.critic = new Perceptron([2, 32, 32, 1], this.random);
    this.constraint.start(this.critic);
    this.criticOptimizer = new Adam(criticRate);
    this.generatorOptimizer = new this.game.Optimizer(generatorRate);
    [this.nCritic, this.warmup] = [settings.nCritic, settings.warmup];
    this.iteration = 0;
    this.looks = new Random(seed + 1); // drawn apart from training, so that looking changes nothing
  }

  // One step of the critic; epsilon places the points between real and generated ones.
  criticStep(real, fake, epsilon) {
    const n = epsilon.length;
    this.constraint.prepare(this.critic);
    const both = new Float64Array(real.length + fake.length);
    both.set(real);
    both.set(fake, real.length);
    const outputs = this.critic.forward(both);
    const scores = outputs.at(-1);
    const side = (i) => (i < n ? this.objective.real : this.objective.fake);
    const ofScores = scores.map((f, i) => side(i)(f) / n);
    const gradients = this.critic.backward(outputs, ofScores);
    this.constraint.penalise(this.critic, real, fake, epsilon, gradients);
    const ofWeights = this.constraint.chain(this.critic, gradients.weights);
    this.criticOptimizer.step(this.critic.parameters, [...ofWeights, ...gradients.biases]);
    this.constraint.project(this.critic);
  }

  // One step of the generator against the critic as it stands.
  generatorStep(noise) {
    this.constraint.prepare(this.critic);
    const outputs = this.critic.forward(this.game.forward(noise));
    const scores = outputs.at(-1);
    const slope = this.objective.generator;
    const ofScores = scores.map((f) => slope(f) / scores.length);
    const { points } = this.critic.backward(outputs, ofScores);
    this.generatorOptimizer.step(this.game.parameters, this.game.backward(noise, points));
  }

  // Critic steps before the first iteration; says now and then how many were made.
  warmUp(say = () => {}) {
    for (let done = 0; done < this.warmup; done += 50) {
      say(done);
      this.criticSteps(Math.min(50, this.warmup - done));
    }
  }

  // One generator iteration with its critic steps.
  iterate() {
    this.criticSteps(this.nCritic);
    this.generatorStep(this.game.noise(Trainer.BATCH, this.random));
    this.iteration += 1;
  }

  criticSteps(count) {
    for (let step = 0; step < count; step += 1) {
      const real = this.game.real(Trainer.BATCH, this.random);
      const fake = this.game.forward(this.game.noise(Trainer.BATCH, this.random));
      this.criticStep(real, fake, this.random.uniforms(Trainer.BATCH));
    }
  }

  scores(points) {
    return this.critic.forward(points).at(-1);
  }

  // Where the generator's loss would move a generated point, by its own loss.
  descent(points) {
    const { outputs, gradient } = this.critic.slopes(points);
    const scores = outputs.at(-1);
    return gradient.map((g, j) => -this.objective.generator(scores[Math.floor(j / 2)]) * g);
  }

  // What is drawn and said of the game as it stands.
  frame() {
    this.constraint.settle(this.critic);
    const real = this.game.real(Trainer.SHOWN, this.looks);
    const fake = this.game.forward(this.game.noise(Trainer.SHOWN, this.looks));
    const lattice = this.lattice(Trainer.ARROWS);
    const pull = this.descent(fake);
    const lengths = new Float64Array(Trainer.SHOWN);
    for (let i = 0; i < Trainer.SHOWN; i += 1) {
      lengths[i] = Math.sqrt(pull[2 * i] ** 2 + pull[2 * i + 1] ** 2);
    }
    return {
      iteration: this.iteration,
      extent: this.game.extent,
      real,
      fake,
      surface: this.scores(this.lattice(Trainer.SIDE)),
      side: Trainer.SIDE,
      lattice,
      vectors: this.descent(lattice),
      pull: mean(lengths),
      moves: pull.slice(0, 2 * Trainer.MOVES),
      own: this.objective.value(this.scores(real), this.scores(fake)),
      ...this.distances(real, fake),
    };
  }

  // Matching takes as long as several iterations, so that not every frame has its own.
  distances(real, fake) {
    if (!this.measured || this.iteration - this.measured.at >= this.game.measureEvery) {
      this.measured = { at: this.iteration, ...this.game.distances(real, fake) };
    }
    return this.measured;
  }

  // Centres of the cells of a square lattice; the first coordinate runs fastest.
  lattice(side) {
    const [left, right, bottom, top] = this.game.extent;
    const points = new Float64Array(2 * side * side);
    for (let i = 0; i < side * side; i += 1) {
      points[2 * i] = left + ((right - left) * ((i % side) + 0.5)) / side;
      points[2 * i + 1] = bottom + ((top - bottom) * (Math.floor(i / side) + 0.5)) / side;
    }
    return points;
  }
}
