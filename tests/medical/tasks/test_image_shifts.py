"""What another scanner would cost, of images whose scores are known."""

import numpy as np
import pytest

from tinymed.interpret import image_shifts
from tinymed.medical.imaging.dataset import Split
from tinymed.medical.models import NoduleCNN
from tinymed.medical.report.image_page import Judged
from tinymed.medical.tasks.image_folds import own_scores
from tinymed.medical.tasks.image_shifts import NOISE, under_shifts
from tinymed.medical.tasks.preprocessing import Preprocessing
from tinymed.medical.tasks.views import probabilities
from tinymed.metrics import roc_auc

pytest.importorskip("scipy", reason="the shifts need the extra `medical`")

PREPROCESSING = Preprocessing(-1000, 400, 0.25, 0.5)
LABELS = np.arange(40) % 2


def grey() -> np.ndarray:
    """Images whose texture tells the classes apart, and the mean nothing."""
    generator = np.random.default_rng(0)
    rough = generator.normal(0, 1, (40, 12, 12)) * (0.1 + 0.03 * LABELS)[:, None, None]
    return (0.5 + rough).clip(0, 1).astype(np.float32)


def roughness(planes: np.ndarray) -> np.ndarray:
    return np.asarray(planes, float).std(axis=(1, 2, 3))


def judged(labels: np.ndarray, groups: np.ndarray | None = None) -> Judged:
    planes = PREPROCESSING((grey() * 255).astype(np.uint8))
    split = Split(grey(), labels, groups)
    return Judged(split, roughness(planes), planes, asked_again=roughness)


def test_each_shift_is_what_the_same_images_score_when_changed():
    cases = judged(LABELS, np.arange(40) // 4)
    found = under_shifts(cases, PREPROCESSING)
    shown = cases.planes[:, 0] * 0.5 + 0.25  # grey again
    plain = roc_auc(LABELS, cases.scores)
    shifts = image_shifts(NOISE, generator=np.random.default_rng(0))
    assert [row["shift"] for row in found["shifts"]] == list(shifts)
    for row in found["shifts"]:
        changed = shifts[row["shift"]](shown.copy()).clip(0, 1)
        expected = roc_auc(LABELS, roughness(((changed - 0.25) / 0.5)[:, None]))
        assert row["auc"] == pytest.approx(expected)
        assert row["difference"] == pytest.approx(expected - plain)
        low, high = row["difference_ci"]
        assert low <= row["difference"] <= high
    worst = min(found["shifts"], key=lambda row: row["auc"])
    assert (found["worst_shift"], found["worst_shift_auc"]) == (worst["shift"], worst["auc"])
    assert worst["auc"] < plain  # noise, of all that is done to it, drowns a texture


def test_there_is_no_number_without_both_classes_and_no_shift_without_a_network():
    assert under_shifts(judged(np.zeros(40, np.int64)), PREPROCESSING) == {}
    cases = Judged(Split(grey(), LABELS), LABELS.astype(float), grey()[:, None])
    with pytest.raises(TypeError, match="cannot be asked again"):
        under_shifts(cases, PREPROCESSING)


def test_out_of_fold_each_image_is_asked_of_its_own_network():
    networks = [NoduleCNN(widths=(2, 4)).eval() for _ in range(2)]
    planes, by = grey()[:6, None], np.array([1, 0, 1, 1, 0, 0])
    found = own_scores(networks, by, planes, symmetric=False)
    whole = [probabilities(network, planes, symmetric=False) for network in networks]
    np.testing.assert_allclose(found, np.choose(by, whole), rtol=1e-5)
    assert not np.allclose(*whole)
