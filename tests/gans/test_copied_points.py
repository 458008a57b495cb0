"""Copies of training points are named, however they are scaled; nothing else is called a copy."""

import pytest
import torch

from gans.monitors.evidence import Look
from gans.monitors.real_cloud import RealCloud, nearest
from gans.monitors.states import copies


def look(real, fake):
    return Look(readings={}, real=RealCloud(real), fake=fake, probe=fake[:8])


def near(real, n, share, draw):
    """Points at a share of the distance from a real point to its nearest neighbour."""
    which = torch.randint(len(real), (n,), generator=draw)
    away = torch.randn(n, real.shape[1], generator=draw)
    away = away / away.norm(dim=1, keepdim=True)
    return real[which] + share * nearest(real, real, itself=True)[0][which, None] * away


def clustered(n, d, draw):
    """A normal law, and half of the points in a cluster that is a hundred times as dense."""
    points = torch.randn(n, d, generator=draw, dtype=torch.float64)
    points[::2] /= 100
    return points


SIZES = [(1, 64), (1, 2000), (2, 64), (2, 2000), (5, 64), (64, 600)]


@pytest.mark.parametrize(("d", "n"), SIZES)
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_points_much_nearer_to_real_ones_than_real_ones_are_copies(d, n, scale):
    draw = torch.Generator().manual_seed(d)
    real = scale * clustered(n, d, draw)
    for share in (0.0, 0.05, 0.15):
        found = copies(look(real, near(real, 1024, share, draw)), None)
        assert found is not None
        assert found.name == "copies of training points"
    some = torch.where(torch.arange(1024)[:, None] < 800, near(real, 1024, 0.1, draw), real[0] * 3)
    assert copies(look(real, some), None) is not None


@pytest.mark.parametrize(("d", "n"), SIZES)
def test_other_points_of_the_law_or_of_another_are_no_copies(d, n):
    draw = torch.Generator().manual_seed(d)
    real, fresh = clustered(n, d, draw), clustered(1024, d, draw)
    others = {
        "of the law": fresh,
        "narrower": 0.3 * fresh,
        "wider": 2 * fresh,
        "in the cluster only": fresh[::2],
        "elsewhere": fresh + 5,
        "smoothed": near(real, 1024, 0.5, draw),
        "one point": real[:1].expand(1024, d),
        "few points": real[:4].repeat(256, 1),
    }
    for name, fake in others.items():
        assert copies(look(real, fake), None) is None, name


def test_coincidences_of_rounded_or_repeated_points_prove_nothing():
    draw = torch.Generator().manual_seed(0)
    rounded = torch.randn(2000, 2, generator=draw).round()
    assert copies(look(rounded, torch.randn(1024, 2, generator=draw).round()), None) is None
    repeated = torch.randn(1000, 2, generator=draw).repeat(2, 1)
    assert copies(look(repeated, torch.randn(1024, 2, generator=draw)), None) is None
    assert copies(look(torch.zeros(64, 2), torch.zeros(1024, 2)), None) is None


def test_closeness_in_parts_is_that_of_all_at_once(monkeypatch):
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(50, 3, generator=draw), torch.randn(40, 3, generator=draw)
    whole = RealCloud(y).closeness(*nearest(x, y)), nearest(y, y, itself=True)
    monkeypatch.setattr("gans.monitors.real_cloud.AT_ONCE", 90)
    parts = RealCloud(y).closeness(*nearest(x, y)), nearest(y, y, itself=True)
    assert torch.equal(whole[0], parts[0])
    assert all(torch.equal(a, b) for a, b in zip(whole[1], parts[1], strict=True))
    apart = torch.cdist(y, y).fill_diagonal_(torch.inf).amin(1)
    distance, which = torch.cdist(x, y).min(1)
    assert torch.allclose(whole[0].float(), distance / apart[which], rtol=1e-4)
