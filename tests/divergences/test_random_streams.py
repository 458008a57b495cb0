import pytest
import torch

from divergences.random_streams import Streams


def test_a_member_is_independent_of_its_neighbours():
    alone = Streams([7])
    among = Streams([1, 7, 3])
    for _ in range(200):
        assert torch.equal(alone.rand(64, 2)[0], among.rand(64, 2)[1])
        assert torch.equal(alone.randn(64)[0], among.randn(64)[1])


def test_numbers_are_uniform_and_normal():
    streams = Streams(range(4), dtype=torch.float64)
    uniform = torch.stack([streams.rand(1000) for _ in range(50)]).flatten()
    normal = torch.stack([streams.randn(1000) for _ in range(50)]).flatten()
    n = uniform.numel()
    assert abs(uniform.mean() - 0.5) < 5 * (1 / 12 / n) ** 0.5
    assert abs(uniform.var() - 1 / 12) < 5 * (1 / 180 / n) ** 0.5
    assert abs(normal.mean()) < 5 / n**0.5
    assert abs(normal.var() - 1) < 5 * (2 / n) ** 0.5


def test_seeds_and_purposes_give_unrelated_numbers():
    a, b = Streams([0, 1]).rand(20000)
    c = Streams([0], "held-out").rand(20000)[0]
    for other in (b, c):
        correlation = torch.corrcoef(torch.stack([a, other]))[0, 1]
        assert abs(correlation) < 5 / 20000**0.5


def test_blocks_do_not_repeat():
    streams = Streams([0])
    drawn = torch.cat([streams.rand(512)[0] for _ in range(300)])
    assert len(drawn.double().unique()) > 0.99 * len(drawn)


@pytest.mark.parametrize("before", [0, 1, 63, 64, 65, 200])
def test_a_restored_state_continues_bit_for_bit(before):
    straight, stopped = Streams([0, 5]), Streams([0, 5])
    for streams in (straight, stopped):
        for _ in range(before):
            streams.rand(512)
            streams.randn(3, 2)
    resumed = Streams([0, 5])
    resumed.load_state_dict(stopped.state_dict())
    for _ in range(150):
        assert torch.equal(straight.rand(512), resumed.rand(512))
        assert torch.equal(straight.randn(3, 2), resumed.randn(3, 2))


def test_the_state_is_a_snapshot():
    streams = Streams([0])
    streams.rand(4)
    state = streams.state_dict()
    expected = [streams.rand(4) for _ in range(20000)]
    resumed = Streams([0])
    resumed.load_state_dict(state)
    assert all(torch.equal(a, resumed.rand(4)) for a in expected)


def test_no_seeds_is_an_error():
    with pytest.raises(ValueError, match="seeds is empty"):
        Streams([])


@pytest.mark.parametrize("seeds", [0, 0.5, "01", [0.5], [None], None, [True]])
def test_seeds_are_integers(seeds):
    with pytest.raises(TypeError, match="seeds"):
        Streams(seeds)


def test_a_state_of_something_else_is_refused_and_changes_nothing():
    streams = Streams([0, 1])
    streams.rand(3)
    before = streams.state_dict()
    other = Streams([0])
    other.rand(3)
    for state, match in [
        ({"a": 1}, "'a' names no stream"),
        ({"rand/x": {}}, "names no stream"),
        ({"rand/3": {"a": 1}}, "no 'start'"),
        (other.state_dict(), "1 seeds does not fit 2"),
    ]:
        with pytest.raises(ValueError, match=match):
            streams.load_state_dict(state)
    assert streams.state_dict().keys() == before.keys()


def test_a_state_from_before_devices_were_saved_is_of_the_processor():
    straight = Streams([0, 5])
    straight.rand(7)
    state = straight.state_dict()
    del state["rand/7"]["device"]
    resumed = Streams([0, 5])
    resumed.load_state_dict(state)
    assert torch.equal(straight.rand(7), resumed.rand(7))


def test_a_state_of_a_device_that_is_not_there_is_refused():
    streams = Streams([0, 5])
    streams.rand(7)
    state = streams.state_dict()
    assert state["rand/7"]["device"] == "cpu"
    state["rand/7"]["device"] = "no such device"
    with pytest.raises(ValueError, match="which is not there"):
        streams.load_state_dict(state)


def test_where_a_device_has_no_generators_the_processor_draws():
    assert Streams([0, 5], device="meta").rand(7, 2).is_meta
