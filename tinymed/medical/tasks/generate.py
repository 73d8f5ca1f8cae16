"""Writing descriptions of diagnoses, a character at a time, and how surprised the writer is."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinymed import Tensor, nn, no_grad
from tinymed.data import BucketSampler, DataLoader
from tinymed.errors import DataError
from tinymed.medical.models import CharacterLSTM
from tinymed.medical.tasks.examples import Examples
from tinymed.medical.tasks.options import Settings
from tinymed.medical.tasks.supervised import SupervisedTask
from tinymed.medical.tasks.task import SavedModel
from tinymed.medical.text.alphabet import PADDING, Alphabet
from tinymed.medical.text.ngram import NGramModel
from tinymed.medical.text.notes import ICD10, Notes, read_notes
from tinymed.medical.text.synthetic_notes import synthesise_notes
from tinymed.medical.text.writing import Writer, Writing

__all__ = ["GENERATE", "GenerateTask"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
Options = argparse.Namespace
ORDER = 5  # of the n-gram model
SAMPLES = 5  # texts that are written to be looked at
BATCH = 128  # texts that are judged together
OPTIONS = {  # of training; kept in the model for `tinymed predict`
    "temperature": (float, "below 1 the likely characters become likelier"),
    "top_k": (int, "draw from the likeliest K characters only"),
    "top_p": (float, "draw from the likeliest that together have this probability"),
    "beam": (int, "beginnings that beam search keeps"),
}


class GenerateTask(SupervisedTask):
    """``tinymed generate``."""

    name = "generate"
    help = "a language model that writes descriptions of diagnoses"
    files = f"CSV text[,label][,group][,split], or {ICD10}: the package simple-icd-10-cm"
    meaning = "The next character of the text."
    network = "CharacterLSTM"
    defaults = Settings(epochs=8, quick_epochs=16, batch_size=32, quick_batch_size=16, lr=5e-3)
    score = "perplexity"
    higher_is_better = False
    group = "family of codes"
    weight_decay = 0.0

    def add_own_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare how the model shall write."""
        for name, (kind, told) in OPTIONS.items():
            usual = getattr(Writing, name)
            parser.add_argument(
                f"--{name.replace('_', '-')}", type=kind, default=usual, help=f"{told} ({usual})"
            )

    def read(self, path: Path) -> Examples:
        """Return the texts of a file."""
        return examples_of(read_notes(path))

    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        """Return notes of a generator."""
        return examples_of(synthesise_notes(200 if quick else 900, generator))

    def preprocessing(self, train: Examples, options: Options) -> Facts:
        """Return the characters that are known, and how to write."""
        writing = Writing(**{name: getattr(options, name) for name in OPTIONS}, seed=options.seed)
        return {"characters": Alphabet.of(train.inputs).characters, "writing": vars(writing)}

    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the network."""
        size = len(Alphabet(preprocessing["characters"]))
        if quick:
            return {"characters": size, "dim": 32, "hidden": 64, "dropout": 0.2}
        return {"characters": size, "dim": 64, "hidden": 256, "dropout": 0.4}

    def loader(
        self, examples: Examples, preprocessing: Facts, batch_size: int, seed: int | None = None
    ) -> DataLoader:
        """Return batches of ids (N, T) and of those that follow (N, T), texts as long together."""
        alphabet = Alphabet(preprocessing["characters"])
        texts = [alphabet.encode(text) for text in examples.inputs]
        sampler = BucketSampler(
            [len(ids) for ids in texts],
            batch_size,
            shuffle=seed is not None,
            generator=np.random.default_rng(seed),
        )
        return DataLoader(texts, batch_sampler=sampler, collate_fn=shifted)

    def loss(self, about: Facts) -> Callable[[Any, Any], Any]:
        """Return the mean surprise at a character, in nats."""
        entropy = nn.CrossEntropyLoss(ignore_index=PADDING)
        return lambda logits, ids: entropy(logits.reshape(-1, logits.shape[2]), ids.reshape(-1))

    def outputs(self, network: nn.Module, examples: Examples, about: Facts) -> Array:
        """Return the surprise at each text in nats, and its number of characters: (n, 2)."""
        batches = self.loader(examples, about["preprocessing"], BATCH)
        entropy = nn.CrossEntropyLoss(ignore_index=PADDING, reduction="none")
        found = np.empty((len(examples), 2))
        training = network.training
        network.eval()
        with no_grad():
            for chosen, (ids, following) in zip(batches.batch_sampler, batches, strict=True):
                logits = network(ids)
                flat = logits.reshape(-1, logits.shape[2])
                surprise = entropy(flat, following.reshape(-1)).numpy().reshape(following.shape)
                found[chosen, 0] = surprise.sum(axis=1, dtype=np.float64)
                found[chosen, 1] = (following.numpy() != PADDING).sum(axis=1)
        network.train(training)
        return found

    def measure(self, outputs: Array, examples: Examples, about: Facts) -> Facts:
        """Return the perplexity of a character, the end of a text among them."""
        nats, characters = outputs.sum(axis=0)
        return {
            "n": len(outputs),
            "characters": int(characters),
            "perplexity": float(np.exp(nats / characters)),
            "bits_per_character": float(nats / characters / np.log(2)),
            "warnings": [],
        }

    def judged(self, network: nn.Module, examples: Examples, about: Facts, split: str) -> Facts:
        """Return the metrics on texts, and a few that the network writes by itself."""
        writer = writer_of(network, about["preprocessing"])
        samples = [writer.write("", number) for number in range(SAMPLES)]
        return {**super().judged(network, examples, about, split), "samples": samples}

    def card(self, about: Facts, metrics: Facts) -> Facts:
        """Return the facts of the model card: among them that texts may come out again."""
        told = (
            "It may write what it has read, word for word: pass it on only where the training "
            "texts may go."
        )
        return {**super().card(about, metrics), "limits": [told]}

    def describe(self, outputs: Array, examples: Examples, about: Facts) -> list[Facts]:
        """Return the perplexity of each text."""
        return [{"perplexity": float(np.exp(nats / n))} for nats, n in outputs]

    def predict(self, saved: SavedModel, paths: Sequence[Path]) -> list[Facts]:
        """Return each beginning with what the model writes after it: drawn, and the likeliest."""
        writer = writer_of(saved.network, saved.about["preprocessing"])
        found = []
        for path in paths:
            for index, text in enumerate(self.read(path).inputs.tolist()):
                try:
                    drawn, likeliest = writer.write(text, index), writer.likeliest(text)
                except DataError as error:
                    raise DataError(f"{path}, text {index + 1}: {error}") from error
                facts = {"file": str(path), "index": index, "text": drawn, "likeliest": likeliest}
                found.append(facts)
        return found

    def baseline(self, train: Examples, judged: Examples) -> tuple[str, float]:
        """Return the perplexity of a Kneser-Ney model of five characters, same tokens."""
        alphabet = Alphabet.of(train.inputs)
        model = NGramModel(ORDER, len(alphabet)).fit(continued(alphabet, train))
        return f"{ORDER}-gram, Kneser-Ney", model.perplexity(continued(alphabet, judged))

    def evaluate(self, saved: SavedModel, data: Path, split: str | None) -> Facts:
        """Return the metrics of a model on a file; of ICD-10-CM on the codes held out."""
        if str(data) == ICD10 and split is None:
            split = "test"  # the model has read the others
        return super().evaluate(saved, data, split)


GENERATE = GenerateTask()


def examples_of(notes: Notes) -> Examples:
    """Return texts as examples: each is its own target, and splits have labels alike."""
    return Examples(notes.texts, notes.texts, notes.groups, notes.splits, strata_of(notes))


def strata_of(notes: Notes) -> Array:
    """Return the labels, or where there are none one for all."""
    return np.zeros(len(notes.texts), np.int64) if notes.labels is None else notes.labels


def writer_of(network: nn.Module, preprocessing: Facts) -> Writer:
    """Return what writes with a network."""
    if not isinstance(network, CharacterLSTM):
        raise TypeError(f"generate: a {type(network).__name__}, a CharacterLSTM expected")
    writing = Writing(**preprocessing["writing"])
    return Writer(network, Alphabet(preprocessing["characters"]), writing)


def continued(alphabet: Alphabet, examples: Examples) -> list[list[int]]:
    """Return the ids of texts, each with its end."""
    return [alphabet.encode(text)[1:].tolist() for text in examples.inputs]


def shifted(texts: list[Array]) -> tuple[Tensor, Tensor]:
    """Return ids (N, T) from the beginning, and those that follow them (N, T), up to the end."""
    batch = np.full((len(texts), max(map(len, texts)) - 1), PADDING, np.int64)
    following = batch.copy()
    for row, after, ids in zip(batch, following, texts, strict=True):
        row[: len(ids) - 1], after[: len(ids) - 1] = ids[:-1], ids[1:]
    return Tensor(batch), Tensor(following)
