"""The parser of configurations, and what no file may say."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, Namespace, _stubs_resolver, set_parsing_settings
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Trainer
from pytorch_lightning.cli import LightningArgumentParser

from divergences.available_memory import lack_of_memory
from gans.cli import left_out, lightning_classes
from gans.cli.allowed_classes import Vocabulary
from gans.cli.did_you_mean import meant, settings
from gans.cli.plain_yaml import read
from gans.generator_module import GeneratorModule, NonFiniteLoss
from gans.runtime.escaping import printable

SINGLE = ("out", "ckpt_path", "seed_everything", "weights_only")
"""What is no section of settings."""
TEXTS = ("accelerator", "devices", "precision", "max_time", "strategy")
"""Settings of the trainer that may be text in a file; elsewhere text names folders or code."""
STRATEGIES = ("auto", "SharedBatch", "gans.SharedBatch", "gans.sharing.SharedBatch")
"""How a file may ask for several processes."""


class Parser(LightningArgumentParser):
    """Lightning's parser, but files are read by :func:`read`, and by nothing else."""

    def parse_path(self, path: Any, *args: Any, **kwargs: Any) -> Namespace:
        tree = left_out.in_tree(read(Path(path)))
        check_sections(tree)
        return self.parse_string(yaml.safe_dump(tree), *args, **kwargs)

    def dump(self, namespace: Any, *args: Any, **kwargs: Any) -> str:
        """The configuration as a file that can be given back."""
        config, switched_off = left_out.spelled(namespace)
        return left_out.said(super().dump(config, *args, **kwargs), switched_off)

    def add_class_arguments(self, *args: Any, **kwargs: Any) -> list[str]:
        return super().add_class_arguments(*args, **{**kwargs, "sub_configs": False})


def model_parser(**sections: type) -> Parser:
    """Understands the ``model`` part of a configuration, and sections of the classes named."""
    parser = Parser(exit_on_error=False)
    parser.add_lightning_class_args(GeneratorModule, "model", subclass_mode=True)
    for name, cls in sections.items():
        parser.add_lightning_class_args(cls, name)
    return parser


def limit_imports(modules: Sequence[str] = ()) -> Vocabulary:
    """Let configurations name what is listed, and what is in ``modules``, in this process."""
    known = Vocabulary(modules)
    # Where a signature lacks a type, the parser starts ``python -c "import json"`` to learn where
    # stubs might be, and that looks for json.py in the current folder first.
    _stubs_resolver.typeshed_client_support = False  # pyright: ignore[reportPrivateImportUsage]
    set_parsing_settings(
        import_path_denylist=["*"],
        import_path_allowlist=known.names(),
        config_read_mode_urls_enabled=False,
        config_read_mode_fsspec_enabled=False,  # Lightning has turned it on
        instantiate_subclass_spec_in_any=False,
        validate_subclass_spec_in_any=True,
    )
    return known


def check_sections(tree: dict[str, Any]) -> None:
    """Refuse what only the command line may say: files, folders, and what reaches further.

    Lightning's loggers and callbacks are put as the parser is to be given them.

    Raises:
        ValueError: Names the key.
    """
    for name, section in tree.items():
        if name == "config" or "." in name:
            raise ValueError(
                f"{name}: files are named on the command line, and keys are nested in files, "
                "not dotted"
            )
        if (
            not isinstance(section, dict)
            and (name, section) != ("data", None)
            and name not in SINGLE
        ):
            raise ValueError(f"{name} = {printable(section):.80}: give a mapping of its settings")
    if isinstance(tree.get("fit"), dict):
        check_sections(tree["fit"])
    trainer = tree.get("trainer")
    for name, value in list(trainer.items()) if isinstance(trainer, dict) else ():
        if name not in settings(Trainer):
            close = meant(f"unrecognized arguments: --trainer.{name}")
            raise ValueError(f"trainer.{printable(name)}: the trainer has no such setting{close}")
        if name in lightning_classes.IN_FILES and isinstance(value, dict | list):
            tree["trainer"] = tree["trainer"] | {name: lightning_classes.taken(name, value)}
            continue
        kind = value.get("class_path") if isinstance(value, dict) else value
        good = (
            kind in STRATEGIES
            if name == "strategy" and value is not None
            else (
                not isinstance(value, str | dict | list)
                or (name in TEXTS and not isinstance(value, dict))
            )
        )
        if not good or (name == "num_nodes" and value not in (None, 1)):
            raise ValueError(
                f"trainer.{name} = {printable(kind):.80} is not taken from a file, because it can "
                f"reach beyond the run's folder; give --trainer.{name} on the command line"
            )


@contextmanager
def blamed_on_the_configuration(what: str) -> Iterator[None]:
    """What goes wrong before anything was done is wrong with what was asked for."""
    try:
        yield
    except (OSError, ValueError, ArgumentError, MisconfigurationException, NonFiniteLoss):
        raise
    except Exception as error:
        if lack_of_memory(error):
            raise
        raise ValueError(
            f"this configuration cannot {what} ({type(error).__name__}: {error}); --debug shows "
            "where"
        ) from error
