"""Mixup, random crops, and what Augment does to values: drawn amounts, read off the result."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinymed.data import Augment, DataLoader, Mixup, RandomCrop, TensorDataset
from tinymed.tensor import Tensor

STILL: dict[str, Any] = {"rotate": 0, "scale": (1, 1), "shift": 0, "flip": False}


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_mixup_blends_images_and_labels_alike() -> None:
    images, labels = seeded(0).random((6, 3, 3)), np.arange(6) % 3
    one_hot = (labels[:, None] == np.arange(3)).astype(float)
    mixup = Mixup(num_classes=3, alpha=1.0)
    shares = []
    for seed in range(200):
        mixed, soft = mixup(images, labels, generator=seeded(seed))
        draw = seeded(seed)
        share, partner = draw.beta(1, 1), draw.permutation(6)
        np.testing.assert_allclose(mixed, share * images + (1 - share) * images[partner])
        np.testing.assert_allclose(soft, share * one_hot + (1 - share) * one_hot[partner])
        np.testing.assert_allclose(mixup(images, one_hot, generator=seeded(seed))[1], soft)
        shares.append(share)
    assert abs(np.mean(shares) - 0.5) < 0.08
    kept, _ = mixup(images.astype(np.float32), labels, generator=seeded(1))
    assert kept.dtype == np.float32


def test_mixup_in_a_loader_gives_batches_and_shares_of_classes() -> None:
    dataset = TensorDataset(seeded(0).random((8, 4)), np.arange(8) % 4)
    mixup = Mixup(num_classes=4)
    loader = DataLoader(dataset, 4, augment_batch=mixup.on_batch, generator=seeded(2))
    (first, targets), (second, _) = list(loader)
    assert isinstance(first, Tensor)
    assert isinstance(targets, Tensor)
    np.testing.assert_allclose(targets.data.sum(1), 1, rtol=1e-6)
    shares = [np.ptp(batch.data) for batch in (first, second)]
    assert shares[0] != shares[1]
    threads = DataLoader(
        dataset, 4, augment_batch=mixup.on_batch, generator=seeded(2), num_workers=2
    )
    np.testing.assert_array_equal(next(iter(threads))[0].data, first.data)


def test_errors_of_augment_batch_name_the_samples() -> None:
    mixup = Mixup(num_classes=2)
    loader = DataLoader(
        TensorDataset(np.ones((4, 2)), np.arange(4)), 2, augment_batch=mixup.on_batch
    )
    with pytest.raises(IndexError, match=r"label 2, 0\.\.1 expected") as caught:
        list(loader)
    assert "augment_batch for samples [2, 3]" in caught.value.__notes__[0]


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_crop_is_a_part_and_all_parts_occur(dims: int) -> None:
    shape, size = (5, 4, 6)[:dims], (3, 2, 5)[:dims]
    image = np.arange(2 * np.prod(shape)).reshape(2, *shape)
    crop, corners = RandomCrop(size=size), set()
    for seed in range(300):
        part, mask = crop(image, image[1] + 0.5, generator=seeded(seed))
        corner = np.unravel_index(part[(0, *[0] * dims)], shape)
        box = tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))
        np.testing.assert_array_equal(part, image[(..., *box)])
        np.testing.assert_array_equal(mask, image[1][box] + 0.5)
        corners.add(corner)
    assert len(corners) == np.prod([n - s + 1 for n, s in zip(shape, size, strict=True)])
    assert not np.shares_memory(part, image)


def test_padding_of_a_crop() -> None:
    image = np.arange(1.0, 7.0).reshape(2, 3)
    crop = RandomCrop(size=(4, 3), padding=(1, 0), fill=-9)
    part, mask = crop(image, image.astype(int), generator=seeded())
    np.testing.assert_array_equal(part, np.pad(image, ((1, 1), (0, 0)), constant_values=-9))
    np.testing.assert_array_equal(mask, np.pad(image.astype(int), ((1, 1), (0, 0))))
    mirrored = RandomCrop(size=(2, 5), padding=(0, 1), mode="reflect")
    assert mirrored(image, generator=seeded()).tolist() == [[2, 1, 2, 3, 2], [5, 4, 5, 6, 5]]


def test_crops_and_augmentation_join_a_loader_and_pickle() -> None:
    images, masks = seeded(0).random((4, 8, 8)), seeded(1).random((4, 8, 8)) > 0.5
    augment = Augment(elastic=(1, 3), blur=(0, 1), erased=(0.1, 0.2))
    for change, shape in ((RandomCrop(size=(5, 6)), (4, 5, 6)), (augment, (4, 8, 8))):
        again = pickle.loads(pickle.dumps(change))
        assert again == change
        (x, m), (x2, m2) = (
            next(
                iter(
                    DataLoader(
                        TensorDataset(images, masks),
                        4,
                        augment=one.on_image_and_mask,
                        generator=seeded(1),
                    )
                )
            )
            for one in (change, again)
        )
        assert x.shape == m.shape == shape
        np.testing.assert_array_equal(x.data, x2.data)
        np.testing.assert_array_equal(m.data, m2.data)
        image, label = change.on_image((images[0], 3), seeded(2))
        assert (image.shape, label) == (shape[1:], 3)


@pytest.mark.parametrize("dims", [2, 3])
def test_the_erased_box_has_its_share_and_the_mask_stays(dims: int) -> None:
    shape = (40, 30, 20)[:dims]
    image = np.ones((2, *shape))
    augment = Augment(
        **STILL, spatial_dims=dims, erased=(0.05, 0.25), erased_value=-1, shot_noise=1e-9
    )
    shares, touched = [], np.zeros(shape)
    for seed in range(150):
        erased, mask = augment(image, np.ones(shape, int), generator=seeded(seed))
        where = erased[0] == -1
        corners = np.argwhere(where)
        box = corners.max(axis=0) - corners.min(axis=0) + 1
        assert where.sum() == np.prod(box)  # it is one box
        np.testing.assert_array_equal(erased[1] == -1, where)
        assert mask.all()
        shares.append(where.mean())
        touched += where
    assert 0.03 < min(shares) < 0.08
    assert 0.2 < max(shares) < 0.28
    for axis in range(dims):  # it comes up to all borders
        assert all(np.take(touched, end, axis).any() for end in (0, -1))
    assert touched[(0,) * dims] < touched[tuple(n // 2 for n in shape)]


def test_amounts_are_drawn_from_their_ranges() -> None:
    image = seeded(0).random((40, 40)) + 1
    contrast = Augment(**STILL, contrast=(0.5, 2.0))
    factors = [contrast(image, generator=seeded(seed)).std() / image.std() for seed in range(60)]
    assert 0.5 <= min(factors) < 0.6
    assert 1.9 < max(factors) <= 2.0
    grain = Augment(**STILL, noise=(0.1, 0.4), noise_correlation=1.0)
    flat = np.zeros((80, 80))
    deviations = [grain(flat, generator=seeded(seed)).std() for seed in range(60)]
    assert 0.09 < min(deviations) < 0.15
    assert 0.35 < max(deviations) < 0.43
    gamma = Augment(**STILL, gamma=(2.0, 2.0))(image, generator=seeded())
    low, high = image.min(), image.max()
    np.testing.assert_allclose(gamma, low + (image - low) ** 2 / (high - low))
    shot = Augment(**STILL, shot_noise=0.5)(np.full((200, 200), 4.0), generator=seeded())
    assert abs(shot.std() - 1.0) < 0.02


def test_one_amount_turned_off_leaves_the_others() -> None:
    image = seeded(0).random((30, 30))
    both = Augment(contrast=(0.5, 1.5), erased=(0.2, 0.3), erased_value=-9)
    alone = Augment(erased=(0.2, 0.3), erased_value=-9)
    found, expected = (one(image, generator=seeded(4)) for one in (both, alone))
    np.testing.assert_array_equal(found == -9, expected == -9)
    assert not np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: Mixup(num_classes=1), ValueError, "num_classes is 1, at least 2"),
        (lambda: Mixup(num_classes=2, alpha=0), ValueError, "alpha is 0"),
        (lambda: Mixup(num_classes=2)(np.ones(3, int), np.zeros(3, int)), TypeError, "int64"),
        (lambda: Mixup(num_classes=2)(np.ones(3), np.zeros(4, int)), ValueError, "their number"),
        (lambda: Mixup(num_classes=2)(np.ones(3), np.zeros(3)), ValueError, "class indices"),
        (lambda: Mixup(num_classes=2)(np.ones(1), np.array([-1])), IndexError, "label -1"),
        (lambda: Mixup(num_classes=2).on_batch((1, 2, 3), seeded()), ValueError, "of 3 parts"),
        (lambda: RandomCrop(size=3), ValueError, "1 to 3 numbers"),
        (lambda: RandomCrop(size=(3, 0)), ValueError, "size is 0, at least 1"),
        (lambda: RandomCrop(size=(3, 3), padding=-1), ValueError, "padding is -1"),
        (lambda: RandomCrop(size=(3, 3), padding=(1,)), ValueError, "one number or 2"),
        (lambda: RandomCrop(size=(3,), mode="zeros"), ValueError, "mode is 'zeros'"),
        (lambda: RandomCrop(size=(3,), mode="edge", fill=1), ValueError, "fill=1 with mode"),
        (lambda: RandomCrop(size=(3, 3))(np.ones((2, 5))), ValueError, "is smaller than"),
        (lambda: RandomCrop(size=(3, 3))(np.ones(5)), ValueError, "is smaller than"),
        (
            lambda: RandomCrop(size=(2, 2))(np.ones((4, 4)), np.ones((4, 5))),
            ValueError,
            r"image \(4, 4\) and mask \(4, 5\)",
        ),
        (lambda: Augment(noise=(0.2, 0.1)), ValueError, "low <= high"),
        (lambda: Augment(noise=(-0.2, 0.1)), ValueError, "numbers >= 0"),
        (lambda: Augment(blur=(1, 2, 3)), ValueError, "a number or a range"),
        (lambda: Augment(contrast=2), ValueError, r"contrast is 2, a range"),
        (lambda: Augment(gamma=(0, 1)), ValueError, "exponents above 0"),
        (lambda: Augment(erased=(0, 1.5)), ValueError, r"numbers in 0\.\.1"),
        (lambda: Augment(erased_value=2), ValueError, "without a box"),
        (lambda: Augment(noise_correlation=2), ValueError, "without noise"),
        (lambda: Augment(noise=1, noise_correlation=-2), ValueError, "pixels >= 0"),
    ],
)
def test_what_cannot_be(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()
