"""Folders of images and features on the command line."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from divergences.comparison.command import main
from divergences.comparison.compared_files import read_table
from divergences.comparison.features import Convolutions, PrincipalComponents, features
from divergences.comparison.tables import Table
from divergences.image_pixels import read_image


def folder(path, seed=0, count=12, size=(8, 10), mode="RGB", dark=0):
    path.mkdir()
    draw = np.random.default_rng(seed)
    for k in range(count):
        levels = draw.integers(0, 256 - dark, (*size, 3), dtype=np.uint8)
        Image.fromarray(levels).convert(mode).save(path / f"{k}.png")
    return path


def test_pixels_are_read_in_order_as_levels_from_0_to_1(tmp_path):
    found = read_table(folder(tmp_path / "a", mode="L"))
    expected = [np.array(Image.open(tmp_path / "a" / f"{k}.png")) for k in (0, 1, 10, 11, 2)]
    assert found.image == (8, 10, 1)
    assert found.values[:5].numpy() == pytest.approx(np.stack(expected).reshape(5, 80) / 255)


@pytest.mark.parametrize("kind", ["pixels", "pca:3", "convolutions"])
def test_darker_images_are_told_apart(tmp_path, capsys, kind):
    one, other = folder(tmp_path / "a"), folder(tmp_path / "b", 1, dark=120)
    assert main([str(one), str(other), "--features", kind, "--permutations", "99"]) == 0
    assert "the samples differ (p = .01)" in capsys.readouterr().out


def test_features_are_the_same_whatever_the_order_of_the_samples(tmp_path):
    one, other = (read_table(folder(tmp_path / n, s)) for n, s in (("a", 0), ("b", 1)))
    for kind in (PrincipalComponents(4), Convolutions()):
        there, back = kind([one, other]), kind([other, one])
        assert there[0].values.numpy() == pytest.approx(back[1].values.numpy(), abs=1e-9)
        assert len(there[0].names) == there[0].values.shape[1]


def test_principal_components_are_those_of_the_covariance():
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((30, 5)), draw.standard_normal((20, 5)) * [1, 2, 3, 4, 5]
    tables = [Table("x", torch.from_numpy(x), image=(1, 5, 1)),
              Table("y", torch.from_numpy(y), image=(1, 5, 1))]  # fmt: skip
    found = torch.cat([t.values for t in PrincipalComponents(5)(tables)]).numpy()
    both = np.concatenate([x, y])
    expected = np.linalg.eigvalsh(np.cov(both.T))[::-1]
    assert found.var(0, ddof=1) == pytest.approx(expected, rel=1e-9)
    assert np.cov(found.T) - np.diag(expected) == pytest.approx(np.zeros((5, 5)), abs=1e-9)


def test_points_of_equal_laws_lie_equally_far_out_along_components_found_from_some(monkeypatch):
    monkeypatch.setattr("divergences.comparison.features.MOST_TO_FIT", 30)
    draw, ratios = np.random.default_rng(0), []
    for _ in range(20):
        tables = [Table("z", torch.from_numpy(draw.standard_normal((n, 200)))) for n in (30, 34)]
        of_x, of_y = (t.values.square().mean().log() for t in PrincipalComponents(5)(tables))
        ratios.append(float(of_x - of_y))
    assert abs(np.mean(ratios)) < 4 * np.std(ratios) / 20**0.5


def test_a_picture_is_turned_as_its_metadata_say(tmp_path):
    upright = Image.open(folder(tmp_path / "a") / "0.png")
    exif = Image.Exif()
    exif[274] = 6  # to be turned clockwise by a quarter
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    assert (read_image(tmp_path / "turned.png") == np.array(upright)).all()


def test_wide_tables_can_be_compared_by_their_principal_components(tmp_path, capsys):
    draw = np.random.default_rng(0)
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", draw.standard_normal((12, 5000)) + (name == "b"))
    files = [str(tmp_path / f"{name}.npy") for name in "ab"]
    assert main(files) == 2
    assert "--features pca:50" in capsys.readouterr().err
    assert main([*files, "--features", "pca:5", "--permutations", "99"]) == 0
    assert "the samples differ" in capsys.readouterr().out


def damaged(path):
    (folder(path) / "3.png").write_bytes(b"\x89PNG no image")


def of_two_sizes(path):
    Image.new("RGB", (9, 8)).save(folder(path) / "x.png")


def with_text(path):
    (folder(path) / "notes.txt").write_text("mine")


def transparent(path):
    Image.new("RGBA", (10, 8)).save(folder(path) / "x.png")


def deep(path):
    Image.new("I;16", (10, 8)).save(folder(path) / "x.png")


def deep_in_colour(path):
    rows = b"".join(b"\0" + bytes(10 * 3 * 2) for _ in range(8))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 10, 8, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    (folder(path) / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def animated(path):
    first, second = (Image.new("RGB", (10, 8), colour) for colour in ("red", "blue"))
    first.save(folder(path) / "x.png", save_all=True, append_images=[second])


def a_script(path):
    (folder(path) / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 8\n")


def small(path):
    folder(path, size=(4, 4))


BAD = [
    (damaged, "pixels", "no whole image"),
    (of_two_sizes, "pixels", "bring all images to one size"),
    (with_text, "pixels", "which is no image"),
    (transparent, "pixels", "transparency"),
    (deep, "pixels", "8 bits"),
    (deep_in_colour, "pixels", "of 16 bits"),
    (animated, "pixels", "is animated"),
    (a_script, "pixels", "no whole image"),
    (lambda path: path.mkdir(), "pixels", "the folder is empty"),
    (small, "pixels", "bring both to the same"),
    (lambda path: folder(path, mode="L"), "pixels", "in grey"),
    (folder, "pca:999", "principal components"),
    (folder, "pca:-1", "give one of"),
    (folder, "torchvision.models.resnet18", "give one of"),
]


@pytest.mark.parametrize(("make", "kind", "message"), BAD, ids=range(len(BAD)))
def test_what_is_wrong_with_a_folder_is_one_line(tmp_path, capsys, make, kind, message):
    good = folder(tmp_path / "good", 1)
    make(tmp_path / "bad")
    assert main([str(tmp_path / "bad"), str(good), "--features", kind]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert message in err


def test_a_folder_needs_features_and_a_table_has_no_pixels(tmp_path, capsys):
    images = str(folder(tmp_path / "a"))
    table = tmp_path / "a.csv"
    table.write_text("1,2\n3,5\n4,7\n5,6\n")
    assert main([images, images]) == 2
    assert "say --features" in capsys.readouterr().err
    assert main([str(table), images, "--features", "pixels"]) == 2
    assert "a.csv: is no folder of images" in capsys.readouterr().err
    small(tmp_path / "small")
    assert main([str(tmp_path / "small")] * 2 + ["--features", "convolutions"]) == 2
    assert "too small for convolutions" in capsys.readouterr().err
    with pytest.raises(ValueError, match="--features"):
        features("pca:1e9")
