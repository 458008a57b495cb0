"""How a worker process begins and ends."""

import logging
import multiprocessing
import os
import signal
import threading
import warnings

import torch

from gans.runtime.malloc import keep_memory
from gans.runtime.matmul_precision import take_accurate_products


def start_worker() -> None:
    """Initialise a worker process: one thread, because parallelism comes from processes; quiet.

    Ctrl-C reaches every process of a terminal; workers leave it to the one that started them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    keep_memory()
    take_accurate_products()
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")
    # of readings while training; what is claimed rests on estimates whose warnings are looked at
    warnings.filterwarnings("ignore", message="estimate ")
    # minibatches come from the module, whose streams are in the checkpoint
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable")


def end_with_parent() -> None:
    """End this process when the one that started it has, killed or not: nobody takes its work."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
