"""A Dask cluster on this machine: real processes over TCP, which can be killed."""

import socket
import subprocess
import sys


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Loopback:
    """A scheduler and workers, each a process of its own, over TCP on this machine."""

    def __init__(self, stack, folder):
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.log = stack.enter_context((folder / "cluster.log").open("w"))
        self.workers = []
        self.scheduler = None
        stack.callback(self.stop)

    def start(self, workers):
        port = self.address.rpartition(":")[2]
        self.scheduler = self._spawn(
            "scheduler", "--host=127.0.0.1", f"--port={port}", "--no-show"
        )
        for _ in range(workers):
            self.workers.append(self._spawn("worker", self.address, "--no-nanny", "--nthreads=1"))

    def _spawn(self, what, *flags):
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *flags]
        return subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def kill_scheduler(self):
        """The scheduler goes, and its workers after it."""
        self.scheduler.kill()
        self.scheduler.wait()
        for worker in self.workers:
            worker.wait(30)
        self.workers.clear()

    def stop(self):
        for process in [*self.workers, self.scheduler]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
