"""The applications on real data: three seeds each, mean and spread, the simple method beside.

    python -m benchmarks.tasks --data FOLDER [--only ecg,...] [--seeds 0,1,2] [--readme README.md]

Run it from the root of the repository. FOLDER holds the files that `WORKS` names; what the packages
modlamp, lifelines and simple-icd-10-cm ship is found where they are installed. Each training is a
process of its own, the same command that a user types. The record is written after each and what
it holds is not trained again, so that a run may be stopped and gone on with; ``--again`` forgets.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinymed.bench.machine import machine
from tinymed.bench.text import write_between

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "benchmarks" / "record" / "tasks.json"
MARKERS = ("<!-- tasks -->", "<!-- /tasks -->")

Run = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """One application on one set of data.

    Attributes
    ----------
    name : str
        For ``--only`` and the record.
    command : tuple of str
        After ``tinymed``.
    data : str
        A file in FOLDER; "package:path" in an installed package; or what ``--data`` takes itself.
    score : str
        Key of the metrics; the baseline's has "baseline_" before it.
    learns, judged : str
        For the table.
    """

    name: str
    command: tuple[str, ...]
    data: str
    score: str
    learns: str
    judged: str


WORKS = (
    Work(
        "ecg",
        ("ecg",),
        "mitbih_ds1.npz",
        "balanced_accuracy",
        "heartbeats N, S, V of MIT-BIH DS1: convolutions within a beat, a GRU over beats",
        "patients unseen, five folds",
    ),
    Work(
        "splice",
        ("dna",),
        "splice_dna.csv",
        "accuracy",
        "splice junctions (UCI, primates): words at places beside convolutions and a GRU",
        "families unseen, five folds",
    ),
    Work(
        "amp",
        ("dna", "--kind", "amp"),
        "modlamp:data/AMPvsUniProt.csv",
        "auc",
        "antimicrobial peptides (modlAMP): convolutions and a GRU",
        "homologues unseen, five folds",
    ),
    Work(
        "toxicity",
        ("drug",),
        "tox21.csv.gz",
        "auc",
        "NR-AhR of the twelve assays of Tox21, from SMILES",
        "scaffolds unseen, five folds",
    ),
    Work(
        "solubility",
        ("drug", "--kind", "solubility"),
        "delaney-processed.csv",
        "rmse",
        "log solubility in water (ESOL), from SMILES",
        "scaffolds unseen, five folds",
    ),
    Work(
        "notes",
        ("notes",),
        "icd10",
        "accuracy",
        "the chapter of a diagnosis from its text; word2vec first",
        "families of codes unseen",
    ),
    Work(
        "generate",
        ("generate",),
        "icd10",
        "perplexity",
        "to write diagnoses, letter by letter, with an LSTM",
        "families of codes unseen",
    ),
    Work(
        "treatment",
        ("treatment",),
        "lifelines:datasets/ACTG175.csv",
        "concordance",
        "survival under each of four arms (ACTG 175), and who gains from which",
        "patients unseen",
    ),
    Work(
        "xray",
        ("xray",),
        "pneumoniamnist_train_val.npz",
        "auc",
        "pneumonia in chest radiographs (PneumoniaMNIST): a CNN",
        "its validation split, which chose the epoch too",
    ),
    Work(
        "malignancy",
        ("lung", "--task", "malignancy"),
        "luna16_malignancy.npz",
        "auc",
        "nodules of LUNA16 that radiologists suspect to be malignant: a CNN",
        "patients unseen, five folds",
    ),
    Work(
        "enhance",
        ("enhance",),
        "luna16_nodules.npz",
        "psnr",
        "to take the noise of a low dose (98 HU) off CT patches of LUNA16, in dB",
        "patients unseen",
    ),
    Work(
        "segment",
        ("segment",),
        "lidc_nodule_cubes.npz",
        "dice",
        "outlines of lung nodules (LIDC-IDRI), in cubes of CT: a 3-D U-Net",
        "nodules unseen",
    ),
)


def located(data: str, folder: Path) -> str | None:
    """Return what ``--data`` takes, or None where it is not on this machine."""
    package, _, inside = data.partition(":")
    if inside or "." not in data:
        spec = importlib.util.find_spec(package if inside else "simple_icd_10_cm")
        if spec is None or spec.origin is None:
            return None
        return str(Path(spec.origin).parent / inside) if inside else data
    path = folder / data
    return str(path.resolve()) if path.exists() else None


def trained(work: Work, data: str, seed: int) -> Run:
    """Return one run: score, baseline, and all that the command tells of it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "tinymed", *work.command, "--data", data]
        started = time.perf_counter()
        subprocess.run(
            [*command, "--seed", str(seed), "--out", str(out)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        elapsed = time.perf_counter() - started
        metrics = json.loads((out / "metrics.json").read_text())
    return {
        "work": work.name,
        "command": " ".join(("tinymed", *work.command)),
        "seed": seed,
        "score": work.score,
        "value": metrics[work.score],
        "baseline": metrics["baseline"],
        "baseline_value": metrics[f"baseline_{work.score}"],
        "seconds": round(elapsed, 1),
        "metrics": metrics,
        "machine": machine(),
    }


def several(values: Sequence[float]) -> str:
    """Return "mean (standard deviation)" with three digits after the point."""
    mean = statistics.fmean(values)
    return f"{mean:.3f} ({statistics.stdev(values):.3f})" if len(values) > 1 else f"{mean:.3f}"


def seeds_of(runs: Sequence[Run]) -> str:
    """Return how many seeds there are."""
    return f"{len(runs)} seed{'s' * (len(runs) > 1)}"


def table(runs: Sequence[Run]) -> Iterator[str]:
    """Yield the lines of the README's table."""
    yield "| command | learns | judged on | score | tinymed | simple method, same split |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for work in WORKS:
        own = [run for run in runs if run["work"] == work.name]
        if not own:
            cells = ["not yet measured", ""]
        else:
            simple = several([run["baseline_value"] for run in own])
            value = f"{several([run['value'] for run in own])}, {seeds_of(own)}"
            cells = [value, f"{simple}: {own[0]['baseline']}"]
        command, score = " ".join(("tinymed", *work.command)), work.score.replace("_", " ")
        yield f"| {' | '.join([f'`{command}`', work.learns, work.judged, score, *cells])} |"
    yield ""
    yield (
        "Mean (standard deviation) over seeds, which change the folds too; the defaults of each "
        "command; `python -m benchmarks.tasks` makes the table."
    )


def main() -> None:
    """Train what the record lacks, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(), help="folder of the files")
    parser.add_argument("--only", default="", help=f"of {','.join(w.name for w in WORKS)}")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--again", action="store_true", help="train what the record holds, too")
    parser.add_argument("--readme", type=Path, help="write the table there")
    options = parser.parse_args()
    chosen = [name for name in options.only.split(",") if name]
    if strange := set(chosen) - {work.name for work in WORKS}:
        parser.error(f"--only {', '.join(sorted(strange))}: no such work")
    seeds = [int(seed) for seed in options.seeds.split(",") if seed]
    runs = json.loads(options.record.read_text())["runs"] if options.record.exists() else []
    for seed in seeds:  # all works with the first seed before any with the second
        for work in WORKS:
            if chosen and work.name not in chosen:
                continue
            known = next((r for r in runs if (r["work"], r["seed"]) == (work.name, seed)), None)
            if known and not options.again:
                continue
            data = located(work.data, options.data)
            if data is None:
                print(f"{work.name}: {work.data} is not here", file=sys.stderr)
                continue
            run = trained(work, data, seed)
            if known:
                runs.remove(known)
            runs.append(run)
            runs.sort(key=lambda r: ([w.name for w in WORKS].index(r["work"]), r["seed"]))
            options.record.write_text(json.dumps({"runs": runs}, indent=1) + "\n")
            print(f"{work.name}, seed {seed}: {work.score} {run['value']:.4f}", flush=True)
    print("\n".join(table(runs)))
    if options.readme:
        write_between(options.readme, MARKERS, table(runs))


if __name__ == "__main__":
    main()
