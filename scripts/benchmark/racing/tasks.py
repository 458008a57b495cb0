"""What is raced for: four training tasks, the same for every contender.

Points of the ring against those of a generator, three hidden layers, Adam at 1e-4, fresh points in
every step. A *step* is one step of the critic or, where a generator is trained too, one generator
iteration with its critic steps; one member's step is a *member-step*.
"""

from collections.abc import Callable
from dataclasses import dataclass

Steps = Callable[[int], int]
"""Takes about so many steps of every member, and says how many it took."""

LATENT, DIMENSION, HIDDEN_LAYERS, PENALTY, RATE = 2, 2, 3, 10.0, 1e-4


@dataclass(frozen=True)
class Task:
    """What is trained.

    Attributes:
        wasserstein: A critic under a gradient penalty, or else a logistic discriminator.
        game: Whether a generator is trained against it, or stays as it is.
        n_critic: Critic steps per step.
    """

    wasserstein: bool
    game: bool
    n_critic: int = 1


TASKS = {
    "logistic critic": Task(wasserstein=False, game=False),
    "GP critic": Task(wasserstein=True, game=False),
    "GAN": Task(wasserstein=False, game=True),
    "WGAN-GP": Task(wasserstein=True, game=True, n_critic=5),
}


@dataclass(frozen=True)
class Size:
    """How large a task is: members, units per hidden layer, points per side."""

    members: int
    width: int
    batch: int = 256

    @property
    def hidden(self) -> tuple[int, ...]:
        return (self.width,) * HIDDEN_LAYERS


def flop(task: Task, size: Size) -> float:
    """Floating-point operations of a member-step in the products between hidden layers alone.

    In units of one forward pass of one side: 2 forward and 4 backward through the critic, 1 for
    the generated points, and for the penalty 2 for the slope and 2 for its derivative. The
    generator's own step takes 3 through itself and 2 through the critic.
    """
    one_pass = 2.0 * size.batch * size.width**2 * (HIDDEN_LAYERS - 1)
    critic_step = 2 + 4 + 1 + (4 if task.wasserstein else 0)
    return one_pass * (task.n_critic * critic_step + (5 if task.game else 0))
