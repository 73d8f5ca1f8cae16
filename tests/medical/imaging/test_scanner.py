"""Blur and noise against what their formulas say."""

import numpy as np
import pytest

from tinymed.medical.imaging.scanner import MARGIN, Scanner, draw_scanner, grain

QUIET = Scanner(pixel=0.7, thickness=1.0, blur=0.8, edge=0.0, noise=0.0, cutoff=0.25, streaks=1.0)


def noise_of(count=60, side=64, **settings):
    scanner = Scanner(**{**QUIET.__dict__, "noise": 30.0, **settings})
    rng = np.random.default_rng(0)
    empty = np.zeros((side + 2 * MARGIN, side + 2 * MARGIN), np.float32)
    return np.stack([scanner.image(empty, rng) for _ in range(count)])


def power_of(noise):
    """Mean power by frequency down and across, in cycles per pixel."""
    taper = np.hanning(noise.shape[1])
    power = (np.abs(np.fft.fft2(noise * taper[:, None] * taper)) ** 2).mean(0)
    frequency = np.fft.fftfreq(noise.shape[1])
    return frequency[:, None], frequency[None], power


def test_noise_has_its_deviation():
    for settings in ({}, {"cutoff": 0.6}, {"streaks": 2.0}, {"side": 51}):
        assert float(noise_of(**settings).std()) == pytest.approx(30, rel=0.02)


@pytest.mark.parametrize("cutoff", [0.2, 0.35])
def test_noise_is_coloured(cutoff):
    """Power is f exp(-2 (f / cutoff)^2)."""
    down, across, power = power_of(noise_of(200, cutoff=cutoff))
    frequency = np.hypot(down, across)
    edges = np.arange(0.05, 0.45, 0.05)
    found, expected = [], []
    for low in edges:
        ring = (frequency >= low) & (frequency < low + 0.05)
        found.append(power[ring].mean())
        expected.append((frequency * np.exp(-2 * (frequency / cutoff) ** 2))[ring].mean())
    found, expected = np.array(found) / sum(found), np.array(expected) / sum(expected)
    strong = expected > 1e-2  # the taper leaks a little into where there is nothing
    assert found[strong] == pytest.approx(expected[strong], rel=0.15)
    near_zero = power[(frequency > 0) & (frequency < 0.02)].mean()
    assert near_zero < 0.3 * power[np.abs(frequency - cutoff / 2) < 0.01].mean()  # not white


def test_streaks_are_longer_across():
    down, across, power = power_of(noise_of(streaks=3.0))
    frequency = np.hypot(down, across)
    band = (frequency > 0.1) & (frequency < 0.3)
    upright = power[band & (np.abs(down) > 3 * np.abs(across))].mean()
    lying = power[band & (np.abs(across) > 3 * np.abs(down))].mean()
    assert upright > 5 * lying


def test_a_point_is_spread_by_a_gaussian():
    scene = np.zeros((40, 40), np.float32)
    scene[20, 20] = 1000
    scanner = Scanner(**{**QUIET.__dict__, "blur": 1.3})
    image = scanner.image(scene, np.random.default_rng(0))
    rows, columns = np.mgrid[:32, :32] - 16
    expected = np.exp(-(rows**2 + columns**2) / (2 * 1.3**2)) * 1000 / (2 * np.pi * 1.3**2)
    assert image == pytest.approx(expected, abs=0.1)


def test_a_sharp_kernel_overshoots():
    scene = np.zeros((40, 40), np.float32)
    scene[:, 20:] = 100
    sharp = Scanner(**{**QUIET.__dict__, "edge": 1.0}).image(scene, np.random.default_rng(0))
    smooth = QUIET.image(scene, np.random.default_rng(0))
    middle = slice(8, 24)  # the image is periodic: not at its borders
    assert smooth[:, middle].max() < 100.5
    assert sharp[:, middle].max() > 105
    assert sharp[:, middle].min() < -5


def test_other_pixels_keep_sizes_in_mm():
    wider = QUIET.at(1.4, 3.0)
    assert (wider.pixel, wider.thickness) == (1.4, 3.0)
    assert wider.blur * 1.4 == pytest.approx(QUIET.blur * 0.7)
    assert wider.cutoff / 1.4 == pytest.approx(QUIET.cutoff / 0.7)


def test_slabs_have_margins():
    slab = QUIET.slab(np.zeros(3), (10, 20))
    assert slab.shape == (3, 10 + 2 * MARGIN, 20 + 2 * MARGIN)
    assert slab.pixel == 0.7


def test_scanners_are_those_of_lidc():
    scanners = [draw_scanner(np.random.default_rng(seed)) for seed in range(2000)]
    pixels = np.array([scanner.pixel for scanner in scanners])
    assert np.quantile(pixels, (0.05, 0.5, 0.95)) == pytest.approx((0.557, 0.699, 0.831), abs=0.02)
    assert {scanner.thickness for scanner in scanners} <= {1.0, 1.25, 2.0, 2.5, 3.0}
    noise = np.array([scanner.noise for scanner in scanners])
    cutoff = np.array([scanner.cutoff for scanner in scanners])
    assert np.corrcoef(np.log(noise), np.log(cutoff))[0, 1] > 0.8
    assert min(scanner.blur for scanner in scanners) > 0.3
    assert max(scanner.blur for scanner in scanners) < 0.95


@pytest.mark.parametrize("shape", [(64, 64), (51, 40)])
def test_grain_alone_is_the_noise_of_a_scan(shape):
    rng = np.random.default_rng(0)
    drawn = np.stack([grain(shape, 0.3, rng) for _ in range(100)])
    assert drawn.dtype == np.float32
    assert float(drawn.std()) == pytest.approx(1, rel=0.02)
    assert float(drawn.mean()) == pytest.approx(0, abs=1e-3)
    alike = QUIET.image(np.zeros((48, 48), np.float32), np.random.default_rng(7))
    scanner = Scanner(**{**QUIET.__dict__, "noise": 30.0})
    scan = scanner.image(np.zeros((48, 48), np.float32), np.random.default_rng(7)) - alike
    alone = 30 * grain((48, 48), QUIET.cutoff, np.random.default_rng(7))
    assert scan == pytest.approx(alone[MARGIN:-MARGIN, MARGIN:-MARGIN], abs=1e-3)
