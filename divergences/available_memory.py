"""How much memory there is, and an error where it does not suffice, before the system kills."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

try:
    import resource
except ImportError:  # not on Windows
    resource = None

SHARE = 0.95
"""Of what is available, that a process takes: others need some, too."""
UNITS = {"": 1, **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGTPE", 1)}}
_PIECE = r"you tried to allocate (\d+)() bytes|Unable to allocate ([\d.]+) (.iB)"
"""How torch and NumPy say what they did not get."""
_KINDS = r"can't allocate memory|Unable to allocate|std::bad_alloc|Cannot allocate memory"
_limited_to: list[int] = []
"""What was available when this process was limited."""


def available(root: Path = Path("/")) -> int | None:
    """Bytes that this process may still take, by the system and by its cgroups.

    ``None`` where the system does not say, as on macOS and Windows.

    Arguments:
        root: Of the file system.
    """
    try:
        text = (root / "proc/meminfo").read_text()
    except OSError:
        return None
    there = {name: int(kib) * 1024 for name, kib in re.findall(r"(\w+):\s+(\d+) kB", text)}
    if "MemAvailable" not in there:
        return None
    whole = there["MemAvailable"] + there.get("SwapFree", 0)
    return max(0, min([whole, *_left_by_groups(root)]))


def _left_by_groups(root: Path) -> Iterator[int]:
    """What each memory group that this process is in leaves, in either version of cgroups."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds and "memory" not in kinds.split(","):
            continue
        files = ("memory.limit_in_bytes", "memory.usage_in_bytes") if kinds else (
            "memory.max", "memory.current",
        )  # fmt: skip
        top = root / "sys/fs/cgroup" / ("memory" if kinds else "")
        group = top / path.lstrip("/")
        for level in (group, *group.parents):
            with suppress(OSError, ValueError):  # "max" is no number
                limit, used = (int((level / file).read_text()) for file in files)
                yield limit - used + _given_back(level / "memory.stat")
            if level == top:
                break


def _given_back(stat: Path) -> int:
    """What a group would give back when asked: pages of files that nobody uses."""
    found = re.search(r"^(?:total_)?inactive_file (\d+)$", stat.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def limit_memory() -> None:
    """Let this process fail to take more than there is, rather than be killed for it.

    Nothing is limited where the system does not say what there is.
    """
    there, status = available(), Path("/proc/self/status")
    if resource is None or there is None or _limited_to:
        return
    held = re.search(r"VmData:\s+(\d+) kB", status.read_text())
    if held is None:
        return
    limit = int(held[1]) * 1024 + int(SHARE * there)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or limit <= most:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
        _limited_to.append(there)


def lack_of_memory(error: BaseException, remedy: str = "give less") -> str | None:
    """What to say of an error that is a lack of memory, with a remedy; ``None`` of another."""
    text = str(error)
    if not isinstance(error, MemoryError) and not re.search(_KINDS, text):
        return None
    found = re.search(_PIECE, text)
    size = float(found[1] or found[3]) * UNITS[found[2] or found[4] or ""] if found else 0.0
    more = f"{gigabytes(size)} more in one piece" if found else "more"
    where = f"; {gigabytes(_limited_to[0])} were available at the start" if _limited_to else ""
    return f"there is too little memory: it takes {more}{where}; {remedy}"


def gigabytes(size: float) -> str:
    """Bytes in words, with three digits."""
    return f"{size / 1e9:.3g} GB" if size < 1e12 else f"{size / 1e9:,.0f} GB"
