"""A data set of any application in one form: inputs, labels, groups, splits, sites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinymed.errors import DataError
from tinymed.medical.imaging.reading import kind_of, table_in
from tinymed.medical.molecules.encoding import EncodedMolecule
from tinymed.medical.molecules.molecule import fingerprint
from tinymed.medical.molecules.smiles import write_smiles
from tinymed.medical.tables import read_table
from tinymed.medical.tasks.examples import Examples
from tinymed.medical.tasks.kinds import Kinds
from tinymed.medical.tasks.supervised import SupervisedTask
from tinymed.medical.tasks.task import TASKS, task_of

__all__ = ["IMAGES", "Collection", "collect", "forms"]

Array = np.ndarray[Any, Any]
IMAGES = "images"
SITE = "site"  # the column that says where a case comes from
MOST_CLASSES = 1000  # of the labels of images
# They read what others read too, or any image without its label: only where asked for.
ASKED = ("enhance", "generate", "pretrain", "treatment")


@dataclass(frozen=True)
class Collection:
    """Cases in the order of their file.

    Parameters
    ----------
    name, form : str
        Of the file; what it was read as.
    inputs : array (n, ...) of numbers, or (n,) of str
    keys : array (n,) of str, optional
        Equal where inputs say the same in other words: one molecule, one text but for its case.
    labels : array (n,) of int, optional
    classes : sequence of str
        What labels count.
    groups, splits, sites : array (n,), optional
    targets : bool
        Whether there is something to learn, be it no class.
    """

    name: str
    form: str
    inputs: Array
    keys: Array | None = None
    labels: Array | None = None
    classes: Sequence[str] = ()
    groups: Array | None = None
    splits: Array | None = None
    sites: Array | None = None
    targets: bool = True

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def are_images(self) -> bool:
        """Return whether inputs are images or volumes."""
        return self.inputs.ndim > 2


def forms() -> list[str]:
    """Return what ``--as`` takes: images, and each task with its kind."""
    return [IMAGES, *(name for name, _ in _readers())]


def collect(path: Path, form: str | None = None) -> Collection:
    """Read a data set as one of `forms`; None: as the first that finds targets, or can read it.

    What the tasks of `ASKED` read has to be asked for.

    Raises
    ------
    FileNotFoundError
    DataError
        Nothing reads it, saying why; sites for another number of cases.
    """
    if not path.exists():
        raise FileNotFoundError(f"check: no file or folder {str(path)!r}")
    readers = dict(_readers())
    if form is not None:
        return _images(path) if form == IMAGES else _tabled(path, form, readers[form])
    refusals, untold = [], None
    for name in (name for name in forms() if name.partition(":")[0] not in ASKED):
        try:
            found = _images(path) if name == IMAGES else _tabled(path, name, readers[name])
        except (DataError, ValueError, TypeError, KeyError, OSError) as error:
            refusals.append(f"{name}: {error}")
            continue
        if found.targets:
            return found
        untold = untold or found
    if untold is None:
        raise DataError(f"check: {path} is none of what is known; " + "; ".join(refusals))
    return untold


def _readers() -> Iterator[tuple[str, SupervisedTask]]:
    for name in TASKS:
        task = task_of(name)
        if isinstance(task, Kinds):
            for kind, each in task.kinds.items():
                if isinstance(each, SupervisedTask):
                    yield f"{name}:{kind}", each
        elif isinstance(task, SupervisedTask):
            yield name, task


def _images(path: Path) -> Collection:
    kind = kind_of(path)
    if kind.dataset is not None:
        dataset = kind.dataset(path)
        return _with_classes(
            Collection(
                dataset.name,
                IMAGES,
                dataset.images,
                labels=dataset.joined("labels"),
                groups=dataset.joined("groups"),
                splits=dataset.split_of_each,
            )
        )
    samples = kind.samples(path, MOST_CLASSES)
    splits = None if samples.splits is None else np.array(samples.splits)
    sites = _sites(table_in(path) if path.is_dir() else path, len(samples.images))
    return _with_classes(
        Collection(
            samples.name,
            IMAGES,
            samples.images,
            labels=samples.labels,
            groups=samples.groups,
            splits=splits,
            sites=sites,
        )
    )


def _with_classes(found: Collection) -> Collection:
    if found.labels is None:
        return found
    count = max(2, int(found.labels.max()) + 1)
    return Collection(**{**vars(found), "classes": [str(label) for label in range(count)]})


def _tabled(path: Path, form: str, task: SupervisedTask) -> Collection:
    examples = task.read(path)
    inputs, keys = _plain(examples)
    labels, classes = _classes(examples)
    named: Sequence[str] = getattr(task, "classes", ())
    return Collection(
        path.name,
        form,
        inputs,
        keys,
        labels,
        named if labels is not None and len(named) >= len(classes) else classes,
        examples.groups,
        examples.splits,
        _sites(path, len(examples)),
        examples.targets is not None,
    )


def _plain(examples: Examples) -> tuple[Array, Array | None]:
    """Return inputs as numbers or texts, and keys that are equal where these say the same."""
    inputs = examples.inputs
    if len(inputs) and isinstance(inputs[0], EncodedMolecule):
        molecules = [each.molecule for each in inputs]
        texts = np.array([write_smiles(molecule) for molecule in molecules])
        return texts, np.array([fingerprint(molecule) for molecule in molecules])
    if inputs.dtype.kind in "biuf":
        return inputs, None
    texts = np.array([str(each) for each in inputs])
    return texts, np.array([" ".join(text.casefold().split()) for text in texts.tolist()])


def _classes(examples: Examples) -> tuple[Array | None, list[str]]:
    """Return class numbers and their names; None where targets are no classes."""
    targets = examples.targets
    if (
        targets is None
        or targets.dtype.names
        or targets.ndim != 1
        or targets.dtype.kind not in "iubOUS"
    ):
        return None, []
    names, numbers = np.unique(targets.astype(np.str_), return_inverse=True)
    if targets.dtype.kind in "iub":
        return targets.astype(np.int64), [str(n) for n in range(int(targets.max()) + 1)]
    if len(names) > max(25, len(targets) // 4):  # texts that are their own targets
        return None, []
    return numbers.astype(np.int64), names.tolist()


def _sites(path: Path, count: int) -> Array | None:
    """Return the column "site" of a CSV file, None where there is none."""
    if not path.is_file() or ".csv" not in path.suffixes:
        return None
    cells = read_table(path).column(SITE)
    if cells is None:
        return None
    if len(cells) != count:
        raise DataError(f"check: {path} names {len(cells)} sites for {count} cases")
    return np.array(cells)
