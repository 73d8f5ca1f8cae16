"""Windows against `numpy.interp`, which clips and interpolates on its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tinymed.medical.imaging.windowing import (
    BONE,
    LUNG,
    MEDIASTINUM,
    NODULE,
    normalise,
    statistics,
    to_hounsfield,
    to_uint8,
    window,
)

HU = arrays(np.int16, array_shapes(max_dims=4, max_side=5), elements=st.integers(-32768, 32767))


@given(HU, st.sampled_from([NODULE, LUNG, MEDIASTINUM, BONE, (-5, 5)]))
def test_window(hu, limits):
    grey = window(hu, *limits)
    assert grey.dtype == np.float32
    np.testing.assert_allclose(grey, np.interp(hu, limits, [0, 1]), atol=1e-6)


@given(st.floats(-1000, 400))
def test_bytes_give_hounsfield_units_back_to_half_a_step(hu):
    assert abs(float(to_hounsfield(to_uint8(hu))) - hu) <= 1400 / 510 + 1e-3


def test_every_byte_survives():
    values = np.arange(256, dtype=np.uint8)
    for limits in (NODULE, LUNG, MEDIASTINUM, BONE):
        assert np.array_equal(to_uint8(to_hounsfield(values, *limits), *limits), values)


def test_named_windows_are_those_of_radiology():
    assert (LUNG, MEDIASTINUM, BONE) == ((-1350, 150), (-125, 225), (-500, 1300))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_normalise_gives_the_training_images_mean_0_and_deviation_1(dtype):
    images = np.random.default_rng(0).normal(120, 30, (5, 9, 9)).astype(dtype)
    scaled = normalise(images, *statistics(images))
    assert scaled.dtype == np.float32
    assert float(scaled.mean()) == pytest.approx(0, abs=1e-5)
    assert float(scaled.std()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("function", [window, to_uint8, statistics])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(function, bad):
    with pytest.raises(ValueError, match=f"{function.__name__}: .* NaN or infinity at 1 of 2"):
        function([0.0, bad])
    with pytest.raises(ValueError, match="normalise: x holds NaN or infinity"):
        normalise([bad], 0.0, 1.0)


@pytest.mark.parametrize("limits", [(0, 0), (400, -1000), (np.nan, 0), (0, np.inf)])
@pytest.mark.parametrize("function", [window, to_uint8, to_hounsfield])
def test_windows_without_width_are_refused(function, limits):
    with pytest.raises(ValueError, match=f"{function.__name__}: window from .* low < high"):
        function(np.zeros(2, np.uint8), *limits)


@pytest.mark.parametrize("std", [0.0, -1.0, np.nan, np.inf])
def test_normalise_needs_a_positive_deviation(std):
    with pytest.raises(ValueError, match=r"normalise: mean 0\.0 and std"):
        normalise([1.0], 0.0, std)


def test_kinds_without_a_scale_are_refused():
    with pytest.raises(TypeError, match="to_hounsfield: patches are int64, uint8 expected"):
        to_hounsfield([1, 2])
    with pytest.raises(TypeError, match="window: hu is <U1"):
        window(["a"])
    with pytest.raises(ValueError, match="hold no pixel"):
        statistics(np.zeros((0, 5, 5)))
