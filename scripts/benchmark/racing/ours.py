"""This library as a contender: K members as one program, games through Lightning."""

from functools import partial

from torch.optim import Adam

from divergences import MLP, GradientPenalty
from gans import WGAN, AdversarialModule, NoiseGenerator, Ring, VanillaGAN
from scripts.benchmark.racing.tasks import LATENT, PENALTY, RATE, Size, Steps, Task
from scripts.lab.training import quiet_trainer

ADAM = partial(Adam, lr=RATE, fused=True)


def module_of(
    task: Task, size: Size, iterations: int, compile_from: int | None = None
) -> AdversarialModule:
    """The game of a task."""
    common = {
        "target": Ring(),
        "generator": partial(NoiseGenerator, latent=LATENT, hidden=size.hidden),
        "critic": partial(MLP, hidden=size.hidden),
        "generator_optimizer": ADAM,
        "critic_optimizer": ADAM,
        "batch_size": size.batch,
        "iterations": iterations,
        "n_critic": task.n_critic,
        "seeds": range(size.members),
        "compile_from": compile_from,
    }
    if task.wasserstein:
        return WGAN(constraint=GradientPenalty(PENALTY), **common)
    return VanillaGAN(**common)


def ours(
    task: Task, size: Size, accelerator: str = "cpu", compile_from: int | None = None
) -> Steps:
    """Steps of this library: a game is a whole training run, a critic the module's own steps."""
    module = module_of(task, size, 1, compile_from)

    def games(n: int) -> int:
        module.iterations = n
        quiet_trainer(accelerator=accelerator, devices=1).fit(module)
        return n

    if task.game:
        return games
    if accelerator == "gpu":
        module.cuda()
        module.on_fit_start()
    optimizer = ADAM(module.critic.parameters())

    def critic_steps(n: int) -> int:
        for real, fake in module.minibatches(n):
            module.critic_step(optimizer, real, fake)
        return n

    return critic_steps
