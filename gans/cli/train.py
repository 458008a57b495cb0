"""Train one GAN: ``python -m scripts.train fit --config configs/NAME.yaml``."""

import argparse
import logging
import os
import sys
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from jsonargparse import ArgumentError, DefaultHelpFormatter
from lightning_fabric.utilities.exceptions import MisconfigurationException

from divergences.available_memory import limit_memory
from divergences.shown_text import one_line as one_text
from gans.callbacks import (
    MONITORS,
    Interrupted,
)
from gans.cli import left_out, lightning_classes, shipped
from gans.cli.allowed_classes import Vocabulary
from gans.cli.configuration import Parser, limit_imports
from gans.cli.errors import guarded, raised_in
from gans.cli.fitting_memory import first_seeds
from gans.cli.parser_messages import one_line
from gans.cli.training_cli import SaveConfig, TrainCLI
from gans.generator_module import GeneratorModule, NonFiniteLoss
from gans.runtime.escaping import tell

FLAGS = """\
The flags people need. Each can stand in the YAML file instead, except --out, --ckpt_path,
--resume, --allow-import and --debug. All others are listed below.

  --config FILE                          a file, or a name that gans configs lists; later files
                                         and flags override it
  --out DIR                              where the run goes (default runs/NAME of the config)
  --model.target Ring                    or Grid, TwoMoons, Circles, Pinwheel, Checkerboard, ...;
                                         PointCloud with --model.target.points FILE and, for
                                         columns of other units, --model.target.standardise true;
                                         ImageDensity with --model.target.image FILE
  --model.seeds '[0,1,2,3,4]'            members, trained side by side as one program
  --model.iterations N                   generator iterations
  --model.n_critic N                     critic steps per generator iteration
  --model.warmup N                       extra critic steps before the first iteration
  --model.batch_size N                   points per side, step and member
  --model.objective Saturating           or NonSaturating, LeastSquares, Hinge, FGAN, Alpha,
                                         Relativistic (VanillaGAN)
  --model.constraint GradientPenalty     or WeightClipping, LipschitzPenalty, SpectralNorm,
                                         Orthogonal, R1, R2, DRAGAN, GradientClipping, Combined
  --model.distance EnergyDistance        or MMD, Sinkhorn, EarthMover, Sliced (MinimumDistance,
                                         which has no critic)
  --model.constraint.weight X            its parameters: weight of a penalty, c of clipping
  --model.scheduler ConstantThenLinear   learning rates that fall at the end
  --model.ema .999                       keep an averaged generator beside the live one
  --model.compile_from N                 runs of at least N critic steps take gradients from a
                                         compiled program (worth it from about 20000); needs
                                         --allow-import torch.compile
  --divergences.every N                  cadence of the divergence curves (by default after 100,
                                         400, 900, ... iterations); likewise --gradients,
                                         --lipschitz, --pictures and --coverage
  --pictures null                        no pictures; likewise the other four
  --checkpoint.every N                   cadence of checkpoints; --checkpoint.keep N newest
  --checkpoint.monitor TAG               keep the best, too, e.g. by divergence/w1_EarthMover
  --trainer.devices 2 --trainer.strategy gans.SharedBatch
                                         two processes that share every minibatch
  --resume                               continue the run in --out from its newest good
                                         checkpoint, or from the start if it has none yet
  --ckpt_path DIR/checkpoints/last.ckpt  continue from this checkpoint, bit for bit
  --allow-import MODULE                  let the configuration name what is in MODULE, whose code
                                         is then run; it may name layers, optimizers, targets and
                                         so on of gans, divergences, torch.nn and torch.optim
  --print_config                         show the complete configuration and stop
  --debug                                show the traceback of an error
"""


class LinesKept(argparse.RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """Help whose description keeps its lines."""


USAGE = "python -m scripts.train fit --config FILE [FLAG ...]"
HELP = {"usage": USAGE, "description": FLAGS}


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; bad input ends it with one line on stderr and exit code 2."""
    # what is done to a run is no setting of it: these are never read from a file
    acts = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    acts.add_argument("--resume", action="store_true")
    acts.add_argument("--debug", action="store_true")
    acts.add_argument("--allow-import", action="append", default=[], metavar="MODULE")
    acts.add_argument("--out")
    acts.add_argument("--ckpt_path")
    try:
        chosen, rest = acts.parse_known_args(args)
        chosen.arguments = rest
    except argparse.ArgumentError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    refused = (ArgumentError, MisconfigurationException, NonFiniteLoss)
    code = guarded(lambda: train(rest, chosen), chosen.debug, refused, one_line)
    if code:
        raise SystemExit(code)


def train(args: list[str], chosen: argparse.Namespace) -> int:
    """Train as the arguments say; 0, or 128 and the signal that stopped it."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)  # networks this small only wait for a second thread
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    # raised inside Lightning, by its own use of torch and of the parser
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="jsonargparse")
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter")  # of main
    # minibatches come from the module, whose streams are in the checkpoint
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable")
    known = limit_imports(chosen.allow_import)
    limit_memory()
    with ExitStack() as chosen.until_end:
        chosen.until_end.callback(setattr, warnings, "formatwarning", warnings.formatwarning)
        warnings.formatwarning = _in_one_line
        try:
            return run(args, chosen, known)
        except Exception as error:
            where = raised_in(error, chosen.allow_import)
            if not where:
                raise
            raise ValueError(f"{one_line(error)}; raised in {where}, your own code") from error


def as_parsed(arguments: Sequence[str]) -> Iterator[str]:
    """The command line as the parser takes it."""
    rest = deque(arguments)
    while rest:
        argument = rest.popleft()
        switched_off = (
            argument.removeprefix("--") in MONITORS and rest and rest[0] in left_out.NOTHING
        )
        if rest and (switched_off or argument in ("--config", "--trainer.logger")):
            argument += f"={rest.popleft()}"
        argument = lightning_classes.in_argument(shipped.in_argument(argument))
        yield from left_out.in_argument(argument)


def _in_one_line(message: Warning | str, *_: Any, **__: Any) -> str:
    """A warning as the command shows it: what it says, not where in the code."""
    return f"warning: {one_text(str(message))}\n"


def run(args: list[str], chosen: argparse.Namespace, known: Vocabulary) -> int:
    """The command itself, see :func:`train`."""
    few_seeds, chosen.members = first_seeds(args)
    try:
        TrainCLI(
            GeneratorModule,
            acts=chosen,
            known=known,
            parser_class=Parser,
            subclass_mode_model=True,
            seed_everything_default=False,
            auto_configure_optimizers=False,
            save_config_callback=SaveConfig,
            save_config_kwargs={"save_to_log_dir": False},
            trainer_defaults={
                "max_epochs": 1,
                "enable_model_summary": False,
                "log_every_n_steps": 1,
                "enable_progress_bar": sys.stdout.isatty(),
            },
            parser_kwargs={
                "usage": USAGE,
                "description": "Train one GAN; fit --help lists the flags.",
                "exit_on_error": False,
                "allow_abbrev": False,  # what begins like another flag is a typo
                "formatter_class": LinesKept,
                "fit": HELP,
            },
            args=list(as_parsed(few_seeds)),
        )
    except Interrupted as stopped:
        tell(one_text(f"{stopped}; continue with --resume"))
        return 128 + stopped.signal
    return 0
