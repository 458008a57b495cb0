"""How the cost of this library grows with the points per side and the critic steps."""

import statistics
from dataclasses import dataclass, replace
from typing import Any

from scripts.benchmark.racing.ours import ours
from scripts.benchmark.racing.race import Contender, enter, lap
from scripts.benchmark.racing.tasks import TASKS, Size, Task


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
