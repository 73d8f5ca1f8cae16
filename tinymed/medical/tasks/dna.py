"""Biological sequences: junctions and promoters in DNA, peptides; families are kept together.

Sequences that share many words (`similarity_groups`) are one family and are never parted: the same
gene, repeats and homologues would otherwise be on both sides, and the result too good.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import tinymed as tm
from tinymed import nn
from tinymed.data import BucketSampler, DataLoader
from tinymed.errors import DataError
from tinymed.medical.models import AlignedSequenceNetwork
from tinymed.medical.report.evidence import Evidence
from tinymed.medical.sequences import (
    DNA,
    PROTEIN,
    Alphabet,
    SequenceRecords,
    read_sequences,
    similarity_groups,
    synthesise_junctions,
    synthesise_peptides,
    synthesise_promoters,
)
from tinymed.medical.tasks.cross_validation import CrossValidatedTask
from tinymed.medical.tasks.examples import Examples
from tinymed.medical.tasks.kinds import Kinds
from tinymed.medical.tasks.options import Options, Settings
from tinymed.medical.tasks.softmax_regression import SoftmaxRegression
from tinymed.medical.tasks.sparse_regression import fit_view
from tinymed.metrics import BinaryMetrics, MulticlassMetrics
from tinymed.training import History

__all__ = ["DNA_TASKS", "PeptideTask", "SequenceTask", "SpliceTask"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
PENALTY = 10.0  # of the weights of words at places
DEEP = 0.3  # share of the deep view: less sure than the wide one, and wrong elsewhere
HIDDEN = 0.1  # of the letters, in training: replaced by the mixture of all


class SequenceTask(CrossValidatedTask):
    """What the kinds share; each says its alphabet, classes, lengths and families.

    Attributes
    ----------
    kind : str
        For ``--kind``.
    alphabet : Alphabet
    classes : tuple of str
    shortest, longest : int
        Letters of a sequence; equal where a place means the same in each.
    word, share : int, float
        Of `similarity_groups`.
    """

    name = "dna"
    network = "SequenceNetwork"
    group = "family"
    kind: ClassVar[str]
    alphabet: ClassVar[Alphabet]
    classes: ClassVar[tuple[str, ...]]
    shortest: ClassVar[int]
    longest: ClassVar[int]
    word: ClassVar[int]
    share: ClassVar[float]

    def read(self, path: Path) -> Examples:
        """Return the sequences of a FASTA or CSV file, families found where it names no groups."""
        return self.examples_of(
            read_sequences(path, self.alphabet, self.classes, self.shortest, self.longest)
        )

    def examples_of(self, records: SequenceRecords) -> Examples:
        """Return sequences as examples."""
        groups: Any = records.groups
        if groups is None and records.labels is not None:
            groups = similarity_groups(records.sequences, self.word, self.share)
        return Examples(
            np.array(records.sequences, object),
            _column(records.labels and [self.classes.index(label) for label in records.labels]),
            _column(groups),
            _column(records.splits),
        )

    def preprocessing(self, train: Examples, options: Any) -> Facts:
        """Return which kind it is, and the letters and classes in order."""
        return {
            "kind": self.kind,
            "letters": self.alphabet.letters,
            "classes": list(self.classes),
        }

    def loader(
        self, examples: Examples, preprocessing: Facts, batch_size: int, seed: int | None = None
    ) -> DataLoader:
        """Return batches of letters (N, T, K + 1), and classes."""
        rows = [with_presence(self.alphabet.encode(text)) for text in examples.inputs]
        targets = examples.targets
        if targets is None:
            return DataLoader([(row,) for row in rows], batch_size, collate_fn=padded)
        samples = list(zip(rows, targets.tolist(), strict=True))
        if seed is None:
            return DataLoader(samples, batch_size, collate_fn=padded)
        generator = np.random.default_rng(seed)
        lengths = [len(row) for row in rows]
        return DataLoader(
            samples,
            batch_sampler=BucketSampler(
                lengths, batch_size, pool=20, drop_last=True, generator=generator
            ),
            collate_fn=padded,
            augment=hide_letters,
            generator=generator,
        )

    def named(self, examples: Examples) -> tuple[str, Array]:
        """Return the sequences themselves: families are found, and numbered, in each file anew."""
        return "sequence", examples.inputs

    def loss(self, about: Facts) -> Callable[[Any, Any], Any]:
        """Return the cross-entropy."""
        return nn.CrossEntropyLoss()

    def describe(self, outputs: Array, examples: Examples, about: Facts) -> list[Facts]:
        """Return the class and its probability."""
        found = probabilities(outputs)
        return [
            {"class": self.classes[int(row.argmax())], "probability": float(row.max())}
            for row in found
        ]


class SpliceTask(SequenceTask):
    """``tinymed dna --kind splice``."""

    network = "AlignedSequenceNetwork"
    kind = "splice"
    help = "splice junctions in DNA: exon to intron, intron to exon, or none"
    files = "CSV (seq, cls) or FASTA of 60 bases"
    meaning = "ei: an exon ends in the middle; ie: one begins there; n: neither."
    alphabet, classes = DNA, ("ei", "ie", "n")
    shortest = longest = 60
    word, share = 8, 0.4
    score = "accuracy"
    defaults = Settings(epochs=25, quick_epochs=6, needs=("scipy",))

    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        """Return synthetic genes."""
        return self.examples_of(synthesise_junctions(250 if quick else 1000, generator))

    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the network."""
        widths = [16, 16] if quick else [32, 32]
        return {"letters": 4, "classes": 3, "length": self.longest, "widths": widths}

    def learn(
        self,
        network: nn.Module,
        splits: dict[str, Examples],
        about: Facts,
        options: Options,
        out: Path,
    ) -> History:
        """Fit the wide view, which is convex, and train the deep one; on the same sequences."""
        if not isinstance(network, AlignedSequenceNetwork):
            raise TypeError(f"dna: a {type(network).__name__}, an AlignedSequenceNetwork expected")
        train = splits["train"]
        wanted = np.eye(len(self.classes))[classes_of(train)]
        batches = self.loader(train, about["preprocessing"], 256)
        fit_view(network.wide, batches, wanted, "softmax", PENALTY)
        return super().learn(network, splits, about, options, out)

    def loss(self, about: Facts) -> Callable[[Any, Any], Any]:
        """Return the cross-entropy of the deep view."""
        entropy = nn.CrossEntropyLoss()
        return lambda outputs, targets: entropy(outputs[:, 1], targets)

    def outputs(self, network: nn.Module, examples: Examples, about: Facts) -> Array:
        """Return log-probabilities (n, 3): of the weighted mean of both views."""
        views = probabilities(super().outputs(network, examples, about))  # (n, 2, 3)
        return np.log((1 - DEEP) * views[:, 0] + DEEP * views[:, 1])

    def measure(self, outputs: Array, examples: Examples, about: Facts) -> Facts:
        """Return accuracy, recall of each class, the confusion matrix."""
        metrics = MulticlassMetrics(len(self.classes))
        metrics.update(classes_of(examples), probabilities(outputs))
        return metrics.compute()

    def evidence(self, outputs: Array, examples: Examples, about: Facts) -> Evidence:
        """Return the classes of all sequences, and their probabilities."""
        return Evidence(
            classes_of(examples),
            probabilities(outputs),
            self.classes,
            groups=examples.groups,
            names=examples.inputs.tolist(),
        )

    def baseline_outputs(self, train: Examples, judged: Examples) -> tuple[str, Array]:
        """Return softmax regression on the letters at each place: a weight matrix of motifs."""
        x, y = ([self.alphabet.encode(t).ravel() for t in e.inputs] for e in (train, judged))
        fitted = SoftmaxRegression.fitted(np.array(x), classes_of(train), np.ones(3), penalty=30.0)
        return "softmax regression on one-hot letters", np.log(fitted(np.array(y)))


class PresenceTask(SequenceTask):
    """Whether something is there, wherever in a sequence: classes "0" and "1"."""

    classes = ("0", "1")
    score = "auc"

    def measure(self, outputs: Array, examples: Examples, about: Facts) -> Facts:
        """Return the area under the curve, and the decisions at one half."""
        metrics = BinaryMetrics()
        metrics.update(classes_of(examples), probabilities(outputs)[:, 1], examples.groups)
        return metrics.compute(generator=np.random.default_rng(0))

    def evidence(self, outputs: Array, examples: Examples, about: Facts) -> Evidence:
        """Return the classes of all sequences, and the probability that something is there."""
        lengths = np.array([float(len(text)) for text in examples.inputs])
        return Evidence(
            classes_of(examples),
            probabilities(outputs)[:, 1],
            self.classes,
            groups=examples.groups,
            names=examples.inputs.tolist(),
            subgroups={"length": lengths},
        )

    def baseline_outputs(self, train: Examples, judged: Examples) -> tuple[str, Array]:
        """Return logistic regression on the shares of letters and of pairs of neighbours."""
        x, y = (composition(e.inputs, self.alphabet) for e in (train, judged))
        fitted = SoftmaxRegression.fitted(x, classes_of(train), np.ones(2), penalty=100.0)
        return "logistic regression on letters and pairs", np.log(fitted(y))


class PromoterTask(PresenceTask):
    """``tinymed dna --kind promoter``."""

    kind = "promoter"
    help = "promoters of genes in DNA"
    files = "CSV (seq, cls) or FASTA of 20 to 1000 bases, 1 with a promoter"
    meaning = "1: a promoter is there; 0: none."
    alphabet = DNA
    shortest, longest = 20, 1000
    word, share = 8, 0.4
    defaults = Settings(epochs=20, quick_epochs=10, needs=("scipy",))

    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        """Return synthetic promoters of bacteria."""
        return self.examples_of(synthesise_promoters(600 if quick else 2000, generator))

    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the network."""
        widths = [24, 24] if quick else [48, 48]
        return {"letters": 4, "classes": 2, "widths": widths, "kernel": 9, "hidden": 24}


class PeptideTask(PresenceTask):
    """``tinymed dna --kind amp``."""

    kind = "amp"
    help = "antimicrobial peptides"
    files = "CSV (seq, cls) or FASTA of proteins, or modlAMP's AMPvsUniProt.csv"
    meaning = "1: listed as antimicrobial (APD3); 0: another peptide of UniProt."
    alphabet = PROTEIN
    shortest, longest = 2, 1000
    word, share = 3, 0.5
    defaults = Settings(epochs=15, quick_epochs=4, needs=("scipy",))

    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        """Return synthetic peptides."""
        return self.examples_of(synthesise_peptides(300 if quick else 1200, generator))

    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the network."""
        widths = [24, 24] if quick else [48, 48]
        return {"letters": 20, "classes": 2, "widths": widths, "kernel": 5, "hidden": 24}


def classes_of(examples: Examples) -> Array:
    """Return the classes (n,) of labelled examples."""
    if examples.targets is None:
        raise DataError("dna: the sequences have no classes")
    return examples.targets


def hide_letters(sample: tuple[Array, int], generator: np.random.Generator) -> tuple[Array, int]:
    """Return a sample with some letters unknown: the mixture of all.

    Sequences are not shifted, as the place of a junction is what is learned, nor read backwards: a
    junction on the other strand is another pattern.
    """
    row, target = sample
    hidden = generator.random(len(row)) < HIDDEN
    changed = row.copy()
    changed[hidden, :-1] = 1 / (row.shape[1] - 1)
    return changed, target


def with_presence(encoded: Array) -> Array:
    """Return (T, K + 1): a last column of ones, which padding lacks."""
    return np.hstack([encoded, np.ones((len(encoded), 1), np.float32)])


def padded(samples: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return rows (N, T, K + 1), with zeros behind the end of each, and what else there is."""
    rows = [sample[0] for sample in samples]
    batch = np.zeros((len(rows), max(map(len, rows)), rows[0].shape[1]), np.float32)
    for filled, row in zip(batch, rows, strict=True):
        filled[: len(row)] = row
    targets = [tm.tensor(np.array(column)) for column in list(zip(*samples, strict=True))[1:]]
    return tm.tensor(batch), *targets


def probabilities(outputs: Array) -> Array:
    """Return the softmax of logits, or of log-probabilities, (..., classes) float64."""
    logits = outputs.astype(np.float64)
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def composition(sequences: Array, alphabet: Alphabet) -> Array:
    """Return (n, K + K^2): shares of letters and of pairs of neighbours, ambiguous ones in part."""
    found = []
    for text in sequences:
        rows = alphabet.encode(text).astype(np.float64)
        pairs = rows[:-1].T @ rows[1:] / max(len(rows) - 1, 1)
        found.append(np.concatenate([rows.mean(axis=0), pairs.ravel()]))
    return np.sqrt(np.array(found))  # evens out frequent and rare pairs


def _column(values: Any) -> Array | None:
    return None if values is None else np.array(values)


SPLICE, PROMOTER, PEPTIDES = SpliceTask(), PromoterTask(), PeptideTask()
DNA_TASKS = Kinds(
    "splice junctions, promoters, antimicrobial peptides: families unseen in training",
    {task.kind: task for task in (SPLICE, PROMOTER, PEPTIDES)},
)
