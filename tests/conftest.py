"""One thread, and no test that leaves torch's global settings changed."""

import pytest
import torch
from torch.distributions import Distribution

torch.set_num_threads(1)  # small networks: more threads only wait for each other


@pytest.fixture(autouse=True)
def _global_settings_stay():
    before = torch.get_default_dtype(), Distribution._validate_args, torch.is_grad_enabled()
    yield
    after = torch.get_default_dtype(), Distribution._validate_args, torch.is_grad_enabled()
    assert before == after, "a test left torch's global settings changed"
