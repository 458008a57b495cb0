"""Hostile configurations at random, in a process that is watched: ``python -m tests.hostile N``.

Prints what happened outside the folder that the process was started in, and how many runs ended
how. An audit hook sees every file that is opened to be written, every import, socket and process.
"""

import contextlib
import io
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path

import yaml

from scripts.train import main
from scripts.vocabulary import listed
from tests.test_configuration_files import CONFIG, SHORT, reachable

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


class Watch:
    """What the process does that it should not, seen by Python's audit events."""

    def __init__(self):
        self.here, self.on, self.seen = Path.cwd().resolve(), False, []
        sys.addaudithook(self)

    def __call__(self, event, args):
        if not self.on:
            return
        if event == "open" and args[0] is not None and not isinstance(args[0], int):
            mode, flags = args[1] or "", args[2] or 0
            written = any(c in mode for c in "wax+") or flags & (os.O_WRONLY | os.O_RDWR)
            if written and not self.inside(args[0]):
                self.seen.append((event, str(args[0])))
            if "passwd" in str(args[0]) or "canary" in str(args[0]):
                self.seen.append((event, str(args[0])))
        elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.symlink", "os.link"):
            if not self.inside(args[0]):
                self.seen.append((event, str(args[0])))
        elif event == "import" and args[0].startswith("evil"):
            self.seen.append((event, args[0]))
        elif event.startswith(("subprocess.", "os.system", "os.exec", "os.spawn", "os.fork")) or (
            event.startswith("socket.") and event in ("socket.bind", "socket.connect")
        ):
            self.seen.append((event, str(args)[:200]))

    def inside(self, path):
        path = os.fsdecode(path)
        own = ("/dev/null", "/proc/self", str(self.here))
        return os.path.realpath(path).startswith(own)


def attack(count, seed):
    chance, codes = random.Random(seed), Counter()
    names = [sorted(reachable()), sorted(listed()), FOREIGN]
    sys.argv = ["train"]
    watch = Watch()
    for number in range(count):
        tree = configuration(chance, names)
        Path("stranger.yaml").write_text(yaml.safe_dump(tree))
        before, printed = len(watch.seen), io.StringIO()
        watch.on = True
        code = 0
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(printed):
            try:
                main(["fit", "--config=stranger.yaml", f"--out=run{number}", *SHORT])
            except SystemExit as ended:
                code = ended.code
            except BaseException as error:
                code = f"{type(error).__name__}"
        watch.on = False
        codes[code] += 1
        said = printed.getvalue()
        if code not in (0, 2) or len(watch.seen) > before or "daemon:" in said:
            print(
                code, watch.seen[before:], json.dumps(tree)[:1500], said[-300:].strip(), flush=True
            )
    print("seen", len(watch.seen), dict(codes))


if __name__ == "__main__":
    attack(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
