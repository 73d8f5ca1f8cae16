"""PSNR and SSIM against their formulas, written out in another way."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.metrics import psnr, ssim


def pair(shape=(3, 20, 17), spread=0.1):
    rng = np.random.default_rng(0)
    truth = rng.random(shape)
    return truth, truth + spread * rng.standard_normal(shape)


def plain_ssim(a, b, peak):
    """Equation 13 of Wang et al., window by window, in two dimensions at once."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    found = []
    for i in range(a.shape[0] - 10):
        for j in range(a.shape[1] - 10):
            x, y = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
            mx, my = (window * x).sum(), (window * y).sum()
            vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            shared = (window * (x - mx) * (y - my)).sum()
            above = (2 * mx * my + c1) * (2 * shared + c2)
            found.append(above / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    return np.mean(found)


def test_psnr_is_that_of_each_image():
    truth, noisy = pair()
    expected = [
        -20 * np.log10(np.linalg.norm(a - b) / np.sqrt(a.size))
        for a, b in zip(truth, noisy, strict=True)
    ]
    assert psnr(truth, noisy) == pytest.approx(expected)
    assert psnr(255 * truth, 255 * noisy, data_range=255) == pytest.approx(expected)
    assert psnr(truth, truth).tolist() == [np.inf] * 3


@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_ssim_is_that_of_the_paper(peak):
    truth, noisy = (peak * each for each in pair())
    expected = [plain_ssim(a, b, peak) for a, b in zip(truth, noisy, strict=True)]
    assert ssim(truth, noisy, data_range=peak) == pytest.approx(expected, rel=1e-9)


def test_ssim_falls_with_noise_and_sees_structure_where_the_error_is_the_same():
    truth, noisy = pair(spread=0.02)
    assert (ssim(truth, pair(spread=0.2)[1]) < ssim(truth, noisy)).all()
    brighter = truth + np.sqrt(((noisy - truth) ** 2).mean((1, 2), keepdims=True))
    assert psnr(truth, brighter) == pytest.approx(psnr(truth, noisy))
    assert (ssim(truth, brighter) > ssim(truth, noisy)).all()


def test_bad_input():
    truth, noisy = pair()
    with pytest.raises(ValueError, match=r"psnr: y_true \(3, 20, 17\) and y_pred \(3, 20, 16\)"):
        psnr(truth, noisy[..., :-1])
    with pytest.raises(ValueError, match="ssim: y_pred holds values that are not finite"):
        ssim(truth, np.where(noisy > 1, np.nan, noisy))
    with pytest.raises(ValueError, match=r"images \(3, 10, 17\), \(N, H, W\) of 11 x 11 or more"):
        ssim(truth[:, :10], noisy[:, :10])
    with pytest.raises(ValueError, match="data_range=0, a positive number expected"):
        psnr(truth, noisy, data_range=0)
