"""Taking the noise of a low dose off CT: a network that predicts the noise, and what it may cost.

A smooth image is easily made, and a nodule is easily lost in it, or drawn where there was none.
So beside what the images look like (PSNR, SSIM) a run can ask a trained nodule network, by
``--judge``, what it says of the same images clean, noisy and freed of noise.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tinymed import nn
from tinymed.data import DataLoader, TensorDataset
from tinymed.errors import DataError
from tinymed.medical.imaging.low_dose import gaussian, low_dose, total_variation
from tinymed.medical.imaging.phantoms import synthesise_noise_free
from tinymed.medical.imaging.reading import FORMS
from tinymed.medical.imaging.rewriting import Images, open_images, without
from tinymed.medical.imaging.windowing import NODULE, normalise
from tinymed.medical.report.noise_cases import noise_cases
from tinymed.medical.report.page import Section
from tinymed.medical.tasks.examples import Examples
from tinymed.medical.tasks.image_examples import images_of, read_images
from tinymed.medical.tasks.nodule_judge import judged_nodules, read_judge
from tinymed.medical.tasks.options import Settings
from tinymed.medical.tasks.preprocessing import Preprocessing, grey
from tinymed.medical.tasks.supervised import SupervisedTask
from tinymed.medical.tasks.task import SavedModel
from tinymed.medical.tasks.views import Predictor, symmetric_views, turned_back
from tinymed.metrics import bootstrap_interval, psnr, ssim
from tinymed.metrics.image_quality import SIDE
from tinymed.random import spawn

__all__ = ["ENHANCE", "EnhanceTask"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
Options = argparse.Namespace
# Of the window: 98 HU, what 30 HU become at a tenth of the dose. A range of levels is harder to
# learn, as real images have noise of their own that is to stay: from 0.035 to 0.07 it cost 0.7 dB
# at 0.07 (1,500 patches of LUNA16, 6 epochs, 32 channels).
LEVEL = 0.07
JUDGED = 20  # seed of the noise that is taken off to be judged: the same in every epoch and run
TUNED = 100  # images of the training by which the simple methods are tuned
LARGEST = 100.0  # dB: an image without any error has infinitely many
PIXELS = 2**17  # computed together: the planes of a slice's features soon fill the memory
SIGMAS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5)  # pixels
WEIGHTS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.11)
SIMPLE: dict[str, tuple[Callable[[Array, float], Array], tuple[float, ...]]] = {
    "gaussian": (gaussian, SIGMAS),
    "total_variation": (total_variation, WEIGHTS),
}


class EnhanceTask(SupervisedTask):
    """To make of a noisy image the one without the noise; inputs and targets are grey in [0, 1]."""

    name = "enhance"
    help = "take the noise of a low dose off CT slices"
    files = "images, labelled (npz, for --judge) or not; see below"
    meaning = (
        "The target is an image as it was stored, with the noise of its own scan; the input is the "
        "same with more noise, coloured as a reconstruction does it. Synthetic targets have none."
    )
    network = "DnCNN"
    defaults = Settings(
        epochs=12,
        quick_epochs=16,
        batch_size=32,
        quick_batch_size=16,
        lr=2e-3,
        on_gpu=True,
        needs=("scipy",),
    )
    score = "psnr"
    group = "patient"
    weight_decay = 1e-4
    patients, quick_patients = 200, 40  # synthetic ones, without --data
    quick_images = 600

    # ------------------------------------------------------------------------------ the data

    def add_own_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare how much noise there is, and who judges."""
        parser.add_argument(
            "--noise",
            type=float,
            nargs="+",
            default=[LEVEL],
            metavar="LEVEL",
            help=f"standard deviation of the noise in parts of the window of 1400 HU ({LEVEL}); of "
            "several, all between the least and the greatest are learned, each is judged, and the "
            "score is that at the greatest",
        )
        parser.add_argument(
            "--judge",
            type=Path,
            metavar="RUN",
            help="folder of a run of tinymed lung, or its model: what it says of the images clean, "
            "noisy and freed of noise is compared",
        )
        parser.epilog = FORMS
        parser.formatter_class = argparse.RawDescriptionHelpFormatter

    def train(self, options: Options) -> Facts:
        """Train as every task; what would only be found out at the end is checked before."""
        if wrong := [level for level in options.noise if not 0 < level <= 1]:
            raise ValueError(f"enhance: --noise {wrong[0]}, above 0 and at most 1 expected")
        if options.judge is not None:
            read_judge(options.judge)
        return super().train(options)

    def read(self, path: Path) -> Examples:
        """Return the images of a file; labels, where an npz file has them, as strata."""
        return clean(read_images(path))

    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        """Return phantoms, seen by a scanner without noise."""
        patients = self.quick_patients if quick else self.patients
        return clean(images_of(synthesise_noise_free(patients, generator)))

    def divided(self, options: Options) -> dict[str, Examples]:
        """Return the splits, each image with its noise at the greatest level; few if quick."""
        splits = super().divided(options)
        train = splits["train"]
        if min(train.inputs.shape[1:]) < SIDE:
            raise DataError(
                f"enhance: images {train.inputs.shape[1:]}, {SIDE} x {SIDE} or more expected"
            )
        if options.quick and len(train) > self.quick_images:
            chosen = np.random.default_rng(options.seed).permutation(len(train))
            print(f"--quick: {self.quick_images} of {len(train)} training images")
            splits["train"] = train[np.sort(chosen[: self.quick_images])]
        if options.judge is not None:  # now, not after the training
            judge = read_judge(options.judge).about["preprocessing"]
            Preprocessing.kept(judge).check_size(train.inputs)
        return {name: noisy(part, max(options.noise)) for name, part in splits.items()}

    def preprocessing(self, train: Examples, options: Options) -> Facts:
        """Return window, mean and deviation of the clean images, and the levels of the noise."""
        mean, std = float(clean_of(train).mean()), float(clean_of(train).std())
        fitted = Preprocessing(NODULE.low, NODULE.high, mean, std)
        return {**fitted.to_dict(), "levels": sorted(set(options.noise))}

    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the network."""
        return {"width": 24, "depth": 5} if quick else {"width": 48, "depth": 7}

    def loader(
        self, examples: Examples, preprocessing: Facts, batch_size: int, seed: int | None = None
    ) -> DataLoader:
        """Return batches (noisy, clean), (N, 1, H, W); for training with other noise each time."""
        train = seed is not None
        mean, std, levels = (preprocessing[name] for name in ("mean", "std", "levels"))
        columns = (examples.inputs, clean_of(examples))
        return DataLoader(
            TensorDataset(*(normalise(column, mean, std)[:, None] for column in columns)),
            batch_size,
            train,
            drop_last=train,
            augment=NoisyViews(mean, std, min(levels), max(levels)) if train else None,
            generator=np.random.default_rng(seed),
        )

    def loss(self, about: Facts) -> nn.Module:
        """Return the mean absolute error: it arrives sooner than the squared one.

        After 6 epochs on 1,500 patches of LUNA16, with 32 channels, it was 28.7 dB to 28.4 (Zhao,
        Gallo, Frosio, Kautz 2017, "Loss functions for image restoration with neural networks").
        """
        return nn.L1Loss()

    # ----------------------------------------------------------------------------- the result

    def chosen(self, outputs: Array, examples: Examples) -> Facts:
        """Return that results are means over the eight turns and mirrors: 0.2 dB more."""
        return {"symmetric": True}

    def outputs(self, network: nn.Module, examples: Examples, about: Facts) -> Array:
        """Return the images without noise (n, H, W), grey in [0, 1]."""
        known = about["preprocessing"]
        planes = normalise(examples.inputs, known["mean"], known["std"])[:, None]
        size = max(1, PIXELS // math.prod(planes.shape[2:]))
        predictor, symmetric = Predictor(network), about.get("symmetric", False)

        def of(part: Array) -> Array:
            views = symmetric_views(part) if symmetric else iter([part])
            return np.mean(list(turned_back(map(predictor.of_batch, views))), axis=0)

        parts = [of(planes[i : i + size]) for i in range(0, len(planes), size)]
        mean = np.concatenate(parts)[:, 0]
        return np.clip(mean * known["std"] + known["mean"], 0, 1)

    def measure(self, outputs: Array, examples: Examples, about: Facts) -> Facts:
        """Return the mean PSNR of an image, in dB."""
        return {"n": len(outputs), "psnr": mean_psnr(examples, outputs), "warnings": []}

    def judged(self, network: nn.Module, examples: Examples, about: Facts, split: str) -> Facts:
        """Return PSNR and SSIM after and before, at each level of the noise."""
        levels = about["preprocessing"]["levels"]
        metrics: Facts = {}
        for level in reversed(levels):
            given = noisy(examples, level)
            outputs = self.outputs(network, given, about)
            ending = "" if level == max(levels) else f"_at_{level:g}"
            pairs = (("", outputs), ("noisy_", given.inputs))
            for name, images in pairs:
                metrics[f"{name}psnr{ending}"] = mean_psnr(given, images)
                metrics[f"{name}ssim{ending}"] = float(ssim(clean_of(given), images).mean())
            if not ending:
                metrics |= self.interval(outputs, given)
        return {"n": len(examples), "noise": max(levels), **metrics, "warnings": [], "split": split}

    def interval(self, outputs: Array, examples: Examples) -> Facts:
        """Return the 95 % interval of the PSNR over patients, where there are several."""
        groups = np.arange(len(outputs)) if examples.groups is None else examples.groups
        if len(np.unique(groups)) < 2:
            return {}
        each = decibels(examples, outputs)
        low, high, *_ = bootstrap_interval(
            lambda values, _: float(values.mean()),
            each,
            each,
            groups,
            generator=np.random.default_rng(0),
        )
        return {"psnr_ci": [low, high]}

    def baseline(self, train: Examples, judged: Examples) -> tuple[str, float]:
        """Return the PSNR of total variation."""
        setting, found = simple("total_variation", train, judged)
        about = f"total variation (Chambolle), weight {setting:g} of {len(WEIGHTS)} by training"
        return about, mean_psnr(judged, found)

    def examined(
        self, outputs: Array, judged: Examples, train: Examples, options: Options
    ) -> Facts:
        """Return PSNR and SSIM of the simple methods, and what the nodule network says."""
        facts: Facts = {}
        for name in SIMPLE:
            _, found = simple(name, train, judged)
            facts[f"{name}_psnr"] = mean_psnr(judged, found)
            facts[f"{name}_ssim"] = float(ssim(clean_of(judged), found).mean())
        if options.judge is not None:
            images = {"clean": clean_of(judged), "noisy": judged.inputs, "denoised": outputs}
            facts |= judged_nodules(read_judge(options.judge), images, judged.strata)
        return facts

    def pictured(self, outputs: Array, judged: Examples, about: Facts) -> list[Section] | None:
        """Return the worst and random cases, before and after; None where nothing can be drawn."""
        if find_spec("matplotlib") is None:
            return None
        return noise_cases(clean_of(judged), judged.inputs, outputs)

    # ------------------------------------------------------------------------------ new images

    def describe(self, outputs: Array, examples: Examples, about: Facts) -> list[Facts]:
        """Return the standard deviation, in HU, of what was taken off each image."""
        taken = (examples.inputs - outputs).reshape(len(outputs), -1).std(axis=1)
        known = about["preprocessing"]
        return [{"taken_off_hu": float(d) * (known["high"] - known["low"])} for d in taken]

    def predict(self, saved: SavedModel, paths: Sequence[Path]) -> list[Facts]:
        """Return how much noise each image of each file had."""
        return [
            {"file": str(path), "index": index, **facts}
            for path in paths
            for index, facts in enumerate(self.cleaned(saved, open_images(path))[1])
        ]

    def write_predictions(
        self, saved: SavedModel, paths: Sequence[Path], folder: Path
    ) -> list[Facts]:
        """Do what `predict` does, and write each file again without noise, in its own form.

        npz, npy and pictures (as PNG) like those given, scans as NIfTI; two files of one name get
        their number before it.
        """
        opened = [open_images(path) for path in paths]  # all, before anything is written
        names = [images.name for images in opened]
        files = [
            folder / f"{f'{i}-' if names.count(each.name) > 1 else ''}{each.name}{each.ending}"
            for i, each in enumerate(opened)
        ]
        if there := [str(file) for file in files if file.exists()]:
            raise FileExistsError(f"predict: {there[0]} is there already; choose another folder")
        found = []
        for path, images, file in zip(paths, opened, files, strict=True):
            planes, told = self.cleaned(saved, images)
            folder.mkdir(parents=True, exist_ok=True)
            images.save(file, without(images.pixels, planes, NODULE))
            for index, facts in enumerate(told):
                found.append({"file": str(path), "index": index, **facts, "written": file.name})
        return found

    def cleaned(self, saved: SavedModel, images: Images) -> tuple[Array, list[Facts]]:
        """Return what is to be taken off images, as grey values, and what is told of each."""
        examples = Examples(grey(images.pixels, NODULE))
        outputs = self.outputs(saved.network, examples, saved.about)
        return examples.inputs - outputs, self.describe(outputs, examples, saved.about)


@dataclass(frozen=True)
class NoisyViews:
    """Turns and mirrors a clean image, and adds noise of a level drawn anew: for a loader.

    Half of the images are clipped to the window, as stored ones are and computed ones are not.

    Parameters
    ----------
    mean, std : float
        By which images are normalised.
    least, most : float
        Of the noise, on the scale of grey values in [0, 1].
    """

    mean: float
    std: float
    least: float
    most: float

    def __call__(self, sample: tuple[Array, Array], rng: np.random.Generator) -> list[Array]:
        """Return (noisy, clean), each (1, H, W), from a pair whose noisy image is not used."""
        clean = np.rot90(sample[1][0], int(rng.integers(4)))
        clean = np.ascontiguousarray(clean[:, ::-1] if rng.random() < 0.5 else clean)
        image = low_dose(clean, float(rng.uniform(self.least, self.most)) / self.std, rng)
        if rng.random() < 0.5:
            image = image.clip(-self.mean / self.std, (1 - self.mean) / self.std)
        return [image[None], clean[None]]


def clean(examples: Examples) -> Examples:
    """Return the examples with their images, grey, as inputs and targets."""
    images = grey(examples.inputs, NODULE)
    return replace(examples, inputs=images, targets=images)


def clean_of(examples: Examples) -> Array:
    """Return the images (n, H, W) as they should be, or raise `TypeError` if they are not known."""
    if examples.targets is None:
        raise TypeError("enhance: examples without targets, clean images expected")
    return examples.targets


def decibels(examples: Examples, images: Array) -> Array:
    """Return the PSNR (n,) of images; at most `LARGEST`, which empty ones may reach exactly."""
    return np.minimum(psnr(clean_of(examples), images), LARGEST)


def mean_psnr(examples: Examples, images: Array) -> float:
    """Return the mean over images of their PSNR."""
    return float(decibels(examples, images).mean())


def noisy(examples: Examples, level: float) -> Examples:
    """Return clean images, each with noise that depends on its place and the level alone."""
    generator = np.random.default_rng(JUDGED)
    clean = clean_of(examples)
    drawn = [low_dose(image, level, spawn(generator, i)) for i, image in enumerate(clean)]
    return replace(examples, inputs=np.stack(drawn))


def simple(method: str, train: Examples, judged: Examples) -> tuple[float, Array]:
    """Return the setting of a simple method that is best on training images, and its images."""
    smooth, settings = SIMPLE[method]
    chosen = train[np.random.default_rng(0).permutation(len(train))[:TUNED]]

    def reached(setting: float) -> float:
        found = smooth(chosen.inputs, setting).clip(0, 1)
        return mean_psnr(chosen, found)

    best = max(settings, key=reached)
    return best, smooth(judged.inputs, best).clip(0, 1)


ENHANCE = EnhanceTask()
