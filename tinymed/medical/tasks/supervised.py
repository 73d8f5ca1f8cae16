"""The pipeline that applications share: a task says what is its own, and inherits the rest.

read -> split by group -> fit the preprocessing on train -> network -> train -> judge -> write
"""

from __future__ import annotations

import abc
import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tinymed import __version__, manual_seed, nn, optim, serialization
from tinymed.data import DataLoader
from tinymed.errors import DataError
from tinymed.medical.models import MODELS
from tinymed.medical.report.evidence import Evidence
from tinymed.medical.report.model_card import write_model_card
from tinymed.medical.report.page import Section
from tinymed.medical.report.run_page import can_be_drawn, write_page
from tinymed.medical.tasks.examples import Examples, by_split, dealt, judged_by_chooser, leaks, told
from tinymed.medical.tasks.options import METRICS, MODEL, Settings, declare
from tinymed.medical.tasks.run_folder import asked, check_folder, run_folder
from tinymed.medical.tasks.task import SavedModel, save_model
from tinymed.medical.tasks.training_groups import contents, groups_seen_again, remembered_groups
from tinymed.training import History, fit, predict

__all__ = ["SupervisedTask"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
Options = argparse.Namespace


class SupervisedTask(abc.ABC):
    """A task that learns targets from examples: `tinymed.medical.tasks.task.Task` in full.

    A subclass sets the attributes and writes the methods under "a task's own".

    Attributes
    ----------
    name, help : str
        The sub-command and its line of help.
    files : str
        What ``--data`` takes: a sentence.
    meaning : str
        What a target means and who said so: goes into the model card.
    network : str
        Name in `tinymed.medical.models.MODELS`.
    defaults : Settings
    score : str
        The metric that is compared: with the baseline, and between epochs.
    higher_is_better : bool
    quantity : str
        What the targets are, where they are numbers.
    group : str
        What is never in two splits: "patient", "family" ...
    weight_decay, clip_norm : float
        Of AdamW; of the gradients, None for no limit.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    files: ClassVar[str]
    meaning: ClassVar[str]
    network: ClassVar[str]
    defaults: ClassVar[Settings]
    score: ClassVar[str]
    higher_is_better: ClassVar[bool] = True
    quantity: ClassVar[str] = "value"
    group: ClassVar[str] = "group"
    weight_decay: ClassVar[float] = 0.02
    clip_norm: ClassVar[float | None] = 1.0

    # ------------------------------------------------------------------------- a task's own

    @abc.abstractmethod
    def read(self, path: Path) -> Examples:
        """Return the examples of a file; targets None where it has none."""

    @abc.abstractmethod
    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        """Return the examples that are used without ``--data``."""

    @abc.abstractmethod
    def preprocessing(self, train: Examples, options: Options) -> Facts:
        """Return what has to be known to encode an example, learned from train alone, as JSON."""

    @abc.abstractmethod
    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the network."""

    @abc.abstractmethod
    def loader(
        self, examples: Examples, preprocessing: Facts, batch_size: int, seed: int | None = None
    ) -> DataLoader:
        """Return batches (input, target), or (input,) without targets.

        With a seed they are for training: shuffled, augmented, all of one size.
        """

    @abc.abstractmethod
    def loss(self, about: Facts) -> Callable[[Any, Any], Any]:
        """Return ``loss(outputs, targets)``."""

    @abc.abstractmethod
    def measure(self, outputs: Array, examples: Examples, about: Facts) -> Facts:
        """Return the metrics, `score` among them, from the network's outputs for examples."""

    @abc.abstractmethod
    def describe(self, outputs: Array, examples: Examples, about: Facts) -> list[Facts]:
        """Return what to tell of each prediction, in plain values."""

    @abc.abstractmethod
    def baseline(self, train: Examples, judged: Examples) -> tuple[str, float]:
        """Return the simple method to beat: its name, and its `score` on ``judged``."""

    def chosen(self, outputs: Array, examples: Examples) -> Facts:
        """Return what is chosen on validation, such as a threshold; kept with the model."""
        return {}

    def evidence(self, outputs: Array, examples: Examples, about: Facts) -> Evidence | None:
        """Return truth and prediction of each case, for the report; None: its metrics say all."""
        return None

    def examined(
        self, outputs: Array, judged: Examples, train: Examples, options: Options
    ) -> Facts:
        """Return what is measured beside the metrics, once, on the split a run is judged by."""
        return {}

    def pictured(self, outputs: Array, judged: Examples, about: Facts) -> list[Section] | None:
        """Return cases as pictures for the report; None: those of `evidence`, as text."""
        return None

    def averaging(self, options: Options) -> float | None:
        """Return the decay of the average of parameters that is kept, see `fit`; None: none is."""
        return None

    def add_own_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare options of training beside those that every task has."""
        return

    def named(self, examples: Examples) -> tuple[str, Iterable[Any]]:
        """Return what a group is, and the name of each example's: the same in whatever file."""
        if examples.groups is None:
            return "equal input", contents(examples.inputs)
        return self.group, examples.groups

    # --------------------------------------------------------------------------- the commands

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options of training."""
        files = f"{self.files} (default: synthetic examples)"
        declare(parser, self.name, files, {self.name: self.defaults})
        self.add_own_arguments(parser)

    def train(self, options: Options) -> Facts:
        """Read, check, preprocess, train, choose on validation, judge, write; return metrics."""
        self.defaults.settle(options, self.name)
        check_folder(options, self.name)
        splits = self.divided(options)
        with run_folder(options, self.name) as out:
            return self.trained(splits, options, out)

    def trained(self, splits: dict[str, Examples], options: Options, out: Path) -> Facts:
        """Train on splits, choose on validation, judge, write; return metrics."""
        manual_seed(options.seed)
        train = splits["train"]
        known = self.preprocessing(train, options)
        arguments = self.arguments(known, options.quick)
        network = MODELS[self.network](**arguments)
        parameters = sum(p.numel() for p in network.parameters())
        print(f"{self.network}, {parameters} parameters")
        about = self.begun(known, arguments)
        history = self.learn(network, splits, about, options, out)
        outputs = self.outputs(network, splits["val"], about)
        about |= self.chosen(outputs, splits["val"])
        about["data"] = self.sources(splits, options)
        about["training"] = self.training(options, history, parameters)
        save_model(network, about, out / MODEL)
        final = "test" if "test" in splits else "val"
        metrics = self.judged(network, splits[final], about, final)
        metrics["warnings"] = [
            *metrics.get("warnings", ()),
            *judged_by_chooser(final, threshold="threshold" in about),
        ]
        metrics |= self.compared(metrics, *self.baseline(train, splits[final]))
        judged = (self.outputs(network, splits[final], about), splits[final], about)
        metrics |= self.examined(*judged[:2], train, options)
        self.write(about, metrics, out, self.evidence(*judged), self.pictured(*judged))
        return metrics

    def evaluate(self, saved: SavedModel, data: Path, split: str | None) -> Facts:
        """Return the metrics of a model on a file.

        A file that names no splits is judged whole, unless ``split`` asks for one: then it is
        dealt out as in the model's training.
        """
        examples = self.read(data)
        if examples.targets is None:
            raise DataError(f"{self.name}: {data} has no targets to compare with")
        if split is None and examples.splits is None:
            return self.judged_again(saved, examples, "all")
        seed = saved.about["training"]["seed"]
        splits = dealt(examples, seed) if examples.splits is None else by_split(examples)
        chosen = split or ("test" if "test" in splits else next(iter(splits)))
        if chosen not in splits:
            raise DataError(f"evaluate: {data} holds {', '.join(splits)}, not {chosen!r}")
        return self.judged_again(saved, splits[chosen], chosen)

    def predict(self, saved: SavedModel, paths: Sequence[Path]) -> list[Facts]:
        """Return file, index and prediction of each example."""
        found = []
        for path in paths:
            examples = self.read(path)
            outputs = self.outputs(saved.network, examples, saved.about)
            for index, each in enumerate(self.describe(outputs, examples, saved.about)):
                found.append({"file": str(path), "index": index, **each})
        return found

    # ------------------------------------------------------------------------------ its steps

    def divided(self, options: Options) -> dict[str, Examples]:
        """Return the splits to learn from and to judge by, told about and checked."""
        examples = self.examples(options)
        splits = dealt(examples, options.seed) if examples.splits is None else by_split(examples)
        for name in ("train", "val"):
            if name not in splits:
                raise DataError(f"{self.name}: the data have no {name} split")
        return self.checked(splits)

    def examples(self, options: Options) -> Examples:
        """Return what was given to learn from, or synthetic examples."""
        if options.data is None:
            print("no --data: synthetic examples, for demonstration")
            examples = self.synthesise(options.quick, np.random.default_rng(options.seed))
        else:
            examples = self.read(options.data)
        if examples.targets is None:
            raise DataError(f"{self.name}: {options.data} has no targets to learn")
        return examples

    def checked(self, splits: dict[str, Examples]) -> dict[str, Examples]:
        """Tell about splits and return them, or raise `DataError` if they share groups."""
        for name, part in splits.items():
            print(f"{name}: {', '.join(f'{n} {what}' for what, n in told(part).items() if n)}")
        if problems := leaks(splits):
            raise DataError(f"{self.name}: {'; '.join(problems)}")
        return splits

    def begun(self, preprocessing: Facts, arguments: Facts) -> Facts:
        """Return what a model file says before training."""
        return {
            "task": self.name,
            "tinymed": __version__,
            "model": {"class": self.network, "arguments": arguments},
            "preprocessing": preprocessing,
        }

    def sources(self, splits: dict[str, Examples], options: Options) -> Facts:
        """Return what a model file says of the data."""
        return {
            "name": "synthetic" if options.data is None else options.data.name,
            "splits": {name: told(part) for name, part in splits.items()},
            "training_groups": remembered_groups(self.named(splits["train"])[1]),
        }

    def training(self, options: Options, history: History, parameters: int) -> Facts:
        """Return what a model file says of the training."""
        return {
            "parameters": parameters,
            "optimizer": "AdamW, one cycle of the learning rate",
            "epochs": len(history.epochs),
            "best_epoch": history.best_epoch,
            f"best_{history.monitor}": history.best_value,
            "batch_size": options.batch_size,
            "learning_rate": options.lr,
            "seed": options.seed,
            "quick": options.quick,
        }

    def write(
        self,
        about: Facts,
        metrics: Facts,
        out: Path,
        evidence: Evidence | None,
        cases: list[Section] | None = None,
    ) -> None:
        """Write metrics, model card and report beside the model."""
        text = json.dumps(metrics, indent=2, allow_nan=False) + "\n"
        serialization.write_bytes(text.encode(), out / METRICS)
        card = self.card(about, metrics)
        write_model_card(out / "model_card.md", card)
        if can_be_drawn():
            write_page(out, card, evidence, cases=cases, quantity=self.quantity)
        print(f"written to {out}: {', '.join(sorted(p.name for p in out.iterdir()))}")

    def learn(
        self,
        network: nn.Module,
        splits: dict[str, Examples],
        about: Facts,
        options: Options,
        out: Path,
    ) -> History:
        """Train with AdamW, one cycle of the rate; keep the best epoch on "val", else by loss."""
        network.to(options.device)
        size = min(options.batch_size, len(splits["train"]))
        batches = self.loader(splits["train"], about["preprocessing"], size, options.seed)
        batches.device = options.device
        optimizer = optim.AdamW(network.parameters(), lr=options.lr, weight_decay=self.weight_decay)
        validated = "val" in splits

        def validate(model: nn.Module) -> dict[str, Any]:
            outputs = self.outputs(model, splits["val"], about)
            value = self.measure(outputs, splits["val"], about)[self.score]
            return {f"val_{self.score}": value}

        history = fit(
            network,
            batches,
            self.loss(about),
            optimizer,
            epochs=options.epochs,
            scheduler=optim.OneCycleLR(optimizer, options.lr, options.epochs * len(batches)),
            validate=validate if validated else None,
            monitor=f"val_{self.score}" if validated else "loss",
            mode="max" if validated and self.higher_is_better else "min",
            clip_norm=self.clip_norm,
            average=self.averaging(options),
            folder=out,
            resume=options.resume,
            asked=asked(options, (part.inputs for part in splits.values())),
        )
        network.cpu()
        return history

    def outputs(self, network: nn.Module, examples: Examples, about: Facts) -> Array:
        """Return the network's outputs for all examples, in their order."""
        return predict(network, self.loader(examples, about["preprocessing"], 256))[0]

    def judged(self, network: nn.Module, examples: Examples, about: Facts, split: str) -> Facts:
        """Return the metrics on examples."""
        metrics = self.measure(self.outputs(network, examples, about), examples, about)
        return {**metrics, "split": split}

    def judged_again(self, saved: SavedModel, examples: Examples, split: str) -> Facts:
        """Return the metrics of a model on examples; a warning if it has learned from some."""
        metrics = self.judged(saved.network, examples, saved.about, split)
        kind, names = self.named(examples)
        seen = groups_seen_again(saved.about["data"].get("training_groups"), names, kind)
        return {**metrics, "warnings": [*metrics.get("warnings", ()), *seen]}

    def compared(self, metrics: Facts, baseline: str, value: float) -> Facts:
        """Return the baseline beside its score, and a warning if the network does not beat it."""
        warnings = list(metrics.get("warnings", ()))
        reached = metrics[self.score]
        gain = None if reached is None else reached - value
        if gain is not None and (gain <= 0 if self.higher_is_better else gain >= 0):
            warnings.append(f"the network does not beat its baseline, {baseline}")
        return {"baseline": baseline, f"baseline_{self.score}": value, "warnings": warnings}

    def card(self, about: Facts, metrics: Facts) -> Facts:
        """Return the facts of the model card."""
        training, known = about["training"], about["data"]["splits"]["train"]["groups"]
        return {
            "name": f"tinymed {self.name}",
            "purpose": f"{self.help[0].upper()}{self.help[1:]}.",
            "data": {"source": about["data"]["name"], "label": self.meaning},
            "splits": about["data"]["splits"],
            "split_by": self.group if known else None,
            "preprocessing": [
                f"{key}: {brief(value)}" for key, value in about["preprocessing"].items()
            ],
            "network": {"class": self.network, **about["model"]["arguments"]},
            "training": training,
            "results_on": metrics["split"],
            "metrics": {
                key: value
                for key, value in metrics.items()
                if isinstance(value, (int, float)) or (value and key.endswith("_ci"))
            },
            "warnings": metrics["warnings"],
        }


def brief(value: Any) -> str:
    """Return a value of the preprocessing for people: of a long one, only its size."""
    text = str(value)
    return text if len(text) <= 80 else f"{len(value)} entries"
