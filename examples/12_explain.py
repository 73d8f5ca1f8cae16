"""Why the lung CNN calls a patch a nodule: heat-maps, and whether they can be believed.

The patches are synthetic CT in which the nodule lies anywhere, and where it lies is known. A map is
worth something if its maximum lies on the nodule, and if it changes when the network forgets.

Run: python examples/12_explain.py   (some 15 seconds; needs the extra `medical`)
"""

from functools import partial

import numpy as np

import tinymed as tm
from tinymed import interpret, nn, optim
from tinymed.data import Augment, DataLoader, TensorDataset
from tinymed.medical.imaging.phantoms import draw_patient
from tinymed.medical.imaging.scanner import MARGIN
from tinymed.medical.imaging.windowing import to_uint8
from tinymed.medical.models import NoduleCNN
from tinymed.random import spawn

SIDE, REACH, NODULE = 40, 8, 1  # pixels; how far a finding lies from the middle; its class
EPOCHS = 8
generator = np.random.default_rng(0)
tm.manual_seed(0)


def patches(patients: range) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return patches (n, 1, 40, 40), nodule or what is taken for one (n,), and where it lies."""
    images, labels, masks = [], [], []
    for number in patients:
        rng = spawn(generator, number)
        patient = draw_patient(rng)
        for finding in patient.findings:
            away = rng.integers(-REACH, REACH + 1, 2) * patient.scanner.pixel
            slab = patient.scanner.slab(finding.place + np.append(away, 0.0), (SIDE, SIDE))
            image = patient.scanner.image(patient.scene(slab, patient.lung_share(slab)), rng)
            mask = np.zeros((SIDE + 2 * MARGIN, SIDE + 2 * MARGIN), bool)
            if finding.nodule is not None:
                cover = patient.nodules[finding.nodule].body.coverage(slab)
                if cover is not None:
                    share, where = cover
                    mask[where] = share.mean(axis=0) > 0.25
            mask = mask[MARGIN:-MARGIN, MARGIN:-MARGIN]
            if finding.nodule is not None and mask.sum() < 12:
                continue  # hardly in this slice
            images.append(to_uint8(image) / np.float32(255))
            labels.append(int(finding.nodule is not None))
            masks.append(mask)
    shape = (-1, 1, SIDE, SIDE)
    return np.reshape(images, shape), np.array(labels), np.reshape(masks, shape)


# Train the network of the main job, small, on some patients; explain it on others.
images, labels, _ = patches(range(40))
mean, std = images.mean(), images.std()
batches = DataLoader(
    TensorDataset((images - mean) / std, labels),
    batch_size=32,
    shuffle=True,
    augment=Augment(rotate=180).on_image,
    generator=generator,
)
model, loss_of = NoduleCNN(widths=(8, 16, 32)), nn.CrossEntropyLoss()
optimizer = optim.AdamW(model.parameters(), lr=1e-2)
plan = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=EPOCHS * len(batches))
for _ in range(EPOCHS):
    for x, y in batches:
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        plan.step()

images, labels, masks = patches(range(40, 52))
x = (images - mean) / std
found = interpret.member_predictions([model], x)[0].argmax(axis=1)
print(f"{len(x)} patches of other patients: accuracy {np.mean(found == labels):.3f}")

# Explain the nodules that it found. The baseline is air: what a patch of nothing would be.
shown = (labels == NODULE) & (found == NODULE)
x, masks, air = x[shown], masks[shown], (0 - mean) / std
target = interpret.log_odds(NODULE)
METHODS = {
    "saliency": interpret.saliency,
    "smooth_grad": partial(interpret.smooth_grad, samples=16, generator=generator),
    "integrated_gradients": partial(interpret.integrated_gradients, baseline=air, steps=32),
    "grad_cam": interpret.grad_cam,
    "grad_cam_plus_plus": interpret.grad_cam_plus_plus,
    "occlusion": partial(interpret.occlusion, window=10, stride=5, baseline=air),
}
print(f"{len(x)} nodules found; the nodule fills {masks.mean():.2f} of a patch")
print(f"{'':22}on the nodule  within 3 pixels  after forgetting")
maps = {}
for name, method in {"chance": None, **METHODS}.items():
    maps[name] = generator.random(x.shape) if method is None else method(model, x, target)
    hits = [interpret.pointing_game(maps[name], masks, tolerance=t).mean() for t in (0, 3)]
    kept = ""
    if method is not None:  # the rank correlation with the map of a network that forgot all
        told = interpret.weight_randomization(method, model, x[:4], target, generator=generator)
        kept = f"{told.similarity[-1].mean():16.2f}"
    print(f"{name:22}{hits[0]:13.2f}{hits[1]:17.2f}{kept}")
error = interpret.completeness_error(model, x, maps["integrated_gradients"], target, baseline=air)
print(f"integrated gradients add up to the score within {np.median(error):.4f} of it (median)")


def drawn(picture: np.ndarray) -> list[str]:
    """Return an image as rows of characters from light to dark, two pixels by four each."""
    cells = picture.reshape(SIDE // 4, 4, SIDE // 2, 2).mean(axis=(1, 3))
    share = (cells - cells.min()) / (np.ptp(cells) or 1)
    return ["".join(" .:-=+*#%@"[round(9 * float(s))] for s in row) for row in share]


print(f"{'patch':26}{'nodule':26}Grad-CAM")
for rows in zip(*(drawn(part[0, 0]) for part in (x, masks, maps["grad_cam"])), strict=True):
    print("  ".join(rows))
