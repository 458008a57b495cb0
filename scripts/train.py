"""Train one GAN: ``python -m scripts.train fit --config configs/NAME.yaml``."""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from jsonargparse import ArgumentError
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import TensorBoardLogger

from gans.callbacks import Coverage, Dashboard, Divergences, Gradients, LipschitzAudit, Pictures
from gans.modules import AdversarialModule, NonFiniteLoss

EPILOG = """\
The flags people need (each can stand in the YAML file instead):
  --config FILE                          a file of configs/; later files and flags override it
  --out DIR                              where the run goes (default runs/NAME of the config)
  --model.seeds '[0,1,2,3,4]'            members, trained side by side as one program
  --model.iterations N                   generator iterations
  --model.n_critic N                     critic steps per generator iteration
  --model.warmup N                       extra critic steps before the first iteration
  --model.batch_size N                   points per side, step and member
  --model.objective Saturating           or NonSaturating, LeastSquares, Hinge, FGAN, Alpha,
                                         Relativistic (VanillaGAN)
  --model.constraint GradientPenalty     or WeightClipping, LipschitzPenalty, SpectralNorm,
                                         Orthogonal, R1, R2, DRAGAN, Together, ...
  --model.constraint.weight X            its parameters: weight of a penalty, c of clipping
  --divergences.every N                  cadence of the divergence curves; likewise --gradients,
                                         --lipschitz, --pictures and --coverage
  --ckpt_path DIR/checkpoints/last.ckpt  continue a run, bit for bit, into the same --out
  --print_config                         show the complete configuration and stop
"""


class TrainCLI(LightningCLI):
    """LightningCLI with the project's monitoring and one output folder per run."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        return {"fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule"}}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--out", type=str | None, default=None, help="folder of this run")
        parser.add_lightning_class_args(Divergences, "divergences")
        parser.add_lightning_class_args(Gradients, "gradients")
        parser.add_lightning_class_args(LipschitzAudit, "lipschitz")
        parser.add_lightning_class_args(Pictures, "pictures")
        parser.add_lightning_class_args(Coverage, "coverage")
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.filename": "{step:06d}",
                "checkpoint.auto_insert_metric_name": False,
                "checkpoint.every_n_train_steps": 100,
                "checkpoint.save_top_k": -1,
                "checkpoint.save_last": True,
                "checkpoint.enable_version_counter": False,
            }
        )

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        config = self.config[str(self.subcommand)]
        AdversarialModule.check_precision(str(config.trainer.precision))
        out = self.out_folder(config)
        if config.trainer.logger in (None, True):
            kwargs["logger"] = TensorBoardLogger(
                out, name="", version="", default_hp_metric=False, purge_step=self.resumed_at
            )
        trainer = super().instantiate_trainer(default_root_dir=str(out), **kwargs)
        monitor = next(c for c in trainer.callbacks if isinstance(c, Divergences))  # pyright: ignore
        trainer.callbacks.append(Dashboard(monitor, _flat(self.config_dump["model"])))  # pyright: ignore
        return trainer

    def out_folder(self, config: Any) -> Path:
        """The run's folder; refuses one that holds anything, unless a checkpoint is resumed."""
        named = [Path(str(path)).stem for path in config.config or []]
        out = Path(config.out or f"runs/{named[-1] if named else 'train'}")
        self.resumed_at: int | None = None
        if config.ckpt_path:
            if not Path(config.ckpt_path).is_file():
                raise FileNotFoundError(
                    f"--ckpt_path {config.ckpt_path} is not a file; the run's checkpoints are in "
                    f"{out / 'checkpoints'}"
                )
            checkpoint = torch.load(config.ckpt_path, map_location="cpu", weights_only=True)
            self.resumed_at = checkpoint["global_step"] + 1
        elif out.is_dir() and any(out.iterdir()):
            raise FileExistsError(
                f"--out {out} exists and is not empty; name another folder, delete it, or "
                f"continue its run with --ckpt_path {out / 'checkpoints' / 'last.ckpt'}"
            )
        elif out.exists() and not out.is_dir():
            raise FileExistsError(f"--out {out} is a file; name a folder")
        return out


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings as ``{"a/b": value}`` of plain values, for the HParams table."""
    if not isinstance(config, dict):
        plain = isinstance(config, bool | int | float | str)
        return {prefix: config if plain else str(config)}
    items = ((f"{prefix}/{k}" if prefix else k, v) for k, v in config.items())
    return {key: value for name, inner in items for key, value in _flat(inner, name).items()}


def _one_line(error: Exception) -> str:
    """The parser's nested message reduced to what the user typed and what is wrong with it."""
    message = " ".join(str(error).split())
    noise = (
        r"Does not validate against any of the Union subtypes Subtypes: \[.*?\] Errors: ",
        r"- Expected a path but \S+ either not accessible or invalid ",
        r"- Expected a <class 'NoneType'>",
        r"Given value type: .*",
        r"Type collections\.abc\.Callable.* expects a function or a callable class: ",
    )
    for pattern in noise:
        message = re.sub(pattern, "", message)
    message = re.sub(
        r"- Expected a dot import path string: (\S+)",
        r"no class is named \1; give an import path such as divergences.GradientPenalty",
        message,
    )
    given = re.search(r"Given value type: .*? Given value: (\S+)", " ".join(str(error).split()))
    if given and "Expected a" in message:
        message += f" (given: {given[1]})"
    return " ".join(message.replace(" - ", " ").replace(": - ", ": ").split())


def main(args: list[str] | None = None) -> None:
    """Run the command line; bad input ends it with one line on stderr and exit code 2."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)  # networks this small only wait for a second thread
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    # Lightning would have us save the state before the step; ours is the state after an iteration
    warnings.filterwarnings("ignore", message="Using ModelCheckpoint with manual optimization")
    # raised inside Lightning, by its own use of torch and of the parser
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="jsonargparse")
    # minibatches come from the module, whose streams are in the checkpoint
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable")
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    try:
        TrainCLI(
            AdversarialModule,
            subclass_mode_model=True,
            seed_everything_default=False,
            auto_configure_optimizers=False,
            save_config_kwargs={"overwrite": True},  # out_folder has refused an existing run
            trainer_defaults={
                "max_epochs": 1,
                "enable_model_summary": False,
                "log_every_n_steps": 1,
                "enable_progress_bar": sys.stdout.isatty(),
            },
            parser_kwargs={"exit_on_error": False, "fit": {"epilog": EPILOG}},
            args=args,
        )
    except (
        ArgumentError,
        FileExistsError,
        FileNotFoundError,
        MisconfigurationException,
        NonFiniteLoss,
        ValueError,
    ) as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
