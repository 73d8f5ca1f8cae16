"""Groups, settings and state of optimizers: what is accepted, what is refused, in which words."""

import copy
import inspect
import re
from typing import Any

import numpy as np
import pytest

from tinymed import nn, optim
from tinymed.creation import ones, tensor, zeros
from tinymed.grad_mode import no_grad
from tinymed.row_gradient import RowGradient
from tinymed.tensor import Tensor

EVERY = sorted(
    name
    for name in optim.__all__
    if inspect.isclass(kind := getattr(optim, name)) and issubclass(kind, optim.Optimizer)
)  # fmt: skip
EVERY.remove("Optimizer")
KINDS = [name for name in EVERY if name != "SparseAdam"]  # which takes no dense gradient
WITH_BETAS = ["Adam", "AdamW", "Adamax", "NAdam", "RAdam", "SparseAdam"]


def parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(np.ones(shape))


def stepped(kind: str, *shapes: tuple[int, ...], **settings: Any) -> Any:
    """Return an optimizer that has taken one step."""
    params = [parameter(*shape) for shape in shapes]
    optimizer = getattr(optim, kind)(params, **settings)
    for param in params:
        param.grad = Tensor(np.full(param.shape, 0.5))
    optimizer.step()
    return optimizer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lr": -0.1}, "lr=-0.1 is not a number >= 0"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"lr": "0.1"}, "lr='0.1'"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0"),
    ],
)
def test_settings_out_of_range(kind: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{kind}: {words}"):
        getattr(optim, kind)([parameter(2)], **settings)


def test_settings_that_only_some_have() -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("RMSprop", {"alpha": -0.1}, "alpha=-0.1 is not a number >= 0"),
        ("RMSprop", {"alpha": 1.5}, "alpha=1.5 is above 1"),
        ("RMSprop", {"momentum": -1}, "momentum=-1"),
        ("Adagrad", {"lr_decay": -1}, "lr_decay=-1"),
        ("Adagrad", {"initial_accumulator_value": -1}, "initial_accumulator_value=-1"),
        ("Adadelta", {"rho": -0.1}, "rho=-0.1"),
        ("Adadelta", {"rho": 1.1}, "rho=1.1 is above 1"),
        ("NAdam", {"momentum_decay": -1}, "momentum_decay=-1"),
        ("SparseAdam", {"lr": -1}, "lr=-1"),
    ]
    for kind, settings, words in cases:
        with pytest.raises(ValueError, match=f"^{kind}: {words}"):
            getattr(optim, kind)([parameter(2)], **settings)
    for kind in EVERY:
        if "eps" in inspect.signature(getattr(optim, kind)).parameters:
            with pytest.raises(ValueError, match=f"^{kind}: eps=-1"):
                getattr(optim, kind)([parameter(2)], eps=-1)


@pytest.mark.parametrize("kind", WITH_BETAS)
@pytest.mark.parametrize(
    "betas", [(1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9,), (0.9, 0.9, 0.9), 0.9, ("a", 0.9)]
)
def test_betas_out_of_range(kind: str, betas: Any) -> None:
    with pytest.raises(ValueError, match=f"^{kind}: betas=.* are not two numbers in"):
        getattr(optim, kind)([parameter(2)], betas=betas)


def test_nesterov_needs_momentum_and_no_dampening() -> None:
    bad: list[dict[str, Any]] = [{}, {"momentum": 0.9, "dampening": 0.1}]
    for settings in bad:
        with pytest.raises(ValueError, match="nesterov needs momentum"):
            optim.SGD([parameter(2)], nesterov=True, **settings)
    with pytest.raises(ValueError, match=r"momentum=-0\.5"):
        optim.SGD([parameter(2)], momentum=-0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_that_cannot_be_optimized(kind: str) -> None:
    make, leaf = getattr(optim, kind), parameter(3, 2)
    with pytest.raises(ValueError, match="no parameters given"):
        make([])
    with pytest.raises(ValueError, match="no parameters given"):
        make(nn.ReLU().parameters())
    with pytest.raises(ValueError, match=r"a parameter \(3, 2\) is given twice"):
        make([leaf, parameter(1), leaf])
    with pytest.raises(ValueError, match="given twice"):
        make([{"params": [leaf]}, {"params": leaf}])
    with pytest.raises(ValueError, match=r"\(3, 2\) made by Multiply is not a leaf"):
        make([leaf * 2])
    with pytest.raises(TypeError, match="a ndarray, not a Tensor"):
        make([np.ones(3)])
    with pytest.raises(TypeError, match="a tuple, not a Tensor"):
        make(nn.Linear(2, 1).named_parameters())


@pytest.mark.parametrize(
    "params", [ones(3), {"weight": parameter(2)}, {parameter(2)}], ids=["tensor", "dict", "set"]
)
def test_parameters_must_have_an_order(params: Any) -> None:
    with pytest.raises(TypeError, match=r"params is a \w+, expected a list of tensors"):
        optim.SGD(params)


def test_groups() -> None:
    first, second = parameter(2), parameter(3)
    optimizer = optim.Adam([{"params": first}, {"params": [second], "lr": 0.5}], lr=0.1)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]
    assert list(map(id, optimizer.parameters())) == [id(first), id(second)]
    saved = optimizer.state_dict()["param_groups"]
    assert [(group["params"], group["lr"]) for group in saved] == [([0], 0.1), ([1], 0.5)]
    with pytest.raises(TypeError, match="a group has no setting momentum, rate"):
        optim.Adam([{"params": [first], "rate": 1, "momentum": 2}])
    with pytest.raises(TypeError, match="a group must be a dict with 'params'"):
        optim.Adam([{"lr": 0.1}])
    with pytest.raises(TypeError, match="a group must be a dict"):
        optim.Adam([{"params": [first]}, second])
    with pytest.raises(ValueError, match="lr=-1"):
        optim.Adam([{"params": [first], "lr": -1}])


def test_a_group_added_later() -> None:
    """A refused group leaves no trace; an accepted one is stepped from then on."""
    optimizer = stepped("SGD", (2,), lr=0.1)
    late = parameter(3)
    with pytest.raises(ValueError, match="lr"):
        optimizer.add_param_group({"params": [late], "lr": -1.0})
    assert len(optimizer.param_groups) == 1
    optimizer.add_param_group({"params": [late], "lr": 1.0})
    late.grad = ones(3, dtype=np.float64)
    optimizer.step()
    np.testing.assert_array_equal(late.data, np.zeros(3))


@pytest.mark.parametrize("kind", KINDS)
def test_a_parameter_without_gradient_stays(kind: str) -> None:
    used, unused = parameter(2), parameter(2)
    optimizer = getattr(optim, kind)([unused, used], lr=0.1, weight_decay=0.5)
    used.grad = Tensor(np.ones(2))
    optimizer.step()
    np.testing.assert_array_equal(unused.data, np.ones(2))
    assert (used.data < 1).all()
    assert set(optimizer.state) == {1}
    assert optimizer.state[1]["step"] == 1


def test_zero_grad() -> None:
    param = parameter(2)
    optimizer = optim.SGD([param, parameter(3)])
    param.grad = Tensor(np.ones(2))
    kept = param.grad
    optimizer.zero_grad(set_to_none=False)
    np.testing.assert_array_equal(param.grad.data, np.zeros(2))
    np.testing.assert_array_equal(kept.data, np.ones(2))
    optimizer.zero_grad()
    assert param.grad is None


def test_a_step_is_a_write_the_engine_sees() -> None:
    """A backward through numbers that a step has changed is refused, not wrong."""
    weight, x = parameter(2), tensor([2.0, 3.0], dtype=np.float64, requires_grad=True)
    loss = (weight * x).sum()
    weight.grad = Tensor(np.ones(2))
    optim.SGD([weight], lr=0.1).step()
    with pytest.raises(RuntimeError, match="overwritten in place after it was saved"):
        loss.backward()


def test_training_with_a_graph() -> None:
    """The four lines of every loop find the least squares that linear algebra finds."""
    generator = np.random.default_rng(0)
    inputs, targets = generator.standard_normal((20, 3)), generator.standard_normal((20, 2))
    layer = nn.Linear(3, 2, bias=False, generator=generator).double()
    optimizer = optim.SGD(layer.parameters(), lr=0.3, momentum=0.8)
    for _ in range(200):
        optimizer.zero_grad()
        loss = nn.MSELoss()(layer(Tensor(inputs)), Tensor(targets))
        loss.backward()
        optimizer.step()
    best = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    np.testing.assert_allclose(layer.weight.data.T, best, atol=1e-8)


def test_a_variance_is_not_below_0() -> None:
    """Where the gradient is always the same, rounding alone makes v - mean^2 negative."""
    param = nn.Parameter(np.zeros(200, np.float32))
    param.grad = Tensor(np.linspace(0.1, 1, 200, dtype=np.float32))
    optimizer = optim.RMSprop([param], alpha=0.5, centered=True)
    for _ in range(60):
        optimizer.step()
    assert np.isfinite(param.data).all()


# --------------------------------------------------------------------------------- sparse gradients


def with_rows(size: int = 5) -> nn.Parameter:
    param = parameter(size, 2)
    param.grad = RowGradient(np.array([1, 3]), np.full((2, 2), 0.5), (size, 2))
    return param


def takes_rows(kind: str) -> bool:
    try:
        getattr(optim, kind)([with_rows()]).step()
    except RuntimeError:
        return False
    return True


@pytest.mark.parametrize("kind", EVERY)
def test_rows_are_taken_or_refused_by_name(kind: str) -> None:
    taking = {name for name in EVERY if takes_rows(name)}
    assert taking == {"SGD", "Adagrad", "SparseAdam"}
    first, param = parameter(3), with_rows()
    first.grad = Tensor(np.ones(3)) if kind != "SparseAdam" else None
    optimizer = getattr(optim, kind)([first, param], lr=0.1)
    if kind in taking:
        optimizer.step()
        assert (param.data != 1).any(axis=1).tolist() == [False, True, False, True, False]
        return
    words = rf"^{kind}: the gradient of a parameter \(5, 2\) is a RowGradient, which SGD, Adagrad "
    with pytest.raises(RuntimeError, match=words + "and SparseAdam take"):
        optimizer.step()
    assert (first.data == 1).all()  # refused before anything was changed
    assert optimizer.state == {}


def test_decay_of_all_rows_is_not_taken_of_some() -> None:
    for kind in ("SGD", "Adagrad"):
        words = f"^{kind}: weight_decay=0.1 changes every row of a parameter .* only 2; use"
        with pytest.raises(RuntimeError, match=words):
            getattr(optim, kind)([with_rows()], weight_decay=0.1).step()


def test_sparse_adam_takes_no_dense_gradient() -> None:
    param, other = with_rows(), parameter(3)
    other.grad = Tensor(np.ones(3))
    optimizer = optim.SparseAdam([param, other])
    with pytest.raises(
        RuntimeError, match=r"SparseAdam: the gradient of .* \(3,\) is dense; use Adam"
    ):
        optimizer.step()
    assert (param.data == 1).all()


@pytest.mark.parametrize("kind", EVERY)
def test_a_gradient_of_another_shape_is_not_broadcast(kind: str) -> None:
    for shape in ((1,), (2, 3), ()):
        first, param = parameter(3), parameter(3)
        if kind != "SparseAdam":
            first.grad = Tensor(np.ones(3))
        param.grad = Tensor(np.ones(shape))
        words = rf"^{kind}: the gradient of a parameter \(3,\) is {re.escape(str(shape))}, expected"
        with pytest.raises(ValueError, match=words):
            getattr(optim, kind)([first, param]).step()
        assert (first.data == 1).all()
    param.grad = np.ones(3)
    with pytest.raises(TypeError, match=f"^{kind}: a gradient is a ndarray, expected a Tensor"):
        getattr(optim, kind)([param]).step()


def test_zeros_in_place_of_rows() -> None:
    param = with_rows()
    optim.SGD([param]).zero_grad(set_to_none=False)
    assert param.grad.data.tolist() == [[0, 0]] * 5


# ------------------------------------------------------------------------------------------ state


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_of_other_shapes_is_refused_and_nothing_changes(kind: str) -> None:
    settings = {"momentum": 0.9} if kind == "SGD" else {}
    source = stepped(kind, (2,), (3, 2), lr=0.7, **settings).state_dict()
    for shapes, words in (
        (((2,), (2, 3)), r"of parameter 1 is \(3, 2\), expected \(2, 3\)"),
        (((2,),), r"the state is of groups of \[2\] parameters, not \[1\]"),
    ):
        target = stepped(kind, *shapes, lr=0.1, **settings)
        before = copy.deepcopy(target.state_dict())
        with pytest.raises(ValueError, match=words):
            target.load_state_dict(source)
        assert repr(target.state_dict()) == repr(before)


def test_the_first_rate_of_a_scheduler_is_no_setting() -> None:
    """It comes and goes with the state, and is not asked for."""
    source, target = stepped("SGD", (2,), lr=0.5), stepped("SGD", (2,))
    optim.ConstantLR(source)
    target.load_state_dict(source.state_dict())
    assert target.param_groups[0]["initial_lr"] == 0.5
    source.load_state_dict(stepped("SGD", (2,)).state_dict())
    optim.SGD([{"params": parameter(1), "initial_lr": 0.5}])


def test_a_state_of_another_optimizer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the state has the settings amsgrad, .* expected dampen"):
        stepped("SGD", (2,)).load_state_dict(stepped("Adam", (2,)).state_dict())
    target, state = stepped("Adam", (2,)), stepped("Adam", (2,)).state_dict()
    state["state"][4] = state["state"].pop(0)
    with pytest.raises(ValueError, match="there is no parameter 4 of 1"):
        target.load_state_dict(state)
    state["param_groups"][0]["lr"] = -3
    with pytest.raises(ValueError, match="lr=-3"):
        target.load_state_dict(state)


def test_what_is_no_state_is_refused() -> None:
    target = stepped("Adam", (2,))
    checkpoint = {"model": {}, "optimizer": target.state_dict()}
    with pytest.raises(ValueError, match="Adam: the state has no state, param_groups, but model, "):
        target.load_state_dict(checkpoint)
    state = target.state_dict()
    del state["state"][0]["step"]
    with pytest.raises(ValueError, match="Adam: the state has no step, but exp_avg, exp_avg_sq; "):
        target.load_state_dict(state)


def test_loading_copies_and_takes_over_settings() -> None:
    source, target = stepped("Adam", (2,), lr=0.7, betas=(0.5, 0.6)), stepped("Adam", (2,))
    target.load_state_dict(source.state_dict())
    assert target.param_groups[0]["lr"] == 0.7
    assert target.param_groups[0]["betas"] == (0.5, 0.6)
    before = target.state[0]["exp_avg"].copy()
    source.step()
    np.testing.assert_array_equal(target.state[0]["exp_avg"], before)
    assert source.state[0]["step"] == 2
    assert target.state[0]["step"] == 1


def test_state_takes_the_dtype_of_the_parameter() -> None:
    source = stepped("Adam", (2,))
    layer = optim.Adam([nn.Parameter(np.ones(2, np.float32))])
    layer.load_state_dict(source.state_dict())
    assert layer.state[0]["exp_avg"].dtype == np.float32


def test_repr_shows_the_settings_of_each_group() -> None:
    optimizer = optim.SGD([{"params": parameter(1)}, {"params": parameter(1), "lr": 2.0}], lr=0.5)
    rest = "momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False"
    assert repr(optimizer) == f"SGD(lr=0.5, {rest}; lr=2.0, {rest})"


def test_a_subclass_only_writes_update() -> None:
    class Sign(optim.Optimizer):
        """param -= lr sign(grad)."""

        def update(self, param: Any, grad: Any, state: Any, group: Any) -> None:
            param -= group["lr"] * np.sign(grad)

    settings = {"lr": 0.25, "weight_decay": 0.0, "maximize": False}
    param = parameter(2)
    optimizer = Sign([param], settings)
    param.grad = Tensor(np.array([3.0, -5.0]))
    optimizer.step()
    np.testing.assert_array_equal(param.data, [0.75, 1.25])
    plain = optim.Optimizer([param], settings)
    with pytest.raises(NotImplementedError, match="Optimizer has no update"):
        plain.step()


def test_a_frozen_model_can_be_unfrozen() -> None:
    layer = nn.Linear(2, 1).requires_grad_(False)
    optimizer = optim.SGD(layer.parameters(), lr=1.0)
    before = layer.weight.data.copy()
    with no_grad():
        layer(zeros(1, 2))
    optimizer.step()
    np.testing.assert_array_equal(layer.weight.data, before)
    layer.requires_grad_()
    layer(ones(1, 2)).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(layer.weight.data, before - 1)
