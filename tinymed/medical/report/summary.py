"""What a run leaves behind for people: pictures of the result and a model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tinymed.medical.report import pictures
from tinymed.medical.report.model_card import write_model_card
from tinymed.metrics import (
    confusion_matrix,
    precision_recall_curve,
    reliability_curve,
    roc_curve,
)

__all__ = ["card_facts", "write_report"]

Array = np.ndarray[Any, Any]
# What a card shows of the metrics: the rest is in metrics.json.
SHOWN = ("auc", "auc_ci", "accuracy", "balanced_accuracy", "recall", "specificity", "precision")


def write_report(
    folder: Path,
    about: Mapping[str, Any],
    metrics: Mapping[str, Any],
    labels: Array,
    scores: Array,
    images: Array,
    log: Sequence[Mapping[str, Any]],
) -> None:
    """Write the model card, and the pictures where matplotlib is installed.

    Parameters
    ----------
    folder : existing folder
    about : what is kept with the model
    metrics : of the split that was judged
    labels, scores : (n,)
        Of that split: classes 0 and 1, probabilities of 1.
    images : (n, H, W)
        Of that split, for the samples.
    log : one dict for each epoch
    """
    write_model_card(folder / "model_card.md", card_facts(about, metrics))
    if find_spec("matplotlib") is None:
        print("no pictures: they need matplotlib; pip install tinymed[report]")
        return
    best = about["training"].get("best_epoch")  # each fold has its own
    pictures.draw_training(folder / "training.png", log, best_epoch=best)
    threshold, classes = metrics["threshold"], tuple(about["classes"])
    pictures.draw_montage(
        folder / "samples.png", images, labels, scores, threshold=threshold, classes=classes
    )
    matrix = confusion_matrix(labels, scores >= threshold, num_classes=2)
    pictures.draw_confusion_matrix(folder / "confusion.png", matrix, classes=classes)
    reliability = reliability_curve(labels, scores)
    pictures.draw_reliability(folder / "reliability.png", *reliability, error=metrics["ece"])
    if metrics["auc"] is not None:  # of one class only there is no curve
        draw_curves(folder, metrics, labels, scores)


def draw_curves(folder: Path, metrics: Mapping[str, Any], labels: Array, scores: Array) -> None:
    """Draw what all thresholds together reach, and where the chosen one stands."""
    roc = roc_curve(labels, scores)
    pictures.draw_roc(
        folder / "roc.png",
        roc.fpr,
        roc.tpr,
        auc=metrics["auc"],
        interval=metrics["auc_ci"],
        operating_point=(1 - metrics["specificity"], metrics["recall"]),
    )
    curve = precision_recall_curve(labels, scores)
    pictures.draw_precision_recall(
        folder / "precision_recall.png",
        curve.precision,
        curve.recall,
        average_precision=metrics["average_precision"],
        prevalence=metrics["prevalence"],
        operating_point=(metrics["recall"], metrics["precision"]),
    )


def card_facts(about: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a model card from what is kept with the model."""
    data, training = about["data"], about["training"]
    known = all(split["groups"] for split in data["splits"])
    source = training["data_file"]
    command = f"tinymed {about['task']}"
    command += f" --task {about['kind']}" if "kind" in about else ""
    command += f" --seed {training['seed']} --epochs {training['epochs']}"
    command += f" --batch-size {training['batch_size']} --lr {training['learning_rate']}"
    command += "".join(f" {option}" for option in training.get("options", ()))
    command += " --quick" if training["quick"] else ""
    return {
        "name": f"tinymed {about['task']}",
        "purpose": f"Tells {about['classes'][1]} (1) from {about['classes'][0]} (0) in images.",
        "data": {"source": source or "synthetic, made by tinymed", "label": data["labels"]},
        "splits": {
            split["name"]: {
                "images": split["images"],
                "patients": split["groups"],
                "positives": split["class_counts"].get("1", 0),
            }
            for split in data["splits"]
        },
        "split_by": "patient" if known else None,
        "preprocessing": about["preprocessing"],
        "network": {"class": about["model"]["class"], **about["model"]["arguments"]},
        "training": training,
        "threshold": f"{about['threshold']:.4f}, {about['threshold_from']}",
        "results_on": metrics["split"],
        "metrics": {key: metrics[key] for key in SHOWN if metrics[key] is not None},
        "baseline": {metrics["baseline"]: metrics["baseline_auc"]} if "baseline" in metrics else {},
        "warnings": [*data["warnings"], *metrics["warnings"]],
        "reproduce": [command + (f" --data {source}" if source else "")],
    }
