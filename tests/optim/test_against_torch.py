"""Optimizers, schedulers and clipping follow the paths that PyTorch has stored."""

import copy
import inspect
from pathlib import Path as File
from typing import Any

import numpy as np
import pytest

from tests.torch_results.stored import fingerprint, read
from tests.torch_results.trajectories import (
    LOOKED_AT,
    PATHS,
    SHAPES,
    STEPS,
    follow,
    gradients,
    limit,
    make,
)
from tinymed import optim
from tinymed.row_gradient import RowGradient
from tinymed.serialization import load_tree, save_tree
from tinymed.tensor import Tensor

STORED, FACTS = read("optimizers")
GIVEN = STORED["all"]
EXACT: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-8}
BASES = (optim.Optimizer, optim.LRScheduler)  # the classes that others are made from


class Training:
    """Three parameters, their optimizer and its scheduler, on one of the paths."""

    def __init__(self, name: str, dtype: str = "float64", start: Any = None) -> None:
        starts = start or [GIVEN[f"start{i}"] for i in range(len(SHAPES))]
        self.path = PATHS[name]
        self.params = [Tensor(np.array(array, dtype), requires_grad=True) for array in starts]
        self.noise = [GIVEN[f"noise{i}"].astype(dtype) for i in range(len(SHAPES))]
        self.optimizer, self.scheduler = make(self.path, self.params, optim, optim)

    def give_gradients(self, step: int) -> float:
        """Set each parameter's gradient, clip them, and return their norm."""
        arrays = [p.data for p in self.params]
        found = gradients(step, self.path, arrays, self.noise, RowGradient)
        for param, gradient in zip(self.params, found, strict=True):
            dense = not isinstance(gradient, RowGradient | None)
            param.grad = Tensor(np.asarray(gradient)) if dense else gradient
        return limit(self.path, self.params, optim)

    def run(self, steps: range) -> Any:
        """Return parameters, rates and norms after each step."""
        found = list(
            follow(steps, self.params, self.optimizer, self.scheduler, self.give_gradients)
        )
        return tuple(zip(*found, strict=True))

    def state(self) -> dict[str, Any]:
        """Return what the next run needs to go on."""
        return {
            "params": [p.data for p in self.params],
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler and self.scheduler.state_dict(),
        }


@pytest.mark.parametrize("name", PATHS)
def test_the_stored_paths_belong_to_the_table(name: str) -> None:
    assert FACTS["entries"].get(name) == fingerprint(PATHS[name]), (
        f"{name}: the table has changed; run python -m tests.torch_results.make optimizers"
    )


def test_everything_exported_has_a_path() -> None:
    used = {path.optimizer for path in PATHS.values()} | {path.scheduler for path in PATHS.values()}
    exported = {name: getattr(optim, name) for name in optim.__all__}
    classes = {n for n, kind in exported.items() if isinstance(kind, type) and kind not in BASES}
    assert {name for name in classes if issubclass(exported[name], BASES)} <= used
    assert {len(path.clip) for path in PATHS.values() if path.clip} == {1, 2}  # by value, by norm
    assert set(STORED) == {"all", *FACTS["entries"]} == {"all", *PATHS}


SETTINGS = {"weight_decay": 0, "maximize": False, "decoupled_weight_decay": False}


@pytest.mark.parametrize("kind", sorted({path.optimizer for path in PATHS.values()}))
def test_what_every_optimizer_has_is_on_a_path_of_each(kind: str) -> None:
    """Weight decay, maximize, two groups, wherever the constructor has them."""
    paths = [path for path in PATHS.values() if path.optimizer == kind]
    arguments = inspect.signature(getattr(optim, kind).__init__).parameters
    for name, usual in SETTINGS.items():
        if name in arguments:
            assert any(p.settings.get(name, usual) != usual for p in paths), name
    assert any(path.second for path in paths)


@pytest.mark.parametrize("name", PATHS)
def test_path(name: str) -> None:
    params, rates, norms = Training(name).run(range(STEPS))
    for i in range(len(SHAPES)):
        found = np.stack([params[step][i] for step in LOOKED_AT])
        np.testing.assert_allclose(found, STORED[name][f"param{i}"], **EXACT)
    if PATHS[name].scheduler:
        np.testing.assert_allclose(rates, STORED[name]["rates"], **EXACT)
    if PATHS[name].clip:
        np.testing.assert_allclose(norms, STORED[name]["norms"], **EXACT)


@pytest.mark.parametrize("name", PATHS)
def test_float32_stays_float32(name: str) -> None:
    """Rounding at each of 50 steps moves a path by no more than some 50 eps of its length."""
    training = Training(name, "float32")
    params, _, _ = training.run(range(STEPS))
    for i in range(len(SHAPES)):
        assert training.params[i].dtype == np.float32
        found = np.stack([params[step][i] for step in LOOKED_AT])
        expected = STORED[name][f"param{i}"]
        allowed = 50 * np.finfo(np.float32).eps * max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)
    for entries in training.optimizer.state.values():
        assert {e.dtype for e in entries.values() if hasattr(e, "dtype")} <= {np.dtype("float32")}


@pytest.mark.parametrize(("dtype", "through_file"), [("float32", True), ("float64", False)])
@pytest.mark.parametrize("name", PATHS)
def test_resume(name: str, dtype: str, through_file: bool, tmp_path: File) -> None:
    """Stopped after 20 steps and gone on with in fresh objects: the same bits after 50."""
    whole = Training(name, dtype)
    whole.run(range(STEPS))
    first = Training(name, dtype)
    first.run(range(20))
    state = first.state()
    if through_file:
        save_tree(state, tmp_path / "training.safetensors")
        state = load_tree(tmp_path / "training.safetensors")
    else:
        state = copy.deepcopy(state)
    first.run(range(20, 25))  # what was saved must not change with it

    second = Training(name, dtype, start=state["params"])
    second.optimizer.load_state_dict(state["optimizer"])
    if second.scheduler is not None:
        second.scheduler.load_state_dict(state["scheduler"])
    second.run(range(20, STEPS))
    for one, other in zip(whole.params, second.params, strict=True):
        np.testing.assert_array_equal(one.data, other.data, strict=True)
    assert repr(whole.optimizer) == repr(second.optimizer)
    assert set(whole.optimizer.state) == set(second.optimizer.state)
    for number, entries in whole.optimizer.state.items():
        for key, value in entries.items():
            np.testing.assert_array_equal(value, second.optimizer.state[number][key])
