"""The same tasks in JAX, as fast as it is usually written: many steps in one compiled scan."""

from functools import partial
from itertools import pairwise
from typing import Any

import jax  # pyright: ignore  # an optional extra
import jax.numpy as jnp  # pyright: ignore

from scripts.benchmark.racing.tasks import DIMENSION, LATENT, PENALTY, RATE, Size, Steps, Task

STEPS = 20  # steps per compiled call
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def perceptron(key: Any, inputs: int, size: Size, outputs: int) -> list[tuple[Any, Any]]:
    widths = (inputs, *size.hidden, outputs)
    layers = []
    for before, after in pairwise(widths):
        key, first, second = jax.random.split(key, 3)
        bound = before**-0.5
        weight = jax.random.uniform(first, (before, after), minval=-bound, maxval=bound)
        bias = jax.random.uniform(second, (after,), minval=-bound, maxval=bound)
        layers.append((weight, bias))
    return layers


def forward(layers: list[tuple[Any, Any]], x: Any) -> Any:
    for weight, bias in layers[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = layers[-1]
    return x @ weight + bias


def points(key: Any, generator: Any, batch: int) -> tuple[Any, Any]:
    """Real and generated points."""
    where, around, noise = jax.random.split(key, 3)
    angle = jax.random.randint(where, (batch,), 0, 8) * (2 * jnp.pi / 8)
    centres = jnp.stack([jnp.cos(angle), jnp.sin(angle)], -1)
    real = centres + 0.01 * jax.random.normal(around, (batch, DIMENSION))
    return real, forward(generator, jax.random.normal(noise, (batch, LATENT)))


def critic_loss(critic: Any, generator: Any, key: Any, task: Task, batch: int) -> Any:
    key, share_key = jax.random.split(key)
    real, fake = points(key, generator, batch)
    scores = forward(critic, jnp.concatenate([real, fake]))[:, 0]
    on_real, on_fake = scores[:batch], scores[batch:]
    if not task.wasserstein:
        return jax.nn.softplus(-on_real).mean() + jax.nn.softplus(on_fake).mean()
    share = jax.random.uniform(share_key, (batch, 1))
    between = share * real + (1 - share) * fake
    slope = jax.grad(lambda x: forward(critic, x).sum())(between)
    norm = jnp.sqrt((slope**2).sum(-1) + 1e-12)
    return on_fake.mean() - on_real.mean() + PENALTY * ((norm - 1) ** 2).mean()


def generator_loss(generator: Any, critic: Any, key: Any, task: Task, batch: int) -> Any:
    _, fake = points(key, generator, batch)
    on_fake = forward(critic, fake)[:, 0]
    return -on_fake.mean() if task.wasserstein else jax.nn.softplus(-on_fake).mean()


def adam(parameters: Any, gradients: Any, state: Any) -> tuple[Any, Any]:
    count, first, second = state
    count = count + 1
    first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradients)
    second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradients)
    rate = RATE * jnp.sqrt(1 - BETA2**count) / (1 - BETA1**count)
    moved = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON), parameters, first, second
    )
    return moved, (count, first, second)


def at_rest(parameters: Any) -> Any:
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    return jnp.zeros(()), zeros, zeros


def one_step(state: Any, key: Any, task: Task, batch: int) -> tuple[Any, None]:
    """One step of one member."""
    critic, generator, on_critic, on_generator = state
    for _ in range(task.n_critic):
        key, now = jax.random.split(key)
        gradients = jax.grad(critic_loss)(critic, generator, now, task, batch)
        critic, on_critic = adam(critic, gradients, on_critic)
    if task.game:
        gradients = jax.grad(generator_loss)(generator, critic, key, task, batch)
        generator, on_generator = adam(generator, gradients, on_generator)
    return (critic, generator, on_critic, on_generator), None


def in_jax(task: Task, size: Size, batched: bool) -> Steps:
    """Steps of K members, side by side in batched products or one after the other."""

    def member(key: Any) -> Any:
        first, second = jax.random.split(key)
        critic = perceptron(first, DIMENSION, size, 1)
        generator = perceptron(second, LATENT, size, DIMENSION)
        return critic, generator, at_rest(critic), at_rest(generator)

    def scan(state: Any, key: Any) -> Any:
        step = partial(one_step, task=task, batch=size.batch)
        return jax.lax.scan(step, state, jax.random.split(key, STEPS))[0]

    def all_members(state: Any, keys: Any) -> Any:
        if batched:
            return jax.vmap(scan)(state, keys)
        return jax.lax.map(lambda both: scan(*both), (state, keys))

    run = jax.jit(all_members, donate_argnums=0)
    keys = jax.random.split(jax.random.key(0), size.members)
    holder = [jax.vmap(member)(keys), keys]

    def steps(n: int) -> int:
        calls = max(1, round(n / STEPS))
        for _ in range(calls):
            holder[1] = jax.vmap(lambda k: jax.random.split(k)[0])(holder[1])
            holder[0] = run(holder[0], holder[1])
        jax.block_until_ready(holder[0])
        return calls * STEPS

    return steps
