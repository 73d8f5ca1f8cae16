"""Learning from every group and judging on groups unseen: one network per fold, then their mean.

Where what matters sits in few patients, one held-out fifth says little and costs much. So each
fold of patients is judged by a network that learned from all the others, and the model that is
kept is the ensemble of these networks. The metrics are of the out-of-fold outputs, of one network
for each example: what the ensemble does to new patients is better, if anything.
"""

from __future__ import annotations

import abc
import argparse
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tinymed import nn
from tinymed.data import grouped_stratified_kfold
from tinymed.errors import DataError
from tinymed.medical.models import MODELS, Ensemble
from tinymed.medical.tasks.examples import Examples, by_split
from tinymed.medical.tasks.options import MODEL
from tinymed.medical.tasks.run_folder import check_folder, run_folder
from tinymed.medical.tasks.supervised import SupervisedTask
from tinymed.medical.tasks.task import save_model
from tinymed.random import set_default_generator, spawn
from tinymed.training import LOG, History

__all__ = ["CrossValidatedTask"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
Options = argparse.Namespace
Fold = tuple[Array, Array]


class CrossValidatedTask(SupervisedTask):
    """A `SupervisedTask` that is trained on folds of groups.

    Nothing is chosen on a fold that is held out: each network trains for all epochs. A "test"
    split, if the file names one, is left out of all folds, and judged by the ensemble.

    What `preprocessing` returns is learned once for each fold, and once from all of them for the
    ensemble; what encodes an example has to be the same in all, what the loss takes need not.

    Attributes
    ----------
    folds, quick_folds : int
        Unless told otherwise.
    ensemble_mean : "probabilities" or "outputs"
        Of the ensemble's members, see `Ensemble`.
    """

    folds: ClassVar[int] = 5
    quick_folds: ClassVar[int] = 3
    ensemble_mean: ClassVar[str] = "probabilities"

    @abc.abstractmethod
    def baseline_outputs(self, train: Examples, judged: Examples) -> tuple[str, Array]:
        """Return the simple method to beat: its name, and its outputs, like the network's."""

    def baseline(self, train: Examples, judged: Examples) -> tuple[str, float]:
        """Return the name of the simple method, and its score on ``judged``."""
        name, outputs = self.baseline_outputs(train, judged)
        return name, self.measure(outputs, judged, {})[self.score]

    def add_own_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the number of folds."""
        parser.add_argument(
            "--folds",
            type=int,
            help=f"each {self.group} is in one ({self.folds}; with --quick {self.quick_folds})",
        )

    def train(self, options: Options) -> Facts:
        """Train a network per fold, judge each on its fold, keep their mean; return metrics."""
        self.settle(options)
        check_folder(options, self.name)
        splits = self.divided(options)
        folds = self.cut(splits["train"], options)
        with run_folder(options, self.name) as out:
            return self.of_folds(splits, folds, options, out)

    def of_folds(
        self, splits: dict[str, Examples], folds: list[Fold], options: Options, out: Path
    ) -> Facts:
        """Train a network on all but each fold, judge, keep their mean, write; return metrics."""
        learned = splits["train"]
        networks, histories, outputs, simple = [], [], [], []
        for number, (kept, left) in enumerate(folds, 1):
            count = len(np.unique(groups_of(learned)[left]))  # their names stay out of every log
            print(f"fold {number} of {len(folds)}: without {count} groups ({self.group})")
            network, about, history = self.learn_fold(learned[kept], number, options, out)
            networks.append(network)
            histories.append(history)
            outputs.append(self.outputs(network, learned[left], about))
            reached = self.measure(outputs[-1], learned[left], about)[self.score]
            told = "undefined" if reached is None else f"{reached:.4f}"
            print(f"fold {number}: {self.score} {told}", flush=True)
            baseline, found = self.baseline_outputs(learned[kept], learned[left])
            simple.append(found)
        held = in_order(outputs, folds)
        ensemble, about = self.ensemble(networks, learned, options)
        about |= self.chosen(held, learned)
        about["data"] = self.sources(splits, options)
        parameters = sum(p.numel() for p in ensemble.parameters())
        about["training"] = self.training(options, histories[-1], parameters) | {
            "folds": len(folds)
        }
        save_model(ensemble, about, out / MODEL)
        metrics = {**self.measure(held, learned, about), "split": "out of fold"}
        metrics["folds"] = [
            self.measure(own, learned[left], about)[self.score]
            for own, (_, left) in zip(outputs, folds, strict=True)
        ]
        reached = self.measure(in_order(simple, folds), learned, about)[self.score]
        metrics |= self.compared(metrics, baseline, reached)
        if "test" in splits:
            metrics["test"] = self.judged(ensemble, splits["test"], about, "test")
        self.write(about, metrics, out, self.evidence(held, learned, about))
        return metrics

    # ------------------------------------------------------------------------------ its steps

    def settle(self, options: Options) -> None:
        """Fill in the options that were not given; refuse what is out of range."""
        self.defaults.settle(options, self.name)
        if options.folds is None:
            options.folds = self.quick_folds if options.quick else self.folds
        if options.folds < 2:
            raise ValueError(f"{self.name}: --folds {options.folds}, at least 2 expected")

    def divided(self, options: Options) -> dict[str, Examples]:
        """Return "train", which is cut into folds, and "test" where the file names one."""
        examples = self.examples(options)
        if examples.splits is None:
            return self.checked({"train": examples})
        named = by_split(examples)
        self.checked(named)
        splits = {"train": examples[examples.splits != "test"]}
        if not len(splits["train"]):
            raise DataError(f"{self.name}: all of the data are in the test split")
        return splits | {name: part for name, part in named.items() if name == "test"}

    def cut(self, learned: Examples, options: Options) -> list[Fold]:
        """Return the folds, classes in balance, no group in two of them."""
        if learned.targets is None:
            raise DataError(f"{self.name}: the examples have no targets to learn")
        groups = groups_of(learned)
        count = len(np.unique(groups))
        if count < options.folds:
            raise DataError(
                f"{self.name}: {count} {self.group}s for {options.folds} folds; give fewer --folds"
            )
        generator = np.random.default_rng(options.seed)
        return grouped_stratified_kfold(learned.targets, groups, options.folds, generator=generator)

    def learn_fold(
        self, kept: Examples, number: int, options: Options, out: Path
    ) -> tuple[nn.Module, Facts, History]:
        """Return the network of a fold, what its model file would say, and how it learned."""
        set_default_generator(spawn(np.random.default_rng(options.seed), number))
        known = self.preprocessing(kept, options)
        arguments = self.arguments(known, options.quick)
        network = MODELS[self.network](**arguments)
        about = self.begun(known, arguments)
        folder = out / f"fold-{number}-of-{options.folds}"
        resume = options.resume and (folder / LOG).exists()
        own = argparse.Namespace(**{**vars(options), "resume": resume})
        history = self.learn(network, {"train": kept}, about, own, folder)
        return network, about, history

    def ensemble(
        self, networks: list[nn.Module], learned: Examples, options: Options
    ) -> tuple[nn.Module, Facts]:
        """Return the networks as one, and what its model file says before the rest is known."""
        known = self.preprocessing(learned, options)
        own = self.arguments(known, options.quick)
        arguments: Facts = {"network": self.network, "arguments": own, "members": len(networks)}
        if self.ensemble_mean != "probabilities":
            arguments["mean"] = self.ensemble_mean
        ensemble = Ensemble(**arguments)
        ensemble.take(networks)
        about = self.begun(known, arguments)
        return ensemble, about | {"model": {"class": "Ensemble", "arguments": arguments}}


def groups_of(examples: Examples) -> Array:
    """Return the group of each example; each is its own where none are known."""
    return np.arange(len(examples)) if examples.groups is None else examples.groups


def in_order(parts: list[Array], folds: list[Fold]) -> Array:
    """Return what was found for each fold as one array, in the order of the examples."""
    joined = np.concatenate(parts)
    whole = np.empty_like(joined)
    whole[np.concatenate([left for _, left in folds])] = joined
    return whole
