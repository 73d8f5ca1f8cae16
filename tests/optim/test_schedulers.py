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
