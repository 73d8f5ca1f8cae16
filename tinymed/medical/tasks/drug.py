"""Molecules from their SMILES: toxicity in twelve assays, solubility; scaffolds kept together.

Molecules with the same rings and links (`scaffold_key`) are one group and are never parted: what
is asked is how a network judges chemistry it has not seen. A molecule without rings has no
scaffold; it is a group with those that differ from it in charges and hydrogens alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tinymed as tm
from tinymed import nn
from tinymed.data import BucketSampler, DataLoader, grouped_stratified_kfold
from tinymed.errors import DataError
from tinymed.medical.models import MoleculeNetwork
from tinymed.medical.models.fragment_regression import FragmentRegression
from tinymed.medical.molecules import Molecule, parse_smiles, scaffold_key, write_smiles
from tinymed.medical.molecules.encoding import SURROUNDINGS, SYMBOLS, EncodedMolecule
from tinymed.medical.molecules.reading import MoleculeTable, read_molecules
from tinymed.medical.molecules.synthesis import synthesise_molecules
from tinymed.medical.report.evidence import Evidence
from tinymed.medical.tasks.cross_validation import CrossValidatedTask, Fold
from tinymed.medical.tasks.examples import Examples
from tinymed.medical.tasks.kinds import Kinds
from tinymed.medical.tasks.ngram_regression import NGramRegression
from tinymed.medical.tasks.options import Options, Settings
from tinymed.medical.tasks.sparse_regression import Loss, fit_view
from tinymed.metrics import mae, r2, rmse, roc_auc
from tinymed.random import spawn
from tinymed.training import History, predict

__all__ = ["DRUG_TASKS", "MoleculeTask", "SolubilityTask", "ToxicityTask"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
LABELS = (
    "NR-AR", "NR-AR-LBD", "NR-AhR", "NR-Aromatase", "NR-ER", "NR-ER-LBD", "NR-PPAR-gamma",
    "SR-ARE", "SR-ATAD5", "SR-HSE", "SR-MMP", "SR-p53",
)  # fmt: skip
HEADLINE = LABELS.index("NR-AhR")
SOLUBILITY = ("measured log solubility in mols per litre", "solubility")
CENTRE, SPREAD = -3.0, 2.0  # of log10 solubilities of drugs, about; the same for every fold
SPELLINGS = 3  # of a molecule, that a prediction is the mean of


class MoleculeTask(CrossValidatedTask):
    """What the kinds share."""

    name = "drug"
    network = "MoleculeNetwork"
    group = "scaffold"
    weight_decay = 0.05
    kind: str
    wide_loss: Loss
    penalty: float  # of the wide view's weights
    deep: float  # share of the deep view in the mean of both

    def targets_of(self, found: MoleculeTable) -> Array | None:
        """Return the targets (n, outputs), NaN where unknown; None if the table has none."""
        raise NotImplementedError

    def read(self, path: Path) -> Examples:
        """Return the molecules of a CSV file, by scaffold where it names no groups."""
        found = read_molecules(path)
        groups, splits = found.table.column("group"), found.table.column("split")
        targets = self.targets_of(found)
        if groups is None and targets is not None:
            groups = [group_of(molecule) for molecule in found.molecules]
        return Examples(encoded(found.molecules), targets, _column(groups), _column(splits))

    def preprocessing(self, train: Examples, options: Any) -> Facts:
        """Return which kind it is, and the sizes of the hashed tables."""
        return {"kind": self.kind, "symbols": SYMBOLS, "surroundings": SURROUNDINGS}

    def loader(
        self, examples: Examples, preprocessing: Facts, batch_size: int, seed: int | None = None
    ) -> DataLoader:
        """Return batches of ids (N, T, 3) and targets; spelled in random order to train on."""
        if seed is None:
            return self.spelled(examples, batch_size)
        generator = np.random.default_rng(seed)
        lengths = [len(molecule.surroundings) for molecule in examples.inputs]
        return DataLoader(
            list(zip(examples.inputs, _targets(examples), strict=True)),
            batch_sampler=BucketSampler(
                lengths, batch_size, pool=20, drop_last=True, generator=generator
            ),
            augment=lambda sample, generator: (sample[0].ids(generator), sample[1]),
            collate_fn=padded,
            generator=generator,
        )

    def spelled(
        self, examples: Examples, batch_size: int, generator: np.random.Generator | None = None
    ) -> DataLoader:
        """Return batches of ids alone, in their order, spelled in one order of atoms."""
        rows = [(molecule.ids(generator),) for molecule in examples.inputs]
        return DataLoader(rows, batch_size, collate_fn=padded)

    def outputs(self, network: nn.Module, examples: Examples, about: Facts) -> Array:
        """Return probabilities or numbers (n, outputs), a mean over views and spellings.

        Of probabilities it is the logits' mean: a geometric mean of the odds.
        """
        total: Any = 0.0
        for spelling in range(SPELLINGS):
            generator = spawn(np.random.default_rng(0), spelling) if spelling else None
            found = predict(network, self.spelled(examples, 128, generator))[0]
            wide, deep = found[:, 0].astype(np.float64), found[:, 1].astype(np.float64)
            total = total + ((1 - self.deep) * wide + self.deep * deep) / SPELLINGS
        return self.plain(np.asarray(total))

    def learn(
        self,
        network: nn.Module,
        splits: dict[str, Examples],
        about: Facts,
        options: Options,
        out: Path,
    ) -> History:
        """Fit the wide view, which is convex, and train the deep one; on the same molecules."""
        if not isinstance(network, MoleculeNetwork):
            raise TypeError(f"drug: a {type(network).__name__}, a MoleculeNetwork expected")
        train = splits["train"]
        targets = self.learned(_targets(train).astype(np.float64))
        batches = self.spelled(train, 256)
        if not network.wide.counted:
            measure_rarity(network.wide, batches, len(train))
        fit_view(network.wide, batches, targets, self.wide_loss, self.penalty)
        return super().learn(network, splits, about, options, out)

    def learned(self, targets: Array) -> Array:
        """Return targets (n, outputs) in the units that the network works in."""
        return targets

    def plain(self, found: Array) -> Array:
        """Return probabilities or numbers (n, outputs), from what the network says."""
        raise NotImplementedError

    def cut(self, learned: Examples, options: Any) -> list[Fold]:
        """Return folds with as many high or active molecules in each, no scaffold in two."""
        targets = _targets(learned)
        mean = np.nan_to_num(targets).mean(axis=1)
        groups = np.arange(len(learned)) if learned.groups is None else learned.groups
        generator = np.random.default_rng(options.seed)
        return grouped_stratified_kfold(
            (mean > np.median(mean)).astype(np.int64), groups, options.folds, generator=generator
        )


class ToxicityTask(MoleculeTask):
    """``tinymed drug --kind toxicity``."""

    kind = "toxicity"
    wide_loss = "logistic"
    penalty = 0.3
    deep = 1 / 3
    help = "toxicity in the twelve assays of Tox21"
    files = "CSV (.gz) of smiles and the twelve assays, 0, 1 or empty"
    meaning = "1: active in the assay, 0: not; NR-AhR is the headline."
    score = "auc"
    defaults = Settings(epochs=12, quick_epochs=8, lr=3e-3, needs=("scipy",))

    def targets_of(self, found: MoleculeTable) -> Array | None:
        """Return 0, 1 or NaN for each assay."""
        if not any(label in found.table.columns for label in LABELS):
            return None
        columns = []
        for label in LABELS:
            for row, cell in enumerate(found.table.require(label)):
                if cell not in ("", "0", "1", "0.0", "1.0"):
                    raise found.table.error(row, f"{label} {cell!r}; 0, 1 or empty expected")
            cells = found.table.require(label)
            columns.append([float(cell) if cell else np.nan for cell in cells])
        return np.array(columns, np.float32).T

    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        """Return synthetic molecules."""
        count = 500 if quick else 3000
        texts, labels, _ = synthesise_molecules(count, len(LABELS), generator)
        return synthetic(texts, labels)

    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the network."""
        sizes = {"symbols": preprocessing["symbols"], "surroundings": preprocessing["surroundings"]}
        return {**sizes, "outputs": len(LABELS), "width": 32 if quick else 64}

    def loss(self, about: Facts) -> Callable[[Any, Any], Any]:
        """Return the cross-entropy over the assays that are known."""
        entropy = nn.BCEWithLogitsLoss(reduction="sum")

        def of_known(outputs: Any, targets: Any) -> Any:
            known = np.flatnonzero(np.isfinite(targets.numpy()))
            if not len(known):
                return (outputs * 0).sum()
            logits = outputs[:, 1, :, 1].reshape(-1)[known]  # of the deep view
            return entropy(logits, targets.reshape(-1)[known]) / len(known)

        return of_known

    def plain(self, found: Array) -> Array:
        """Return probabilities (n, 12), from logits (n, 12, 2), or from log-probabilities."""
        return 0.5 * (1 + np.tanh((found[:, :, 1] - found[:, :, 0]) / 2))

    def measure(self, outputs: Array, examples: Examples, about: Facts) -> Facts:
        """Return the area under the curve of each assay, "auc" that of NR-AhR."""
        truth = _targets(examples)
        areas: dict[str, float | None] = {}
        warnings = []
        for i, label in enumerate(LABELS):
            known = np.isfinite(truth[:, i])
            both = len(np.unique(truth[known, i])) == 2
            areas[label] = roc_auc(truth[known, i].astype(int), outputs[known, i]) if both else None
            if not both:
                warnings.append(f"{label}: both classes expected, the area is undefined")
        there = [area for area in areas.values() if area is not None]
        return {
            "n": len(examples),
            "n_known": int(np.isfinite(truth[:, HEADLINE]).sum()),
            "auc": areas[LABELS[HEADLINE]],
            "auc_mean": float(np.mean(there)) if there else None,
            "auc_per_label": areas,
            "warnings": warnings,
        }

    def evidence(self, outputs: Array, examples: Examples, about: Facts) -> Evidence | None:
        """Return what was measured and predicted of NR-AhR, where it was measured."""
        truth = _targets(examples)[:, HEADLINE]
        known = np.isfinite(truth)
        if not known.any():
            return None
        return evidence_of(examples[known], truth[known].astype(int), outputs[known, HEADLINE])

    def describe(self, outputs: Array, examples: Examples, about: Facts) -> list[Facts]:
        """Return the probability of each assay."""
        return [dict(zip(LABELS, row, strict=True)) for row in outputs.tolist()]

    def baseline_outputs(self, train: Examples, judged: Examples) -> tuple[str, Array]:
        """Return logistic regression on the n-grams of the SMILES."""
        model = NGramRegression("logistic").fit(texts_of(train), _targets(train))
        return "logistic regression on character n-grams", model(texts_of(judged))


class SolubilityTask(MoleculeTask):
    """``tinymed drug --kind solubility``."""

    kind = "solubility"
    wide_loss = "squared"
    penalty = 10.0
    deep = 0.5
    quantity = "log10 solubility"
    help = "solubility in water"
    files = "CSV of smiles and 'measured log solubility in mols per litre' or 'solubility'"
    meaning = "log10 of mol / L, measured (Delaney 2004)."
    score = "rmse"
    higher_is_better = False
    ensemble_mean = "outputs"
    defaults = Settings(epochs=40, quick_epochs=6, lr=3e-3, batch_size=32, needs=("scipy",))

    def targets_of(self, found: MoleculeTable) -> Array | None:
        """Return log solubilities (n, 1)."""
        cells = found.table.column(*SOLUBILITY)
        if cells is None:
            return None
        values = np.empty((len(cells), 1), np.float32)
        for row, cell in enumerate(cells):
            try:
                values[row] = float(cell)
            except ValueError as error:
                raise found.table.error(row, f"{cell!r}, a log solubility expected") from error
            if not np.isfinite(values[row, 0]):
                raise found.table.error(row, f"{cell!r}, a finite log solubility expected")
        return values

    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        """Return synthetic molecules."""
        texts, _, soluble = synthesise_molecules(300 if quick else 1200, 1, generator)
        return synthetic(texts, soluble[:, None])

    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the network."""
        sizes = {"symbols": preprocessing["symbols"], "surroundings": preprocessing["surroundings"]}
        return {**sizes, "outputs": 1, "classes": 1, "width": 32 if quick else 64, "dropout": 0.1}

    def loss(self, about: Facts) -> Callable[[Any, Any], Any]:
        """Return the squared error, in units of `SPREAD`."""
        error = nn.MSELoss()
        return lambda outputs, targets: error(outputs[:, 1], self.learned(targets))  # deep view

    def learned(self, targets: Any) -> Any:
        """Return log solubilities in units of `SPREAD`."""
        return (targets - CENTRE) / SPREAD

    def plain(self, found: Array) -> Array:
        """Return log solubilities (n, 1)."""
        return found * SPREAD + CENTRE

    def measure(self, outputs: Array, examples: Examples, about: Facts) -> Facts:
        """Return errors in log10 of mol / L."""
        truth, found = _targets(examples)[:, 0], outputs[:, 0]
        several = len(np.unique(truth)) > 1
        return {
            "n": len(examples),
            "rmse": float(rmse(truth, found)),
            "mae": float(mae(truth, found)),
            "r2": float(r2(truth, found)) if several else None,
            "warnings": [] if several else ["r2: different solubilities expected"],
        }

    def evidence(self, outputs: Array, examples: Examples, about: Facts) -> Evidence:
        """Return what was measured and predicted."""
        return evidence_of(examples, _targets(examples)[:, 0], outputs[:, 0])

    def describe(self, outputs: Array, examples: Examples, about: Facts) -> list[Facts]:
        """Return the log solubility."""
        return [{"log_solubility": float(row[0])} for row in outputs]

    def baseline_outputs(self, train: Examples, judged: Examples) -> tuple[str, Array]:
        """Return ridge regression on the n-grams of the SMILES."""
        model = NGramRegression("squared").fit(texts_of(train), _targets(train))
        return "ridge regression on character n-grams", model(texts_of(judged))


def evidence_of(examples: Examples, truth: Array, found: Array) -> Evidence:
    """Return the evidence on molecules; whole numbers are classes."""
    texts = texts_of(examples)
    return Evidence(
        truth,
        found,
        ("inactive", "active") if truth.dtype.kind == "i" else (),
        groups=None if examples.groups is None else examples.groups.astype(np.str_),
        names=texts,
        subgroups={"length of the SMILES": np.array([float(len(text)) for text in texts])},
    )


def measure_rarity(wide: FragmentRegression, batches: DataLoader, molecules: int) -> None:
    """Set rarities to log((1 + n) / (1 + n_i)) + 1: n_i of the n molecules have the fragment."""
    rarity = wide.rarity.data
    rarity[...] = 1
    having = np.zeros(len(rarity))
    for (ids,) in batches:
        rows, shares = (found.numpy() for found in wide.features(ids))
        having += np.bincount(rows[shares > 0], minlength=len(having))
    rarity[...] = np.log((1 + molecules) / (1 + having)) + 1


def group_of(molecule: Molecule) -> str:
    """Return the scaffold of a molecule; one without rings stands for itself."""
    return scaffold_key(molecule, rings_only=False)


def encoded(molecules: list[Molecule]) -> Array:
    """Return molecules as inputs of `Examples`."""
    inputs = np.empty(len(molecules), object)
    inputs[:] = [EncodedMolecule(molecule) for molecule in molecules]
    return inputs


def synthetic(texts: list[str], targets: Array) -> Examples:
    """Return synthetic SMILES as examples."""
    molecules = [parse_smiles(text) for text in texts]
    return Examples(encoded(molecules), targets, _column([group_of(m) for m in molecules]))


def texts_of(examples: Examples) -> list[str]:
    """Return SMILES written in the order of the atoms, without stereochemistry."""
    return [write_smiles(molecule.molecule) for molecule in examples.inputs]


def padded(samples: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return ids (N, T, 3), zeros behind the end of each, and targets if there are any."""
    rows = [sample[0] for sample in samples]
    batch = np.zeros((len(rows), max(map(len, rows)), rows[0].shape[1]), np.int64)
    for filled, row in zip(batch, rows, strict=True):
        filled[: len(row)] = row
    columns = list(zip(*samples, strict=True))[1:]
    return tm.tensor(batch), *(tm.tensor(np.stack(column)) for column in columns)


def _targets(examples: Examples) -> Array:
    if examples.targets is None:
        raise DataError("drug: the molecules have no targets")
    return examples.targets


def _column(values: Any) -> Array | None:
    return None if values is None else np.array(values)


TOXICITY, SOLUBILITY_TASK = ToxicityTask(), SolubilityTask()
DRUG_TASKS = Kinds(
    "toxicity and solubility of molecules, scaffolds unseen in training",
    {task.kind: task for task in (TOXICITY, SOLUBILITY_TASK)},
)
