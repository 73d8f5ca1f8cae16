"""Telling two kinds of images apart: the pipeline that every binary image diagnosis goes through.

read -> check -> preprocess -> augment -> network -> threshold chosen on validation -> evaluate
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinymed import __version__, manual_seed, nn, optim, serialization
from tinymed.data import Augment, DataLoader, TensorDataset, grouped_stratified_holdout
from tinymed.data.transfer import check_device
from tinymed.errors import DataError
from tinymed.medical.imaging.checks import DataReport, check_dataset
from tinymed.medical.imaging.dataset import ImageDataset, Split
from tinymed.medical.imaging.image_measures import brightness, noise
from tinymed.medical.imaging.reading import FORMS, read_dataset, read_samples
from tinymed.medical.imaging.windowing import Window
from tinymed.medical.models import MODELS
from tinymed.medical.report.image_page import write_image_page
from tinymed.medical.report.run_page import can_be_drawn
from tinymed.medical.report.summary import write_report
from tinymed.medical.tasks.options import METRICS, MODEL, Settings, declare, run_folder
from tinymed.medical.tasks.preprocessing import Preprocessing
from tinymed.medical.tasks.task import SavedModel, save_model
from tinymed.medical.tasks.training_groups import groups_seen_again, remembered_groups
from tinymed.medical.tasks.views import positive, probabilities
from tinymed.metrics import BinaryMetrics, choose_threshold, roc_auc
from tinymed.training import History, fit, predict

__all__ = ["ImageDiagnosis"]

Array = np.ndarray[Any, Any]
Options = argparse.Namespace
DEFAULTS = Settings(epochs=45, quick_epochs=8)
CHOSEN = "chosen on validation by Youden's index"
DRAWN = "1: the generator drew one at the centre; 0: it drew something that looks like one."


@dataclass(frozen=True)
class ImageDiagnosis:
    """A binary diagnosis from images: the facts that differ from one to the other.

    Parameters
    ----------
    name, help : str
        The sub-command and its line of help.
    classes : (str, str)
        What label 0 and label 1 mean.
    label_source : str
        Who said so: goes into the model card.
    window : Window
        In Hounsfield units; `GREY` for radiographs.
    network : str
        Name in `tinymed.medical.models.MODELS`.
    settings, quick_settings : dict
        Arguments of the network, and of the small one of ``--quick``.
    augment : Augment
    synthesise : callable
        ``synthesise(patients, generator)``: the data set that is used without ``--data``.
    threshold : float, optional
        Above which class 1 is meant; None: chosen on validation, for balanced accuracy.
    symmetric : bool
        Whether an image means the same turned and mirrored: predictions are means over these.
    baseline : (str, callable)
        A score that needs no learning, to be beaten: its name, and windowed images -> scores.
    defaults : Settings
        How long and how fast it trains.
    measures : mapping of str to callable
        What parts the cases of the report in thirds: grey values (n, H, W) -> numbers (n,).
    """

    name: str
    help: str
    classes: tuple[str, str]
    label_source: str
    window: Window
    network: str
    settings: dict[str, Any]
    quick_settings: dict[str, Any]
    augment: Augment
    synthesise: Callable[[int, np.random.Generator], ImageDataset]
    baseline: tuple[str, Callable[[Array], Array]]
    threshold: float | None = None
    symmetric: bool = False
    defaults: Settings = DEFAULTS
    measures: Mapping[str, Callable[[Array], Array]] = field(
        default_factory=lambda: {"brightness": brightness, "noise": noise}
    )
    patients: int = 200  # synthetic ones, without --data
    quick_patients: int = 100
    quick_images: int = 600

    # --------------------------------------------------------------------------- the command

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options of training."""
        files = "labelled images: npz or folder with a CSV; see below (default: synthetic patches)"
        declare(parser, self.name, files, {self.name: self.defaults})
        parser.add_argument(
            "--device", default="cpu", help="where to train: cpu (default), cuda or cuda:N"
        )
        parser.epilog = FORMS
        parser.formatter_class = argparse.RawDescriptionHelpFormatter

    def train(self, options: Options) -> dict[str, Any]:
        """Read, check, preprocess, train, choose a threshold, evaluate, write; return metrics."""
        self.defaults.settle(options, self.name)
        check_device(options.device)  # what is missing for a GPU is said before anything is read
        out = run_folder(options, self.name)
        dataset = self.read(options)
        facts = self.check(dataset)
        facts["training_groups"] = remembered_groups(dataset["train"].groups)
        preprocessing = Preprocessing.fitted(dataset["train"].images, self.window)
        manual_seed(options.seed)
        settings = self.quick_settings if options.quick else self.settings
        network = MODELS[self.network](**settings)
        print(nn.summary(network, (1, *preprocessing(dataset["train"].images[:1]).shape[1:])))
        history = self.learn(network, dataset, preprocessing, options, out)
        validation = dataset["val"]
        planes, labels = preprocessing(validation.images), np.asarray(validation.labels)
        scores = probabilities(network, planes, symmetric=self.symmetric)
        chosen = self.threshold is None
        threshold = choose_threshold(labels, scores) if chosen else self.threshold
        about = {
            "task": self.name,
            "tinymed": __version__,
            "model": {"class": self.network, "arguments": settings},
            "preprocessing": preprocessing.to_dict(),
            "symmetric": self.symmetric,
            "classes": list(self.classes),
            "threshold": threshold,
            "threshold_from": CHOSEN if chosen else "fixed before training",
            "data": {**facts, "labels": self.label_source if options.data else DRAWN},
            "training": self.training_facts(network, options, history),
        }
        save_model(network, about, out / MODEL)
        final = "test" if "test" in dataset else "val"
        judged = dataset[final]
        metrics, labels, scores = self.measure(SavedModel(network, about, out / MODEL), judged)
        metrics["split"] = final
        text = json.dumps(metrics, indent=2, allow_nan=False) + "\n"
        serialization.write_bytes(text.encode(), out / METRICS)
        planes = preprocessing(judged.images)
        write_report(out, about, metrics, labels, scores, planes[:, 0], history.epochs)
        if can_be_drawn():
            write_image_page(
                out, network, about, metrics, labels, scores, judged.groups, planes, self.measures
            )
        print(f"written to {out}: {', '.join(sorted(p.name for p in out.iterdir()))}")
        return metrics

    def evaluate(self, saved: SavedModel, data: Path, split: str | None) -> dict[str, Any]:
        """Return the metrics of a model on one split of a file or folder.

        A table that names no splits is judged whole, unless ``split`` asks for one: then it is
        dealt out as in the model's training.
        """
        classes, seed = len(self.classes), saved.about["training"]["seed"]
        dataset = read_dataset(data, classes=classes, seed=seed, undivided=split is None)
        names = list(dataset.splits)
        chosen = split or ("test" if "test" in names else names[0] if len(names) == 1 else None)
        if chosen is None:
            raise DataError(f"evaluate: {data} holds {', '.join(names)}; choose one with --split")
        if chosen not in names:
            raise DataError(f"evaluate: {data} holds {', '.join(names)}, not {chosen!r}")
        metrics, *_ = self.measure(saved, dataset[chosen])
        known, judged = saved.about["data"].get("training_groups"), dataset[chosen].groups
        metrics["warnings"] += groups_seen_again(known, judged, "patient")
        return {**metrics, "split": chosen}

    def predict(self, saved: SavedModel, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """Return file, index, probability and class of each image."""
        preprocessing = Preprocessing(**saved.about["preprocessing"])
        classes, threshold = saved.about["classes"], saved.about["threshold"]
        found = []
        for path in paths:
            samples = read_samples(path)
            planes = preprocessing(samples.images)
            scores = probabilities(saved.network, planes, symmetric=is_symmetric(saved))
            for (file, index), score in zip(samples.sources, scores.tolist(), strict=True):
                found.append(
                    {
                        "file": file,
                        "index": index,
                        "probability": score,
                        "class": classes[int(score >= threshold)],
                    }
                )
        return found

    # ------------------------------------------------------------------------------ its steps

    def read(self, options: Options) -> ImageDataset:
        """Return the data, with a validation split, small where it is to be quick."""
        generator = np.random.default_rng(options.seed)
        if options.data is None:
            patients = self.quick_patients if options.quick else self.patients
            print(f"no --data: {patients} synthetic patients, for demonstration")
            dataset = self.synthesise(patients, generator)
        else:
            dataset = read_dataset(options.data, classes=len(self.classes), seed=options.seed)
        if "train" not in dataset:
            raise DataError(f"{self.name}: {dataset.name} has no training split")
        dataset = with_validation(dataset, generator)
        if options.quick and len(dataset["train"]) > self.quick_images:
            chosen = generator.permutation(len(dataset["train"]))[: self.quick_images]
            print(f"--quick: {self.quick_images} of {len(dataset['train'])} training images")
            splits = {**dataset.splits, "train": part(dataset["train"], np.sort(chosen))}
            dataset = replace(dataset, splits=splits)
        return dataset

    def check(self, dataset: ImageDataset) -> dict[str, Any]:
        """Print what the data are like, and raise `DataError` if they cannot be trained on."""
        report = check_dataset(dataset)
        print(told(report))
        for name, split in dataset.splits.items():
            if split.labels is None or not set(np.unique(split.labels)) <= {0, 1}:
                found = None if split.labels is None else np.unique(split.labels).tolist()
                raise DataError(f"{self.name}: {name}_labels are {found}, 0 and 1 expected")
        if report.problems:
            raise DataError(f"{self.name}: {'; '.join(report.problems)}")
        facts = report.to_dict()
        shared = [
            {name: len(each) if isinstance(each, list) else each for name, each in pair.items()}
            for pair in facts["shared"]
        ]
        return {
            "name": report.name,
            "splits": facts["splits"],
            "shared": shared,
            "warnings": report.warnings,
        }

    def learn(
        self,
        network: nn.Module,
        dataset: ImageDataset,
        preprocessing: Preprocessing,
        options: Options,
        out: Path,
    ) -> History:
        """Train with AdamW, one cycle of the learning rate, and cross-entropy.

        On ``options.device``; the network comes back to host memory, where the rest is done.
        """
        network.to(options.device)
        batches = DataLoader(
            images_and_labels(dataset["train"], preprocessing),
            batch_size=min(options.batch_size, len(dataset["train"])),
            shuffle=True,
            drop_last=True,  # batch norm needs more than one image
            augment=self.augment.on_image,
            generator=np.random.default_rng(options.seed),
            device=options.device,
        )
        optimizer = optim.AdamW(network.parameters(), lr=options.lr, weight_decay=0.02)
        steps = options.epochs * len(batches)
        validation = loader(dataset["val"], preprocessing, options.device)

        def validate(model: nn.Module) -> dict[str, float]:
            outputs, labels, *_ = predict(model, validation)
            return {"val_auc": roc_auc(labels, positive(outputs))}

        history = fit(
            network,
            batches,
            nn.CrossEntropyLoss(),
            optimizer,
            epochs=options.epochs,
            scheduler=optim.OneCycleLR(optimizer, options.lr, steps),
            validate=validate,
            monitor="val_auc",
            mode="max",
            folder=out,
            resume=options.resume,
        )
        network.cpu()
        return history

    def measure(self, saved: SavedModel, split: Split) -> tuple[dict[str, Any], Array, Array]:
        """Return the metrics on a split, its baseline's among them; the labels and scores (n,)."""
        if split.labels is None:
            raise DataError(f"{self.name}: the split has no labels")
        preprocessing = Preprocessing(**saved.about["preprocessing"])
        planes, labels = preprocessing(split.images), split.labels
        scores = probabilities(saved.network, planes, symmetric=is_symmetric(saved))
        collected = BinaryMetrics()
        collected.update(labels, scores, *group_numbers(split))
        metrics = collected.compute(
            threshold=saved.about["threshold"], generator=np.random.default_rng(0)
        )
        name, score = self.baseline
        if len(set(split.labels.tolist())) == 2:
            metrics["baseline"] = name
            metrics["baseline_auc"] = roc_auc(labels, score(planes[:, 0]))
            if metrics["auc"] <= metrics["baseline_auc"]:
                metrics["warnings"].append(f"the network does not beat its baseline, {name}")
        return metrics, labels, scores

    def training_facts(
        self, network: nn.Module, options: Options, history: History
    ) -> dict[str, Any]:
        """Return what the model card says of the training."""
        return {
            "parameters": sum(p.numel() for p in network.parameters()),
            "optimizer": "AdamW, one cycle of the learning rate, cross-entropy",
            "epochs": len(history.epochs),
            "best_epoch": history.best_epoch,
            "best_val_auc": history.best_value,
            "batch_size": options.batch_size,
            "learning_rate": options.lr,
            "seed": options.seed,
            "quick": options.quick,
            "device": options.device,
            "data_file": None if options.data is None else options.data.name,
        }


def is_symmetric(saved: SavedModel) -> bool:
    """Return whether a model's predictions are means over turned and mirrored images."""
    return bool(saved.about.get("symmetric", False))


def told(report: DataReport) -> str:
    """Return the data report as lines of text."""
    lines = [
        f"{split.name}: {split.images} images"
        + (f" of {split.groups} patients" if split.groups else "")
        + "".join(f", {n} of class {label}" for label, n in split.class_counts.items())
        for split in report.splits
    ]
    return "\n".join([*lines, *(f"warning: {warning}" for warning in report.warnings)])


def images_and_labels(split: Split, preprocessing: Preprocessing) -> TensorDataset:
    """Return samples (image, label), or (image, label, group) where groups are numbers."""
    return TensorDataset(preprocessing(split.images), split.labels, *group_numbers(split))


def group_numbers(split: Split) -> list[Array]:
    """Return the patients of a split as numbers, in a list; an empty one if they are not known."""
    if split.groups is None:
        return []
    return [np.unique(split.groups, return_inverse=True)[1].astype(np.int64)]


def loader(split: Split, preprocessing: Preprocessing, device: str = "cpu") -> DataLoader:
    """Return the batches of a split in order, without augmentation."""
    return DataLoader(images_and_labels(split, preprocessing), batch_size=256, device=device)


def part(split: Split, indices: Array) -> Split:
    """Return some of the images of a split."""
    labels, groups, masks = (
        None if column is None else column[indices]
        for column in (split.labels, split.groups, split.masks)
    )
    return Split(split.images[indices], labels, groups, masks)


def with_validation(dataset: ImageDataset, generator: np.random.Generator) -> ImageDataset:
    """Return the data set with a fifth of the training patients as validation, if it has none."""
    if "val" in dataset:
        return dataset
    train = dataset["train"]
    if train.labels is None:
        return dataset
    groups = np.arange(len(train)) if train.groups is None else train.groups
    kept, held = grouped_stratified_holdout(train.labels, groups, 0.2, generator=generator)
    splits = {**dataset.splits, "train": part(train, kept), "val": part(train, held)}
    return replace(dataset, splits={name: splits[name] for name in ("train", "val", *splits)})
