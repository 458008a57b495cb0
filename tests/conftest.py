"""One thread, one random state to start from, and torch's global settings left as they were."""

import multiprocessing

import pytest
import torch
from torch.distributions import Distribution

from divergences import available_memory

torch.set_num_threads(1)  # small networks: more threads only wait for each other


@pytest.fixture(autouse=True)
def _same_start_for_every_test():
    torch.manual_seed(0)  # whatever ran before it


@pytest.fixture(autouse=True)
def _global_settings_stay():
    before = torch.get_default_dtype(), Distribution._validate_args, torch.is_grad_enabled()
    yield
    after = torch.get_default_dtype(), Distribution._validate_args, torch.is_grad_enabled()
    assert before == after, "a test left torch's global settings changed"


@pytest.fixture(autouse=True)
def _no_process_outlives_a_failed_test():
    yield
    for process in multiprocessing.active_children():
        if process.name.startswith("killable"):  # tests.commands starts them
            process.kill()
            process.join()


@pytest.fixture(autouse=True)
def _memory_stays_unlimited():
    """A command limits its process, which here is that of all tests."""
    yield
    limits = available_memory.resource
    if limits is not None and available_memory._limited_to:
        _, most = limits.getrlimit(limits.RLIMIT_DATA)
        limits.setrlimit(limits.RLIMIT_DATA, (most, most))
        available_memory._limited_to.clear()
