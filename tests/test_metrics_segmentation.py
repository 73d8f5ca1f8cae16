"""Overlap and distances of regions, against plain loops and scikit-learn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed.metrics import UndefinedMetricError, dice, iou, surface_distance


@st.composite
def two_regions(draw):
    dims = draw(st.integers(1, 3))
    shape = draw(st.tuples(*[st.integers(2, 6)] * dims))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    regions = generator.random((2, *shape)) < 0.4
    regions.reshape(2, -1)[:, 0] = True  # neither is empty
    return regions


def surface_by_loops(region):
    """Voxels with a face towards the outside."""
    steps = [sign * np.eye(region.ndim, dtype=int)[axis] for axis in range(region.ndim)
             for sign in (-1, 1)]  # fmt: skip
    inside = {tuple(place) for place in np.argwhere(region)}
    return [p for p in inside if any(tuple(np.add(p, step)) not in inside for step in steps)]


@settings(max_examples=25, deadline=None)
@given(two_regions(), st.lists(st.floats(0.3, 3), min_size=3, max_size=3))
def test_surface_distances_are_those_of_all_pairs_of_voxels(regions, sizes):
    pytest.importorskip("scipy")
    spacing = sizes[: regions.ndim - 1]
    a, b = (np.array(surface_by_loops(region)) * spacing for region in regions)
    apart = np.linalg.norm(a[:, None] - b[None], axis=-1)
    there, back = apart.min(1), apart.min(0)
    found = surface_distance(*regions, spacing)
    assert found.mean == pytest.approx(np.concatenate([there, back]).mean())
    expected = max(np.percentile(there, 95), np.percentile(back, 95))
    assert found.hausdorff_95 == pytest.approx(expected)


@settings(max_examples=15, deadline=None)
@given(two_regions())
def test_overlap_is_f1_and_jaccard_of_the_voxels(regions):
    metrics = pytest.importorskip("sklearn.metrics")
    a, b = (region.ravel() for region in regions)
    assert dice(*regions) == pytest.approx(metrics.f1_score(a, b))
    assert iou(*regions) == pytest.approx(metrics.jaccard_score(a, b))


def test_of_two_empty_regions_all_is_right_and_no_surface_is_known():
    empty, full = np.zeros((3, 3)), np.ones((3, 3))
    assert dice(empty, empty) == iou(empty, empty) == 1
    assert dice(empty, full) == iou(full, empty) == 0
    for pair, name in (((empty, full), "y_true"), ((full, empty), "y_pred")):
        with pytest.raises(UndefinedMetricError, match=f"{name} is empty"):
            surface_distance(*pair)


@pytest.mark.parametrize("metric", [dice, iou, surface_distance])
def test_what_is_no_pair_of_masks_is_refused_by_name(metric):
    mask = np.ones((4, 4), bool)
    with pytest.raises(ValueError, match="cut probabilities at a threshold"):
        metric(mask, mask * 0.7)
    with pytest.raises(ValueError, match=r"\(4, 4\), y_pred \(4, 3\)"):
        metric(mask, mask[:, :3])
    with pytest.raises(TypeError, match="dtype"):
        metric(mask, mask.astype(str))
    with pytest.raises(ValueError, match="expected voxels"):
        metric(np.zeros((0, 3)), np.zeros((0, 3)))


@pytest.mark.parametrize("spacing", [(1,), (1, 0), (1, np.nan), (1, -1)])
def test_a_spacing_that_is_none_is_refused(spacing):
    pytest.importorskip("scipy")
    with pytest.raises(ValueError, match="2 positive numbers"):
        surface_distance(np.eye(3), np.eye(3), spacing)


def test_a_region_moved_by_a_step_is_a_step_away():
    pytest.importorskip("scipy")
    for axis, size in itertools.product(range(3), (1, 2.5)):
        region = np.zeros((9, 9, 9), bool)
        region[3:6, 3:6, 4] = True  # flat: all of it is surface
        spacing = np.ones(3)
        spacing[2] = size
        found = surface_distance(region, np.roll(region, 3, axis), spacing)
        assert found.hausdorff_95 == pytest.approx(3 * spacing[axis])
