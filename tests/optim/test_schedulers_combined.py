"""Plans made of plans, and the one that watches a metric."""

import math
from typing import Any

import numpy as np
import pytest

from tinymed import optim
from tinymed.nn import Parameter


def optimizer(*rates: float, kind: str = "SGD", **settings: Any) -> Any:
    groups = [{"params": Parameter(np.ones(1)), "lr": lr} for lr in rates or (0.1,)]
    return getattr(optim, kind)(groups, **settings)


def rates(scheduler: Any, steps: int) -> list[float]:
    """Return the first group's rate at each step."""
    found = []
    for _ in range(steps):
        found.append(scheduler.get_last_lr()[0])
        scheduler.step()
    return found


# ----------------------------------------------------------------------------- plans made of plans


def test_what_cannot_be_combined() -> None:
    made, other = optimizer(1.0), optimizer(1.0)
    step, foreign = optim.StepLR(made, 3), optim.StepLR(other, 3)
    plateau = optim.ReduceLROnPlateau(made)
    cases: list[tuple[Any, type[Exception], str]] = [
        (lambda: optim.ChainedScheduler([]), ValueError, "ChainedScheduler: no schedulers"),
        (lambda: optim.ChainedScheduler([step, foreign]), ValueError, "1 is of another optimizer"),
        (lambda: optim.ChainedScheduler([step], other), ValueError, "0 is of another optimizer"),
        (lambda: optim.ChainedScheduler([step, plateau]), ValueError, "1 is ReduceLROnPlateau"),
        (lambda: optim.ChainedScheduler([step, 3]), TypeError, "scheduler 1 is int"),
        (lambda: optim.SequentialLR(made, [], []), ValueError, "SequentialLR: no schedulers"),
        (
            lambda: optim.SequentialLR(made, [step], [3]),
            ValueError,
            "1 milestones for 1 schedulers",
        ),
        (lambda: optim.SequentialLR(other, [step], []), ValueError, "is of another optimizer"),
        (
            lambda: optim.SequentialLR(made, [step, step, step], [5, 3]),
            ValueError,
            r"milestones=\[5, 3\] do not ascend",
        ),
    ]
    for call, kind, words in cases:
        with pytest.raises(kind, match=words):
            call()


def test_combined_plans_nest() -> None:
    """A chain as a part of a sequence, restarted at its milestone."""
    made = optimizer(1.0)
    chain = optim.ChainedScheduler(
        [optim.ConstantLR(made, 0.5, 2), optim.ExponentialLR(made, gamma=0.5)]
    )
    hold = optim.ConstantLR(made, 0.125, 9)
    plan = optim.SequentialLR(made, [hold, chain], [2])
    assert rates(plan, 6) == [0.125, 0.125, 0.5, 0.25, 0.25, 0.125]


def test_the_momentum_of_the_plan_that_is_running_is_loaded() -> None:
    """Not that of one that has ended, nor of one that is to come."""

    def make() -> Any:
        made = optimizer(1.0, momentum=0.5)
        cycles = [
            optim.CyclicLR(made, 0.1, 1.0, 3, base_momentum=low, max_momentum=low + 0.2)
            for low in (0.1, 0.4, 0.7)
        ]
        return made, optim.SequentialLR(made, cycles, [4, 8])

    for steps in (2, 6, 10):
        made, plan = make()
        for _ in range(steps):
            plan.step()
        other, again = make()
        again.load_state_dict(plan.state_dict())
        for _ in range(3):
            assert other.param_groups == [
                {**made.param_groups[0], "params": other.param_groups[0]["params"]}
            ]
            plan.step()
            again.step()


def test_how_far_a_plan_goes() -> None:
    made = optimizer(1.0, momentum=0.9)
    cycle = optim.OneCycleLR(made, 1.0, total_steps=5)
    cycle.check_step(5)
    flat = optim.ConstantLR(made, 1.0, 1)
    for plan, last in (
        (cycle, 5),
        (optim.ChainedScheduler([flat, cycle]), 5),
        (optim.SequentialLR(made, [flat, cycle], [3]), 8),
    ):
        plan.check_step(last)
        with pytest.raises(ValueError, match="step 6 of 5; the plan is over"):
            plan.check_step(last + 1)
    too_late = optim.SequentialLR(made, [cycle, flat], [9])
    too_late.check_step(5)
    with pytest.raises(ValueError, match="the plan is over"):
        too_late.check_step(20)
    with pytest.raises(ValueError, match="ReduceLROnPlateau: its rates depend on metrics"):
        optim.ReduceLROnPlateau(made).check_step(1)


# ---------------------------------------------------------------------------------------- plateau


def test_plateau_by_hand() -> None:
    plan = optim.ReduceLROnPlateau(optimizer(1.0), patience=1, factor=0.5, cooldown=1)
    found = []
    for metric in (5.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.0, 3.0):
        plan.step(metric)
        found += plan.get_last_lr()
    assert found == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert plan.best == 3.0


@pytest.mark.parametrize("metric", [math.nan, math.inf, -math.inf])
def test_a_metric_that_means_nothing(metric: float) -> None:
    plan = optim.ReduceLROnPlateau(optimizer(1.0))
    before = plan.state_dict()
    with pytest.raises(ValueError, match=r"ReduceLROnPlateau: metrics=.* is not a finite number"):
        plan.step(metric)
    with pytest.raises(TypeError, match="ReduceLROnPlateau: step needs the metric"):
        plan.step()
    assert plan.state_dict() == before


def test_a_metric_may_be_a_tensor() -> None:
    plan = optim.ReduceLROnPlateau(optimizer(1.0))
    plan.step(Parameter(np.array(0.25)))
    assert plan.best == 0.25


def test_what_is_no_state_is_refused() -> None:
    one = optimizer()
    plan = optim.StepLR(one, 2)
    chained, sequence = optim.ChainedScheduler([plan]), optim.SequentialLR(one, [plan], [])
    for given in (plan, chained, sequence, optim.ReduceLROnPlateau(one)):
        for wrong, has in ((None, "NoneType"), ({}, "nothing"), ({"model": 1, "a": 2}, "model, a")):
            words = rf"^{type(given).__name__}: the state has no last_epoch, .*, but {has}; load "
            with pytest.raises(ValueError, match=words):
                given.load_state_dict(wrong)
    for given in (chained, sequence):
        state = {"last_epoch": 3, "schedulers": [plan.state_dict()] * 2}
        with pytest.raises(ValueError, match="the state is of 2 schedulers, expected 1"):
            given.load_state_dict(state)
        assert given.last_epoch == 0
