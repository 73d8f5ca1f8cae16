"""``tinymed treatment``: which arm of a trial helps whom, and what happens to patients under each.

Survival by Cox's partial likelihood or by discrete hazards, later measurements beside it; one
network for all arms or one for each. Judged by concordance, calibration at a horizon and, where
the arms were drawn by lot, by what is gained from choosing the arm by the prediction.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tinymed import nn
from tinymed.data import DataLoader, TensorDataset
from tinymed.errors import DataError
from tinymed.medical.survival import (
    baseline_hazard,
    concordance_index,
    cox_loss,
    discrete_hazard_loss,
    kaplan_meier,
)
from tinymed.medical.survival.arm_outputs import (
    known_effects,
    later_measurements,
    log_hazards,
    outcome_values,
    scale_of,
    survival_at,
)
from tinymed.medical.survival.covariates import encoded, fitted_covariates
from tinymed.medical.survival.judgement import (
    Judged,
    against_truth,
    ranking,
    survival_of_arms,
    uno,
    uplift,
)
from tinymed.medical.survival.linear_methods import fitted_linear, linear_risk
from tinymed.medical.survival.synthetic_trial import as_csv, synthetic_trial
from tinymed.medical.survival.trial_table import (
    TrialTable,
    covariates_of,
    outcomes_of,
    parse_trial,
    read_trial,
)
from tinymed.medical.tasks.examples import Examples
from tinymed.medical.tasks.options import Settings
from tinymed.medical.tasks.supervised import SupervisedTask
from tinymed.medical.tasks.task import SavedModel
from tinymed.tensor import Tensor
from tinymed.training import History

__all__ = ["TREATMENT", "Treatment"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
Options = argparse.Namespace
INTERVALS = 12  # of discrete hazards, each with as many events
CURVE = 20  # times at which predicted survival is measured
BASELINE = "Cox regression, linear in covariates and arm"
REFERENCES = ("control", "placebo", "zidovudine")  # the arm that others are compared with
OUTCOME_WEIGHT = 0.3  # of the squared error of later measurements beside the loss of survival


class Treatment(SupervisedTask):
    """Survival under each arm of a trial, later measurements, and the arm that is best."""

    name = "treatment"
    help = "predict survival under each arm of a trial, and whom which arm helps"
    files = (
        "a CSV file, a row for each patient: time,event[,arm][,group][,split], covariates known "
        "before the arm was drawn, outcome_ columns measured later; or ACTG175.csv, lung.csv"
    )
    meaning = "1: the event came at the time; 0: the patient was last seen without it then."
    network = "TreatmentNetwork"
    defaults = Settings(epochs=60, quick_epochs=40, batch_size=2048, quick_batch_size=2048, lr=1e-2)
    score = "concordance"
    group = "patient"
    weight_decay = 1.0

    def add_own_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the loss, the networks, the horizon."""
        parser.add_argument(
            "--hazard",
            choices=("cox", "discrete"),
            default="cox",
            help="the loss: Cox's partial likelihood, or hazards of intervals (cox)",
        )
        parser.add_argument(
            "--learner",
            choices=("s", "t"),
            default="s",
            help="one network that knows the arm, or two or more, one for each arm (s)",
        )
        parser.add_argument(
            "--horizon",
            type=float,
            metavar="TIME",
            help="when survival is compared (default: the median time in training)",
        )

    # ----------------------------------------------------------------------------------- data

    def read(self, path: Path) -> Examples:
        """Return the patients of a table."""
        return examples_of(read_trial(path))

    def named(self, examples: Examples) -> tuple[str, Iterable[Any]]:
        """Return "patient" and their names, or without these their covariates and outcomes."""
        if examples.groups is not None or examples.targets is None:
            return super().named(examples)
        known = [examples.inputs[name] for name in sorted(covariates_of(examples.inputs))]
        columns = [*known, *(endpoints_of(examples)[name] for name in ("time", "event"))]
        return "equal row", zip(*(column.tolist() for column in columns), strict=True)

    def synthesise(self, quick: bool, generator: np.random.Generator) -> Examples:
        """Return the patients of a synthetic trial."""
        columns = synthetic_trial(600 if quick else 2000, generator)
        return examples_of(parse_trial(as_csv(columns), "synthetic"))

    def preprocessing(self, train: Examples, options: Options) -> Facts:
        """Return scales, categories, arms, the horizon, and what the network predicts."""
        endpoints = endpoints_of(train)
        time, event = endpoints["time"], endpoints["event"]
        horizon = float(np.median(time)) if options.horizon is None else options.horizon
        if not 0 < horizon < time.max():
            raise ValueError(
                f"{self.name}: --horizon {horizon:g}, a time between 0 and the last in training, "
                f"{time.max():g}, expected"
            )
        if event.sum() < INTERVALS:
            raise DataError(
                f"{self.name}: {event.sum()} events among {len(train)} patients in training, at "
                f"least {INTERVALS} expected"
            )
        cuts = None
        if options.hazard == "discrete":
            ends = np.quantile(time[event], np.linspace(0, 1, INTERVALS + 1)[1:])
            cuts = np.unique([*ends[ends > 0], horizon]).tolist()
        return {
            "covariates": fitted_covariates(train.inputs),
            "arms": in_order(np.unique(endpoints["arm"]).tolist()),
            "outcomes": {name: scale_of(endpoints, name) for name in outcomes_of(endpoints)},
            "horizon": horizon,
            "cuts": cuts,
            "learner": options.learner,
        }

    def arguments(self, preprocessing: Facts, quick: bool) -> Facts:
        """Return the arguments of the network."""
        known = preprocessing
        return {
            "covariates": width_of(known["covariates"]),
            "arms": len(known["arms"]),
            "hazards": 1 if known["cuts"] is None else len(known["cuts"]),
            "outcomes": len(known["outcomes"]),
            "width": 32 if quick else 64,
            "separate": known["learner"] == "t",
        }

    def loader(
        self, examples: Examples, preprocessing: Facts, batch_size: int, seed: int | None = None
    ) -> DataLoader:
        """Return batches (covariates, target): arm, time, event, outcomes in standard units."""
        known = preprocessing
        x = encoded(examples.inputs, known["covariates"], scores=True).astype(np.float32)
        if seed is None:
            return DataLoader(TensorDataset(x), batch_size=batch_size)
        endpoints = endpoints_of(examples)
        columns = [arms_of(examples, known), endpoints["time"], endpoints["event"]]
        for name, scale in known["outcomes"].items():
            columns.append((endpoints[name] - scale["mean"]) / scale["deviation"])
        return DataLoader(
            TensorDataset(x, np.column_stack(columns)),  # float32 would move times past their cuts
            batch_size=batch_size,
            shuffle=True,
            drop_last=True,
            generator=np.random.default_rng(seed),
        )

    # ------------------------------------------------------------------------------- learning

    def loss(self, about: Facts) -> Callable[[Any, Any], Any]:
        """Return the loss of survival under the arm that was had, and of what was measured."""
        cuts = about["preprocessing"]["cuts"]
        hazards = about["model"]["arguments"]["hazards"]

        def loss(outputs: Any, targets: Any) -> Any:
            rows = targets.numpy()
            had = outputs[np.arange(len(rows)), rows[:, 0].astype(np.int64)]
            if cuts is None:
                total = cox_loss(had[:, 0], rows[:, 1], rows[:, 2])
            else:
                total = discrete_hazard_loss(had[:, :hazards], rows[:, 1], rows[:, 2], cuts)
            wanted = rows[:, 3:].astype(np.float32)
            measured = ~np.isnan(wanted)
            if measured.any():
                errors = (had[:, hazards:] - Tensor(np.where(measured, wanted, 0))) ** 2
                total = total + OUTCOME_WEIGHT * (errors * Tensor(measured)).sum() / measured.sum()
            return total

        return loss

    def learn(
        self,
        network: nn.Module,
        splits: dict[str, Examples],
        about: Facts,
        options: Options,
        out: Path,
    ) -> History:
        """Train; then, from training patients too: the baseline hazard, the simple methods."""
        history = super().learn(network, splits, about, options, out)
        train, known = splits["train"], about["preprocessing"]
        data = self.patients(train, known)
        if known["cuts"] is None:
            own = self.outputs(network, train, about)[np.arange(len(train)), data.arm, 0]
            curve = baseline_hazard(own.astype(np.float64), data.time, data.event)
            about["baseline_hazard"] = [curve.times.tolist(), curve.values.tolist()]
        at_horizon = [
            float(
                kaplan_meier(data.time[data.arm == i], data.event[data.arm == i])(known["horizon"])
            )
            for i in range(len(data.arms))
        ]
        about["best_arm"] = int(np.argmax(at_horizon))
        about["linear"] = fitted_linear(
            encoded(train.inputs, known["covariates"], scores=False),
            data.arm,
            len(data.arms),
            endpoints_of(train),
            list(known["outcomes"]),
        )
        return history

    # ------------------------------------------------------------------------------- judging

    def patients(self, examples: Examples, known: Facts) -> Judged:
        """Return what happened to patients."""
        endpoints = endpoints_of(examples)
        return Judged(
            endpoints["time"],
            endpoints["event"],
            arms_of(examples, known),
            known["arms"],
            examples.groups,
        )

    def measure(self, outputs: Array, examples: Examples, about: Facts) -> Facts:
        """Return the metrics; while it is trained only the one by which epochs are compared."""
        known = about["preprocessing"]
        data, rows = self.patients(examples, known), np.arange(len(examples))
        log_hazard = log_hazards(outputs, known)
        risk = log_hazard[rows, data.arm]
        if "linear" not in about:
            return {self.score: concordance_index(data.time, data.event, risk)}
        plain = encoded(examples.inputs, known["covariates"], scores=False)
        facts: Facts = {"n": len(examples), "events": int(data.event.sum())}
        facts |= ranking(data, risk, linear_risk(plain, data.arm, about["linear"]))
        facts["concordance_ipcw"] = uno(data, risk, known["horizon"])
        at = np.linspace(0, known["horizon"], CURVE + 1)[1:]
        curves = np.stack([survival_at(outputs, about, t) for t in at], -1)  # (n, arms, times)
        found, warnings = survival_of_arms(data, curves[rows, data.arm], at)
        facts |= found
        best = about["best_arm"]
        if len(data.arms) > 1:
            found, more = uplift(data, curves[..., -1], best, known["horizon"])
            facts, warnings = facts | found, warnings + more
        facts |= later_measurements(outputs, endpoints_of(examples), data.arm, plain, about)
        if truth := known_effects(endpoints_of(examples), data.arms):
            facts["truth"] = against_truth(data, log_hazard, np.column_stack(truth), best)
        return {**facts, "warnings": warnings}

    def describe(self, outputs: Array, examples: Examples, about: Facts) -> list[Facts]:
        """Return survival to the horizon and later measurements under each arm; the best arm."""
        known = about["preprocessing"]
        survival = survival_at(outputs, about, known["horizon"])
        later = {
            name: outcome_values(outputs, known, number)
            for number, name in enumerate(known["outcomes"])
        }
        found = []
        for i in range(len(examples)):
            each: Facts = {"horizon": known["horizon"]}
            for number, arm in enumerate(known["arms"]):
                end = f"_{arm}" if arm else ""
                each[f"survival{end}"] = float(survival[i, number])
                each |= {f"{name}{end}": float(values[i, number]) for name, values in later.items()}
            if len(known["arms"]) > 1:
                each["best_arm"] = known["arms"][int(survival[i].argmax())]
            found.append(each)
        return found

    def baseline(self, train: Examples, judged: Examples) -> tuple[str, float]:
        """Return the concordance of Cox's regression."""
        known = {"arms": in_order(np.unique(endpoints_of(train)["arm"]).tolist())}
        covariates = fitted_covariates(train.inputs)
        arm = arms_of(train, known)
        fit = fitted_linear(
            encoded(train.inputs, covariates, scores=False),
            arm,
            len(known["arms"]),
            endpoints_of(train),
            [],
        )
        data = self.patients(judged, known)
        plain = encoded(judged.inputs, covariates, scores=False)
        risk = linear_risk(plain, data.arm, fit)
        return BASELINE, concordance_index(data.time, data.event, risk)

    def evaluate(self, saved: SavedModel, data: Path, split: str | None) -> Facts:
        """Return the metrics of a model on a file, Cox's regression of the training beside it."""
        metrics = super().evaluate(saved, data, split)
        if metrics["baseline_concordance"] is None:
            return metrics
        return metrics | self.compared(metrics, BASELINE, metrics["baseline_concordance"])


def examples_of(table: TrialTable) -> Examples:
    """Return the patients of a table; splits shall hold arms and events alike."""
    ends, strata = table.endpoints, None
    if ends is not None:
        strata = np.array(
            [f"{arm} {event}" for arm, event in zip(ends["arm"], ends["event"], strict=True)]
        )
    return Examples(table.patients, ends, table.groups, table.splits, strata)


def endpoints_of(examples: Examples) -> Array:
    """Return what happened, or raise `DataError` where the table does not say."""
    if examples.targets is None:
        raise DataError("treatment: the table has no columns time and event")
    return examples.targets


def in_order(arms: list[str]) -> list[str]:
    """Return the arms, that which others are compared with first: control, placebo or by name."""
    return sorted(arms, key=lambda arm: (arm.lower() not in REFERENCES, arm))


def arms_of(examples: Examples, known: Facts) -> Array:
    """Return the number of each patient's arm, (n,)."""
    arms = known["arms"]
    given = endpoints_of(examples)["arm"]
    for arm, place in zip(given, examples.inputs["place"], strict=True):
        if arm not in arms:
            raise DataError(
                f"csv: {place}: arm is {str(arm)!r}, one of {', '.join(map(repr, arms))} expected "
                "as in training"
            )
    return np.array([arms.index(arm) for arm in given], np.int64)


def width_of(covariates: Facts) -> int:
    """Return how many columns encode patients."""
    numbers = sum(1 + known["indicator"] for known in covariates["numbers"].values())
    return numbers + sum(len(levels) - 1 for levels in covariates["categories"].values())


TREATMENT = Treatment()
