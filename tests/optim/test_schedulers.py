"""Learning-rate plans: the ends of their ranges, and what they refuse."""

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


def test_step_lr_by_hand() -> None:
    found = rates(optim.StepLR(optimizer(0.8), 3, gamma=0.5), 8)
    assert found == [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2]


def test_cosine_by_hand() -> None:
    """Half a wave down in T_max steps and half a wave up again."""
    found = rates(optim.CosineAnnealingLR(optimizer(1.0), 2, eta_min=0.2), 6)
    np.testing.assert_allclose(found, [1.0, 0.6, 0.2, 0.6, 1.0, 0.6])


def test_one_cycle_by_hand() -> None:
    plan = optim.OneCycleLR(
        made := optimizer(momentum=0.5),
        max_lr=1.0,
        total_steps=10,
        pct_start=0.5,
        anneal_strategy="linear",
        div_factor=5.0,
        final_div_factor=2.0,
    )
    assert made.param_groups[0]["momentum"] == 0.95
    expected = [0.2, 0.4, 0.6, 0.8, 1.0, 0.82, 0.64, 0.46, 0.28, 0.1]
    np.testing.assert_allclose(rates(plan, 10), expected)


@pytest.mark.parametrize("cycle_momentum", [False, True])
def test_one_cycle_ends(cycle_momentum: bool) -> None:
    made = optimizer(momentum=0.5)
    plan = optim.OneCycleLR(made, 0.1, total_steps=4, cycle_momentum=cycle_momentum)
    for _ in range(4):
        plan.step()
    before = plan.state_dict(), made.param_groups[0]["lr"], made.param_groups[0]["momentum"]
    with pytest.raises(ValueError, match="step 5 of 4; the plan is over"):
        plan.step()
    after = plan.state_dict(), made.param_groups[0]["lr"], made.param_groups[0]["momentum"]
    assert after == before


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize(("steps", "part"), [(10, 0.1), (4, 0.25), (5, 1.0), (1, 1.0), (1, 0.0)])
def test_one_cycle_where_a_stretch_has_no_steps(steps: int, part: float, strategy: str) -> None:
    """PyTorch divides 0 by 0 where pct_start * total_steps is 1."""
    plan = optim.OneCycleLR(
        optimizer(), 0.5, total_steps=steps, pct_start=part, anneal_strategy=strategy
    )
    found = rates(plan, steps)
    assert all(map(math.isfinite, found))
    assert max(found) == pytest.approx(0.5 if part else 0.5 / 25 / 1e4)


def test_one_cycle_moves_beta1() -> None:
    made = optimizer(kind="Adam", betas=(0.3, 0.7))
    plan = optim.OneCycleLR(made, 0.1, total_steps=12, pct_start=0.5)
    seen = set()
    for _ in range(12):
        first, second = made.param_groups[0]["betas"]
        seen.add(round(first, 3))
        assert second == 0.7
        plan.step()
    assert max(seen) == 0.95
    assert min(seen) == 0.85


def test_one_cycle_without_momentum_to_move() -> None:
    class Plain(optim.Optimizer):
        """No momentum."""

    made = Plain([Parameter(np.ones(1))], {"lr": 0.1, "weight_decay": 0.0, "maximize": False})
    with pytest.raises(ValueError, match="no momentum; use cycle_momentum=False"):
        optim.OneCycleLR(made, 0.1, total_steps=5)
    optim.OneCycleLR(made, 0.1, total_steps=5, cycle_momentum=False)
    assert "momentum" not in made.param_groups[0]


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        ("StepLR", {"step_size": 0}, "step_size=0 is not positive"),
        ("CosineAnnealingLR", {"T_max": 0}, "T_max=0 is not positive"),
        ("OneCycleLR", {"max_lr": 0.1}, "give total_steps, or epochs and steps_per_epoch"),
        ("OneCycleLR", {"max_lr": 0.1, "epochs": 3}, "give total_steps"),
        ("OneCycleLR", {"max_lr": 0.1, "total_steps": 0}, "total_steps=0 is not positive"),
        ("OneCycleLR", {"max_lr": 0.1, "total_steps": 5, "pct_start": 1.5}, "pct_start=1.5"),
        (
            "OneCycleLR",
            {"max_lr": 0.1, "total_steps": 5, "anneal_strategy": "exp"},
            "anneal_strategy='exp' is not 'cos' or 'linear'",
        ),
        ("OneCycleLR", {"max_lr": [0.1, 0.2], "total_steps": 5}, "not one for each of 1 groups"),
    ],
)
def test_plans_that_make_no_sense(kind: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{kind}: .*{words}"):
        getattr(optim, kind)(optimizer(), **arguments)


def test_state() -> None:
    plan = optim.StepLR(optimizer(0.8, 0.4), 3, gamma=0.5)
    for _ in range(7):
        plan.step()
    other = optim.StepLR(optimizer(9.0, 9.0), 3, gamma=0.5)
    other.load_state_dict(plan.state_dict())
    assert other.get_last_lr() == plan.get_last_lr() == [0.2, 0.1]
    other.step()
    other.step()
    assert other.get_last_lr() == [0.1, 0.05]


def test_groups_must_be_those_of_the_plan() -> None:
    made = optimizer(0.8)
    plan = optim.StepLR(made, 3)
    made.add_param_group({"params": Parameter(np.ones(2))})
    with pytest.raises(ValueError, match="the optimizer has 2 groups, the plan is for 1"):
        plan.step()
    assert plan.last_epoch == 0


def test_a_subclass_only_writes_rate() -> None:
    class Inverse(optim.LRScheduler):
        """lr = base / (1 + step)."""

        def rate(self, step: int, base_lr: float) -> float:
            return base_lr / (1 + step)

    assert rates(Inverse(optimizer(1.0)), 4) == [1.0, 1 / 2, 1 / 3, 1 / 4]
    with pytest.raises(NotImplementedError, match="LRScheduler has no rate"):
        optim.LRScheduler(optimizer())


# ------------------------------------------------------------------- those that multiply, together


def test_two_schedulers_multiply_as_in_pytorch() -> None:
    """Each steps on its own; the second counts from the rate before the first."""
    made = optimizer(1.0)
    warm = optim.ConstantLR(made, factor=0.25, total_iters=2)
    decay = optim.ExponentialLR(made, gamma=0.5)
    assert warm.base_lrs == decay.base_lrs == [1.0]
    found = []
    for _ in range(4):
        found.append(made.param_groups[0]["lr"])
        warm.step()
        decay.step()
    assert found == [0.25, 0.125, 0.25, 0.125]


def test_a_rate_set_by_hand_is_gone_on_from() -> None:
    made = optimizer(1.0)
    plan = optim.ExponentialLR(made, gamma=0.5)
    plan.step()
    made.param_groups[0]["lr"] = 8.0
    plan.step()
    assert plan.get_last_lr() == [4.0]


def test_up_from_0() -> None:
    """PyTorch divides by the factor 0."""
    assert rates(optim.ConstantLR(optimizer(0.5), factor=0, total_iters=2), 4) == [0, 0, 0.5, 0.5]


def test_functions_of_the_step_by_hand() -> None:
    assert rates(optim.LambdaLR(optimizer(2.0), lambda step: step / 4), 4) == [0, 0.5, 1.0, 1.5]
    made = optim.MultiplicativeLR(optimizer(2.0), lambda step: 1 / step if step else 7.0)
    assert rates(made, 4) == [2.0, 2.0, 1.0, 1 / 3]
    assert made.rates(3) == [pytest.approx(1 / 3)]


@pytest.mark.parametrize("kind", ["LambdaLR", "MultiplicativeLR"])
def test_functions_that_are_none(kind: str) -> None:
    with pytest.raises(TypeError, match=f"{kind}: lr_lambda is float, expected a function"):
        getattr(optim, kind)(optimizer(), 0.5)
    with pytest.raises(ValueError, match=f"{kind}: lr_lambda=.* is not one for each of 1 groups"):
        getattr(optim, kind)(optimizer(), [abs, abs])


def test_restarts_are_exact_far_out() -> None:
    """Where a logarithm would say at which restart one is, it rounds: 3^5 steps and more."""
    plan = optim.CosineAnnealingWarmRestarts(optimizer(1.0), T_0=1, T_mult=3)
    restarts = [(3**n - 1) // 2 for n in range(1, 12)]
    for step in restarts:
        assert plan.rate(step, 1.0) == 1.0
        assert plan.rate(step - 1, 1.0) < 1.0 or step == 1
    assert optim.CosineAnnealingWarmRestarts(optimizer(1.0), T_0=7).rate(7 * 10**12, 1.0) == 1.0


def test_steps_between_steps() -> None:
    made = optimizer(1.0)
    plan = optim.CosineAnnealingWarmRestarts(made, T_0=4)
    plan.step(2.5)
    assert plan.get_last_lr() == [pytest.approx((1 + math.cos(math.pi * 2.5 / 4)) / 2)]
    assert plan.last_epoch == 2
    state = plan.state_dict()
    plan.step()
    assert plan.get_last_lr() == [pytest.approx((1 + math.cos(math.pi * 3.5 / 4)) / 2)]
    other = optim.CosineAnnealingWarmRestarts(optimizer(1.0), T_0=4)
    other.load_state_dict(state)
    other.step()
    assert other.get_last_lr() == plan.get_last_lr()
    for bad in (-1, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"epoch=.* is not a number >= 0"):
            plan.step(bad)


# ---------------------------------------------------------------------------- plans that go on


def test_going_on_needs_the_first_rate() -> None:
    for kind, arguments in (
        ("StepLR", {"step_size": 3}),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9}),
    ):
        with pytest.raises(
            KeyError, match=f"{kind}: last_epoch=4 goes on .* group 0 has no initial"
        ):
            getattr(optim, kind)(optimizer(), **arguments, last_epoch=4)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("StepLR", {"step_size": 3}),
        ("MultiStepLR", {"milestones": [2, 5]}),
        ("ConstantLR", {"total_iters": 5}),
        ("CosineAnnealingLR", {"T_max": 7}),
        ("MultiplicativeLR", {"lr_lambda": math.sqrt}),
        ("LambdaLR", {"lr_lambda": math.sqrt}),
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 12}),
        ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.3, "step_size_up": 2}),
        ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 2}),
    ],
)
def test_going_on_with_a_loaded_optimizer(kind: str, arguments: Any) -> None:
    """From the optimizer's state and the number of the step alone: the rates of one long run."""
    made = optimizer(0.5, 0.25, momentum=0.9)
    plan = getattr(optim, kind)(made, **arguments)
    for _ in range(5):
        plan.step()
    other = optimizer(9.0, 9.0, momentum=0.9)
    other.load_state_dict(made.state_dict())
    again = getattr(optim, kind)(other, **arguments, last_epoch=4)
    for _ in range(6):
        assert again.get_last_lr() == pytest.approx(plan.get_last_lr())
        assert other.param_groups[0]["momentum"] == made.param_groups[0]["momentum"]
        again.step()
        plan.step()


def test_going_on_with_a_sequence() -> None:
    def make(made: Any, **named: Any) -> Any:
        parts = [optim.LinearLR(made, total_iters=4), optim.ExponentialLR(made, gamma=0.9)]
        return optim.SequentialLR(made, parts, milestones=[4], **named)

    made = optimizer(0.5, 0.25)
    plan = make(made)
    for _ in range(7):
        plan.step()
    other = optimizer(9.0, 9.0)
    other.load_state_dict(made.state_dict())
    again = make(other, last_epoch=6)
    assert again.last_epoch == 7
    for _ in range(5):
        assert again.get_last_lr() == pytest.approx(plan.get_last_lr())
        again.step()
        plan.step()


# -------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        ("MultiStepLR", {"milestones": [3, -1]}, r"milestones=\[-1, 3\] are not all >= 0"),
        ("ConstantLR", {"factor": 1.5}, r"factor=1.5 is not in \[0, 1\]"),
        ("ConstantLR", {"total_iters": 0}, "total_iters=0 is not positive"),
        ("LinearLR", {"start_factor": 0}, r"start_factor=0 is not in \(0, 1\]"),
        ("LinearLR", {"end_factor": 2}, r"end_factor=2 is not in \[0, 1\]"),
        ("LinearLR", {"total_iters": 0}, "total_iters=0 is not positive"),
        ("PolynomialLR", {"total_iters": 0}, "total_iters=0 is not positive"),
        ("CosineAnnealingWarmRestarts", {"T_0": 0}, "T_0=0 is not a positive integer"),
        ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 1.5}, "T_mult=1.5 is not a positive"),
        ("CyclicLR", {"base_lr": 1, "max_lr": 2, "step_size_up": 0}, "step_size_up=0 is not pos"),
        ("CyclicLR", {"base_lr": 1, "max_lr": 2, "mode": "up"}, "mode='up' is not one of triang"),
        ("CyclicLR", {"base_lr": 1, "max_lr": 2, "scale_mode": "x"}, "scale_mode='x' is not"),
        (
            "CyclicLR",
            {"base_lr": [1, 2], "max_lr": 2},
            r"base_lr=\[1, 2\] is not one for each of 1",
        ),
        ("ReduceLROnPlateau", {"factor": 1.0}, r"factor=1.0 is not in \[0, 1\)"),
        ("ReduceLROnPlateau", {"mode": "less"}, "mode='less' is not 'min' or 'max'"),
        ("ReduceLROnPlateau", {"threshold_mode": "x"}, "threshold_mode='x' is not"),
        ("ReduceLROnPlateau", {"min_lr": [0.1, 0.2]}, "is not one for each of 1 groups"),
    ],
)
def test_more_plans_that_make_no_sense(kind: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{kind}: .*{words}"):
        getattr(optim, kind)(optimizer(), **arguments)
    with pytest.raises(TypeError, match=f"^{kind}: int is not an Optimizer"):
        getattr(optim, kind)(3, **GOOD[kind])


GOOD: dict[str, dict[str, Any]] = {
    "MultiStepLR": {"milestones": [3]},
    "ConstantLR": {},
    "LinearLR": {},
    "PolynomialLR": {},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "CyclicLR": {"base_lr": 1, "max_lr": 2},
    "ReduceLROnPlateau": {},
}


def test_cyclic_without_momentum_to_move() -> None:
    made = optimizer(kind="Adagrad")
    with pytest.raises(ValueError, match="CyclicLR: the optimizer has no momentum"):
        optim.CyclicLR(made, 0.1, 0.2)
    optim.CyclicLR(made, 0.1, 0.2, cycle_momentum=False)
