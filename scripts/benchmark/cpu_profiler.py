"""A profiler of Lightning's that counts CPU seconds, and writes them to a file."""

import json
import time
from collections import defaultdict
from pathlib import Path
from typing import final

from pytorch_lightning.profilers import Profiler

from divergences.whole_files import write_atomically


@final
class CpuSeconds(Profiler):
    """CPU seconds of this process, all its threads, while each hook of a run was at work.

    Arguments:
        path: Of the file, a JSON object from Lightning's names of hooks to seconds.
    """

    def __init__(self, path: str):
        super().__init__()
        self.path = Path(path)
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._since: dict[str, float] = {}

    def start(self, action_name: str) -> None:
        self._since[action_name] = time.process_time()

    def stop(self, action_name: str) -> None:
        self.spent[action_name] += time.process_time() - self._since.pop(action_name)

    def teardown(self, stage: str | None) -> None:
        super().teardown(stage)
        write_atomically(self.path, json.dumps(self.spent, indent=1))
