"""The loss of JPEG against Pillow's codec."""

import io

import numpy as np
import pytest

from tinymed.medical.imaging.jpeg import jpeg_loss


def scenes(shape=(6, 50, 50)):
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.normal(0, 6, shape), axis=2) + 120 + rng.normal(0, 4, shape)
    return smooth.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("quality", [30, 75, 92])
@pytest.mark.parametrize("shape", [(6, 50, 50), (3, 16, 41)])
def test_it_loses_what_a_file_loses(quality, shape):
    image = pytest.importorskip("PIL.Image")
    images = scenes(shape)
    expected = []
    for grey in images:
        file = io.BytesIO()
        image.fromarray(grey).save(file, "JPEG", quality=quality)
        expected.append(np.asarray(image.open(file)))
    difference = np.abs(jpeg_loss(images, quality).astype(int) - np.stack(expected))
    # codecs compute in integers: an amplitude halfway between two steps may fall either way
    assert (difference > 1).mean() < 0.08
    assert np.median(difference) == 0


def test_noise_loses_its_high_frequencies():
    noise = np.random.default_rng(0).normal(128, 3, (20, 48, 48)).astype(np.uint8)
    low = jpeg_loss(noise, 50)
    before, after = (np.diff(images.astype(float), axis=2).std() for images in (noise, low))
    assert after < 0.5 * before


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_quality_out_of_range(quality):
    with pytest.raises(ValueError, match=f"jpeg_loss: quality is {quality}, 1 to 100"):
        jpeg_loss(scenes(), quality)


def test_bad_images():
    with pytest.raises(TypeError, match="jpeg_loss: images are float64, uint8 expected"):
        jpeg_loss(scenes().astype(float))
    with pytest.raises(ValueError, match=r"jpeg_loss: images \(50, 50\) given, \(n, H, W\)"):
        jpeg_loss(scenes()[0])
