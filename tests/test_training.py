"""Training: it learns, stops, logs, and goes on after an interruption as if there had been none.

Run as a program, ``python test_training.py FOLDER [BATCH]``, it trains the run that the tests of
resuming are about, and is killed in that batch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinymed as tm
from tinymed import nn, optim, random, serialization
from tinymed.data import Augment, DataLoader, TensorDataset
from tinymed.errors import AnomalyError, CheckpointError
from tinymed.metrics import BinaryMetrics
from tinymed.training import CHECKPOINT, LOG, History, evaluate, fit, predict

# ------------------------------------------------------------------------------------ toy problem


def blobs(n: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of points in the plane, (n, 2) float32, and which one each is of, (n,) int64."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    points = rng.normal(scale=0.7, size=(n, 2)) + np.where(labels, 1, -1)[:, None]
    return points.astype(np.float32), labels


def toy(batch_size: int = 8, **settings: Any) -> tuple[nn.Module, DataLoader, optim.Optimizer]:
    """Model, loader of 40 points, optimizer: the same at each call."""
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(2, 8, activation="relu", generator=rng), nn.Linear(8, 2))
    model[1].load_state_dict({"weight": rng.normal(size=(2, 8)), "bias": np.zeros(2)})
    loader = DataLoader(TensorDataset(*blobs()), batch_size, **settings)
    return model, loader, optim.SGD(model.parameters(), lr=0.1)


def quiet(*arguments: Any, **settings: Any) -> History:
    """Fit the toy problem, without progress, unless told otherwise."""
    model, loader, optimizer = arguments or toy()
    settings = {"epochs": 3, "progress": False, **settings}
    return fit(model, loader, nn.CrossEntropyLoss(), optimizer, **settings)


def parameters(model: nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


class Script:
    """A ``validate`` that says what it is told, and notes the model it is given."""

    def __init__(self, *values: Any, name: str = "score") -> None:
        self.values, self.name = iter(values), name
        self.seen: list[dict[str, bytes]] = []
        self.modes: list[tuple[bool, bool]] = []

    def __call__(self, model: nn.Module) -> dict[str, Any]:
        self.seen.append(parameters(model))
        self.modes.append((model.training, model(tm.ones(1, 2)).requires_grad))
        return {self.name: next(self.values)}


def test_it_learns_a_toy_problem():
    model, loader, optimizer = toy(shuffle=True)
    history = quiet(model, loader, optimizer, epochs=20)
    assert history.epochs[-1]["loss"] < 0.25 < 0.5 < history.epochs[0]["loss"]
    points, labels = blobs(seed=1)
    with tm.no_grad():
        assert (model(tm.Tensor(points)).numpy().argmax(1) == labels).mean() > 0.9


def test_the_average_of_the_weights_is_validated_and_kept():
    """The moving average of what plain training goes through, by its definition in NumPy."""
    taken: list[np.ndarray] = []

    class Noting(optim.SGD):
        def step(self, *arguments: Any) -> None:
            super().step(*arguments)
            taken.append(self.param_groups[0]["params"][0].data.copy())

    model, loader, _ = toy()
    script = Script(1.0, 2.0, 3.0)
    settings = {"validate": script, "monitor": "score", "mode": "max"}
    optimizer = Noting(model.parameters(), lr=0.1)
    quiet(model, loader, optimizer, average=0.7, **settings)
    average = taken[0]
    for weight in taken[1:]:
        average = 0.7 * average + 0.3 * weight
    kept = next(iter(model.parameters())).data
    np.testing.assert_allclose(kept, average, rtol=1e-5, atol=1e-6)
    assert parameters(model) == script.seen[-1]
    assert abs(kept - taken[-1]).max() > 1e-3


def test_the_loss_of_an_epoch_is_the_mean_over_its_samples():
    model, loader, optimizer = toy(batch_size=12)  # the last batch has 4
    seen: list[tuple[float, int]] = []

    def loss(output: Any, target: Any) -> Any:
        value = nn.CrossEntropyLoss()(output, target)
        seen.append((value.item(), len(target)))
        return value

    history = fit(model, loader, loss, optimizer, epochs=2, progress=False)
    assert [size for _, size in seen] == [12, 12, 12, 4] * 2
    means = [sum(value * size for value, size in part) / 40 for part in (seen[:4], seen[4:])]
    assert [record["loss"] for record in history.epochs] == pytest.approx(means, rel=1e-12)
    assert not model.training


def test_the_steps_are_those_of_a_plain_loop():
    model, loader, optimizer = toy()
    other, batches, sgd = toy()
    quiet(model, loader, optimizer, epochs=1)
    for inputs, target in batches:
        sgd.zero_grad()
        nn.CrossEntropyLoss()(other(inputs), target).backward()
        sgd.step()
    assert parameters(model) == parameters(other)


# ------------------------------------------------------------------------- the best epoch, stopping


@pytest.mark.parametrize(
    ("mode", "values", "best"),
    [
        ("max", [0.5, 0.9, 0.7, 0.9], 2),
        ("min", [0.5, 0.9, 0.3, 0.4], 3),
        ("min", [1, 1, 1, 1], 1),
        ("max", [np.float32(0.1), tm.tensor(0.2), np.array(0.7), 0.3], 3),
    ],
)
def test_the_model_ends_with_the_parameters_of_the_best_epoch(mode, values, best):
    model, loader, optimizer = toy()
    script = Script(*values)
    history = quiet(model, loader, optimizer, epochs=4, validate=script, monitor="score", mode=mode)
    assert history.best_epoch == best
    assert history.best_value == pytest.approx(float(values[best - 1]))
    assert parameters(model) == script.seen[best - 1]
    assert len({repr(seen) for seen in script.seen}) == 4
    assert not model.training


def test_without_validate_the_best_epoch_is_that_of_the_lowest_loss():
    model, loader, _ = toy()
    diverging = optim.SGD(model.parameters(), lr=30.0)
    history = quiet(model, loader, diverging, epochs=3)
    losses = [record["loss"] for record in history.epochs]
    assert history.best_value == min(losses)
    assert history.best_epoch == 1 + losses.index(min(losses))


def test_validate_sees_a_model_in_eval_mode_that_records_nothing():
    script = Script(1, 2)
    quiet(epochs=2, validate=script)
    assert script.modes == [(False, False)] * 2


@pytest.mark.parametrize(
    ("values", "patience", "epochs"),
    [([3, 2, 5, 4, 3, 2], 2, 4), ([3, 2, 5, 1, 3, 2], 2, 6), ([1, 2], 1, 2), ([1, 1], 1, 2)],
)
def test_it_stops_after_so_many_epochs_without_a_better_one(values, patience, epochs):
    history = quiet(epochs=6, validate=Script(*values), monitor="score", patience=patience)
    assert [record["score"] for record in history.epochs] == values[:epochs]


# ------------------------------------------------------------------------------------------ log


def test_the_log_has_a_line_of_json_for_each_epoch(tmp_path):
    history = quiet(folder=tmp_path / "new" / "run", validate=Script(0.5, math.nan, None))
    lines = (tmp_path / "new" / "run" / LOG).read_text().splitlines()
    assert list(map(json.loads, lines)) == history.epochs
    assert "NaN" not in "".join(lines)
    assert [record["epoch"] for record in history.epochs] == [1, 2, 3]
    assert [record["score"] for record in history.epochs] == [0.5, None, None]
    assert {record["lr"] for record in history.epochs} == {0.1}


def test_what_validate_returns_is_logged_as_json(tmp_path):
    found = {"ci": (0.1, np.float64(0.2)), "n": np.int64(3), "warnings": ["few"], "ok": np.True_}
    history = quiet(epochs=1, validate=lambda _: found, folder=tmp_path)
    logged = {"ci": [0.1, 0.2], "n": 3, "warnings": ["few"], "ok": True}
    assert history.epochs[0].items() >= logged.items()
    assert json.loads((tmp_path / LOG).read_text()) == history.epochs[0]


@pytest.mark.parametrize("value", [np.ones(3), object(), {1, 2}, [math.nan]], ids=range(4))
def test_what_is_not_json_is_refused(value):
    with pytest.raises(
        TypeError, match=r"fit: validate returns .* as auc, a number or another JSON"
    ):
        quiet(validate=lambda _: {"auc": value})


def test_a_name_that_the_log_has_already_is_refused():
    with pytest.raises(ValueError, match=r"validate returns loss, which the log has .* val_loss"):
        quiet(validate=lambda _: {"loss": 1.0})


def test_a_monitor_that_is_missing_names_what_there_is():
    with pytest.raises(KeyError, match="monitor='auc' is not among epoch, loss, lr, val_auc"):
        quiet(validate=lambda _: {"val_auc": 1.0}, monitor="auc")
    with pytest.raises(KeyError, match="monitor='val_auc' needs validate"):
        quiet(monitor="val_auc")


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "high", [1]], ids=repr)
def test_a_monitor_that_is_no_number_is_refused(value):
    with pytest.raises(AnomalyError, match=r"fit: auc is .* in epoch 2, a finite number expected"):
        quiet(validate=Script(0.5, value, name="auc"), monitor="auc")


# -------------------------------------------------------------------------------------- schedules


class Recorder(optim.SGD):
    """Notes the learning rate of each step."""

    rates: list[float]

    def step(self) -> None:
        self.rates.append(self.param_groups[0]["lr"])
        super().step()


def recorded(schedule: str) -> tuple[list[float], History]:
    model, loader, _ = toy(batch_size=20)
    optimizer = Recorder(model.parameters(), lr=0.8)
    optimizer.rates = []
    scheduler = optim.StepLR(optimizer, step_size=1, gamma=0.5)
    return optimizer.rates, quiet(
        model, loader, optimizer, scheduler=scheduler, schedule=schedule, epochs=2
    )


def test_the_scheduler_steps_after_each_batch_or_each_epoch():
    rates, history = recorded("batch")
    assert rates == [0.8, 0.4, 0.2, 0.1]
    assert [record["lr"] for record in history.epochs] == [0.2, 0.05]
    rates, history = recorded("epoch")
    assert rates == [0.8, 0.8, 0.4, 0.4]
    assert [record["lr"] for record in history.epochs] == [0.8, 0.4]


def test_a_plan_that_is_too_short_is_refused_before_training():
    model, loader, optimizer = toy()
    before = parameters(model)
    scheduler = optim.OneCycleLR(optimizer, 0.1, total_steps=14)
    with pytest.raises(
        ValueError, match="fit: 15 steps are to come, but OneCycleLR: step 15 of 14"
    ):
        quiet(model, loader, optimizer, scheduler=scheduler)
    assert parameters(model) == before
    scheduler = optim.OneCycleLR(optimizer, 0.1, total_steps=15)
    assert len(quiet(model, loader, optimizer, scheduler=scheduler).epochs) == 3


def test_a_plateau_is_told_of_the_monitor():
    model, loader, optimizer = toy()
    scheduler = optim.ReduceLROnPlateau(optimizer, mode="max", factor=0.5, patience=1)
    values = iter([0.5, 0.6, 0.6, 0.6, 0.6, 0.6])
    settings = {"monitor": "val", "mode": "max", "epochs": 6, "schedule": "epoch"}
    before = optimizer.param_groups[0]["lr"]
    history = quiet(
        model,
        loader,
        optimizer,
        scheduler=scheduler,
        validate=lambda model: {"val": next(values)},
        **settings,
    )
    rates = [record["lr"] / before for record in history.epochs]
    assert rates == [1, 1, 1, 1, 0.5, 0.5]
    with pytest.raises(ValueError, match="pass schedule='epoch'"):
        quiet(model, loader, optimizer, scheduler=scheduler)


# ------------------------------------------------------------------------------- gradients, errors


def test_clip_norm_limits_every_step():
    model, loader, _ = toy()
    steps: list[float] = []

    class Measured(optim.SGD):
        def step(self) -> None:
            squares = [float((p.grad.data.astype(float) ** 2).sum()) for p in self.parameters()]
            steps.append(math.sqrt(sum(squares)))
            super().step()

    quiet(model, loader, Measured(model.parameters(), lr=0.1), clip_norm=0.01, epochs=2)
    assert len(steps) == 10
    assert max(steps) <= 0.01 * (1 + 1e-5)
    assert min(steps) > 0.009


class Failing:
    """A loss that does something at its k-th call (from 1)."""

    def __init__(self, k: int, failure: Any) -> None:
        self.calls, self.k, self.failure = itertools.count(1), k, failure

    def __call__(self, output: Any, target: Any) -> Any:
        value = nn.CrossEntropyLoss()(output, target)
        return self.failure(value) if next(self.calls) == self.k else value


class KilledError(Exception):
    """The run is cut off."""


def kill(_: Any) -> Any:
    raise KilledError


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_names_epoch_and_batch(factor):
    model, loader, optimizer = toy()
    seen = []

    def spoil(value: Any) -> Any:
        seen.append(parameters(model))
        return value * factor

    with pytest.raises(AnomalyError, match=r"the loss is (nan|inf) in epoch 2, batch 3, a finite"):
        fit(model, loader, Failing(8, spoil), optimizer, epochs=3, progress=False)
    assert parameters(model) == seen[0]


def infinite_slope(value: Any) -> Any:
    """The same value, with a gradient that is not finite."""
    return value + ((value * 0) ** 0.5)


def fit_with_infinite_slope(model: nn.Module, words: str, **settings: Any) -> None:
    """Assert that a gradient with NaN in the third batch is found."""
    _, loader, _ = toy()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    loss = Failing(3, infinite_slope)
    with pytest.raises(AnomalyError, match=words), np.errstate(all="ignore"):
        fit(model, loader, loss, optimizer, epochs=1, progress=False, **settings)


def test_a_gradient_that_is_not_finite_never_reaches_a_checkpoint(tmp_path):
    words = "fit: 0.weight is not finite in epoch 1"
    fit_with_infinite_slope(toy()[0], words, folder=tmp_path, checkpoint_every=1)
    saved = serialization.load_tree(tmp_path / CHECKPOINT)
    assert saved["loader"]["batches_served"] == 2
    assert all(np.isfinite(array).all() for array in saved["model"].values())


def test_a_gradient_that_is_not_finite_is_found_where_it_is_clipped():
    model, _, _ = toy()
    words = "the norm of the gradients is nan in epoch 1, batch 3"
    fit_with_infinite_slope(model, words, clip_norm=1.0)
    assert all(np.isfinite(t.numpy()).all() for t in model.state_dict().values())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 0}, "epochs=0 is not positive"),
        ({"patience": 0}, "patience=0 is not positive"),
        ({"clip_norm": 0.0}, "clip_norm=0.0 is not positive"),
        ({"clip_norm": math.nan}, "clip_norm=nan is not positive"),
        ({"average": 1.0}, r"average=1.0 is not in \[0, 1\)"),
        ({"average": math.nan}, r"average=nan is not in \[0, 1\)"),
        ({"checkpoint_every": 0}, "checkpoint_every=0 is not positive"),
        ({"mode": "best"}, "mode='best' is not min or max"),
        ({"schedule": "step"}, "schedule='step' is not batch or epoch"),
        ({"resume": True}, "resume and checkpoint_every need the folder"),
        ({"checkpoint_every": 3}, "resume and checkpoint_every need the folder"),
    ],
    ids=str,
)
def test_arguments_out_of_range(settings, words):
    with pytest.raises(ValueError, match=f"fit: {words}"):
        quiet(**settings)


def test_an_epoch_is_a_whole_number():
    with pytest.raises(TypeError):
        quiet(epochs=2.5)


def test_a_loader_without_targets_is_refused():
    model, _, optimizer = toy()
    points, _ = blobs()
    for dataset in (TensorDataset(points), list(points)):
        with pytest.raises(TypeError, match=r"fit: the loader yields .* a tuple \(input, target"):
            quiet(model, DataLoader(dataset, 8), optimizer)


# --------------------------------------------------------------------- resuming, equal to the bit

EPOCHS, BATCHES = 4, 5


def network(rng: np.random.Generator) -> nn.Module:
    """A CNN in which everything happens that has a state of its own."""
    own = np.random.default_rng(int(rng.integers(99)))
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, activation="relu", generator=rng),
        nn.BatchNorm2d(3),
        nn.Dropout(0.3),  # draws from the default generator
        nn.Flatten(),
        nn.Dropout(0.1, generator=own),
        nn.Dropout(0.1, generator=own),  # the same one
        nn.Linear(3 * 4 * 4, 2, generator=rng),
    )


@dataclasses.dataclass
class Trained:
    """What is left of a run."""

    history: History
    model: dict[str, bytes]
    checkpoint: bytes
    log: bytes
    position: dict[str, Any]


def train(
    folder: Path,
    epochs: int = EPOCHS,
    *,
    seed: int = 0,
    loss: Any = None,
    workers: int = 0,
    **settings: Any,
) -> Trained:
    """Train in fresh objects; all that is drawn, even the first parameters, depends on ``seed``."""
    rng = np.random.default_rng(seed)
    tm.manual_seed(int(rng.integers(99)))
    model = network(rng)
    images = np.random.default_rng(5).normal(size=(18, 1, 6, 6)).astype(np.float32)
    labels = (images[:, 0, 2:4, 2:4].sum((1, 2)) > 0).astype(np.int64)
    loader = DataLoader(
        TensorDataset(images, labels),
        batch_size=4,
        shuffle=True,
        num_workers=workers,
        augment=Augment(rotate=20, shift=1, noise=0.1).on_image,
        generator=rng,
    )
    optimizer = optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    scheduler = optim.OneCycleLR(optimizer, 0.02, total_steps=EPOCHS * BATCHES)
    held_out = DataLoader(TensorDataset(images[::2], labels[::2]), batch_size=5)
    history = fit(
        model,
        loader,
        loss or nn.CrossEntropyLoss(),
        optimizer,
        epochs=epochs,
        scheduler=scheduler,
        validate=lambda m: {"val": float(np.square(predict(m, held_out)[0]).mean())},
        monitor="val",
        mode="max",
        clip_norm=1.0,
        average=0.8,
        folder=folder,
        progress=False,
        **settings,
    )
    return Trained(
        history,
        parameters(model),
        (folder / CHECKPOINT).read_bytes(),
        (folder / LOG).read_bytes(),
        random.generator_state(random.default_generator()),
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Trained:
    """The run that was never interrupted."""
    return train(tmp_path_factory.mktemp("whole"))


def test_another_seed_is_another_run(tmp_path, whole):
    other = train(tmp_path, seed=1)
    assert other.checkpoint != whole.checkpoint
    assert other.model != whole.model


def test_the_same_seed_is_the_same_run(tmp_path, whole):
    assert train(tmp_path, workers=2) == whole


def test_the_checkpoint_holds_all_that_is_compared(tmp_path, whole):
    (tmp_path / "file").write_bytes(whole.checkpoint)
    state = serialization.load_tree(tmp_path / "file")
    assert {k: v.tobytes() for k, v in state["best_state"].items()} == whole.model
    assert state["history"] == dataclasses.asdict(whole.history)
    assert state["generator"] == whole.position
    assert state["scheduler"]["last_epoch"] == EPOCHS * BATCHES
    assert state["loader"]["epoch"] == EPOCHS
    assert len(state["optimizer"]["state"]) == 6
    assert [e["step"] for e in state["optimizer"]["state"].values()] == [EPOCHS * BATCHES] * 6


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_resumed_between_epochs(tmp_path, whole, epochs):
    train(tmp_path, epochs)
    assert train(tmp_path, seed=7, resume=True) == whole


@pytest.mark.parametrize(
    ("every", "batch"),
    [(every, batch) for every in (1, 2, 5) for batch in (3, 6, 9, 10, 14, 20) if batch > every],
)
def test_killed_in_a_batch_and_resumed(tmp_path, whole, every, batch):
    with pytest.raises(KilledError):
        train(tmp_path, loss=Failing(batch, kill), checkpoint_every=every)
    resumed = train(tmp_path, seed=7, workers=batch % 3, resume=True, checkpoint_every=every)
    assert resumed == whole


def test_killed_again_and_again(tmp_path, whole):
    with pytest.raises(KilledError):
        train(tmp_path, loss=Failing(3, kill), checkpoint_every=1)
    for attempt in range(8):
        with pytest.raises(KilledError):
            train(tmp_path, seed=attempt, loss=Failing(3, kill), resume=True, checkpoint_every=1)
    assert train(tmp_path, seed=99, resume=True) == whole


def test_killed_while_the_checkpoint_is_written(tmp_path, whole, monkeypatch):
    replace, calls = os.replace, itertools.count(1)

    def cut_off(*paths: Any) -> None:
        if next(calls) == 7:
            raise KilledError
        replace(*paths)

    monkeypatch.setattr(os, "replace", cut_off)
    with pytest.raises(KilledError):
        train(tmp_path, checkpoint_every=1)
    monkeypatch.undo()
    assert sorted(p.name for p in tmp_path.iterdir()) == [CHECKPOINT, LOG]
    assert train(tmp_path, seed=7, resume=True) == whole


def test_a_resumed_epoch_counts_its_batches_on(tmp_path):
    with pytest.raises(KilledError):
        train(tmp_path, loss=Failing(9, kill), checkpoint_every=3)  # saved: 3 of epoch 2
    spoiled = Failing(1, lambda value: value * math.nan)
    with pytest.raises(AnomalyError, match="in epoch 2, batch 4, a finite"):
        train(tmp_path, loss=spoiled, resume=True, checkpoint_every=3)


def test_a_run_that_is_complete_stays_as_it_is(tmp_path, whole):
    train(tmp_path)
    again = train(tmp_path, seed=7, resume=True)
    assert again == whole


def in_a_process(folder: Path, *batch: str) -> int:
    done = subprocess.run(
        [sys.executable, "-W", "error", __file__, str(folder), *batch], timeout=60, check=False
    )
    return done.returncode


def test_killed_and_resumed_in_fresh_processes(tmp_path, whole):
    assert in_a_process(tmp_path, "13") == 9
    assert len((tmp_path / LOG).read_text().splitlines()) == 2
    assert in_a_process(tmp_path) == 0
    assert (tmp_path / CHECKPOINT).read_bytes() == whole.checkpoint
    assert (tmp_path / LOG).read_bytes() == whole.log


# ------------------------------------------------------------------------ resuming what cannot be


def state_of(*objects: Any) -> list[Any]:
    """All that model, loader and optimizer hold."""
    states = [thing.state_dict() for thing in objects]
    model = {name: tensor.numpy().tobytes() for name, tensor in states[0].items()}
    return [model, *map(repr, states[1:])]


def refused(folder: Path, words: str, *objects: Any, **settings: Any) -> None:
    """Assert that resuming raises `CheckpointError`, and that nothing is lost or changed by it."""
    tm.manual_seed(3)
    objects = objects or toy()
    before = state_of(*objects), random.generator_state(random.default_generator())
    files = {p.name: p.read_bytes() for p in folder.iterdir()} if folder.exists() else None
    with pytest.raises(CheckpointError, match=words):
        quiet(*objects, folder=folder, resume=True, **settings)
    assert (state_of(*objects), random.generator_state(random.default_generator())) == before
    assert files == (
        {p.name: p.read_bytes() for p in folder.iterdir()} if folder.exists() else None
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    """A run of the toy problem."""
    quiet(folder=tmp_path)
    return tmp_path


def test_there_is_no_checkpoint(tmp_path):
    refused(tmp_path, "fit: there is no checkpoint .* to resume from")
    refused(tmp_path / "nowhere", "fit: there is no checkpoint")
    (tmp_path / LOG).write_text("of something else\n")
    refused(tmp_path, "fit: there is no checkpoint")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "text", "foreign", "no tree"])
def test_a_damaged_checkpoint(folder, damage):
    path = folder / CHECKPOINT
    content = bytearray(path.read_bytes())
    content[-5] ^= damage == "flipped"
    path.write_bytes(content[:-3] if damage == "truncated" else content)
    if damage == "text":
        path.write_text("no checkpoint")
    if damage == "foreign":
        path.write_bytes(serialization.render({"w": np.ones(2)}))
    if damage == "no tree":
        tm.save({"w": np.ones(2)}, path)
    refused(folder, "load")


def test_the_checkpoint_of_another_model(folder):
    _, loader, _ = toy()
    for other in (nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 9), nn.Linear(9, 2))):
        optimizer = optim.SGD(other.parameters(), lr=0.1)
        refused(folder, "does not belong to this run: load_state_dict", other, loader, optimizer)


def test_the_checkpoint_of_another_data_set_or_batch_size(folder):
    for size, n in ((7, 40), (8, 39)):
        model, _, optimizer = toy()
        loader = DataLoader(TensorDataset(*(part[:n] for part in blobs())), size)
        refused(folder, "does not belong to this run: DataLoader", model, loader, optimizer)


def test_the_checkpoint_of_other_settings(folder):
    model, loader, optimizer = toy()
    adam = optim.Adam(model.parameters())
    refused(folder, "made with optimizer: SGD, now Adam$", model, loader, adam)
    refused(folder, "made with mode: min, now max$", mode="max")
    refused(folder, "made with monitor: loss, now auc$", monitor="auc", validate=Script())
    scheduler = optim.StepLR(optimizer, 1)
    refused(folder, "scheduler: None, now StepLR", model, loader, optimizer, scheduler=scheduler)
    groups = [{"params": list(layer.parameters())} for layer in model]
    split = optim.SGD(groups, lr=0.1)
    refused(folder, "does not belong to this run: SGD", model, loader, split)


def test_the_checkpoint_of_a_run_that_was_asked_for_something_else(tmp_path):
    quiet(folder=tmp_path, asked={"seed": "0", "data": "ab"})
    whole = (tmp_path / CHECKPOINT).read_bytes()
    refused(tmp_path, "made with data: ab, now None; seed: 0, now 1$", asked={"seed": "1"})
    refused(tmp_path, "made with data: ab, now None; seed: 0, now None$")
    quiet(folder=tmp_path, resume=True, asked={"seed": "0", "data": "ab"})
    assert (tmp_path / CHECKPOINT).read_bytes() == whole


def test_a_run_that_was_stopped_before_its_first_checkpoint(tmp_path):
    begun, whole = tmp_path / "begun", train(tmp_path / "whole", seed=7)
    begun.mkdir()
    (begun / LOG).touch()
    with pytest.raises(FileExistsError, match="the log of a run, which may be in progress"):
        quiet(folder=begun)
    assert not (begun / CHECKPOINT).exists()
    assert train(begun, seed=7, resume=True) == whole


def test_a_run_is_not_overwritten(folder):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(FileExistsError, match="holds the checkpoint of a run; resume it, or"):
        quiet(folder=folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_more_epochs_can_be_asked_for(folder):
    model, loader, optimizer = toy()
    history = quiet(model, loader, optimizer, folder=folder, resume=True, epochs=5)
    whole = quiet(epochs=5)
    assert history == whole


def test_a_run_that_stopped_early_stays_stopped(tmp_path):
    settings = {"monitor": "score", "patience": 2, "folder": tmp_path, "epochs": 9}
    first = quiet(validate=Script(1, 2, 3), **settings)
    again = quiet(validate=Script(), resume=True, **settings)
    assert first == again
    assert len(first.epochs) == 3


def test_a_loader_that_was_left_begins_a_new_epoch():
    model, loader, optimizer = toy()
    with pytest.raises(KilledError):
        fit(model, loader, Failing(3, kill), optimizer, epochs=1, progress=False)
    seen: list[int] = []
    model, _, optimizer = toy()
    count = Failing(0, None)
    fit(
        model,
        loader,
        lambda y, t: seen.append(len(t)) or count(y, t),
        optimizer,
        epochs=1,
        progress=False,
    )
    assert seen == [8] * 5


# --------------------------------------------------------------------------- predict and evaluate


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))


def test_predict_returns_all_columns_in_order():
    points, labels = blobs()
    patients = [f"patient {i // 4}" for i in range(40)]
    samples = list(zip(points, labels, patients, strict=True))
    model, _, _ = toy()
    outputs, targets, groups = predict(model, DataLoader(samples, batch_size=12))
    with tm.no_grad():
        np.testing.assert_allclose(outputs, model(tm.Tensor(points)).numpy(), rtol=1e-5)
    assert targets.tolist() == labels.tolist()
    assert groups.tolist() == patients


def test_predict_takes_inputs_alone():
    points, _ = blobs()
    model, _, _ = toy()
    (whole,) = predict(model, DataLoader(TensorDataset(points), batch_size=40))
    (outputs,) = predict(model, DataLoader(list(points), batch_size=40))
    assert outputs.shape == (40, 2)
    assert outputs.tobytes() == whole.tobytes()


def test_predict_restores_the_mode_of_each_module_even_after_an_error():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5)))
    model[2].eval()
    modes = [module.training for module in model.modules()]
    assert modes == [True, True, True, False, False]
    _, loader, _ = toy()
    first, second = predict(model, loader)[0], predict(model, loader)[0]
    assert first.tobytes() == second.tobytes()  # nothing was dropped
    assert [module.training for module in model.modules()] == modes
    with pytest.raises(ValueError, match="linear"):
        predict(model, DataLoader(list(np.ones((3, 5), np.float32))))
    assert [module.training for module in model.modules()] == modes


def test_predict_records_nothing():
    model, loader, _ = toy()
    recorded = []
    model.register_forward_hook(lambda *given: recorded.append(given[2].requires_grad))
    predict(model, loader)
    assert recorded == [False] * 5


def test_evaluate_measures_the_whole_data_set():
    model, loader, _ = toy(batch_size=7)
    result = evaluate(model, loader, BinaryMetrics(), sigmoid, threshold=0.4, resamples=0)
    outputs, labels = predict(model, loader)
    chosen = sigmoid(outputs) >= 0.4
    positives, negatives = sigmoid(outputs)[labels == 1], sigmoid(outputs)[labels == 0]
    pairs = np.sign(positives[:, None] - negatives[None]).mean()
    assert result["n"] == 40
    assert result["accuracy"] == pytest.approx((chosen == labels).mean())
    assert result["auc"] == pytest.approx((1 + pairs) / 2)
    assert result["auc_ci"] is None


def test_evaluate_passes_the_patients_on():
    points, labels = blobs()
    loader = DataLoader(TensorDataset(points, labels, np.arange(40) // 4), batch_size=16)
    model, _, _ = toy()
    metrics = BinaryMetrics()
    evaluate(model, loader, metrics, sigmoid, resamples=0)
    assert metrics.groups.tolist() == (np.arange(40) // 4).tolist()


def test_evaluate_refuses_metrics_that_hold_cases_and_loaders_of_other_parts():
    model, loader, _ = toy()
    metrics = BinaryMetrics()
    evaluate(model, loader, metrics, sigmoid, resamples=0)
    with pytest.raises(ValueError, match=r"hold 80 cases, the loader yields 40; .* BinaryMetrics"):
        evaluate(model, loader, metrics, sigmoid, resamples=0)
    points, labels = blobs()
    for parts in ((points,), (points, labels, labels, labels)):
        with pytest.raises(ValueError, match=f"evaluate: the loader yields {len(parts)} parts"):
            evaluate(model, DataLoader(TensorDataset(*parts), 8), BinaryMetrics(), sigmoid)


# --------------------------------------------------------------------------------------- progress


class Terminal(io.StringIO):
    """A text file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(params=["rich", "plain"])
def terminal(request, monkeypatch) -> Terminal:
    """A terminal, with and without rich."""
    if request.param == "rich":
        pytest.importorskip("rich.progress", reason="the bar of tinymed[cli]")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "120")
    else:
        for name in ("rich", "rich.progress", "rich.console"):
            monkeypatch.setitem(sys.modules, name, None)
    return Terminal()


def test_a_bar_on_a_terminal_and_a_line_per_epoch(terminal):
    with contextlib.redirect_stderr(terminal):
        quiet(progress=True, epochs=2, validate=Script(0.25, 0.5))
        assert sys.stderr is terminal
    text = terminal.getvalue()
    assert "epoch 1/2" in text
    assert "loss 0." in text
    lines = [line for line in text.replace("\r", "\n").splitlines() if " s)" in line]
    assert len(lines) == 2
    assert "score 0.25" in lines[0]
    assert "score 0.5" in lines[1]


def test_the_bar_is_gone_after_an_error(terminal):
    model, loader, optimizer = toy()
    with contextlib.redirect_stderr(terminal):
        with pytest.raises(KilledError):
            fit(model, loader, Failing(3, kill), optimizer, epochs=1)
        assert sys.stderr is terminal
    assert "epoch 1/1" in terminal.getvalue()
    assert terminal.getvalue().endswith(("\r\033[K", "\033[2K", "\033[?25h"))


def test_no_bar_where_there_is_no_terminal(capfd):
    quiet(progress=True)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert [line.split(":")[0] for line in captured.err.splitlines()] == [
        "epoch 1/3",
        "epoch 2/3",
        "epoch 3/3",
    ]
    assert "\r" not in captured.err
    assert "\033" not in captured.err


def test_nothing_is_written_without_progress(capfd, terminal, tmp_path):
    with contextlib.redirect_stderr(terminal):
        quiet(progress=False, folder=tmp_path, checkpoint_every=2)
    assert terminal.getvalue() == ""
    assert capfd.readouterr() == ("", "")


if __name__ == "__main__":
    place, *at = sys.argv[1:]
    deadly = Failing(int(at[0]), lambda _: os._exit(9)) if at else None
    train(Path(place), seed=0 if at else 7, loss=deadly, resume=not at, checkpoint_every=2)
