"""What little labelled data is worth, and what images without labels add to it.

    python -m benchmarks.few_labels --data FILE [--shares 0.05,0.1,0.25,1] [--seeds 0]
                                    [--epochs N] [--starts scratch,masked,rotation]
                                    [--readme README.md] [--json [FILE]]

Run it from the root of the repository. FILE is luna16_nodules.npz, or another npz file that
``tinymed lung`` takes. A share of the training patients keeps its labels; ``tinymed pretrain`` sees
the images of all training patients, without labels. Each training is the command that a user types,
judged on the same test patients. With a share of the labels there are as many steps as one cycle
over all of them takes in proportion, but at least `STEPS`. With --json each run is kept as soon as
it is done, and what the record holds is not run again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tinymed.bench.machine import machine
from tinymed.bench.text import write_between
from tinymed.data import grouped_stratified_holdout
from tinymed.medical.imaging import ImageDataset, Split, read_npz, write_npz

RECORD = Path(__file__).parent / "record" / "few_labels.json"
MARKERS = ("<!-- few labels -->", "<!-- /few labels -->")
STARTS = {
    "scratch": "nothing",
    "masked": "all training images, squares hidden",
    "rotation": "all training images, turned",
}
BATCH, STEPS = 64, 300

Run = dict[str, Any]


def labelled(dataset: ImageDataset, share: float, seed: int) -> ImageDataset:
    """Return the data set with the training images of a share of its patients only."""
    train = dataset["train"]
    if share == 1:
        return dataset
    _, kept = grouped_stratified_holdout(
        train.labels, train.groups, share, generator=np.random.default_rng(seed)
    )
    part = Split(train.images[kept], train.labels[kept], train.groups[kept])
    return replace(dataset, splits={**dataset.splits, "train": part})


def tinymed(*arguments: object) -> None:
    """Run a command, quietly."""
    command = [sys.executable, "-m", "tinymed", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measured(
    dataset: ImageDataset, share: float, start: Path | None, seed: int, epochs: int
) -> Run:
    """Return the metrics of one training."""
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "few.npz", Path(folder) / "run"
        part = labelled(dataset, share, seed)
        write_npz(data, part)
        images = len(part["train"])
        steps = max(STEPS, epochs * images // BATCH)
        batch = min(BATCH, images)
        length = max(1, round(steps / (images // batch)))
        source = [] if start is None else ["--from", start]  # with the learning rate of each
        tinymed("lung", "--data", data, "--seed", seed, "--epochs", length, "--out", out, *source)
        metrics = json.loads((out / "metrics.json").read_text())
    return {"share": share, "seed": seed, "images": images, "epochs": length, "metrics": metrics}


def table(runs: Sequence[Run]) -> Iterator[str]:
    """Yield the lines of the README's table: a row for each share of the labels."""
    starts = [name for name in STARTS if any(run["start"] == name for run in runs)]
    yield f"| labelled | {' | '.join(f'start: {STARTS[name]}' for name in starts)} |"
    yield f"| --- |{' --- |' * len(starts)}"
    for share in sorted({run["share"] for run in runs}):
        own = [run for run in runs if run["share"] == share]
        images = round(statistics.fmean(run["images"] for run in own))
        cells = []
        for name in starts:
            found = [run["metrics"]["auc"] for run in own if run["start"] == name]
            spread = f" ({statistics.stdev(found):.3f})" if len(found) > 1 else ""
            cells.append(f"{statistics.fmean(found):.3f}{spread}" if found else "not yet measured")
        yield f"| {share:.0%} of the patients, {images} images | {' | '.join(cells)} |"
    yield ""
    seeds = len({run["seed"] for run in runs})
    yield (
        f"AUC on the test patients; {seeds} seed{'s' * (seeds > 1)}, which choose the patients too"
        f"{', mean (standard deviation)' * (seeds > 1)}; `python -m benchmarks.few_labels`."
    )


def recorded(path: Path, of: Run) -> list[Run]:
    """Return the runs of a record, or stop if they are ``of`` other data or another length."""
    if not path.exists():
        return []
    record = json.loads(path.read_text())
    if other := {key: record[key] for key in of if record[key] != of[key]}:
        raise SystemExit(f"{path} holds runs with {other}, not {of}; give another --json")
    found: list[Run] = record["runs"]
    return found


def outstanding(
    options: argparse.Namespace, starts: Sequence[str], runs: Sequence[Run]
) -> Iterator[Run]:
    """Yield the runs that are asked for and not among ``runs``."""
    known = {(run["start"], run["seed"], run["share"]) for run in runs}
    dataset = read_npz(options.data)
    seeds, shares = map(int, options.seeds.split(",")), [*map(float, options.shares.split(","))]
    for seed, name in itertools.product(seeds, starts):
        left = [share for share in shares if (name, seed, share) not in known]
        with tempfile.TemporaryDirectory() as folder:
            start = None
            if left and name != "scratch":
                start = Path(folder) / name
                given = ["--data", options.data, "--seed", seed, "--epochs", options.epochs]
                tinymed("pretrain", "--kind", name, *given, "--out", start)
            for share in left:
                yield {"start": name, **measured(dataset, share, start, seed, options.epochs)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.few_labels")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE")
    parser.add_argument("--shares", default="0.05,0.1,0.25,1")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--starts", default=",".join(STARTS))
    parser.add_argument("--epochs", type=int, default=20, help="over all training images")
    parser.add_argument("--readme", type=Path, help="write the table there")
    parser.add_argument(
        "--json", type=Path, nargs="?", const=RECORD, help="keep a record, and go on from it"
    )
    options = parser.parse_args()
    starts = options.starts.split(",")
    if strange := set(starts) - set(STARTS):
        parser.error(f"--starts {', '.join(sorted(strange))}: {', '.join(STARTS)} expected")
    of = {"data": options.data.name, "epochs": options.epochs}
    runs = [] if options.json is None else recorded(options.json, of)
    for run in outstanding(options, starts, runs):
        runs.append(run)
        print(
            f"{run['start']}, {run['share']:.0%}, seed {run['seed']}: {run['metrics']['auc']:.4f}"
        )
        sys.stdout.flush()
        if options.json is not None:
            record = {"machine": machine(), **of, "runs": runs}
            options.json.write_text(json.dumps(record, indent=1) + "\n")
    print("\n".join(table(runs)))
    if options.readme:
        write_between(options.readme, MARKERS, table(runs))


if __name__ == "__main__":
    main()
