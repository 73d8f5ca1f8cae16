"""How far synthetic CT patches are from real ones, and what is learnt from them.

    python -m benchmarks.synthetic_ct [--data FOLDER] [--patients N] [--seed N] [--epochs N]
                                      [--skip-training] [--json [FILE]]

Needs scikit-learn. FOLDER holds luna16_nodules.npz and luna16_malignancy.npz (LUNA16, LIDC-IDRI);
without it only what needs no real patches is measured. One row is printed for each measurement: an
AUC, what it must be, how many images it rests on. Nothing of the real sets is kept.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.patch_features import FEATURES, TISSUE, all_features
from tinymed import manual_seed, nn, optim
from tinymed.bench.machine import machine
from tinymed.data import DataLoader, TensorDataset
from tinymed.medical.imaging import ImageDataset, read_npz, synthesise, synthesise_malignancy
from tinymed.medical.imaging.image_measures import central_size
from tinymed.medical.models import NoduleCNN
from tinymed.medical.tasks.lung import LUNG
from tinymed.training import fit, predict

RECORD = Path(__file__).parent / "record" / "synthetic_ct.json"
MOST = 1000  # patches of each kind that are told apart
FOLDS = 5

Array = np.ndarray[Any, Any]
Images = tuple[Array, Array, Array]  # images (n, 50, 50), labels (n,), groups (n,)


@dataclass(frozen=True)
class Row:
    """One area under the ROC curve."""

    work: str
    auc: float
    images: int  # it was measured on
    lowest: float | None = None  # what it must be at least
    highest: float | None = None  # and at most
    note: str = ""


# ------------------------------------------------------------------------- real against synthetic


def told_apart(first: Images, second: Images, features: Callable[[Array], Array], kind: str) -> Row:
    """Return how well a classifier tells two sets of patches, judged on other patients.

    ``kind`` is "boosting" or "logistic regression". 0.5: not at all.
    """
    rng = np.random.default_rng(0)
    chosen = [rng.permutation(len(images))[:MOST] for images, *_ in (first, second)]
    images = np.concatenate([first[0][chosen[0]], second[0][chosen[1]]])
    groups = np.concatenate([first[2][chosen[0]], first[2].max() + 1 + second[2][chosen[1]]])
    labels = np.repeat([0, 1], [len(c) for c in chosen])
    score = cross_val_predict(
        classifier(kind),
        features(images),
        labels,
        groups=groups,
        cv=GroupKFold(FOLDS),
        method="predict_proba",
    )[:, 1]
    return Row(kind, float(roc_auc_score(labels, score)), len(labels))


def classifier(kind: str) -> Any:
    if kind == "boosting":
        return HistGradientBoostingClassifier(max_iter=120, learning_rate=0.08, random_state=0)
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.1))


def likeness_rows(real: Images, drawn: Images) -> Iterator[Row]:
    """Tell real from synthetic patches by each family of features, and by all of them."""
    for name, label in (("nodules", 1), ("mimics", 0)):
        pair = of_class(real, label), of_class(drawn, label)
        must = {"highest": 0.85} if label else {}
        for family, features in FEATURES.items():
            row = told_apart(*pair, features, "boosting")
            yield Row(f"real or synthetic {name}: {family}", row.auc, row.images, **must)
        for kind in ("boosting", "logistic regression"):
            row = told_apart(*pair, all_features, kind)
            yield Row(f"real or synthetic {name}: all features together", row.auc, row.images,
                      note=kind)  # fmt: skip
    halves = [subset(of_class(real, 1), of_class(real, 1)[2] % 2 == side) for side in (0, 1)]
    row = told_apart(halves[0], halves[1], all_features, "boosting")
    yield Row("real or real nodules of other patients: all features", row.auc, row.images,
              note="the control, 0.5 up to chance")  # fmt: skip


# ----------------------------------------------------------------------------- what is learnt


def learning_rows(
    task: str, drawn: ImageDataset, real: Images, must: float, epochs: int, seed: int
) -> Iterator[Row]:
    """Train on synthetic patches, judge on other synthetic patients and on real ones."""
    train, test = images_of(drawn, "train"), images_of(drawn, "val", "test")
    yield simple_row(task, train, test)
    size = roc_auc_score(test[1], central_size(test[0], TISSUE))
    yield Row(f"{task}: size alone, synthetic", size, len(test[0]), highest=0.98)
    score = trained(train, epochs, seed)
    auc = roc_auc_score(test[1], score(test[0]))
    hard = {"lowest": 0.90, "highest": 0.95} if task == "nodules" else {"highest": 0.98}
    note = "beats size alone" if auc > size else "DOES NOT BEAT SIZE ALONE"
    yield Row(f"{task}: CNN, synthetic", auc, len(test[0]), **hard, note=note)
    if real is not None:
        size = roc_auc_score(real[1], central_size(real[0], TISSUE))
        yield Row(f"{task}: size alone, real", size, len(real[0]))
        auc = roc_auc_score(real[1], score(real[0]))
        yield Row(f"{task}: CNN trained on synthetic, real", auc, len(real[0]), lowest=must)


def simple_row(task: str, train: Images, test: Images) -> Row:
    """Return what radial features and boosting reach on synthetic patches."""
    model = classifier("boosting").fit(FEATURES["radial profile"](train[0]), train[1])
    score = model.predict_proba(FEATURES["radial profile"](test[0]))[:, 1]
    auc = float(roc_auc_score(test[1], score))
    return Row(f"{task}: radial features, synthetic", auc, len(test[0]), highest=0.98)


def trained(data: Images, epochs: int, seed: int) -> Callable[[Array], Array]:
    """Return the scores of a `NoduleCNN` trained as `tinymed lung` trains it."""
    images, labels, _ = data
    manual_seed(seed)
    mean, std = images.mean() / 255, images.std() / 255

    def planes(grey: Array) -> Array:
        return ((grey[:, None].astype(np.float32) / 255 - mean) / std).astype(np.float32)

    batches = DataLoader(
        TensorDataset(planes(images), labels),
        batch_size=64,
        shuffle=True,
        drop_last=True,
        augment=LUNG.augment.on_image,
        generator=np.random.default_rng(seed),
    )
    network = NoduleCNN(**LUNG.settings)
    optimizer = optim.AdamW(network.parameters(), lr=4e-3, weight_decay=0.02)
    schedule = optim.OneCycleLR(optimizer, 4e-3, epochs * len(batches))
    loss = nn.CrossEntropyLoss()
    fit(network, batches, loss, optimizer, epochs=epochs, scheduler=schedule, progress=False)
    return partial(scores, network, planes)


def scores(network: nn.Module, planes: Callable[[Array], Array], grey: Array) -> Array:
    outputs, *_ = predict(network, DataLoader(TensorDataset(planes(grey)), batch_size=256))
    return np.asarray(outputs[:, 1] - outputs[:, 0])


# -------------------------------------------------------------------------------------- the sets


def images_of(dataset: ImageDataset, *splits: str) -> Images:
    chosen = [dataset[split] for split in splits or dataset.splits]
    return (
        np.concatenate([split.images for split in chosen]),
        np.concatenate([np.ravel(split.labels) for split in chosen]),
        np.concatenate([np.ravel(split.groups) for split in chosen]),
    )


def subset(data: Images, chosen: Array) -> Images:
    images, labels, groups = data
    return images[chosen], labels[chosen], groups[chosen]


def of_class(data: Images, label: int) -> Images:
    return subset(data, data[1] == label)


def line(row: Row) -> str:
    """Return a row of the Markdown table."""
    limits = [
        f"{sign} {limit:.2f}"
        for sign, limit in ((">=", row.lowest), ("<=", row.highest))
        if limit is not None
    ]
    return f"| {row.work} | {row.auc:.3f} | {', '.join(limits)} | {row.images} | {row.note} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthetic_ct")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="of the real sets")
    parser.add_argument("--patients", type=int, default=300, help="synthetic ones")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=20, help="of each training")
    parser.add_argument("--skip-training", action="store_true", help="only compare patches")
    parser.add_argument("--json", type=Path, nargs="?", const=RECORD, help="also write a record")
    options = parser.parse_args()
    for name in ("patients", "epochs"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} {getattr(options, name)} is not positive")
    real: dict[str, Any] = {"nodules": None, "malignancy": None}
    if options.data is not None:
        real = {name: images_of(read_npz(options.data / f"luna16_{name}.npz")) for name in real}
    rows: list[Row] = []
    print("| work | AUC | must | images | |\n| --- | --- | --- | --- | --- |")
    for row in measured(options, real):
        rows.append(row)
        print(line(row), flush=True)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        asked = {name: getattr(options, name) for name in ("patients", "seed", "epochs")}
        record = {"machine": machine(), **asked, "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(record, indent=1) + "\n")


def measured(options: argparse.Namespace, real: dict[str, Any]) -> Iterator[Row]:
    """Yield all rows that were asked for."""
    nodules = synthesise(options.patients, np.random.default_rng(options.seed))
    if real["nodules"] is not None:
        yield from likeness_rows(real["nodules"], images_of(nodules))
    if options.skip_training:
        return
    malignancy = synthesise_malignancy(options.patients, np.random.default_rng(options.seed))
    for task, drawn, must in (("nodules", nodules, 0.80), ("malignancy", malignancy, 0.75)):
        yield from learning_rows(task, drawn, real[task], must, options.epochs, options.seed)


if __name__ == "__main__":
    main()
