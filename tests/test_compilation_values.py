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
