"""`compile` and values that the first two calls cannot tell apart from constants."""

import copy
from typing import Any

import numpy as np
import pytest

import tinymed as tm
from tinymed import nn, optim

pytest.importorskip("numba")

RNG = np.random.default_rng(0)


class Classifier(nn.Module):
    """A recurrent layer that is told the lengths of its sequences, and what the last step says."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.layer, self.last = getattr(nn, kind)(3, 4), nn.Linear(4, 2)

    def forward(self, x: Any, lengths: Any) -> Any:
        _, state = self.layer(x, lengths=lengths)
        return self.last((state[0] if isinstance(state, tuple) else state)[-1])


def pair(model: nn.Module, **settings: Any) -> tuple[Any, Any]:
    """Return a step of a model, and the compiled step of a copy of it; the target comes last."""
    steps = []
    for network in (model, copy.deepcopy(model)):
        optimizer = optim.SGD(network.parameters(), lr=0.5, momentum=0.9)
        loss_of = nn.CrossEntropyLoss(**settings)

        def step(
            *given: Any, network: Any = network, optimizer: Any = optimizer, loss_of: Any = loss_of
        ) -> Any:
            optimizer.zero_grad()
            loss = loss_of(network(*given[:-1]), given[-1])
            loss.backward()
            optimizer.step()
            return loss

        steps.append(step)
    return steps[0], tm.compile(steps[1])


def draw(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


def check_equal(eager: Any, compiled: Any, *given: Any) -> None:
    expected, found = (step(*map(tm.Tensor, given)).item() for step in (eager, compiled))
    assert found == pytest.approx(expected, rel=1e-5)


def programs(compiled: Any) -> list[bool]:
    return [plan.program is not None for plan in compiled.plans.values()]


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_lengths_that_change_later_are_not_those_of_the_first_calls(kind: str) -> None:
    tm.manual_seed(0)
    eager, compiled = pair(Classifier(kind))
    target = RNG.integers(0, 2, 3)
    for _ in range(4):
        check_equal(eager, compiled, draw(5, 3, 3), np.array([5, 3, 2]), target)
    assert programs(compiled) == [True]
    for lengths in ([2, 1, 5], [5, 5, 1]):
        with pytest.raises(tm.CompileError, match="two runs of the step made different calls"):
            compiled(draw(5, 3, 3), np.array(lengths), target)
        assert programs(compiled) == [False]


def test_what_is_made_of_an_input_that_changes_later_is_noticed() -> None:
    """Batches sorted by class, of labels that have to be converted first."""
    eager, compiled = pair(nn.Linear(3, 2))
    for _ in range(4):
        check_equal(eager, compiled, draw(4, 3), np.zeros(4, np.int32))
    with pytest.raises(tm.CompileError, match=r"an array \(4,\) int64 of the step is made by Pyth"):
        compiled(draw(4, 3), np.ones(4, np.int32))


def test_an_input_that_nothing_reads_may_change_later() -> None:
    eager, compiled = pair(nn.Linear(3, 2))
    known = []
    for target in (0, 0, 0, 1, 1, 0, 1):
        check_equal(eager, compiled, draw(4, 3), np.full(4, target))
        known.append(*programs(compiled))
    (plan,) = compiled.plans.values()
    assert known == [False, True, True, True, True, True, True]
    assert plan.unchanged == []


@pytest.mark.parametrize("ignored", [1, -100])
def test_a_class_that_is_ignored_later_does_not_count(ignored: int) -> None:
    eager, compiled = pair(nn.Linear(3, 3), ignore_index=ignored)
    seen: list[type] = []
    for call in range(4):
        target = np.array([0, call % 2 * 2, ignored if call == 3 else 0, 2])
        try:
            check_equal(eager, compiled, draw(4, 3), target)
        except (tm.CompileError, IndexError) as error:
            seen.append(type(error))
    assert seen == ([IndexError] if ignored == -100 else [tm.CompileError] * 4)


@pytest.mark.parametrize("change", ["freeze", "state", "replace"])
def test_what_changes_between_the_first_two_calls_begins_anew(change: str) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    loss_of = nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    compiled = tm.compile(step)
    compiled(draw(4, 3), RNG.integers(0, 2, 4))
    if change == "freeze":
        model[0].weight.requires_grad_(False)
    elif change == "state":
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    else:
        model[0].weight.data = model[0].weight.data * 2
    for known in ([False], [True], [True]):
        compiled(draw(4, 3), RNG.integers(0, 2, 4))
        assert programs(compiled) == known


def add_hook(model: Any) -> None:
    model[1].register_forward_hook(lambda layer, inputs, output: output * output)


def add_pre_hook(model: Any) -> None:
    model[1].register_forward_pre_hook(lambda layer, inputs: inputs[0] * inputs[0])


CHANGES: dict[str, Any] = {
    "p of dropout": lambda model: setattr(model[3], "p", 0.1),
    "slope": lambda model: setattr(model[1], "negative_slope", 0.5),
    "eps": lambda model: setattr(model[2], "eps", 1.0),
    "layer": lambda model: model.__setitem__(1, nn.Tanh()),
    "forward": lambda model: setattr(model[1], "forward", nn.functional.tanh),
    "hook": add_hook,
    "pre-hook": add_pre_hook,
}


@pytest.mark.parametrize("name", CHANGES)
def test_settings_and_hooks_that_change_between_the_calls_count(name: str) -> None:
    tm.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(3, 8), nn.LeakyReLU(), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2)
    )
    models = model, copy.deepcopy(model)
    steps = []
    for network in models:
        optimizer = optim.SGD(network.parameters(), lr=0.1)

        def step(x: Any, y: Any, network: Any = network, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(network(x), y)
            loss.backward()
            optimizer.step()
            return loss

        steps.append(step)
    eager, compiled = steps[0], tm.compile(steps[1])
    for call in range(7):
        if call == 3:
            assert programs(compiled) == [True]
            for network in models:
                CHANGES[name](network)
        x, y = tm.Tensor(draw(4, 3)), tm.Tensor(draw(4, 2))
        losses = []
        for step in (eager, compiled):
            tm.manual_seed(call)
            losses.append(step(x, y).item())
        assert losses[1] == pytest.approx(losses[0], rel=1e-4), call
    assert programs(compiled) == [True]


def test_a_hook_on_a_gradient_is_run_or_refused() -> None:
    model = nn.Linear(3, 2)
    eager, compiled = pair(model)
    for _ in range(3):
        check_equal(eager, compiled, draw(4, 3), RNG.integers(0, 2, 4))
    plan = next(iter(compiled.plans.values()))
    weight = next(leaf for leaf, *_ in plan.premises.leaves if leaf.ndim == 2)
    seen: list[Any] = []
    handle = weight.register_hook(seen.append)
    compiled(draw(4, 3), RNG.integers(0, 2, 4))
    assert len(seen) == 1
    handle.remove()
    compiled(draw(4, 3), RNG.integers(0, 2, 4))
    assert len(seen) == 1


@pytest.mark.parametrize("change", ["state", "parameters"])
def test_what_an_optimizer_works_on_counts(change: str) -> None:
    """Its state may be cleared, its group may be given other parameters."""
    inputs, found = [draw(4, 3) for _ in range(7)], []
    for made in (lambda step: step, tm.compile):
        tm.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
        optimizer = optim.SGD(model[0].parameters(), lr=0.1, momentum=0.9)

        def step(x: Any, model: Any = model, optimizer: Any = optimizer) -> Any:
            model.zero_grad()
            loss = nn.functional.mse_loss(model(x), x)
            loss.backward()
            optimizer.step()
            return loss

        run = made(step)
        for call, x in enumerate(inputs):
            if call == 4 and change == "state":
                optimizer.state.clear()
            elif call == 4:
                optimizer.param_groups[0]["params"] = [*model[2].parameters()]
            run(tm.Tensor(x))
        found.append([parameter.data for parameter in model.parameters()])
    for eager, compiled in zip(*found, strict=True):
        np.testing.assert_allclose(compiled, eager, rtol=1e-4, atol=1e-6)
