"""The options of training that image diagnoses have beside those of every task."""

from __future__ import annotations

import argparse
from pathlib import Path

from tinymed.medical.imaging.reading import FORMS
from tinymed.medical.tasks.options import Settings

__all__ = ["declare_image_options", "options_given", "settle_image_options"]

Options = argparse.Namespace


def declare_image_options(
    parser: argparse.ArgumentParser, task: str, tuned: Settings, frozen: Settings
) -> None:
    """Add the options; ``tuned`` is what ``--from`` trains with, ``frozen`` with ``--freeze``."""
    parser.add_argument(
        "--folds",
        type=int,
        metavar="N",
        help="cut the patients into N folds, train a network for each on the others, judge all "
        "patients out of fold and keep the mean of the networks; 0: one network, one split",
    )
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="RUN",
        help=f"start from the features of a model of `tinymed {task}`; a patient it has seen is "
        f"not judged by it (then {tuned.epochs} epochs, learning rate {tuned.lr})",
    )
    parser.add_argument(
        "--freeze",
        action="store_true",
        help=f"leave these features as they are ({frozen.epochs} epochs, learning rate "
        f"{frozen.lr})",
    )
    parser.add_argument(
        "--class-weights",
        choices=("none", "balanced"),
        default="none",
        help="balanced: each class counts alike in the loss, however rare it is (none)",
    )
    parser.add_argument(
        "--search-augmentation",
        dest="policies",
        type=int,
        default=0,
        metavar="N",
        help="first find out which of N policies of random changes of the images serves best on "
        "the validation patients, in short trainings; the usual policy is one of them (no search)",
    )
    parser.epilog = FORMS
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def settle_image_options(options: Options, task: str, folds: int) -> None:
    """Fill in what was not given; refuse what is out of range, before anything is read.

    Raises
    ------
    ValueError
        ``--freeze`` without ``--from``; a number of folds, or of policies, that is none; a search
        without a validation split.
    """
    if options.freeze and options.source is None:
        raise ValueError(f"{task}: --freeze without features to freeze; give --from RUN")
    if options.folds is None:
        options.folds = folds
    if options.folds < 0 or options.folds == 1:
        raise ValueError(f"{task}: --folds {options.folds}, 0 or at least 2 expected")
    if options.policies < 0 or options.policies == 1:
        raise ValueError(
            f"{task}: --search-augmentation {options.policies}, at least 2 policies expected"
        )
    if options.policies and options.folds:
        raise ValueError(
            f"{task}: --search-augmentation chooses on validation patients; folds have none, give "
            "--folds 0"
        )


def options_given(options: Options) -> list[str]:
    """Return the options that were given, or have another default for each task, to be repeated."""
    given = [f"--folds {options.folds}"]
    if options.source is not None:
        given.append(f"--from {options.source}")
    if options.freeze:
        given.append("--freeze")
    if options.policies:
        given.append(f"--search-augmentation {options.policies}")
    if options.class_weights != "none":
        given.append(f"--class-weights {options.class_weights}")
    return given
