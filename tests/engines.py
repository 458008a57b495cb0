"""Engines of this process, where a test can see and stop the jobs."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from scripts.lab.executors import Engine


class Threads(Engine):
    """So many threads."""

    def __init__(self, count=1):
        self.window = count

    @contextmanager
    def executor(self):
        with ThreadPoolExecutor(self.window) as pool:
            yield pool
