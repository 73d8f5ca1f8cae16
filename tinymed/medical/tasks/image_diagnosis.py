"""Telling two kinds of images apart: the pipeline that every binary image diagnosis goes through.

read -> check -> preprocess -> augment -> network -> threshold chosen on validation -> evaluate

With ``--folds`` there is a network for each fold of patients instead: see `image_folds`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinymed import manual_seed, nn, optim, serialization, tensor
from tinymed.data import Augment, DataLoader, balanced_weights
from tinymed.errors import DataError
from tinymed.medical.imaging.dataset import ImageDataset, Split
from tinymed.medical.imaging.image_measures import brightness, noise
from tinymed.medical.imaging.reading import read_dataset, read_samples
from tinymed.medical.imaging.windowing import Window
from tinymed.medical.models import MODELS
from tinymed.medical.report.cases import heat_maps
from tinymed.medical.report.image_page import Judged, write_image_page
from tinymed.medical.report.run_page import can_be_drawn
from tinymed.medical.report.summary import write_report
from tinymed.medical.tasks.augmentation_search import searched
from tinymed.medical.tasks.examples import judged_by_chooser
from tinymed.medical.tasks.image_checks import checked_images
from tinymed.medical.tasks.image_facts import begun, training_facts
from tinymed.medical.tasks.image_folds import FIXED, cross_validated
from tinymed.medical.tasks.image_options import declare_image_options, settle_image_options
from tinymed.medical.tasks.image_shifts import under_shifts
from tinymed.medical.tasks.image_splits import (
    group_numbers,
    images_and_labels,
    images_in,
    loader,
    one_split,
    with_fewer,
    with_validation,
)
from tinymed.medical.tasks.image_transfer import Source, remembered, seen_in_training
from tinymed.medical.tasks.options import METRICS, MODEL, Settings, declare
from tinymed.medical.tasks.preprocessing import Preprocessing, grey
from tinymed.medical.tasks.run_folder import asked, check_folder, run_folder
from tinymed.medical.tasks.task import SavedModel, save_model
from tinymed.medical.tasks.training_groups import remembered_groups
from tinymed.medical.tasks.views import positive, probabilities
from tinymed.metrics import BinaryMetrics, choose_threshold, roc_auc
from tinymed.training import History, fit, predict

__all__ = ["ImageDiagnosis"]

Array = np.ndarray[Any, Any]
Options = argparse.Namespace
DEFAULTS = Settings(epochs=45, quick_epochs=8, on_gpu=True, needs=("scipy",))
TUNED = Settings(epochs=15, quick_epochs=4, batch_size=32, lr=1e-3, on_gpu=True, needs=("scipy",))
FROZEN = Settings(epochs=15, quick_epochs=4, batch_size=32, lr=2e-2, on_gpu=True, needs=("scipy",))
CHOSEN = "chosen on validation by Youden's index"
DRAWN = "1: the generator drew one at the centre; 0: it drew something that looks like one."


@dataclass(frozen=True)
class ImageDiagnosis:
    """A binary diagnosis from images: the facts that differ from one to the other.

    Parameters
    ----------
    name, help : str
        The sub-command and its line of help.
    kind : str, optional
        Which of several tasks of this sub-command it is.
    files : str
        What ``--data`` takes.
    classes : (str, str)
        What label 0 and label 1 mean.
    label_source, drawn : str
        Who said so: goes into the model card; and of synthetic images.
    window : Window
        In Hounsfield units; `GREY` for radiographs.
    network : str
        Name in `tinymed.medical.models.MODELS`.
    settings, quick_settings : dict
        Arguments of the network, and of that of ``--quick``.
    augment : Augment
    synthesise : callable
        ``synthesise(patients, generator)``: the data set that is used without ``--data``.
    threshold : float, optional
        Above which class 1 is meant; None: chosen on validation, for balanced accuracy.
    symmetric : bool
        Whether an image means the same turned and mirrored: predictions are means over these.
    baseline : (str, callable)
        A score that needs no learning, to be beaten: its name, and grey values -> scores.
    defaults, tuned, frozen : Settings
        How long and how fast it trains: from nothing, ``--from``, and with ``--freeze``.
    folds, quick_folds : int
        Of the patients, unless told otherwise; 0: one network, one split.
    folds_hold_test : bool
        Whether a "test" split is dealt into the folds, too: where all there is is little.
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
    tuned: Settings = TUNED
    frozen: Settings = FROZEN
    kind: str | None = None
    files: str = "labelled images: npz or folder with a CSV; see below (default: synthetic ones)"
    folds: int = 0
    quick_folds: int = 0
    folds_hold_test: bool = False
    score: str = "auc"
    drawn: str = DRAWN
    measures: Mapping[str, Callable[[Array], Array]] = field(
        default_factory=lambda: {"brightness": brightness, "noise": noise}
    )
    patients: int = 200  # synthetic ones, without --data
    quick_patients: int = 100
    quick_images: int = 600

    # --------------------------------------------------------------------------- the command

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options of training."""
        declare(parser, self.name, self.files, {self.name: self.defaults})
        self.add_own_arguments(parser)

    def add_own_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare those that only images have."""
        declare_image_options(parser, self.name, self.tuned, self.frozen)

    def train(self, options: Options) -> dict[str, Any]:
        """Read, check, preprocess, train, choose a threshold, evaluate, write; return metrics."""
        learned = self.frozen if options.freeze else self.tuned
        (self.defaults if options.source is None else learned).settle(options, self.name)
        settle_image_options(options, self.name, self.quick_folds if options.quick else self.folds)
        source = None if options.source is None else Source.read(options.source, self.name)
        check_folder(options, self.name)
        dataset = self.read(options)
        with run_folder(options, self.name) as out:
            if options.folds:
                return cross_validated(self, dataset, options, out, source)
            facts = self.check(dataset)
            task = searched(self, dataset, options, out, source) if options.policies else self
            return task.learned(dataset, facts, options, out, source)

    def learned(
        self,
        dataset: ImageDataset,
        facts: dict[str, Any],
        options: Options,
        out: Path,
        source: Source | None,
    ) -> dict[str, Any]:
        """Train on "train", choose on "val", judge on "test" if there is one; return metrics."""
        final = "test" if "test" in dataset else "val"
        train, validation, judged = (dataset[name] for name in ("train", "val", final))
        member, warnings = (0, []) if source is None else source.member_for(judged)
        seen = [one_split([train, validation])]
        facts |= {
            "labels": self.meaning(options),
            "training_groups": remembered_groups(train.groups),
            "training_images": remembered(seen, self.window, source, [member]),
        }
        network, preprocessing = self.start(train, options, source, member)
        print(nn.summary(network, (1, *preprocessing(train.images[:1]).shape[1:])))
        history = self.learn(network, dataset, preprocessing, options, out)
        planes, labels = preprocessing(validation.images), np.asarray(validation.labels)
        scores = probabilities(network, planes, symmetric=self.symmetric)
        chosen = self.threshold is None
        about = begun(self, preprocessing) | {
            "model": {"class": self.network, "arguments": self.arguments(options, source)},
            "threshold": choose_threshold(labels, scores) if chosen else self.threshold,
            "threshold_from": CHOSEN if chosen else FIXED,
            "threshold_split": "val" if chosen else None,
            "data": facts,
            "training": training_facts(self, network, options, source)
            | {"best_epoch": history.best_epoch, "best_val_auc": history.best_value},
        }
        save_model(network, about, out / MODEL)
        planes = preprocessing(judged.images)
        ask = partial(probabilities, network, symmetric=self.symmetric)
        cases = Judged(
            judged, ask(planes), planes, lambda chosen: heat_maps(network, planes[chosen]), ask
        )
        warnings += judged_by_chooser(final, threshold=chosen)
        metrics = {**self.measure(cases, about["threshold"], warnings), "split": final}
        metrics |= under_shifts(cases, preprocessing)
        self.write(out, about, metrics, cases, history.epochs)
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
        preprocessing = Preprocessing.kept(saved.about["preprocessing"])
        planes = preprocessing(dataset[chosen].images)
        scores = probabilities(saved.network, planes, symmetric=saved.symmetric)
        warnings = [*seen_in_training(saved.about, dataset[chosen]), *preprocessing.doubts]
        cases = Judged(dataset[chosen], scores, planes)
        return {**self.measure(cases, saved.about["threshold"], warnings), "split": chosen}

    def predict(self, saved: SavedModel, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """Return file, index, probability and class of each image."""
        preprocessing = Preprocessing.kept(saved.about["preprocessing"])
        classes, threshold = saved.about["classes"], saved.about["threshold"]
        for doubt in preprocessing.doubts:
            print(f"warning: {doubt}", file=sys.stderr)
        found = []
        for path in paths:
            samples = read_samples(path)
            planes = preprocessing(samples.images)
            scores = probabilities(saved.network, planes, symmetric=saved.symmetric)
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
            print(f"--quick: {self.quick_images} of {len(dataset['train'])} training images")
            dataset = with_fewer(dataset, self.quick_images, generator)
        return dataset

    def check(self, dataset: ImageDataset) -> dict[str, Any]:
        """Print what the data are like, and raise `DataError` if they cannot be trained on."""
        return checked_images(self.name, dataset)

    def begin(self, options: Options, source: Source | None, member: int) -> nn.Module:
        """Return the network before it learns: a new one, or from a member of a source."""
        arguments = self.arguments(options, source)
        if source is None:
            return MODELS[self.network](**arguments)
        return source.network(member, arguments, self.classes, frozen=options.freeze)

    def start(
        self, train: Split, options: Options, source: Source | None, member: int
    ) -> tuple[nn.Module, Preprocessing]:
        """Seed what is drawn; return the network before it learns, and its preprocessing."""
        manual_seed(options.seed)
        fitted = Preprocessing.fitted(train.images, self.window)
        preprocessing = fitted if source is None else source.preprocessing
        return self.begin(options, source, member), preprocessing

    def arguments(self, options: Options, source: Source | None) -> dict[str, Any]:
        """Return the arguments of the network: the features' own are those of the source."""
        own = self.quick_settings if options.quick else self.settings
        return own if source is None else {**own, "widths": source.widths}

    def learn(
        self,
        network: nn.Module,
        dataset: ImageDataset,
        preprocessing: Preprocessing,
        options: Options,
        out: Path | None,
    ) -> History:
        """Train with AdamW, one cycle of the learning rate, and cross-entropy.

        The best epoch on "val" is kept; without that split, the one of least loss. On
        ``options.device``; the network comes back to host memory, where the rest is done.
        Nothing is written, nor told, without ``out``.
        """
        network.to(options.device)
        train = dataset["train"]
        batches = DataLoader(
            images_and_labels(train, preprocessing),
            batch_size=min(options.batch_size, len(train)),
            shuffle=True,
            drop_last=True,  # batch norm needs more than one image
            augment=self.augment.on_image,
            generator=np.random.default_rng(options.seed),
            device=options.device,
        )
        learning = [each for each in network.parameters() if each.requires_grad]
        optimizer = optim.AdamW(learning, lr=options.lr, weight_decay=0.02)
        validated = "val" in dataset

        def validate(model: nn.Module) -> dict[str, float]:
            validation = loader(dataset["val"], preprocessing, options.device)
            outputs, labels, *_ = predict(model, validation)
            return {"val_auc": roc_auc(labels, positive(outputs))}

        history = fit(
            network,
            batches,
            self.loss(train, options),
            optimizer,
            epochs=options.epochs,
            scheduler=optim.OneCycleLR(optimizer, options.lr, options.epochs * len(batches)),
            validate=validate if validated else None,
            monitor="val_auc" if validated else "loss",
            mode="max" if validated else "min",
            folder=out,
            resume=options.resume and out is not None,
            asked=None if out is None else asked(options, images_in(dataset)),
            progress=out is not None,
        )
        network.cpu()
        return history

    def loss(self, train: Split, options: Options) -> nn.Module:
        """Return the cross-entropy, with ``--class-weights`` those of the training images."""
        if options.class_weights == "none" or train.labels is None:
            return nn.CrossEntropyLoss()
        weights = balanced_weights(train.labels, len(self.classes))
        entropy = nn.CrossEntropyLoss(weight=tensor(weights.astype(np.float32)))
        return entropy.to(options.device)

    def measure(
        self, cases: Judged, threshold: float, warnings: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the metrics of what was judged, the baseline's among them; and warnings."""
        split = cases.split
        if split.labels is None:
            raise DataError(f"{self.name}: the split has no labels")
        collected = BinaryMetrics()
        collected.update(split.labels, cases.scores, *group_numbers(split))
        metrics = collected.compute(threshold=threshold, generator=np.random.default_rng(0))
        name, score = self.baseline
        if len(set(split.labels.tolist())) == 2:
            metrics["baseline"] = name
            simple = score(grey(split.images, self.window))
            metrics["baseline_auc"] = roc_auc(split.labels, simple)
            if metrics["auc"] <= metrics["baseline_auc"]:
                metrics["warnings"].append(f"the network does not beat its baseline, {name}")
        metrics["warnings"] += warnings
        return metrics

    def meaning(self, options: Options) -> str:
        """Return what a label means."""
        return self.label_source if options.data else self.drawn

    def write(
        self,
        out: Path,
        about: dict[str, Any],
        metrics: dict[str, Any],
        cases: Judged,
        log: Sequence[Mapping[str, Any]],
    ) -> None:
        """Write metrics, model card, pictures and report beside the model."""
        text = json.dumps(metrics, indent=2, allow_nan=False) + "\n"
        serialization.write_bytes(text.encode(), out / METRICS)
        labels, images = np.asarray(cases.split.labels), cases.planes[:, 0]
        write_report(out, about, metrics, labels, cases.scores, images, log)
        if can_be_drawn():
            write_image_page(out, about, metrics, cases, self.measures)
        print(f"written to {out}: {', '.join(sorted(p.name for p in out.iterdir()))}")
