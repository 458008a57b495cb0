"""One thread, one random state to start from, and torch's global settings left as they were."""

import pytest
import torch
from torch.distributions import Distribution

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
