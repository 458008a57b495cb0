"""How a process keeps its memory."""

import ctypes

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Names of settings in glibc's ``malloc.h``."""


def keep_memory() -> bool:
    """Let freed memory stay with the process for its next tensors; says whether that could be set.

    The activations of many members are larger than what glibc keeps by default: each tensor would
    be fetched from the system anew, page by page, which takes longer than filling it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    return mallopt(MMAP_MAX, 0) == 1 and mallopt(TRIM_THRESHOLD, 2**31 - 1) == 1


def give_back_memory() -> bool:
    """Return freed memory to the system, so that what a step takes can be seen; says if it did."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and trim(0) == 1
