"""``gans sample RUN``: points of a trained generator, as a file."""

import argparse
import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from jsonargparse import ArgumentError
from torch import Tensor

from divergences.available_memory import limit_memory
from divergences.command_line import Parser
from divergences.whole_files import atomically
from gans.callbacks.checkpoints import damage, newest_good
from gans.cli import left_out
from gans.cli.configuration import (
    blamed_on_the_configuration,
    check_sections,
    limit_imports,
    model_parser,
)
from gans.cli.errors import guarded
from gans.cli.parser_messages import one_line
from gans.cli.plain_yaml import read
from gans.generator_module import GeneratorModule
from gans.runtime.escaping import printable, tell

DESCRIPTION = """\
Write points of a trained generator to a file.

The generator is that of the newest good checkpoint of a run. Where the run kept
averaged weights (--model.ema), these are taken. Points are in the units of the
data, also where the target standardises these.
"""

EPILOG = """\
examples:
  gans sample runs/two_moons --out generated.csv
  gans sample runs/ring_gan -n 10000 --member 2 --out generated.npy
  divergences real.csv generated.csv      how far apart are they?
"""


def main(args: Sequence[str] | None = None) -> None:
    """Sample from a run; bad input ends it with one line on stderr and exit code 2."""
    parser = Parser(
        prog="gans sample",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", help="folder of a run of gans fit")
    parser.add_argument("--out", metavar="FILE", required=True, help=f"{' or '.join(WRITERS)}")
    parser.flag("-n", "points", type=int, default=1000, metavar="N")
    what = "whose points, counted from 0 in the order of the run's seeds"
    parser.flag("--member", what, type=int, default=0, metavar="K")
    parser.flag("--seed", "of the noise", type=int, default=0)
    parser.add_argument("--checkpoint", metavar="FILE", help="of the run, such as best.ckpt")
    parser.add_argument("--live", action="store_true", help="weights as trained, not averaged")
    parser.add_argument(
        "--allow-import", action="append", default=[], metavar="MODULE",
        help="let the run's configuration name what is in MODULE, whose code is then run",
    )  # fmt: skip
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    chosen = parser.parse_args(args)
    code = guarded(lambda: _run(chosen), chosen.debug, (ArgumentError,), one_line)
    if code:
        raise SystemExit(code)


def _run(chosen: argparse.Namespace) -> int:
    out = Path(chosen.out)
    if out.suffix.lower() not in WRITERS:
        raise ValueError(f"--out {out}: give a name that ends in {' or '.join(WRITERS)}")
    if out.exists():
        raise FileExistsError(f"--out {out} is there already; name another file, or delete it")
    limit_memory()
    module, iteration = restored(Path(chosen.run), chosen.checkpoint, chosen.allow_import)
    members = len(module.seeds)
    if not 0 <= chosen.member < members:
        raise ValueError(f"--member {chosen.member}: this run has members 0 to {members - 1}")
    points = module.sample(chosen.n, chosen.seed, not chosen.live)[chosen.member]
    points = module.target.as_given(points).cpu()
    if not points.isfinite().all():
        raise ValueError("some generated points are NaN or infinite; take an earlier --checkpoint")
    atomically(out, partial(WRITERS[out.suffix.lower()], points))
    averaged = ", averaged weights" if module.ema and not chosen.live else ""
    seed = module.seeds[chosen.member]
    print(
        f"{chosen.n} points of dimension {points.shape[1]} in {printable(out)}: the generator of "
        f"seed {seed} after iteration {iteration}{averaged}"
    )
    return 0


def restored(
    run: Path, checkpoint: str | None, allowed: Sequence[str]
) -> tuple[GeneratorModule, int]:
    """The module of a run as a checkpoint has it, and the iteration of that.

    Raises:
        ValueError: If the folder holds no run, or no good checkpoint.
    """
    if not (run / "config.yaml").is_file():
        raise ValueError(f"{run} is no folder of a run: it has no config.yaml")
    path = _named(run, checkpoint) if checkpoint else newest_good(run / "checkpoints", tell)
    if path is None:
        raise ValueError(f"{run / 'checkpoints'} holds no checkpoint yet")
    content = torch.load(path, map_location="cpu", weights_only=True)
    module = configured(run / "config.yaml", allowed)
    state: dict[str, Any] = content["state_dict"]
    try:
        module.load_state_dict(state)
    except Exception as error:  # what torch says of weights that are none can be anything
        raise ValueError(
            f"{path} is not of the model that {run / 'config.yaml'} describes ({error})"
        ) from None
    floating = (value.dtype for value in state.values() if value.is_floating_point())
    return module.to(dtype=next(floating, torch.float32)), content["global_step"]


def _named(run: Path, checkpoint: str) -> Path:
    """The good checkpoint of that path, or of that name among the run's."""
    path = Path(checkpoint)
    if path.name == checkpoint and not path.exists():
        path = run / "checkpoints" / path
    reason = damage(path)
    if reason is not None:
        raise ValueError(f"{path}: {reason}")
    return path


def configured(path: Path, allowed: Sequence[str] = ()) -> GeneratorModule:
    """The module that a configuration describes; what it may name is as for ``gans fit``."""
    known = limit_imports(allowed)
    tree = left_out.in_tree(read(path))
    check_sections(tree)
    parser = model_parser()
    with blamed_on_the_configuration("be read"):
        config = parser.parse_string(yaml.safe_dump({"model": tree.get("model")}))
    known.check(vars(config))
    with blamed_on_the_configuration("be built"):
        return parser.instantiate_classes(config)["model"]


def _as_npy(points: Tensor, path: Path) -> None:
    content = io.BytesIO()
    np.save(content, points.numpy(), allow_pickle=False)
    path.write_bytes(content.getbuffer())


def _as_csv(points: Tensor, path: Path) -> None:
    digits = "%.17g" if points.dtype == torch.float64 else "%.9g"  # so many read back the same
    np.savetxt(path, points.numpy(), fmt=digits, delimiter=",")


WRITERS = {".npy": _as_npy, ".csv": _as_csv}
