"""Features from images without labels: what a network learns where answers cost nothing.

An image is asked a question whose answer is in the image itself: what was hidden of it, or how far
it was turned. A network that answers has learned features; a diagnosis with few labels starts from
them (``tinymed lung --from RUN``).
"""

from __future__ import annotations

import abc
import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tinymed import nn
from tinymed.data import Augment, DataLoader, TensorDataset
from tinymed.medical.imaging.dataset import Split
from tinymed.medical.tasks.examples import Examples
from tinymed.medical.tasks.image_diagnosis import ImageDiagnosis
from tinymed.medical.tasks.image_examples import images_of, read_images
from tinymed.medical.tasks.image_transfer import remembered
from tinymed.medical.tasks.kinds import Kinds
from tinymed.medical.tasks.lung import LUNG
from tinymed.medical.tasks.options import Settings
from tinymed.medical.tasks.preprocessing import Preprocessing, grey
from tinymed.medical.tasks.supervised import SupervisedTask
from tinymed.medical.tasks.xray import XRAY
from tinymed.training import History, predict

__all__ = ["PRETRAIN", "MaskedPatches", "Pretext", "Turns"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
PURPOSES: dict[str, ImageDiagnosis] = {task.name: task for task in (LUNG, XRAY)}
CELL = 7  # pixels: the side of the squares that are hidden
HIDDEN = 0.4  # share of them that is
TURNS = 4  # quarters of a circle


class Pretext(SupervisedTask):
    """A question about an image that the image answers: `Task` in full but for the question."""

    name = "pretrain"
    files = "npz, npy (n, H, W) or a folder with a CSV; labels are not looked at"
    defaults = Settings(epochs=20, quick_epochs=4, on_gpu=True, needs=("scipy",))
    group = "patient"

    kind: ClassVar[str]

    @abc.abstractmethod
    def question(self, plane: Array, generator: np.random.Generator) -> tuple[Array, Any]:
        """Return what the network is shown of a plane (1, H, W), and the answer."""

    def augment(self, purpose: ImageDiagnosis) -> Augment:
        """Return how an image is changed before it is asked."""
        return purpose.augment

    def add_own_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the features are for: it says which network and which window."""
        parser.add_argument(
            "--for",
            dest="purpose",
            choices=list(PURPOSES),
            default=LUNG.name,
            help=f"the diagnosis that is to start from the features ({LUNG.name})",
        )

    def read(self, path: Path) -> Examples:
        """Return the images of a file; each is its own target."""
        return own_answers(read_images(path))

    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        """Return synthetic CT patches."""
        return own_answers(images_of(LUNG.synthesise(60 if quick else 400, generator)))

    def preprocessing(self, train: Examples, options: argparse.Namespace) -> Facts:
        """Return the diagnosis and its window, mean and spread of the images."""
        purpose = PURPOSES[options.purpose]
        pixels = Preprocessing.fitted(train.inputs, purpose.window).to_dict()
        return {"kind": self.kind, "purpose": purpose.name, **pixels}

    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the network: as wide as that of the diagnosis."""
        purpose = PURPOSES[preprocessing["purpose"]]
        settings = purpose.quick_settings if quick else purpose.settings
        return {"widths": settings["widths"]}

    def loader(
        self, examples: Examples, preprocessing: Facts, batch_size: int, seed: int | None = None
    ) -> DataLoader:
        """Return batches of questions and answers; without a seed the same ones each time."""
        planes = Preprocessing.kept(preprocessing)(examples.inputs)
        if seed is None:
            return self.asking(planes, batch_size)
        changes = self.augment(PURPOSES[preprocessing["purpose"]])

        def asked(sample: Any, generator: np.random.Generator) -> tuple[Array, Any]:
            (plane,) = changes.on_image(sample, generator)
            return self.question(plane, generator)

        return DataLoader(
            TensorDataset(planes),
            batch_size=batch_size,
            shuffle=True,
            drop_last=True,  # batch norm needs more than one image
            augment=asked,
            generator=np.random.default_rng(seed),
        )

    def sources(self, splits: dict[str, Examples], options: argparse.Namespace) -> Facts:
        """Return what a model file says of the data: which images were seen, too."""
        seen = np.concatenate([splits[name].inputs for name in ("train", "val")])
        unlabelled = Split(seen, np.zeros(len(seen), np.int64))
        window = PURPOSES[options.purpose].window
        return super().sources(splits, options) | {
            "training_images": remembered([unlabelled], window)
        }

    def training(self, options: argparse.Namespace, history: History, parameters: int) -> Facts:
        """Return what a model file says of the training."""
        file = None if options.data is None else options.data.name
        return super().training(options, history, parameters) | {"data_file": file}

    def asking(self, planes: Array, batch_size: int) -> DataLoader:
        """Return a question to each of the planes (n, 1, H, W), the same ones each time."""
        return DataLoader(
            TensorDataset(planes),
            batch_size=batch_size,
            augment=lambda sample, generator: self.question(sample[0], generator),
            generator=np.random.default_rng(0),
        )


class MaskedPatches(Pretext):
    """Squares of the image are hidden; what was there?"""

    kind = "masked"
    help = "draw what is hidden of an image"
    meaning = "The image itself, where squares of it are hidden."
    network = "MaskedImageNetwork"
    score = "explained"

    def question(self, plane: Array, generator: np.random.Generator) -> tuple[Array, Array]:
        """Return the plane with squares at its mean; the plane and where they are, (2, H, W)."""
        _, height, width = plane.shape
        rows, columns = -(-height // CELL), -(-width // CELL)
        count = max(1, round(HIDDEN * rows * columns))
        cells = np.zeros(rows * columns, plane.dtype)
        cells[generator.permutation(cells.size)[:count]] = 1
        # the grid starts anywhere, so that the borders of its squares do too
        start = generator.integers(0, CELL, 2)
        mask = np.kron(cells.reshape(rows, columns), np.ones((CELL, CELL), plane.dtype))
        mask = np.roll(mask, start, axis=(0, 1))[None, :height, :width]
        return plane * (1 - mask), np.concatenate([plane, mask])

    def loss(self, about: Facts) -> Callable[[Any, Any], Any]:
        """Return the mean squared error where the image was hidden."""

        def error(drawn: Any, answer: Any) -> Any:
            image, hidden = answer[:, :1], answer[:, 1:]
            return (((drawn - image) ** 2) * hidden).sum() / hidden.sum()

        return error

    def outputs(self, network: nn.Module, examples: Examples, about: Facts) -> Array:
        """Return, over what is hidden of each image, squared error and squared spread: (n, 2)."""
        drawn, answers = predict(network, self.loader(examples, about["preprocessing"], 256))
        return errors(drawn, answers)

    def measure(self, outputs: Array, examples: Examples, about: Facts) -> Facts:
        """Return the share of the variance that is explained where images were hidden."""
        error, spread = outputs.sum(axis=0)
        return {"n": len(outputs), "explained": float(1 - error / spread) if spread else None}

    def describe(self, outputs: Array, examples: Examples, about: Facts) -> list[Facts]:
        """Return the explained share of each image."""
        return [{"explained": float(1 - e / s) if s else None} for e, s in outputs]

    def baseline(self, train: Examples, judged: Examples) -> tuple[str, float]:
        """Return what copying the nearest pixel that is shown explains."""
        from scipy import ndimage

        planes = grey(judged.inputs, LUNG.window)[:, None]  # explained shares know no units
        drawn, answers = [], []
        for _, answer in self.asking(planes, batch_size=1):
            plane, hidden = answer.numpy()[0]
            _, nearest = ndimage.distance_transform_edt(hidden, return_indices=True)
            drawn.append(plane[tuple(nearest)][None])
            answers.append(np.stack([plane, hidden]))
        error, spread = errors(np.stack(drawn), np.stack(answers)).sum(axis=0)
        return "the nearest pixel that is shown", float(1 - error / spread)


class Turns(Pretext):
    """The image is turned by quarters; by how many?"""

    kind = "rotation"
    help = "tell by how much an image was turned"
    meaning = "By how many quarters of a circle the image was turned."
    network = "NoduleCNN"
    score = "accuracy"

    def question(self, plane: Array, generator: np.random.Generator) -> tuple[Array, int]:
        """Return the plane turned, and by how many quarters."""
        turns = int(generator.integers(TURNS))
        return np.ascontiguousarray(np.rot90(plane, turns, axes=(1, 2))), turns

    def augment(self, purpose: ImageDiagnosis) -> Augment:
        """Return the changes of the diagnosis that leave the answer as it is."""
        return replace(purpose.augment, rotate=0.0, flip=False)

    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the network."""
        return {"classes": TURNS, **super().arguments(preprocessing, quick)}

    def loss(self, about: Facts) -> Callable[[Any, Any], Any]:
        """Return the cross-entropy."""
        return nn.CrossEntropyLoss()

    def outputs(self, network: nn.Module, examples: Examples, about: Facts) -> Array:
        """Return logits, and behind them the answer: (n, 5)."""
        logits, turns = predict(network, self.loader(examples, about["preprocessing"], 256))
        return np.column_stack([logits, turns])

    def measure(self, outputs: Array, examples: Examples, about: Facts) -> Facts:
        """Return the share of images whose turn is told."""
        right = outputs[:, :TURNS].argmax(axis=1) == outputs[:, TURNS]
        return {"n": len(right), "accuracy": float(right.mean())}

    def describe(self, outputs: Array, examples: Examples, about: Facts) -> list[Facts]:
        """Return by how many quarters each image was turned, and what the network says."""
        return [{"turned": int(row[TURNS]), "told": int(row[:TURNS].argmax())} for row in outputs]

    def baseline(self, train: Examples, judged: Examples) -> tuple[str, float]:
        """Return what guessing reaches."""
        return "guessing", 1 / TURNS


def errors(drawn: Array, answers: Array) -> Array:
    """Return squared errors, and squared deviations from the mean of what is shown: (n, 2).

    Parameters
    ----------
    drawn : array (n, 1, H, W)
    answers : array (n, 2, H, W)
        The images, and 1 where they were hidden.
    """
    images, hidden = answers[:, 0].astype(np.float64), answers[:, 1].astype(bool)
    shown = np.where(hidden, 0, images).sum((1, 2)) / np.maximum(1, (~hidden).sum((1, 2)))
    error = np.where(hidden, drawn[:, 0] - images, 0) ** 2
    spread = np.where(hidden, images - shown[:, None, None], 0) ** 2
    return np.stack([error.sum((1, 2)), spread.sum((1, 2))], axis=1)


def own_answers(examples: Examples) -> Examples:
    """Return the examples with each image as its own target, and no word of labels."""
    return replace(examples, targets=examples.inputs, strata=None)


PRETRAIN = Kinds(
    "features from images without labels, for a diagnosis with few",
    {task.kind: task for task in (MaskedPatches(), Turns())},
)
