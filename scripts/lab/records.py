"""Jobs that each leave a record: done by whatever executor there is, once, and kept."""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict, final

from divergences.shown_text import one_line
from gans.runtime.escaping import printable, tell
from scripts.lab.checked_files import (
    Damaged,
    Seconds,
    load_record,
    unless_damaged,
    write_record,
)
from scripts.lab.executors import Engine, limited
from scripts.lab.jobs import Doing, Job, Outcome
from scripts.lab.json_values import restored, stored
from scripts.lab.options import engine_of
from scripts.lab.origin import fingerprint
from scripts.lab.progress import Progress
from scripts.lab.running import complete


class Record(TypedDict):
    """What is kept of a job.

    ``origin`` is the digest of its function's source and its arguments, ``code`` that of the
    library, see :mod:`scripts.lab.origin`.
    """

    key: str
    origin: str
    code: str
    seconds: Seconds
    result: Any
    digest: NotRequired[str]


@final
@dataclass(frozen=True)
class Records:
    """A folder of records, each written once and whole.

    Attributes:
        folder: Where they are.
    """

    folder: Path

    def path(self, key: str) -> Path:
        """The file of a key; what stands before a slash in it is a folder."""
        parts = key.split("/", 1)
        names = ["".join(c if c.isalnum() or c in "_+" else "-" for c in part) for part in parts]
        return self.folder.joinpath(*names[:-1], f"{names[-1]}.json")

    def read(self, key: str) -> Record | None:
        """The record of a key, ``None`` if there is none; a damaged one is set aside."""
        return unless_damaged(self.path(key), self._load)

    def __iter__(self) -> Iterator[Record]:
        """All records, in the order of their files' names; damaged ones are set aside."""
        for path in sorted(self.folder.rglob("*.json")):
            record = unless_damaged(path, self._load)
            if record is not None:
                yield record

    def keep(self, key: str, job: Job, outcome: Outcome) -> None:
        """Write a record, whole or not at all."""
        record = Record(
            key=key,
            origin=job.origin,
            code=fingerprint(),
            seconds=outcome.seconds,
            result=stored(outcome.result),
        )
        write_record(self.path(key), {**record}, None)

    def _load(self, path: Path) -> Record:
        record = load_record(path, Record)
        if self.path(record["key"]) != path:
            raise Damaged(path, f"it is the record of {record['key']}")
        try:
            return {**record, "result": restored(record["result"])}
        except (ValueError, RecursionError) as error:
            raise Damaged(path, error) from None


@dataclass(frozen=True)
class Failed:
    """A job that did not succeed, and why, the last time."""

    key: str
    error: BaseException

    def __str__(self) -> str:
        return f"{one_line(self.key)}: {type(self.error).__name__}: {printable(self.error)}"


def run_all(
    jobs: Mapping[str, Job],
    out: Path,
    engine: Engine,
    options: argparse.Namespace,
    current: bool = False,
) -> list[Failed]:
    """Do every job that has no record; what failed.

    Arguments:
        jobs: By key.
        out: The command's folder; records are in its folder ``jobs``.
        engine: Makes executors.
        options: With ``retries``, ``timeout`` and ``again``, see :mod:`scripts.lab.options`.
        current: Whether a record must be of today's source and arguments; if not, it is kept,
            and that it is of other code is said.
    """
    records = Records(out / "jobs")
    missing: dict[Job, str] = {}
    foreign = 0
    for key, job in jobs.items():
        record = None if options.again else records.read(key)
        if record is None or (current and record["origin"] != job.origin):
            missing[job] = key
        elif (record["code"], record["origin"]) != (fingerprint(), job.origin):
            foreign += 1
    if len({records.path(key) for key in jobs}) < len(jobs):
        raise ValueError(f"two jobs have the same record in {records.folder}: rename one")
    if foreign:
        tell(f"{foreign} results are of other code and kept; --again measures them anew")
    progress = Progress(sum(job.cost for job in missing), len(missing))

    def keep(job: Job, outcome: Outcome) -> None:
        records.keep(missing[job], job, outcome)
        progress.advance(job.cost, missing[job])

    with progress:
        work = limited(Doing(out), options.timeout)
        failures = complete(missing, work, engine, options.retries, keep)
    if failures and options.debug:
        raise failures[0].error
    failed = [Failed(missing[failure.job], failure.error) for failure in failures]
    for failure in failed:
        tell(f"failed: {failure}")
    return failed


def results(
    jobs: Mapping[str, Job],
    options: argparse.Namespace,
    folder: Path | None = None,
    engine: Engine | None = None,
) -> list[Any]:
    """What all jobs returned, today or earlier, in their order.

    Arguments:
        jobs: By key.
        options: Those of the command, with its folder ``out``.
        folder: The folder, if it is another.
        engine: What runs them, if not what the options say.

    Raises:
        ValueError: If a job failed; the others' results are kept.
    """
    out: Path = folder or options.out
    failed = run_all(jobs, out, engine or engine_of(options), options)
    if failed:
        raise ValueError(f"{len(failed)} of {len(jobs)} jobs failed; the others are kept")
    records = [Records(out / "jobs").read(key) for key in jobs]
    return [record["result"] for record in records if record is not None]
