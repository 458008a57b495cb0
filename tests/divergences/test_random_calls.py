"""Calls of both packages' public interfaces with arguments at random return or explain.

``FUZZ_EXAMPLES=100000`` makes that many calls of each.
"""

import os

import pytest

from tests.random_calls import run

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


@pytest.mark.parametrize("package", ["divergences", "gans"])
def test_a_call_returns_or_says_what_is_wrong_with_it(package):
    counts, bad = run(EXAMPLES or 40, 0, package)
    assert not bad, bad
    assert counts["returned"] > 0.1 * counts.total()
    assert counts["refused"] > 0.1 * counts.total()
