"""Image diagnosis from little data: a network per fold of patients, all judged out of fold.

With a few hundred images one held-out part says next to nothing. As in `cross_validation`, every
patient is judged by a network that has not seen them, the predictions are judged together, and the
model that is kept is the mean of the networks. Nothing is chosen on a fold that is held out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymed import nn
from tinymed.data import grouped_stratified_kfold
from tinymed.errors import DataError
from tinymed.medical.imaging.dataset import ImageDataset, Split
from tinymed.medical.models import Ensemble
from tinymed.medical.report.cases import heat_maps
from tinymed.medical.report.image_page import Judged
from tinymed.medical.tasks.image_facts import begun, training_facts
from tinymed.medical.tasks.image_shifts import under_shifts
from tinymed.medical.tasks.image_splits import one_split, part, patients_of
from tinymed.medical.tasks.image_transfer import Source, remembered
from tinymed.medical.tasks.options import MODEL
from tinymed.medical.tasks.preprocessing import Preprocessing
from tinymed.medical.tasks.task import save_model
from tinymed.medical.tasks.training_groups import remembered_groups
from tinymed.medical.tasks.views import probabilities
from tinymed.metrics import choose_threshold, roc_auc
from tinymed.random import set_default_generator, spawn
from tinymed.training import LOG, History

if TYPE_CHECKING:
    from tinymed.medical.tasks.image_diagnosis import ImageDiagnosis

__all__ = ["FIXED", "Fold", "cross_validated", "cut"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
GREY = (0.5, 0.25)  # mean and deviation: the same in each fold, so nothing held out sets them
JUDGED = "out of fold"
FIXED = "fixed before training"
CHOSEN = "chosen on the out-of-fold predictions by Youden's index"


@dataclass(frozen=True)
class Fold:
    """What a network learns from and is judged on, and the member of the source it starts from."""

    kept: Array
    left: Array
    member: int = 0


def cut(
    labels: Array,
    patients: Array,
    count: int,
    generator: np.random.Generator,
    unseen: Array | None = None,
) -> list[Fold]:
    """Return folds of patients, classes in balance; no patient is in two.

    Parameters
    ----------
    labels, patients : array (n,)
    count : int
        Of the folds; where the members of a source have seen some of the patients, a fold goes
        with each member.
    generator : Generator
    unseen : bool array (n, members), optional
        What `Source.unseen` says. Whom all members have seen is in no fold's ``left``.

    Raises
    ------
    DataError
        Fewer patients than folds, or of one class.
    """
    if unseen is None:
        unseen = np.ones((len(labels), 1), bool)
    judged, free = unseen.any(axis=1), unseen.all(axis=1)
    fold = np.full(len(labels), -1)
    if not np.array_equal(judged, free):
        fixed = judged & ~free
        fold[fixed] = unseen[fixed].argmax(axis=1)
        count = unseen.shape[1]
    known = len(np.unique(patients[free]))
    if known >= count and len(np.unique(labels[free])) > 1:
        dealt = grouped_stratified_kfold(labels[free], patients[free], count, generator=generator)
        for number, (_, left) in enumerate(dealt):
            fold[np.flatnonzero(free)[left]] = number
    elif np.array_equal(judged, free):
        raise DataError(
            f"{known} patients of {len(np.unique(labels[free]))} classes to be judged, for {count} "
            "folds; give fewer --folds, or with --from a model that has not seen the others: one "
            "that was cross-validated (--folds), or trained on other data"
        )
    else:
        fold[free] = 0  # a handful among those that have a fold already
    members = unseen.shape[1]
    return [
        Fold(np.flatnonzero(fold != k), np.flatnonzero(fold == k), k % members)
        for k in range(count)
        if np.any(fold == k)
    ]


def cross_validated(
    task: ImageDiagnosis,
    dataset: ImageDataset,
    options: argparse.Namespace,
    out: Path,
    source: Source | None,
) -> Facts:
    """Train a network per fold, judge each on its patients, keep their mean; return metrics."""
    dataset = divided(dataset, task.folds_hold_test)
    facts, learned = task.check(dataset), dataset["train"]
    labels, patients = np.asarray(learned.labels), patients_of(learned)
    generator = np.random.default_rng(options.seed)
    unseen = None if source is None else source.unseen(learned)
    folds = cut(labels, patients, options.folds, generator, unseen)
    members = [fold.member for fold in folds]
    if len(folds) != options.folds:
        print(f"{len(folds)} folds: those of the networks of --from, which know the patients")
    fixed = Preprocessing(*task.window, *GREY, learned.images.shape[1:3])
    preprocessing = fixed if source is None else source.preprocessing
    planes = preprocessing(learned.images)
    networks, histories, scores = [], [], np.zeros(len(learned))
    by = np.full(len(learned), -1)  # which network judges an image, if any does
    for number, fold in enumerate(folds):
        left = len(np.unique(patients[fold.left]))
        print(f"fold {number + 1} of {len(folds)}: without {left} patients", flush=True)
        set_default_generator(spawn(generator, number))
        network = task.begin(options, source, fold.member)
        train = ImageDataset(dataset.name, {"train": part(learned, fold.kept)})
        folder = out / f"fold-{number + 1}-of-{len(folds)}"
        resume = options.resume and (folder / LOG).exists()
        own = argparse.Namespace(**{**vars(options), "resume": resume})
        histories.append(task.learn(network, train, preprocessing, own, folder))
        networks.append(network)
        scores[fold.left] = probabilities(network, planes[fold.left], symmetric=task.symmetric)
        by[fold.left] = number
    judged = np.flatnonzero(by >= 0)
    facts |= {
        "labels": task.meaning(options),
        "training_groups": remembered_groups(learned.groups),
        "training_images": remembered(parts_of(learned, folds), task.window, source, members),
    }
    about = begun(task, preprocessing) | decision(task, labels[judged], scores[judged])
    ensemble, about["model"] = together(task.network, task.arguments(options, source), networks)
    training = training_facts(task, ensemble, options, source)
    about |= {"data": facts, "training": {**training, "folds": len(folds)}}
    save_model(ensemble, about, out / MODEL)
    cases = Judged(
        part(learned, judged),
        scores[judged],
        planes[judged],
        lambda chosen: own_maps(networks, by[judged[chosen]], planes[judged[chosen]]),
        lambda changed: own_scores(networks, by[judged], changed, symmetric=task.symmetric),
    )
    warnings = [] if source is None else [*source.warnings(learned), *not_judged(learned, judged)]
    metrics = {**task.measure(cases, about["threshold"], warnings), "split": JUDGED}
    metrics |= under_shifts(cases, preprocessing)
    metrics["folds"] = [auc_of(labels[fold.left], scores[fold.left]) for fold in folds]
    if "test" in dataset:
        metrics["test"] = on_test(task, ensemble, dataset["test"], preprocessing, about)
    task.write(out, about, metrics, cases, mean_log(histories))
    return metrics


def divided(dataset: ImageDataset, with_test: bool) -> ImageDataset:
    """Return "train", which is cut into folds, and "test" if it stays out of them."""
    names = [name for name in dataset.splits if with_test or name != "test"]
    splits = {"train": one_split([dataset[name] for name in names])}
    left = {name: split for name, split in dataset.splits.items() if name not in names}
    return replace(dataset, splits={**splits, **left})


def decision(task: ImageDiagnosis, labels: Array, scores: Array) -> Facts:
    """Return the threshold, where it is from, and on which split it was chosen, if it was."""
    if task.threshold is not None:
        return {"threshold": task.threshold, "threshold_from": FIXED, "threshold_split": None}
    return {
        "threshold": choose_threshold(labels, scores),
        "threshold_from": CHOSEN,
        "threshold_split": JUDGED,
    }


def together(
    network: str, arguments: Facts, networks: Sequence[nn.Module]
) -> tuple[Ensemble, Facts]:
    """Return networks as one, and what a model file says of it."""
    facts: Facts = {"network": network, "arguments": arguments, "members": len(networks)}
    ensemble = Ensemble(**facts)
    ensemble.take(networks)
    return ensemble, {"class": "Ensemble", "arguments": facts}


def parts_of(learned: Split, folds: Sequence[Fold]) -> list[Split]:
    """Return what each member has not learned from, and last what all have, if there is any."""
    held = np.concatenate([fold.left for fold in folds])
    rest = np.setdiff1d(np.arange(len(learned)), held)
    chosen = [fold.left for fold in folds] + ([rest] if len(rest) else [])
    return [part(learned, indices) for indices in chosen]


def own_maps(networks: Sequence[nn.Module], by: Array, planes: Array) -> Array | None:
    """Return the heat-map (m, H, W) of each of the planes by the network that judged it."""
    found = np.zeros((len(planes), *planes.shape[2:]))
    for number in np.unique(by):
        maps = heat_maps(networks[number], planes[by == number])
        if maps is None:
            return None
        found[by == number] = maps
    return found


def own_scores(
    networks: Sequence[nn.Module], by: Array, planes: Array, *, symmetric: bool
) -> Array:
    """Return the probability of class 1 (m,) of planes, each by the network that judged it."""
    found = np.zeros(len(planes))
    for number in np.unique(by):
        mine = by == number
        found[mine] = probabilities(networks[number], planes[mine], symmetric=symmetric)
    return found


def auc_of(labels: Array, scores: Array) -> float | None:
    """Return the AUC of a fold; None for a single class."""
    return roc_auc(labels, scores) if len(np.unique(labels)) == 2 else None


def not_judged(learned: Split, judged: Array) -> list[str]:
    """Return a warning if there are patients whom all members of the source have seen."""
    patients = patients_of(learned)
    count = len(np.unique(patients)) - len(np.unique(patients[judged]))
    told = f"learned from but not judged, as every network of --from has seen them: {count} patient"
    return [f"{told}{'s' * (count > 1)}"] if count else []


def on_test(
    task: ImageDiagnosis,
    ensemble: Ensemble,
    test: Split,
    preprocessing: Preprocessing,
    about: Facts,
) -> Facts:
    """Return the metrics of the ensemble on the split that was in no fold."""
    planes = preprocessing(test.images)
    scores = probabilities(ensemble, planes, symmetric=task.symmetric)
    return task.measure(Judged(test, scores, planes), about["threshold"])


def mean_log(histories: Sequence[History]) -> list[Facts]:
    """Return the loss of each epoch, the mean over the folds."""
    epochs = zip(*(history.epochs for history in histories), strict=True)
    return [
        {"epoch": number, "loss": float(np.mean([record["loss"] for record in records]))}
        for number, records in enumerate(epochs, 1)
    ]
