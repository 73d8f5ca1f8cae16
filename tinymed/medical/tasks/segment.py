"""Outlines of lung nodules in cubes of CT, or of whatever lies at the centre of an image."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tinymed import nn
from tinymed.data import Augment, DataLoader, TensorDataset
from tinymed.errors import DataError
from tinymed.medical.imaging.checks import DataReport, check_dataset
from tinymed.medical.imaging.dataset import ImageDataset, Split
from tinymed.medical.imaging.synthetic_scan import synthesise_nodule
from tinymed.medical.imaging.windowing import NODULE, statistics
from tinymed.medical.report.evidence import Evidence
from tinymed.medical.report.outlines import outline_galleries
from tinymed.medical.report.page import Section
from tinymed.medical.segmentation.ball import fitted_ball
from tinymed.medical.segmentation.examples import Cut, Moved, image_and_place, read_outlined
from tinymed.medical.segmentation.judgement import best_threshold, judged_outlines
from tinymed.medical.segmentation.losses import OutlineLoss
from tinymed.medical.segmentation.output import written_masks
from tinymed.medical.segmentation.views import views
from tinymed.medical.tasks.examples import Examples
from tinymed.medical.tasks.options import Settings
from tinymed.medical.tasks.preprocessing import Preprocessing, grey
from tinymed.medical.tasks.supervised import SupervisedTask
from tinymed.medical.tasks.task import SavedModel
from tinymed.random import spawn
from tinymed.training import History, predict

__all__ = ["SEGMENT"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
BOUNDARY = 0.1  # weight of the boundary loss, in which a voxel far off costs as many as it is away
AT_ONCE = 4  # volumes that pass through the network together
MIDDLE = 0.5  # the threshold until one is chosen
CUBES = {False: (80, 41), True: (24, 21)}  # synthetic ones and their side, by --quick
WIDTHS = {False: (8, 24, 48, 64), True: (4, 8, 16)}
SIDES = {False: (20, 36), True: (12, 16)}
QUICK = 24  # cubes to train on


class SegmentTask(SupervisedTask):
    """A U-Net, Dice + cross-entropy, and the mean over all ways to turn and mirror an image."""

    name = "segment"
    help = "outlines of lung nodules in cubes of CT: a U-Net in 2-D or 3-D"
    files = (
        "npz with {train,val,test}_images and _masks, planes (n, rows, columns) or volumes (n, "
        "rows, columns, slices), grey or Hounsfield units, what is meant at their centre"
    )
    meaning = (
        "1: inside the consensus of the radiologists' outlines, who differ most at the edge; of "
        "synthetic cubes, at least half of the voxel is nodule."
    )
    network = "UNet"
    defaults = Settings(
        epochs=160,
        quick_epochs=24,
        batch_size=2,
        quick_batch_size=2,
        lr=2e-3,
        on_gpu=True,
        needs=("scipy",),
    )
    score = "dice"
    quantity = "volume in voxels"
    group = "patient"
    augmented: ClassVar[Facts] = {
        "scale": (0.8, 1.25),
        "shift": 2,
        "intensity": ((0.85, 1.15), (-0.15, 0.15)),
    }

    def add_own_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare ``--loss``."""
        parser.add_argument(
            "--loss",
            choices=("dice", "boundary"),
            default="dice",
            help="dice: Dice + cross-entropy; boundary: with the boundary loss added (dice)",
        )

    def averaging(self, options: argparse.Namespace) -> float | None:
        """Return the decay; in a quick run too much of the average would be of the beginning."""
        return None if options.quick else 0.99

    def read(self, path: Path) -> Examples:
        """Return the images of a file, with masks where it has them."""
        return read_outlined(path)

    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        """Return cubes about nodules of synthetic patients, one each."""
        count, side = CUBES[quick]
        pairs = [synthesise_nodule(spawn(generator, index), side) for index in range(count)]
        hounsfield, masks = (
            np.stack([np.moveaxis(pair[part], 0, -1) for pair in pairs]) for part in (0, 1)
        )
        return Examples(hounsfield, masks, np.arange(count))

    def divided(self, options: argparse.Namespace) -> dict[str, Examples]:
        """Return the splits, told about and checked; few training cubes where it is to be quick."""
        splits = super().divided(options)
        if options.quick and len(splits["train"]) > QUICK:
            print(f"--quick: {QUICK} of {len(splits['train'])} training images")
            splits["train"] = splits["train"][:QUICK]
        report = findings(splits)
        for warning in report.warnings:
            print(f"warning: {warning}")
        if report.problems:
            raise DataError(f"segment: {'; '.join(report.problems)}")
        return splits

    def sources(self, splits: dict[str, Examples], options: argparse.Namespace) -> Facts:
        """Return what a model file says of the data."""
        return {**super().sources(splits, options), "warnings": findings(splits).warnings}

    def preprocessing(self, train: Examples, options: argparse.Namespace) -> Facts:
        """Return window, mean and standard deviation, and what is shown in training."""
        planes = train.inputs.reshape(-1, *train.inputs.shape[-2:])
        fitted = Preprocessing(*NODULE, *statistics(grey(planes, NODULE)))
        return {
            **fitted.to_dict(),  # no size: parts are shown, which know where their centre is
            "dimensions": train.inputs.ndim - 1,
            "largest": list(train.inputs.shape[1:]),
            "sides": list(SIDES[options.quick]),
            "boundary": BOUNDARY if options.loss == "boundary" else 0.0,
        }

    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the U-Net."""
        return {
            "dimensions": preprocessing["dimensions"],
            "in_channels": 2,
            "widths": list(WIDTHS[quick]),
        }

    def loader(
        self, examples: Examples, preprocessing: Facts, batch_size: int, seed: int | None = None
    ) -> DataLoader:
        """Return batches (image and place, mask); with a seed turned, scaled, and parts of them."""
        inputs = encoded(examples.inputs, preprocessing)
        masks = [] if examples.targets is None else [examples.targets[:, None].astype(np.float32)]
        if seed is None:
            dataset = TensorDataset(image_and_place(inputs), *masks)
            return DataLoader(dataset, batch_size=min(batch_size, AT_ONCE))
        dimensions = preprocessing["dimensions"]
        turned: Any = 180 if dimensions == 2 else (15, 15, 180)  # slices stay nearly slices
        augment = Augment(spatial_dims=dimensions, rotate=turned, **self.augmented)
        return DataLoader(
            TensorDataset(inputs, *masks),
            batch_size=batch_size,
            shuffle=True,
            drop_last=True,
            augment=Moved(augment, bool(preprocessing["boundary"])),
            augment_batch=Cut(tuple(preprocessing["sides"])),
            generator=np.random.default_rng(seed),
        )

    def loss(self, about: Facts) -> OutlineLoss:
        """Return Dice + cross-entropy, with the boundary loss where it was asked for."""
        return OutlineLoss(about["preprocessing"]["boundary"])

    def learn(
        self,
        network: nn.Module,
        splits: dict[str, Examples],
        about: Facts,
        options: argparse.Namespace,
        out: Path,
    ) -> History:
        """Train; from then on predictions are means over all views.

        One view tells epochs apart as well, and takes a sixteenth of the time.
        """
        history = super().learn(network, splits, about, options, out)
        about["symmetric"] = not options.quick
        return history

    def outputs(self, network: nn.Module, examples: Examples, about: Facts) -> Array:
        """Return the probability of each voxel (n, ...)."""
        known = about["preprocessing"]
        if examples.inputs.ndim != known["dimensions"] + 1:
            raise DataError(
                f"segment: images {examples.inputs.shape[1:]} for a model of {known['dimensions']} "
                "dimensions"
            )
        check_extent(examples.inputs.shape[1:], known.get("largest"))
        shown = image_and_place(encoded(examples.inputs, known))
        ways = list(views(known["dimensions"]))[: None if about.get("symmetric") else 1]
        total = np.zeros(examples.inputs.shape, np.float32)
        for turn, back in ways:
            turned = TensorDataset(np.ascontiguousarray(turn(shown)))
            (logits,) = predict(network, DataLoader(turned, batch_size=AT_ONCE))
            total += back(1 / (1 + np.exp(-np.clip(logits, -80, 80))))[:, 0]
        return total / np.float32(len(ways))

    def chosen(self, outputs: Array, examples: Examples) -> Facts:
        """Return the threshold that is best on validation."""
        return {"threshold": best_threshold(outputs, examples.targets)}

    def measure(self, outputs: Array, examples: Examples, about: Facts) -> Facts:
        """Return Dice, IoU and distances of surfaces, of all and of each case."""
        threshold = about.get("threshold", MIDDLE)
        return judged_outlines(examples.targets, outputs >= threshold, examples.groups, threshold)

    def describe(self, outputs: Array, examples: Examples, about: Facts) -> list[Facts]:
        """Return size, place and certainty of each outline."""
        found = []
        for probability in outputs:
            mask = probability >= about["threshold"]
            place = [float(np.mean(axis)) for axis in np.nonzero(mask)] if mask.any() else None
            sure = float(probability[mask].mean()) if mask.any() else None
            found.append({"voxels": int(mask.sum()), "centre": place, "probability": sure})
        return found

    def predict(self, saved: SavedModel, paths: Sequence[Path]) -> list[Facts]:
        """Return file, index, size, place and certainty of each outline."""
        return [facts for *_, told in self.outlined(saved, paths) for facts in told]

    def write_predictions(
        self, saved: SavedModel, paths: Sequence[Path], folder: Path
    ) -> list[Facts]:
        """Do what `predict` does, and write the masks into a folder: NIfTI for NIfTI, else npz."""
        found = []
        for path, outputs, told in self.outlined(saved, paths):
            file = written_masks(folder, path, outputs >= saved.about["threshold"], outputs)
            found += [{**facts, "written": file.name} for facts in told]
        return found

    def outlined(
        self, saved: SavedModel, paths: Sequence[Path]
    ) -> list[tuple[Path, Array, list[Facts]]]:
        """Return each file with its probabilities and what is told of them."""
        results = []
        for path in paths:
            examples = read_outlined(path, saved.about["preprocessing"]["dimensions"])
            outputs = self.outputs(saved.network, examples, saved.about)
            told = self.describe(outputs, examples, saved.about)
            named = [{"file": str(path), "index": i, **facts} for i, facts in enumerate(told)]
            results.append((path, outputs, named))
        return results

    def baseline(self, train: Examples, judged: Examples) -> tuple[str, float]:
        """Return the mean Dice of what is bright, connected and near the centre."""
        ball = fitted_ball(in_window(train.inputs), targets(train))
        found = np.stack([ball(volume) for volume in in_window(judged.inputs)])
        name = (
            f"above {ball.threshold:.2f} of the window, within {ball.radius:.0f} voxels of the "
            "centre, in one piece"
        )
        return name, float(judged_outlines(judged.targets, found, None, None)["dice"])

    def evidence(self, outputs: Array, examples: Examples, about: Facts) -> Evidence:
        """Return true and predicted volumes."""
        masks = targets(examples)
        axes = tuple(range(1, masks.ndim))
        volume = masks.sum(axes).astype(np.float64)
        found = (outputs >= about["threshold"]).sum(axes).astype(np.float64)
        return Evidence(volume, found, groups=examples.groups, subgroups={"true volume": volume})

    def pictured(self, outputs: Array, judged: Examples, about: Facts) -> list[Section]:
        """Return worst and random cases with both outlines."""
        images = in_window(judged.inputs)
        return outline_galleries(images, targets(judged), outputs >= about["threshold"])


def encoded(images: Array, preprocessing: Facts) -> Array:
    """Return images (n, ...) as (n, 1, ...), windowed, of mean 0 and standard deviation 1."""
    planes = Preprocessing.kept(preprocessing)(images.reshape(-1, *images.shape[-2:]))
    return planes.reshape(images.shape)[:, None]


def check_extent(shape: tuple[int, ...], largest: Sequence[int] | None) -> None:
    """Raise `DataError` for images that reach further from their centre than those of training.

    The network is shown how far each voxel is from the centre, and has never seen such a distance.
    ``largest`` None: the file is of before this was kept.
    """
    if largest is not None and any(np.greater(shape, largest)):
        given, learned = (" x ".join(map(str, each)) for each in (shape, largest))
        raise DataError(
            f"segment: images of {given} voxels, but the model learned from {learned}; cut at most "
            "so many about what is to be outlined, at the scale of the training images"
        )


def in_window(images: Array) -> Array:
    """Return images (n, ...) as grey values in [0, 1]."""
    return grey(images.reshape(-1, *images.shape[-2:]), NODULE).reshape(images.shape)


def targets(examples: Examples) -> Array:
    """Return the masks, which those that are judged have."""
    if examples.targets is None:
        raise DataError("segment: no masks to compare with")
    return examples.targets


def findings(splits: dict[str, Examples]) -> DataReport:
    """Return what `check_dataset` finds in the splits."""
    return check_dataset(
        ImageDataset(
            "segment",
            {
                name: Split(part.inputs, None, part.groups, part.targets)
                for name, part in splits.items()
            },
        )
    )


SEGMENT = SegmentTask()
