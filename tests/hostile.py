"""Hostile configurations in watched processes: ``python -m tests.hostile RANDOM NUMBERS [SEED]``.

So many at random, and so many of those of :mod:`tests.numeric_slots`. Prints what happened outside
the folder that the process was started in, and how many commands ended how.
"""

import json
import random
import shutil
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import yaml

from gans.cli.allowed_classes import listed
from gans.cli.train import main
from scripts.sweep.__main__ import main as sweep
from tests.gans.test_configuration_files import CONFIG, SHORT, reachable
from tests.numeric_slots import cases
from tests.watched import Watch, ended

PLACES = [
    *(f"model/init_args/{slot}" for slot in (
        "target", "constraint", "generator", "critic", "critic_optimizer", "generator_optimizer",
        "scheduler", "seeds", "ema", "n_critic", "warmup", "compile_from", "objective",
    )),
    *(f"model/init_args/critic/init_args/{slot}" for slot in ("activation", "hidden", "x")),
    "model/init_args/generator/init_args/network", "model/init_args/target/init_args/theta",
    "divergences/estimators", "divergences/every", "trainer/callbacks", "trainer/logger",
    "trainer/strategy", "trainer/plugins", "trainer/profiler", "trainer/default_root_dir",
    "trainer/accelerator", "trainer/devices", "model/class_path", "model", "trainer", "out",
    "data", "ckpt_path", "config", "seed_everything", "checkpoint/every", "fit", "coverage",
]  # fmt: skip
FOREIGN = [
    "os.mkdir",
    "subprocess.Popen",
    "builtins.exec",
    "shutil.rmtree",
    "evil.x",
    "torch.load",
]
PLAIN = [
    None, True, -1, 0, 1e308, -1e308, float("nan"), float("inf"), 10**18, 2**62, "", "x", "-",
    "canary", "../canary", "/etc/passwd", "../canary/x.yaml", "http://127.0.0.1:9/x",
    "file:///etc/passwd", "s3://x/y", "${HOME}", "~/x", [], [[]], {}, {"class_path": None},
    "!!python/name:os.system", "{class_path: os.mkdir, init_args: {path: it-ran}}", "a.b.c",
    "evil",
]  # fmt: skip


def value(chance, names, depth=0):
    kind = chance.random()
    if depth < 3 and kind < 0.65:
        name = chance.choice(chance.choice(names))
        if kind < 0.15:
            return name
        keys = ("path", "module_path", "folder", "x", "network", "activation", "module", "name")
        arguments = {k: value(chance, names, depth + 1) for k in chance.sample(keys, 2)}
        place = chance.choice(["init_args", "init_args", "dict_kwargs"])
        spelled = {"class_path": name, place: arguments}
        return spelled if kind < 0.5 else json.dumps(spelled) if kind < 0.57 else [spelled]
    return chance.choice(PLAIN)


def configuration(chance, names):
    tree = yaml.safe_load(CONFIG.read_text())
    for place in chance.sample(PLACES, chance.choice([1, 1, 2])):
        *way, last = place.split("/")
        inner = tree
        for key in way:
            if not isinstance(inner.get(key), dict):
                inner[key] = {}
            inner = inner[key]
        inner[last] = value(chance, names)
    return tree


def at_random(count, seed):
    """So many hostile configurations, each with the command that reads it."""
    chance = random.Random(seed)
    names = [sorted(reachable()), sorted(listed()), FOREIGN]
    for _ in range(count):
        tree = configuration(chance, names)
        yield json.dumps(tree), tree, chance.choice([*3 * [partial(train, *SHORT)], dry_run])


def of_numbers(count, seed):
    """So many of the configurations with a number that cannot be, for the training command."""
    every = [*cases()]
    for name, tree in random.Random(seed).sample(every, min(count, len(every))):
        yield name, tree, train


def train(*flags):
    main(["fit", "--config=stranger.yaml", "--out=run", *flags])


def dry_run():
    Path("sweep.yaml").write_text("{base: stranger.yaml, seeds: [0]}")
    return sweep(["sweep.yaml", "--dry-run", "--out=run"])


def attack(configurations):
    """Have each read, print those that do what they should not, and how many ended how."""
    codes, seen, watch = Counter(), 0, Watch()
    sys.argv = ["train"]
    for name, tree, command in configurations:
        Path("stranger.yaml").write_text(yaml.safe_dump(tree))
        end = ended(command, watch)
        shutil.rmtree("run", ignore_errors=True)
        codes[end.code] += 1
        seen += len(end.seen)
        lines = end.said.count("\n")
        good = end.code == 0 or (end.code == 2 and "error: " in end.said.splitlines()[-1])
        if not good or end.seen or "daemon:" in end.said:
            told = end.said[-300:].strip()
            print(end.code, end.seen, lines, f"{name:.1500}", repr(told), flush=True)
    print("seen", seen, dict(codes))


if __name__ == "__main__":
    hostile, wrong, seed = map(int, [*sys.argv[1:], 0][:3])
    attack([*at_random(hostile, seed), *of_numbers(wrong, seed)])
