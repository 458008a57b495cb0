"""What may not be asked of the trainer of a game, said before a run has a folder."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jsonargparse import Namespace
from pytorch_lightning import callbacks

from gans.generator_module import GeneratorModule


class Only(NamedTuple):
    """The values that a setting may have, and what to do instead of another one."""

    values: list[Any]
    instead: str


_WHOLE = "a run has one epoch of all its model.iterations; set those"
SETTINGS = {
    "max_epochs": Only([1], _WHOLE),
    "max_steps": Only([-1], _WHOLE),
    "min_epochs": Only([None, 1], _WHOLE),
    "min_steps": Only([None], _WHOLE),
    "limit_train_batches": Only([None, 1.0], _WHOLE),
    "overfit_batches": Only([0], _WHOLE),
    "fast_dev_run": Only([False], _WHOLE),
    "accumulate_grad_batches": Only(
        [1], "each step takes a minibatch of its own; set model.batch_size"
    ),
    "gradient_clip_val": Only(
        [None, 0], "both players take steps of their own; --model.constraint GradientClipping "
        "shortens the critic's gradients"
    ),
}  # fmt: skip
CALLBACKS = {
    callbacks.GradientAccumulationScheduler: SETTINGS["accumulate_grad_batches"].instead,
    callbacks.StochasticWeightAveraging: "it averages one network of one optimizer; "
    "--model.ema .999 keeps an average of the generator's weights",
}


def check(trainer: Namespace, made: Sequence[Any] | None) -> None:
    """Refuse what no game can do.

    Arguments:
        trainer: The trainer's settings.
        made: Its callbacks.

    Raises:
        ValueError: Names the setting, and what to do instead.
    """
    for name, (values, instead) in SETTINGS.items():
        if trainer[name] not in values:
            raise ValueError(f"trainer.{name} = {trainer[name]}: {instead}")
    for callback in made or ():
        for kind, instead in CALLBACKS.items():
            if isinstance(callback, kind):
                raise ValueError(f"trainer.callbacks: {type(callback).__name__}: {instead}")
    GeneratorModule.check_precision(str(trainer.precision))
