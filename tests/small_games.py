"""Small modules and trainers for the tests of training."""

from functools import partial

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint
from torch.optim import SGD, Adam

from divergences import MLP, LipschitzPenalty
from gans.callbacks import AtomicCheckpointIO
from gans.modules import WGAN, VanillaGAN
from gans.networks import NoiseGenerator, SegmentGenerator
from gans.targets import ParallelSegments, Ring

CRITIC = partial(MLP, hidden=(8, 8))


def segments(game=WGAN, **settings):
    """A game of theta on the segments with tiny critics."""
    settings = {
        "target": ParallelSegments(0.0),
        "generator": partial(SegmentGenerator, theta=1.0),
        "critic": CRITIC,
        "critic_optimizer": partial(Adam, lr=1e-3, betas=(0.0, 0.9)),
        "generator_optimizer": partial(SGD, lr=0.01),
        "batch_size": 16,
        "iterations": 6,
        "n_critic": 2,
        "seeds": (0, 1),
        **({"constraint": LipschitzPenalty(10.0)} if game is WGAN else {}),
        **settings,
    }
    return game(**settings)


def ring(game=VanillaGAN, **settings):
    """A game of small networks on the ring."""
    return segments(
        game, target=Ring(), generator=partial(NoiseGenerator, hidden=(8,)), **settings
    )


def trainer(folder, *callbacks, logger=False, every=None, **settings):
    """A quiet trainer; ``every`` writes a checkpoint each so many iterations."""
    saver = ModelCheckpoint(
        folder / "checkpoints", filename="{step}", every_n_train_steps=every, save_top_k=-1
    )
    return pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=logger,
        default_root_dir=folder,
        callbacks=[*callbacks, *([saver] if every else [])],
        plugins=[AtomicCheckpointIO()],
        enable_checkpointing=every is not None
        or any(isinstance(c, Checkpoint) for c in callbacks),
        enable_progress_bar=False,
        log_every_n_steps=1,
        enable_model_summary=False,
        **settings,
    )
