"""Where a generator iteration spends its time, and what larger minibatches and more steps cost."""

import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger

from gans import AdversarialModule
from gans.callbacks import MONITORS
from scripts.benchmark.racing.ours import module_of, ours
from scripts.benchmark.racing.race import Contender, enter, lap
from scripts.benchmark.racing.tasks import TASKS, Size, Task
from scripts.lab.training import quiet_trainer

LOOKS = 4
LONG = 10_000  # iterations


class Stopwatch:
    """Adds up the time inside functions, without that of functions timed inside them."""

    def __init__(self) -> None:
        self.calls: defaultdict[str, list[float]] = defaultdict(list)
        self._inner = [0.0]

    @property
    def spent(self) -> dict[str, float]:
        """Seconds in all calls of each name."""
        return {name: sum(seconds) for name, seconds in self.calls.items()}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self._inner.append(0.0)
            start = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent = time.process_time() - start
                self.calls[name].append(spent - self._inner.pop())
                self._inner[-1] += spent

        return wrapped


@dataclass(frozen=True)
class Breakdown:
    """Milliseconds per iteration of each part, of the whole, and of what monitoring adds."""

    task: str
    members: int
    width: int
    iterations: int

    @property
    def key(self) -> str:
        return f"parts {self.task} {self.members} {self.width} {self.iterations}"

    def measure(self) -> dict[str, Any]:
        watch, size = Stopwatch(), Size(self.members, self.width)
        timed = self.under(watch, module_of(TASKS[self.task], size, self.iterations))
        start = time.process_time()
        quiet_trainer(devices=1).fit(timed)
        whole = time.process_time() - start
        parts = watch.spent
        parts["Lightning"] = whole - sum(parts.values())
        parts["whole"] = whole
        per_iteration = {name: 1e3 * s / self.iterations for name, s in parts.items()}
        per_iteration["monitoring"] = 1e3 * monitoring(module_of(TASKS[self.task], size, LOOKS))
        about = {"task": self.task, "members": self.members, "width": self.width}
        return {"rows": [about | per_iteration]}

    @staticmethod
    def under(watch: Stopwatch, module: Any) -> Any:
        """The module with its parts under the stopwatch."""
        configure = module.configure_optimizers

        def configure_timed() -> Any:
            optimizers = configure()
            for optimizer in optimizers:
                optimizer.step = watch.timed("optimizers", optimizer.step)
                optimizer.zero_grad = watch.timed("optimizers", optimizer.zero_grad)
            return optimizers

        module.configure_optimizers = configure_timed
        for name, owner, method in (
            ("real points", module.target, "draw"),
            ("generator forward", module.generator, "forward"),
            ("critic forward", module.critic, "forward"),
            ("penalty", module.constraint, "penalty"),
            ("losses and the rest", module.critic_gradients, "loss"),
            ("backward", module, "critic_gradients"),
            ("losses and the rest", module.generator_gradients, "loss"),
            ("backward", module, "generator_gradients"),
            ("losses and the rest", module, "training_step"),
        ):
            setattr(owner, method, watch.timed(name, getattr(owner, method)))
        return module


def monitoring(module: AdversarialModule) -> float:
    """Seconds per iteration that looks of all monitors take in a long run at their defaults."""
    watch = Stopwatch()
    each_time = [monitor(every=1) for monitor in MONITORS.values()]
    for monitor in each_time:
        monitor.observe = watch.timed(type(monitor).__name__, monitor.observe)
    with tempfile.TemporaryDirectory() as folder:
        logger = TensorBoardLogger(folder, name="", version="", default_hp_metric=False)
        quiet_trainer(devices=1, logger=logger, callbacks=each_time, log_every_n_steps=1).fit(
            module
        )
    # the first look finds nothing warm
    return sum(
        statistics.median(watch.calls[monitor.__name__][1:])
        * sum(monitor().is_due(i, LONG) for i in range(1, LONG + 1))
        / LONG
        for monitor in MONITORS.values()
    )


@dataclass(frozen=True)
class Growth:
    """Milliseconds per iteration of WGAN-GP at several settings."""

    rounds: int
    seconds: float
    members: int = 8
    width: int = 128

    @property
    def key(self) -> str:
        return f"growth {self.members} {self.width} {self.rounds} {self.seconds:g}"

    def settings(self) -> list[tuple[str, int, Task, Size]]:
        task, size = TASKS["WGAN-GP"], Size(self.members, self.width)
        batches = [("batch", b, task, replace(size, batch=b)) for b in (64, 128, 256, 512, 1024)]
        return batches + [("n_critic", n, replace(task, n_critic=n), size) for n in (1, 2, 5, 10)]

    def measure(self) -> dict[str, Any]:
        rows = []
        for what, value, task, size in self.settings():
            contender = Contender("ours", size.members, ours)
            enter(contender, task, size, self.seconds)
            rate = statistics.median(lap(contender.label)[0] for _ in range(self.rounds))
            rows.append({"what": what, "value": value, "ms": 1e3 * size.members / rate})
        return {"rows": rows}
