"""Pictures as targets: what is drawn, what is held out, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from divergences import Streams
from gans.targets import Images, StackedDigits
from gans.targets.image_files import read_pictures

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (40, 3, 4, 5), dtype=np.uint8)
LABELS = np.arange(40) % 4


def rows(points):
    return {tuple(row) for row in points.tolist()}


def test_the_digits_are_those_of_scikit_learn_in_two_halves():
    datasets = pytest.importorskip("sklearn.datasets")
    theirs = datasets.load_digits()
    law = Images("digits")
    ours = torch.cat([law.points, law.kept_back])
    levels = ((ours + 1) * 17 / 2).round()
    assert rows(levels) == rows(torch.tensor(theirs.data).float())
    assert len(rows(law.points) & rows(law.kept_back)) == 0
    by_picture = {tuple(x): y for x, y in zip(theirs.data.tolist(), theirs.target, strict=True)}
    for points, labels in ((law.points, law.labels), (law.kept_back, law.kept_labels)):
        found = ((points + 1) * 17 / 2).round().tolist()
        assert [by_picture[tuple(x)] for x in found] == labels.tolist()


def test_the_split_follows_the_seed_alone():
    first, same, other = Images(BYTES), Images(BYTES), Images(BYTES, seed=1)
    assert torch.equal(first.points, same.points)
    assert rows(first.points) != rows(other.points)
    assert rows(torch.cat([first.points, first.kept_back])) == rows(
        torch.cat([other.points, other.kept_back])
    )


@pytest.mark.parametrize("make", [lambda: Images(BYTES), StackedDigits], ids=["own", "stacked"])
def test_training_never_draws_what_is_held_out(make):
    law = make()
    own = law.pixels // law.stacked
    kept, trained = rows(law.kept_back), rows(law.points)
    for found, allowed in (
        (law.held_out(Streams([0, 1]), 10), kept),
        (law.draw(Streams([0, 1]), 60), trained),
    ):
        edges = law.rounded(found) - law.width / 2
        far = torch.cdist(edges.reshape(-1, own), torch.tensor(sorted(allowed)))
        assert far.amin(1).max() < 0.1 * law.width


def test_held_out_pictures_are_there_once_each():
    law = Images(BYTES)
    with pytest.warns(UserWarning, match="20 of 50 points are there to be held out"):
        found = law.held_out(Streams([3]), 50)
    assert len(rows(law.rounded(found)[0])) == found.shape[1] == 20


def test_a_level_is_spread_evenly_over_its_part_and_told_from_any_of_its_values():
    values = np.array([[[0, 1]], [[2, 3]], [[0, 1]], [[2, 3]]], dtype=np.int64)
    law = Images(values, levels=4, share_held_out=0)
    x = law.draw(Streams([0]), 4000)[0].double()
    assert x.min() >= -1
    assert x.max() <= 1
    assert stats.kstest(x.flatten().numpy() / 2 + 0.5, "uniform").pvalue > 1e-4
    assert law.rounded(x).unique().tolist() == pytest.approx([-0.75, -0.25, 0.25, 0.75])
    assert law.rounded(torch.tensor([[-3.0, 1.0]])).tolist() == [[-0.75, 0.75]]


def test_mean_and_variance_are_those_of_what_is_drawn():
    for law in (Images(BYTES), Images(BYTES, LABELS, label_scale=2.0), StackedDigits()):
        x = law.draw(Streams([0]), 20000)[0].double()
        error = x.std(0) / len(x) ** 0.5
        assert ((x.mean(0) - law.mean).abs() < 5 * error + 1e-6).all()
        torch.testing.assert_close(x.var(0).float(), law.variance, rtol=0.1, atol=1e-3)


def test_values_between_minus_one_and_one_are_taken_as_they_are():
    values = torch.linspace(-1, 1, 6 * 4).reshape(6, 2, 2)
    law = Images(values, share_held_out=0)
    assert rows(law.draw(Streams([0]), 100)[0]) == rows(values.reshape(6, -1))
    assert torch.equal(law.rounded(law.points), law.points)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_axes_may_come_in_either_order(dtype):
    first = Images(torch.from_numpy(BYTES), levels=256)
    last = Images(np.moveaxis(BYTES, 1, 3))
    assert torch.equal(first.points, last.points)
    assert first.image_shape == last.image_shape == (3, 4, 5)
    moved = first.to("cpu", dtype)
    assert moved.draw(Streams([0], dtype=dtype), 2).dtype == dtype
    assert moved.pictures(moved.draw(Streams([0]), 7)).shape == (1, 7, 3, 4, 5)


def test_labelled_points_are_as_far_apart_as_their_classes():
    law = Images(BYTES, LABELS, label_scale=3.0)
    behind = law.draw(Streams([0, 1]), 50)[..., law.pixels :]
    apart = torch.cdist(behind, behind)
    zero, three = torch.zeros(()), torch.full((), 3.0)
    assert torch.isclose(apart, torch.where(apart > 1, three, zero), atol=1e-5).all()
    kept = law.kept_back[:, law.pixels :].argmax(-1)
    assert torch.equal(kept, law.kept_labels)
    with pytest.raises(ValueError, match="have no labels"):
        Images(BYTES, label_scale=3.0)


@pytest.mark.parametrize("levels", [2, 17, 256, 2**14])
def test_rounding_takes_no_value_to_another_level(levels):
    """Of 24 random bits the largest, and 0, in every level."""
    values = np.arange(levels, dtype=np.int64).reshape(-1, 1, 1).repeat(2, 0)
    law = Images(values, levels=levels, share_held_out=0)
    for uniform in (0.0, 1 - 2**-24):
        x = law._dequantised(law.points[:, None], torch.full((2 * levels, 1, 1), uniform))
        torch.testing.assert_close(law.rounded(x), law.points + law.width / 2, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match=f"too few digits to tell {levels} grey levels apart"):
        law.to("cpu", torch.bfloat16)


def test_a_member_draws_by_its_own_seed():
    law = Images(BYTES)
    pair, alone = law.draw(Streams([3, 4]), 9), law.draw(Streams([4]), 9)
    assert torch.equal(pair[1], alone[0])
    assert not torch.equal(pair[0], pair[1])
    pair, alone = law.held_out(Streams([3, 4]), 9), law.held_out(Streams([4]), 9)
    assert torch.equal(pair[1], alone[0])


def test_pictures_that_are_there_twice_are_told():
    with pytest.warns(UserWarning, match="there several times, in both halves"):
        Images(np.repeat(BYTES[:2], 20, 0))


@pytest.mark.parametrize(
    ("settings", "kind", "match"),
    [
        ({"images": np.zeros((9, 64))}, ValueError, r"shape \(9, 64\); give \(n, rows, columns"),
        ({"images": np.zeros((9, 3, 5, 3))}, ValueError, "holds the channels cannot be told"),
        ({"images": np.zeros((9, 2, 5, 5))}, ValueError, r"shape \(9, 2, 5, 5\)"),
        ({"images": np.zeros((0, 5, 5))}, ValueError, r"shape \(0, 5, 5\)"),
        ({"images": 2.0 * np.ones((9, 5, 5))}, ValueError, "from 2 to 2 of type float64; give"),
        ({"images": np.ones((9, 5, 5), dtype=int)}, ValueError, "give how many levels there are"),
        ({"images": np.full((9, 5, 5), np.nan)}, ValueError, "NaN or infinite"),
        ({"images": BYTES, "levels": 16}, ValueError, "none of the 16 levels 0, 1, ..., 15"),
        ({"images": np.ones((9, 5, 5), dtype=object)}, TypeError, "values of type object"),
        ({"images": BYTES, "labels": LABELS[:9]}, ValueError, r"shape \(9,\) for 40 pictures"),
        ({"images": BYTES, "labels": LABELS + 0.5}, TypeError, "labels of type float64"),
        ({"images": BYTES, "label_scale": 0.0}, ValueError, "label_scale = 0"),
        ({"images": BYTES, "share_held_out": 1.0}, ValueError, "share_held_out = 1"),
        ({"images": BYTES[:2]}, ValueError, "fewer than 2 to train on"),
        ({"images": "digits", "labels": LABELS}, ValueError, "labels of digits come from there"),
        ({"images": "nowhere"}, FileNotFoundError, "nowhere: no such file or folder"),
    ],
)
def test_what_is_no_collection_of_pictures_is_refused(settings, kind, match):
    with pytest.raises(kind, match=match):
        Images(**settings)


def test_there_is_no_density():
    with pytest.raises(NotImplementedError, match="no density is known; estimate"):
        Images(BYTES).log_prob(torch.zeros(60))


@pytest.mark.parametrize("names", [("images", "labels"), ("x_train", "y_train")])
def test_arrays_of_a_file(tmp_path, names):
    np.savez_compressed(
        tmp_path / "x.npz", **dict(zip(names, (BYTES, LABELS[:, None]), strict=True))
    )
    law = Images(tmp_path / "x.npz", share_held_out=0)
    assert torch.equal(law.points, Images(BYTES, share_held_out=0).points)
    assert law.labels.tolist() == LABELS.tolist()


def save(folder, name, pixels, **settings):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, **settings).save(path)
    return path


def test_a_folder_has_a_folder_for_each_class(tmp_path):
    for row, (pixels, label) in enumerate(zip(np.moveaxis(BYTES, 1, 3), LABELS, strict=True)):
        save(tmp_path, f"class {label}/{row:02}.png", pixels)
    law = Images(tmp_path, share_held_out=0)
    order = np.argsort(LABELS, kind="stable")
    assert torch.equal(law.points, Images(BYTES[order], share_held_out=0).points)
    assert law.labels.tolist() == sorted(LABELS.tolist())
    assert law.classes == ("class 0", "class 1", "class 2", "class 3")


def test_a_folder_of_grey_pictures_without_classes(tmp_path):
    for row in range(6):
        save(tmp_path, f"{row}.png", BYTES[row, 0])
    found = read_pictures(tmp_path)
    assert found.labels is None
    assert np.array_equal(found.values, BYTES[:6, 0])


def _two_sizes(folder):
    save(folder, "a.png", BYTES[0, 0])
    save(folder, "b.png", BYTES[0, 0, 1:])


def _transparent(folder):
    save(folder, "a.png", np.zeros((4, 5, 4), dtype=np.uint8))


def _broken(folder):
    (folder / "a.png").write_bytes(b"secret")


def _mixed(folder):
    save(folder, "a.png", BYTES[0, 0])
    save(folder, "one/b.png", BYTES[0, 0])


def _a_list_of_names(folder):
    save(folder, "a.png", BYTES[0, 0])
    (folder / "names.txt").write_text("secret")


def _deeper(folder):
    save(folder, "one/a.png", BYTES[0, 0])
    save(folder, "one/two/b.png", BYTES[0, 0])


def _objects(folder):
    np.savez(folder / "x.npz", images=np.array([{}, "secret"], dtype=object))
    return folder / "x.npz"


def _other_names(folder):
    np.savez(folder / "x.npz", weights=BYTES)
    return folder / "x.npz"


def _no_archive(folder):
    (folder / "x.npz").write_bytes(b"secret")
    return folder / "x.npz"


def _other_ending(folder):
    (folder / "x.pkl").write_bytes(b"secret")
    return folder / "x.pkl"


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (_two_sizes, r"b\.png: is of shape \(3, 5\) and a\.png of \(4, 5\)"),
        (_transparent, "has mode RGBA or transparency"),
        (_broken, r"a\.png: is no whole image"),
        (_mixed, "pictures beside folders"),
        (_a_list_of_names, r"names\.txt: is no picture"),
        (_deeper, r"one/two: is no picture"),
        (lambda folder: None, "holds no picture"),
        (_objects, r"cannot be read as arrays of numbers \(ValueError\)"),
        (_other_names, "holds no array with pictures; name it images"),
        (_no_archive, "cannot be read as arrays"),
        (_other_ending, r"cannot read '\.pkl'"),
    ],
)
def test_files_that_hold_no_pictures_are_refused(tmp_path, make, match):
    with pytest.raises(ValueError, match=match) as refused:
        Images(make(tmp_path) or tmp_path)
    assert "secret" not in str(refused.value)


def test_three_digits_make_a_picture_and_do_not_depend_on_each_other():
    law = StackedDigits()
    x = law.rounded(law.draw(Streams([0]), 3000))[0].reshape(-1, 3, 64)
    own = torch.cdist(x.flatten(0, 1), law.points + law.width / 2).argmin(1)
    classes = law.labels[own].view(-1, 3)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        table = np.zeros((10, 10))
        np.add.at(table, (classes[:, a].numpy(), classes[:, b].numpy()), 1)
        assert stats.chi2_contingency(table).pvalue > 1e-4
