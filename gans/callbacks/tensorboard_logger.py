"""TensorBoard's files of a run that is continued, in order whatever the clock does."""

# pyright: reportAttributeAccessIssue=false
# protocol buffers make their classes when they are imported

import os
import re
import socket
import time
from pathlib import Path
from typing import Any, final

from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.compat import tf
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.event_file_writer import EventFileWriter, _AsyncWriter
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.writer import FileWriter, SummaryWriter

LARGEST = 9_999_999_999
"""What the ten digits in a file's name hold."""


def later_than(folder: Path) -> float:
    """A time after all that the folder's event files say: now, unless the clock was set back.

    TensorBoard reads the files of a run in the order of their names, which begin with the second
    they were opened in, and drops what a later file repeats.

    Raises:
        ValueError: If a file says that it is of a time after which no name can be.
    """
    latest = time.time()
    for path in folder.glob("events.out.tfevents.*"):
        opened = re.match(r"events\.out\.tfevents\.(\d{10})\.", path.name)
        if opened:
            latest = max(latest, int(opened[1]) + 1, path.stat().st_mtime)
            if latest > LARGEST:
                raise ValueError(
                    f"{path} says that it was written after the year 2286, so that no curves can "
                    "come after its own; move it away"
                )
    return latest


@final
class _File(EventFileWriter):
    """An event file named after a time that is given, not after the clock's."""

    def __init__(self, folder: str, opened: float, max_queue: int, flush_secs: int, suffix: str):
        self._logdir = folder
        tf.io.gfile.makedirs(folder)
        name = f"events.out.tfevents.{int(opened):010d}.{socket.gethostname()}.{os.getpid()}"
        self._file_name = os.path.join(folder, f"{name}.0{suffix}")
        self._general_file_writer = tf.io.gfile.GFile(self._file_name, "wb")
        records = RecordWriter(self._general_file_writer)
        self._async_writer = _AsyncWriter(records, max_queue, flush_secs)
        self.add_event(Event(wall_time=opened, file_version="brain.Event:2"))
        self.flush()


@final
class _Events(FileWriter):
    """Writes events whose times never decrease, from file to file."""

    def __init__(self, folder: str, max_queue: int, flush_secs: int, suffix: str):
        self._opened, self._since = later_than(Path(folder)), time.monotonic()
        self.event_writer = _File(folder, self._opened, max_queue, flush_secs, suffix)

    def add_event(self, event: Any, step: Any = None, walltime: float | None = None) -> None:
        now = self._opened + time.monotonic() - self._since
        super().add_event(event, step, now if walltime is None else walltime)


@final
class _Writer(SummaryWriter):
    """What Lightning's logger writes to."""

    def _get_file_writer(self) -> Any:
        if self.all_writers is None or self.file_writer is None:
            made: Any = _Events(
                str(self.log_dir), self.max_queue, self.flush_secs, self.filename_suffix
            )
            self.file_writer, self.all_writers = made, {made.get_logdir(): made}
            if self.purge_step is not None:
                start = SessionLog(status=SessionLog.START)
                made.add_event(Event(session_log=start), self.purge_step)
                self.purge_step = None
        return self.file_writer


@final
class OrderedLogger(TensorBoardLogger):
    """Lightning's TensorBoard logger, whose curves are in order after any number of resumes.

    The file of a resumed run comes after those that are there, and its times after theirs,
    although the clock may have been set back meanwhile.

    Arguments:
        folder: Of the run; the files lie in it, not below.
        purge_step: From which step on what earlier files have is not to be shown.
    """

    def __init__(self, folder: str | Path, purge_step: int | None = None):
        later_than(Path(folder))  # that there is a place for them is seen before any work
        super().__init__(
            folder, name="", version="", default_hp_metric=False, purge_step=purge_step
        )

    @property
    @rank_zero_experiment
    def experiment(self) -> SummaryWriter:
        if self._experiment is None:
            self._fs.makedirs(self.root_dir, exist_ok=True)
            self._experiment = _Writer(log_dir=self.log_dir, **self._kwargs)
        return self._experiment
