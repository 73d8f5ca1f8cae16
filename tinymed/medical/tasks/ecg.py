"""Heartbeats of patients never seen before: normal, supraventricular or ventricular.

Classes follow the AAMI standard, and patients are kept apart as by de Chazal, O'Dwyer, Reilly
(2004), IEEE Trans Biomed Eng 51, 1196, who split the MIT-BIH Arrhythmia Database (Moody, Mark 2001,
IEEE Eng Med Biol 20, 45) into DS1 for training and DS2. Their linear discriminants reach a balanced
accuracy of about 0.80 on DS2 with two leads; a random forest on single beats of one lead reaches
0.67 on other patients, and 0.97 where beats of the same patients are on both sides.

Fusion beats and those of unknown class are left out of the loss and of the metrics, as there; they
stay in their places, since the beats about them are judged by their neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tinymed as tm
from tinymed import nn
from tinymed.data import ConcatDataset, DataLoader, balanced_weights
from tinymed.errors import DataError
from tinymed.medical.report.evidence import Evidence
from tinymed.medical.signals.beat_features import RHYTHM, SHAPE, beat_features
from tinymed.medical.signals.beat_windows import IGNORED, BeatAugment, BeatWindows, windows
from tinymed.medical.signals.ectopy import with_atrial_beats
from tinymed.medical.signals.heartbeats import SAMPLES, Beats, read_beats
from tinymed.medical.signals.rhythm import synthesise
from tinymed.medical.tasks.cross_validation import CrossValidatedTask
from tinymed.medical.tasks.examples import Examples
from tinymed.medical.tasks.options import Settings
from tinymed.medical.tasks.softmax_regression import SoftmaxRegression
from tinymed.metrics import MulticlassMetrics
from tinymed.training import predict

__all__ = ["ECG", "HeartbeatTask"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
JUDGED = ("N", "S", "V")
OTHER = len(JUDGED)  # fusion and unknown
WINDOW = 96  # beats, more than a minute: a run of early beats shows its beginning


class HeartbeatTask(CrossValidatedTask):
    """``tinymed ecg``."""

    name = "ecg"
    help = "heartbeats: normal, supraventricular or ventricular, in patients unseen in training"
    files = (
        "an npz file of X (n, 128), a lead at 180 Hz in any unit, each beat's R peak at sample 45; "
        "rr (n, 2), the intervals before and after it in samples at 360 Hz; rec (n,), the patients "
        "in blocks, beats in the order of time; and y (n,), classes 0 to 4: N, S, V, F, Q"
    )
    meaning = (
        "AAMI classes from the annotations of two cardiologists: 0 N, 1 S (supraventricular "
        "ectopic), 2 V (ventricular ectopic), 3 fusion or unknown, which is not judged."
    )
    network = "BeatSequenceNetwork"
    defaults = Settings(epochs=4, quick_epochs=12, batch_size=24, quick_batch_size=8)
    score = "balanced_accuracy"
    group = "patient"

    # ------------------------------------------------------------------------------ examples

    def read(self, path: Path) -> Examples:
        """Return the beats of an npz file."""
        return as_examples(read_beats(path))

    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        """Return the beats of synthetic patients."""
        patients, beats = (18, 200) if quick else (40, 600)
        return as_examples(synthesise(patients, beats, generator))

    def preprocessing(self, train: Examples, options: Any) -> Facts:
        """Return the weights of the classes: in what is trained on, each counts alike."""
        changed = with_early_beats(train, options.seed)
        targets = np.concatenate([labels(train), labels(changed)])
        return {"window": WINDOW, "weights": class_weights(targets).tolist()}

    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the network."""
        widths = [8, 16, 16] if quick else [16, 32, 32]
        return {"descriptors": len(RHYTHM) + len(SHAPE), "widths": widths}

    def loader(
        self, examples: Examples, preprocessing: Facts, batch_size: int, seed: int | None = None
    ) -> DataLoader:
        """Return batches of windows of beats; to train on, each patient a second time.

        The second time early atrial beats have been put in: see `with_atrial_beats`.
        """
        length = preprocessing["window"]
        if seed is None:
            rows = windows(patients(examples), length, length // 2)
            return DataLoader(BeatWindows(encoded(examples), None, rows), batch_size)
        rows = windows(patients(examples), length + length // 2, length)
        changed = with_early_beats(examples, seed)
        both = [BeatWindows(encoded(e), to_learn(e), rows) for e in (examples, changed)]
        return DataLoader(
            ConcatDataset(both),
            min(batch_size, 2 * len(rows)),
            shuffle=True,
            drop_last=True,
            augment=BeatAugment(length, rhythm=len(RHYTHM)),
            generator=np.random.default_rng(seed),
        )

    # -------------------------------------------------------------------------- what is judged

    def loss(self, about: Facts) -> Callable[[Any, Any], Any]:
        """Return the weighted cross-entropy of all beats of all windows."""
        weights = tm.tensor(about["preprocessing"]["weights"])
        entropy = nn.CrossEntropyLoss(weight=weights, ignore_index=IGNORED)

        def of_windows(outputs: Any, targets: Any) -> Any:
            return entropy(outputs.reshape(-1, len(JUDGED)), targets.reshape(-1))

        return of_windows

    def outputs(self, network: nn.Module, examples: Examples, about: Facts) -> Array:
        """Return probabilities (n, 3): of each beat, the mean over the windows that hold it."""
        known = about["preprocessing"]
        logits = predict(network, self.loader(examples, known, 64))[0]  # (windows, T, 3)
        rows = windows(patients(examples), known["window"], known["window"] // 2)
        there = rows >= 0
        odds = np.exp(logits - logits.max(axis=2, keepdims=True), dtype=np.float64)
        found = np.zeros((len(examples), len(JUDGED)))
        np.add.at(found, rows[there], (odds / odds.sum(axis=2, keepdims=True))[there])
        return found / found.sum(axis=1, keepdims=True)

    def measure(self, outputs: Array, examples: Examples, about: Facts) -> Facts:
        """Return balanced accuracy and more over the beats that are N, S or V."""
        truth = labels(examples)
        judged: Array = np.not_equal(truth, OTHER)
        if not judged.any():
            raise DataError(f"{self.name}: no beat is {', '.join(JUDGED)}; nothing to measure")
        collected = MulticlassMetrics(len(JUDGED))
        collected.update(truth[judged], outputs[judged])
        metrics = collected.compute()
        sensitivity = dict(zip(JUDGED, metrics.pop("recall_per_class"), strict=True))
        matrix = np.array(metrics["confusion_matrix"])
        named = matrix.sum(axis=0)
        precision = [int(matrix[i, i]) / int(n) if n else None for i, n in enumerate(named)]
        return {
            **metrics,
            "sensitivity": sensitivity,
            "positive_predictivity": dict(zip(JUDGED, precision, strict=True)),
            "not_judged": int((~judged).sum()),
        }

    def evidence(self, outputs: Array, examples: Examples, about: Facts) -> Evidence:
        """Return class and probabilities of the beats that are N, S or V; a subgroup a patient."""
        judged: Array = np.not_equal(labels(examples), OTHER)
        of = patients(examples)[judged]
        return Evidence(
            labels(examples)[judged],
            outputs[judged],
            JUDGED,
            groups=of,
            subgroups={"patient": of.astype(np.str_)},
        )

    def describe(self, outputs: Array, examples: Examples, about: Facts) -> list[Facts]:
        """Return patient, class and probabilities of each beat."""
        best = outputs.argmax(axis=1)
        return [
            {
                "patient": patient,
                "class": JUDGED[i],
                "probabilities": dict(zip(JUDGED, row, strict=True)),
            }
            for patient, i, row in zip(
                patients(examples).tolist(), best, outputs.tolist(), strict=True
            )
        ]

    def baseline_outputs(self, train: Examples, judged: Examples) -> tuple[str, Array]:
        """Return the probabilities of a softmax regression on each beat's descriptors alone."""
        truth = labels(train)
        known: Array = np.not_equal(truth, OTHER)
        regression = SoftmaxRegression.fitted(
            descriptors(train)[known], truth[known], class_weights(truth)
        )
        return "softmax regression on each beat's rhythm and shape", regression(descriptors(judged))


def as_examples(beats: Beats) -> Examples:
    """Return beats as what a task learns from; fusion and unknown become one class."""
    inputs = np.hstack([beats.samples, beats.rr]).astype(np.float32)
    targets = None if beats.label is None else np.minimum(beats.label, OTHER).astype(np.int64)
    return Examples(inputs, targets, beats.patient)


def as_beats(examples: Examples) -> Beats:
    """Return examples as beats again."""
    samples, rr = np.split(examples.inputs, [SAMPLES], axis=1)
    return Beats(samples, rr, patients(examples), examples.targets)


def with_early_beats(examples: Examples, seed: int) -> Examples:
    """Return the same patients with early atrial beats put in."""
    return as_examples(with_atrial_beats(as_beats(examples), np.random.default_rng(seed)))


def descriptors(examples: Examples) -> Array:
    """Return rhythm and shape of each beat, (n, 13)."""
    samples, rr = np.split(examples.inputs, [SAMPLES], axis=1)
    return beat_features(samples, rr, patients(examples))[1]


def encoded(examples: Examples) -> Array:
    """Return what the network takes of each beat, (n, 2 * 128 + 13)."""
    samples, rr = np.split(examples.inputs, [SAMPLES], axis=1)
    shapes, described = beat_features(samples, rr, patients(examples))
    return np.hstack([shapes.reshape(len(shapes), -1), described])


def to_learn(examples: Examples) -> Array:
    """Return the classes (n,), with those ignored that are not judged."""
    return np.where(np.equal(labels(examples), OTHER), IGNORED, labels(examples))


def patients(examples: Examples) -> Array:
    """Return the patient of each beat; without it nothing can be compared with the usual beat."""
    if examples.groups is None:
        raise DataError("ecg: the beats have no patients")
    return examples.groups


def labels(examples: Examples) -> Array:
    """Return the class of each beat."""
    if examples.targets is None:
        raise DataError("ecg: the beats have no classes")
    return examples.targets


def class_weights(targets: Array) -> Array:
    """Return weights (3,) that give each class the same sum; their mean over the beats is 1."""
    try:
        return balanced_weights(targets, len(JUDGED))
    except ValueError as error:
        lacking = [name for i, name in enumerate(JUDGED) if not np.any(targets == i)]
        raise DataError(f"ecg: no beat of class {', '.join(lacking)} to learn from") from error


ECG = HeartbeatTask()
