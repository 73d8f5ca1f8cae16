"""The chapter of a diagnosis from its text: two views of its words, vectors trained first."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinymed import Tensor, nn, no_grad
from tinymed.data import BucketSampler, DataLoader
from tinymed.errors import DataError
from tinymed.medical.models import NoteClassifier
from tinymed.medical.report.evidence import Evidence
from tinymed.medical.tasks.examples import Examples, with_variants
from tinymed.medical.tasks.options import Settings
from tinymed.medical.tasks.sparse_regression import fit_view
from tinymed.medical.tasks.supervised import SupervisedTask
from tinymed.medical.tasks.task import SavedModel
from tinymed.medical.text.notes import ICD10, Notes, read_notes
from tinymed.medical.text.synthetic_notes import synthesise_notes
from tinymed.medical.text.tfidf import TfidfClassifier
from tinymed.medical.text.tokens import words
from tinymed.medical.text.word2vec import Word2Vec
from tinymed.medical.text.word_parts import PADDING, WordParts
from tinymed.metrics import MulticlassMetrics
from tinymed.training import History, predict

__all__ = ["NOTES", "NotesTask", "attention"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
Options = argparse.Namespace
TOLD = 3  # classes that a prediction names
SEEN = 2  # times that a word must be seen for an id of its own
BATCH = 256  # notes that are judged together
PENALTY = 0.2  # of the weights of words and their parts
DEEP = 0.25  # share of the deep view: less sure than the wide one, and wrong elsewhere


class NotesTask(SupervisedTask):
    """``tinymed notes``."""

    name = "notes"
    help = "the class of a note from its text: the chapter of a diagnosis"
    files = f"CSV text,label[,group][,split][,wordings], or {ICD10}: the package simple-icd-10-cm"
    meaning = "The label column of the data; for ICD-10-CM the chapter that a code stands in."
    network = "NoteClassifier"
    defaults = Settings(
        epochs=4, quick_epochs=6, batch_size=128, quick_batch_size=64, lr=2e-3, needs=("scipy",)
    )
    score = "accuracy"
    group = "family of codes"

    def read(self, path: Path) -> Examples:
        """Return the notes of a file; their labels are the targets."""
        return examples_of(read_notes(path))

    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        """Return notes of a generator."""
        return examples_of(synthesise_notes(200 if quick else 900, generator))

    def divided(self, options: Options) -> dict[str, Examples]:
        """Return the splits; what else is said of the training notes is learned from, too."""
        splits = super().divided(options)
        return {**splits, "train": with_variants(splits["train"])}

    def checked(self, splits: dict[str, Examples]) -> dict[str, Examples]:
        """Tell about splits and return them; `DataError` for one class, a label not in training."""
        super().checked(splits)
        classes = classes_of(splits["train"])
        if len(classes) < 2:
            raise DataError(f"notes: all training notes are {classes[0]!r}, two classes expected")
        for part in splits.values():
            numbered(part, classes)  # here, since an epoch later is late
        return splits

    def preprocessing(self, train: Examples, options: Options) -> Facts:
        """Return the words that are known, the number of ids for n-grams, and the classes."""
        counts = Counter(word for text in train.inputs for word in words(text))
        return {
            "words": sorted(word for word, n in counts.items() if n >= SEEN),
            "buckets": 2048 if options.quick else 32768,
            "classes": classes_of(train),
        }

    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the network."""
        width = 32 if quick else 64
        return {
            "parts": len(parts_of(preprocessing)),
            "classes": len(preprocessing["classes"]),
            "dim": width,
            "channels": width,
        }

    def loader(
        self, examples: Examples, preprocessing: Facts, batch_size: int, seed: int | None = None
    ) -> DataLoader:
        """Return batches of ids (N, T, P), notes of one length together, and classes (N,)."""
        parts = parts_of(preprocessing)
        samples: list[Any] = [(parts.encode(text),) for text in examples.inputs]
        lengths = [len(ids) for (ids,) in samples]
        if seed is None:
            sampler = BucketSampler(lengths, batch_size, shuffle=False)
        else:
            targets = numbered(examples, preprocessing["classes"])
            samples = [(ids, target) for (ids,), target in zip(samples, targets, strict=True)]
            sampler = BucketSampler(lengths, batch_size, generator=np.random.default_rng(seed))
        return DataLoader(samples, batch_sampler=sampler, collate_fn=padded)

    def loss(self, about: Facts) -> Callable[[Any, Any], Any]:
        """Return the cross-entropy of the deep view."""
        entropy = nn.CrossEntropyLoss()
        return lambda outputs, targets: entropy(outputs[:, 1], targets)

    def learn(
        self,
        network: nn.Module,
        splits: dict[str, Examples],
        about: Facts,
        options: Options,
        out: Path,
    ) -> History:
        """Fit the wide view; train vectors of the words, and from them the deep view.

        All on the training notes alone.
        """
        if not isinstance(network, NoteClassifier):
            raise TypeError(f"notes: a {type(network).__name__}, a NoteClassifier expected")
        train, known = splits["train"], about["preprocessing"]
        begin(network, parts_of(known), train.inputs.tolist(), options.seed)
        batches = self.loader(train, known, BATCH)
        wanted = np.eye(len(known["classes"]))[numbered(train, known["classes"])]
        fit_view(network.wide, batches, wanted[order_of(batches)], "softmax", PENALTY)
        return super().learn(network, splits, about, options, out)

    def outputs(self, network: nn.Module, examples: Examples, about: Facts) -> Array:
        """Return the probabilities (n, C): a weighted mean of both views."""
        batches = self.loader(examples, about["preprocessing"], BATCH)
        logits = predict(network, batches)[0].astype(np.float64)  # (n, 2, C), by length
        odds = np.exp(logits - logits.max(axis=2, keepdims=True))
        views = odds / odds.sum(axis=2, keepdims=True)
        shares = (1 - DEEP) * views[:, 0] + DEEP * views[:, 1]
        found = np.empty_like(shares)
        found[order_of(batches)] = shares
        return found

    def measure(self, outputs: Array, examples: Examples, about: Facts) -> Facts:
        """Return the metrics of all classes."""
        classes = about["preprocessing"]["classes"]
        metrics = MulticlassMetrics(len(classes))
        metrics.update(numbered(examples, classes), outputs)
        return {**metrics.compute(), "classes": classes}

    def evidence(self, outputs: Array, examples: Examples, about: Facts) -> Evidence:
        """Return the classes of all notes, and their probabilities."""
        classes = about["preprocessing"]["classes"]
        lengths = np.array([float(len(text)) for text in examples.inputs])
        return Evidence(
            numbered(examples, classes),
            outputs,
            classes,
            groups=examples.groups,
            names=examples.inputs.tolist(),
            subgroups={"length in characters": lengths},
        )

    def describe(self, outputs: Array, examples: Examples, about: Facts) -> list[Facts]:
        """Return the class of each note, its probability, and the classes that follow."""
        classes = about["preprocessing"]["classes"]
        found = []
        for text, shares in zip(examples.inputs, outputs, strict=True):
            first, *others = np.argsort(-shares, kind="stable")[:TOLD].tolist()
            found.append(
                {
                    "class": classes[first],
                    "probability": float(shares[first]),
                    "then": ", ".join(f"{classes[i]} {shares[i]:.4f}" for i in others),
                    "text": str(text),
                }
            )
        return found

    def baseline(self, train: Examples, judged: Examples) -> tuple[str, float]:
        """Return the accuracy of tf-idf of words and logistic regression."""
        model = TfidfClassifier().fit(train.inputs.tolist(), labels_of(train))
        right = model.predict(judged.inputs.tolist()) == labels_of(judged)
        return "tf-idf of words, logistic regression", float(right.mean())

    def card(self, about: Facts, metrics: Facts) -> Facts:
        """Return the facts of the model card: among them what of the notes is in the files."""
        told = (
            f"model.safetensors lists the words that came {SEEN} times or more in the training "
            "notes, names among them, and report.html shows some notes: pass them on only where "
            "the notes may go."
        )
        return {**super().card(about, metrics), "limits": [told]}

    def evaluate(self, saved: SavedModel, data: Path, split: str | None) -> Facts:
        """Return the metrics of a model on a file; of ICD-10-CM on the codes held out."""
        if str(data) == ICD10 and split is None:
            split = "test"  # the model has seen the others
        return super().evaluate(saved, data, split)


NOTES = NotesTask()


def attention(saved: SavedModel, text: str) -> list[tuple[str, float]]:
    """Return each word of a text and the weight that the deep view gives it; they sum to 1."""
    ids = parts_of(saved.about["preprocessing"]).encode(text)[None]
    if not isinstance(saved.network, NoteClassifier):
        raise TypeError(f"attention: a {type(saved.network).__name__}, a NoteClassifier expected")
    with no_grad():
        weights = saved.network.attention(Tensor(ids)).numpy()[0]
    return list(zip(words(text), weights.tolist(), strict=True))


def examples_of(notes: Notes) -> Examples:
    """Return notes as examples."""
    rows = np.arange(len(notes.texts))
    return Examples(
        notes.texts, notes.labels, notes.groups, notes.splits, rows=rows, variants=notes.wordings
    )


def parts_of(preprocessing: Facts) -> WordParts:
    """Return the encoder of the words."""
    return WordParts(preprocessing["words"], preprocessing["buckets"])


def natural(label: str) -> tuple[float, str]:
    """Return what sorts labels as people do: 2 before 10, numbers before names."""
    return (float(label), "") if label.isdecimal() else (float("inf"), label)


def labels_of(examples: Examples) -> Array:
    """Return the labels (n,), or raise `DataError` where there are none."""
    if examples.targets is None:
        raise DataError("notes: the notes have no labels")
    return examples.targets


def classes_of(examples: Examples) -> list[str]:
    """Return the different labels, as people sort them."""
    return sorted(set(labels_of(examples).tolist()), key=natural)


def numbered(examples: Examples, classes: Sequence[str]) -> Array:
    """Return the number of each label, or raise `DataError` for one that is no class."""
    place, labels = {name: i for i, name in enumerate(classes)}, labels_of(examples)
    strange = np.flatnonzero([str(label) not in place for label in labels])
    if len(strange):
        first = int(strange[0])
        row = first if examples.rows is None else int(examples.rows[first])
        more = f" (and {len(strange) - 1} more)" if len(strange) > 1 else ""
        raise DataError(
            f"notes: label {str(labels[first])!r} of note {row + 1}{more} is none of the "
            f"{len(classes)} classes of the training: {', '.join(classes)}"
        )
    return np.array([place[str(label)] for label in labels], np.int64)


def padded(samples: list[Any]) -> tuple[Tensor, ...]:
    """Return ids (N, T, P), 0 where a note or a word is shorter, and classes where there are."""
    notes = [sample[0] for sample in samples]
    size = (len(notes), *(max(ids.shape[axis] for ids in notes) for axis in (0, 1)))
    batch = np.full(size, PADDING, np.int64)
    for row, ids in zip(batch, notes, strict=True):
        row[: ids.shape[0], : ids.shape[1]] = ids
    rest = [np.array([sample[1] for sample in samples])] if len(samples[0]) > 1 else []
    return Tensor(batch), *map(Tensor, rest)


def order_of(batches: DataLoader) -> Array:
    """Return which example is the first, the second ... that batches by length hold."""
    return np.concatenate(list(batches.batch_sampler))


def begin(network: NoteClassifier, parts: WordParts, texts: Sequence[str], seed: int) -> None:
    """Set the network's weights of parts, and the vectors of words to those of word2vec."""
    network.wide.rarity.data[...] = parts.frequencies(texts)
    if not parts.ids:
        return
    size = network.vectors.embedding_dim
    word2vec = Word2Vec(vector_size=size, min_count=SEEN, sg=1, epochs=5, seed=seed)
    learned = word2vec.train([words(text) for text in texts])
    rows = [parts.ids[word] for word in learned.words]
    network.vectors.weight.data[rows] = learned.vectors
