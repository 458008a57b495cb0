"""The installed command ``gans``: it trains, samples, and lists configurations."""

import sys
from collections.abc import Sequence

from divergences.command_line import suggestion
from gans.cli.errors import guarded

COMMANDS = """\
usage: gans fit --config NAME [FLAG ...]    train one GAN; gans fit --help lists the flags
       gans sample RUN --out FILE           write points of the trained generator to a file
       gans configs [NAME ...] [--to DIR]   list the configurations of the package, or copy some
"""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; bad input ends it with one line on stderr and exit code 2."""
    given = list(sys.argv[1:] if args is None else args)
    if given[:1] == ["configs"]:
        from gans.cli.shipped import main as configs

        configs(given[1:])
    elif given[:1] == ["sample"]:
        from gans.cli.sample import main as sample

        sample(given[1:])
    elif given[:1] == ["fit"]:
        from gans.cli.train import main as train

        train(given)
    else:
        code = guarded(lambda: _help(given))
        if code:
            raise SystemExit(code)


def _help(given: Sequence[str]) -> int:
    """Say which commands there are; of one that is none, what may have been meant."""
    if not given or given[0] in ("-h", "--help", "help"):
        print(COMMANDS, end="")
        return 0
    meant = suggestion(given[0], ("fit", "sample", "configs")) or "; see gans --help"
    raise ValueError(f"there is no command {given[0]}{meant}")
