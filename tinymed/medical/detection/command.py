"""``tinymed scan``: options, and what they start."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from tinymed import serialization
from tinymed.medical.detection.scan import RESULT, ScanResult, scan, write_scan
from tinymed.medical.detection.synthetic_froc import synthetic_froc
from tinymed.medical.imaging.dicom_series import GAPS
from tinymed.medical.imaging.volume_files import read_volume
from tinymed.medical.tasks.options import check_installed
from tinymed.medical.tasks.run_folder import run_folder
from tinymed.medical.tasks.task import load_model

__all__ = ["add_scan"]

NEEDED = ("scipy", "nibabel", "PIL")  # to find, to write masks, to draw

EXPLAINED = """
PATH is a folder of DICOM, a DICOMDIR, a DICOM file with several frames, .nii, .nii.gz, .mhd or
.mha, with one chest CT; where there are several series, --series chooses one. What is written:
  candidates.json        places in mm and voxels, sizes and scores; the likeliest first
  candidates.nii.gz      their voxels: k for candidate k
  lungs.nii.gz           where was looked
  candidate_001.png ...  the likeliest, in their slice and enlarged

Without --model the score is that of the proposal alone (contrast, size, roundness: nothing is
learned), and most of the list are vessels. `tinymed lung` trains the network that tells them apart;
without --data it learns from synthetic patches.

Examples:
  tinymed lung --out runs/lung
  tinymed scan CT_FOLDER --model runs/lung/model.safetensors --out runs/scan
  tinymed scan --froc 20 --model runs/lung/model.safetensors

Research software, not a medical device.
"""


def add_scan(command: argparse.ArgumentParser) -> None:
    """Add the options of ``tinymed scan``."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog, add = EXPLAINED, command.add_argument
    add("path", nargs="?", type=Path, metavar="PATH", help="a chest CT: see below")
    add("--model", type=Path, metavar="RUN", help="a run of `tinymed lung`, or its model")
    add("--series", metavar="KEY", help="which of several DICOM series, by key or UID")
    add("--gaps", choices=GAPS, default=GAPS[0], help="missing slices: refuse, or make them up")
    add("--most", type=int, default=50, metavar="N", help="candidates to list (default 50)")
    add("--pictures", type=int, default=12, metavar="N", help="candidates to draw (default 12)")
    add("--out", type=Path, metavar="FOLDER", help="where to write (default runs/scan-N)")
    add("--froc", type=int, metavar="N", help="no PATH: judge the cascade on N synthetic scans")
    add("--seed", type=int, default=0, metavar="N", help="of the synthetic scans (default 0)")
    add("--json", type=Path, metavar="FILE", help="with --froc: write the figures here")
    command.set_defaults(run=run, compiles=True)


def run(options: argparse.Namespace) -> None:
    """``tinymed scan``."""
    if (options.path is None) == (options.froc is None):
        raise ValueError("scan: one of PATH, a chest CT, and --froc N expected")
    if options.froc is not None:
        _judge(options)
        return
    if options.json is not None:
        raise ValueError("scan: --json goes with --froc; a scan is written to --out")
    if options.pictures < 0:
        raise ValueError(f"scan: --pictures {options.pictures}, 0 or more expected")
    check_installed("scan", NEEDED)
    if options.out is not None:
        _check_free(options.out)
    model = None if options.model is None else load_model(options.model)
    with run_folder(options, "scan") as out:  # one that cannot be written to is known before
        volume = read_volume(options.path, series=options.series, gaps=options.gaps)
        result = scan(volume, model, options.most)
        written = write_scan(result, out, options.pictures)
    print(told(result))
    print(f"written to {out}: {', '.join(path.name for path in written)}")


def told(result: ScanResult, most: int = 20) -> str:
    """Return the list of candidates as text."""
    lines = [
        f"{result.volume}, lungs {result.lungs.sum() * result.volume.grid.voxel / 1e6:.2f} l",
        f"score: {result.score}",
        f"{'':>4} {'score':>7} {'x':>8} {'y':>8} {'z':>8} mm  {'slice':>5}  diameter",
    ]
    for number, each in enumerate(result.candidates[:most], 1):
        x, y, z = each.position
        lines.append(
            f"{number:4d} {each.score:7.3f} {x:8.1f} {y:8.1f} {z:8.1f}     "
            f"{each.voxel[0]:5.0f}  {each.diameter:5.1f} mm"
        )
    if len(result.candidates) > most:
        lines.append(f"and {len(result.candidates) - most} more, in {RESULT}")
    return "\n".join(lines)


def _judge(options: argparse.Namespace) -> None:
    for name in ("out", "series"):
        if getattr(options, name) is not None:
            raise ValueError(f"scan: --{name} goes with PATH, not with --froc")
    model = None if options.model is None else load_model(options.model)
    figures = synthetic_froc(options.froc, model, np.random.default_rng(options.seed))
    judged = "the proposal alone" if model is None else f"with {model.path.name}"
    print(
        f"{figures['scans']} synthetic scans, {figures['nodules']} nodules, {judged}\n"
        f"FROC score {figures['froc']:.3f}; among {figures['candidates_per_scan']:.0f} candidates "
        f"a scan {figures['found']:.3f} are found"
    )
    for rate, value in figures["sensitivity"].items():
        print(f"  sensitivity {value:.3f} at {rate} false positives a scan")
    if options.json is not None:
        text = json.dumps(figures, indent=2, allow_nan=False) + "\n"
        serialization.write_bytes(text.encode(), options.json)


def _check_free(out: Path) -> None:
    """Raise unless there is no scan in a folder: none is ever overwritten."""
    if (out / RESULT).exists() or any(out.glob("candidate_*.png")):
        raise FileExistsError(f"scan: {out} already holds a scan; choose another --out")
