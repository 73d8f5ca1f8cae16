"""Pictures are looked at through their pixels."""

import struct
import subprocess
import sys

import numpy as np
import pytest

image = pytest.importorskip("matplotlib.image", reason="the extra `report` is not installed")

from tinymed.medical.report.pictures import (  # noqa: E402
    draw_confusion_matrix,
    draw_montage,
    draw_precision_recall,
    draw_reliability,
    draw_roc,
    draw_training,
)

LOG = [
    {"epoch": e, "train_loss": 1 / e, "val_loss": 2 / e, "lr": 0.1, "note": "x"} for e in (1, 2, 3)
]
RED, GREEN = np.array([213, 94, 0]), np.array([0, 158, 115])

DRAWINGS = {
    "roc": lambda path: draw_roc(
        path, [0, 0.1, 1], [0, 0.8, 1], auc=0.85, interval=(0.8, 0.9), operating_point=(0.1, 0.8)
    ),
    "precision_recall": lambda path: draw_precision_recall(
        path, [0.3, 0.5, 1], [1, 0.5, 0], average_precision=0.6, prevalence=0.3
    ),
    "confusion": lambda path: draw_confusion_matrix(path, [[9, 1], [0, 5]], classes=["$a", "b$_{"]),
    "reliability": lambda path: draw_reliability(path, [0, 1], [0.2, 0.9], [5, 1], error=0.1),
    "training": lambda path: draw_training(path, LOG, best_epoch=2),
    "montage": lambda path: draw_montage(path, np.zeros((2, 9, 9)), [0, 1], [0.2, 0.3]),
}


def pixels(path):
    """Return the picture (H, W, 3), 0 .. 255."""
    return np.rint(image.imread(path)[..., :3] * 255).astype(int)


def count(picture, colour):
    return int((np.abs(picture - colour).max(-1) <= 3).sum())


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_a_png_with_something_on_it(tmp_path, draw):
    path = tmp_path / "picture.dat"
    draw(path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert 200 < width < 2000
    assert 150 < height < 2000
    assert len(np.unique(pixels(path).reshape(-1, 3), axis=0)) > 10


def test_the_operating_point_is_where_it_should_be(tmp_path):
    places = []
    for point in ((0.1, 0.9), (0.1, 0.2), (0.8, 0.9)):
        draw_roc(tmp_path / "x.png", [0, 1], [0, 1], auc=0.5, operating_point=point)
        red = np.abs(pixels(tmp_path / "x.png") - RED).max(-1) <= 3
        rows, columns = np.nonzero(red[:450])  # above the legend
        places.append((rows.mean(), columns.mean()))
    (top, left), (lower, _), (_, right) = places
    assert lower > top + 200
    assert right > left + 200


def test_no_point_no_mark(tmp_path):
    draw_roc(tmp_path / "x.png", [0, 1], [0, 1], auc=0.5)
    assert count(pixels(tmp_path / "x.png"), RED) == 0


def test_the_most_wrong_comes_first(tmp_path):
    images = np.stack([np.full((9, 9), grey, np.uint8) for grey in (50, 100, 150, 200)])
    draw_montage(tmp_path / "x.png", images, [0, 1, 0, 1], [0.3, 0.4, 0.9, 0.95], count=3)
    picture = pixels(tmp_path / "x.png")
    middle = picture[picture.shape[0] // 2 + 20]
    tiles = [middle[int(picture.shape[1] * (k + 0.5) / 3), 0] for k in range(3)]
    assert tiles == [150, 100, 50]  # |score - label| = 0.9, 0.6, 0.3; 0.05 is left out


def test_frames_tell_wrong_from_right(tmp_path):
    images = np.zeros((1, 9, 9), np.uint8)
    for threshold, present, absent in ((0.5, RED, GREEN), (0.3, GREEN, RED)):
        draw_montage(tmp_path / "x.png", images, [1], [0.4], threshold=threshold)
        picture = pixels(tmp_path / "x.png")
        assert count(picture, present) > 100
        assert count(picture, absent) == 0


@pytest.mark.parametrize("shape", [(2, 5, 9, 9), (2, 9, 9, 1), (2, 9, 9, 3)])
def test_montage_of_volumes_and_colours(tmp_path, shape):
    draw_montage(tmp_path / "x.png", np.zeros(shape, np.uint8), [0, 1], [0.1, 0.2])
    assert (tmp_path / "x.png").stat().st_size > 0


def test_logs_with_gaps_and_without_epochs(tmp_path):
    draw_training(tmp_path / "x.png", [{"loss": 1.0}, {"loss": 0.5, "val_auc": 0.9}, {}])
    assert len(np.unique(pixels(tmp_path / "x.png").reshape(-1, 3), axis=0)) > 10


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: draw_roc(p, [0, 1], [0, 0.5, 1], auc=0.5), "draw_roc: shapes .* equal expected"),
        (lambda p: draw_roc(p, [0, 2], [0, 1], auc=0.5), r"fpr \[0. 2.\] .., numbers in \[0, 1\]"),
        (lambda p: draw_roc(p, [], [], auc=0.5), "draw_roc: shapes"),
        (lambda p: draw_reliability(p, [0.5], [0.5], [0]), "1 counts > 0 expected"),
        (
            lambda p: draw_confusion_matrix(p, np.eye(3), classes=["a", "b"]),
            r"matrix \(3, 3\) for 2 classes",
        ),
        (lambda p: draw_training(p, []), "draw_training: 0 epochs without a number"),
        (lambda p: draw_training(p, [{"epoch": 1, "ok": True}]), "1 epochs without a number"),
        (lambda p: draw_montage(p, np.zeros((2, 9, 9)), [0], [0.5]), "2 images, 1 labels"),
        (lambda p: draw_montage(p, np.zeros((1, 9, 9)), [2], [0.5]), "labels 0 and 1 expected"),
        (lambda p: draw_montage(p, np.zeros((1, 9, 9)), [1], [np.nan]), "1 NaN scores"),
        (lambda p: draw_montage(p, np.zeros((1, 9, 9)), [1], [0.5], count=0), "count 0"),
    ],
)
def test_wrong_input(tmp_path, call, message):
    with pytest.raises(ValueError, match=message):
        call(tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        ImportError, match=r"draw_roc: needs matplotlib; pip install tinymed\[report"
    ):
        draw_roc(tmp_path / "x.png", [0, 1], [0, 1], auc=0.5)


def test_pyplot_stays_unused(tmp_path):
    script = (
        "import sys; from tinymed.medical.report import draw_roc\n"
        "assert 'matplotlib' not in sys.modules\n"
        "draw_roc('x.png', [0, 1], [0, 1], auc=0.5)\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
