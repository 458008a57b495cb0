"""Rules that name the state of a game, given numbers of which the answer is plain."""

import pytest

from gans.monitors import tags
from gans.monitors.states import unresolved


class Numbers:
    """What a rule asks of a look: intervals and numbers by tag."""

    def __init__(self, low, upper, floor):
        self.low, self.numbers = low, {tags.W1_UPPER: upper, tags.W1_FLOOR: floor}

    def interval(self, tag):
        assert tag == tags.W1_LOWER
        return self.low, 10.0

    def number(self, tag):
        return self.numbers[tag]


@pytest.mark.parametrize(
    ("low", "upper", "named"),
    [(-0.1, 1.0, True), (0.0, 1.09, True), (0.5, 1.0, False), (-0.1, 1.2, False)],
)
def test_w1_is_below_what_the_sample_resolves_if_both_bounds_allow_it(low, upper, named):
    found = unresolved(Numbers(low, upper, 1.0), None)
    assert (found is not None) == named
