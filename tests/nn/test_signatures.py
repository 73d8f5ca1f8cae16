"""Arguments have PyTorch's names, order and defaults, so that PyTorch's calls work as they are.

What PyTorch has and tinymed lacks stands in one table, each with its reason: such an argument is
refused by name (`TypeError`, or `NotImplementedError` where it is listed and cannot be used).
"""

import inspect
from typing import Any

import numpy as np
import pytest

from tests.torch_results.stored import read
from tinymed import nn, optim
from tinymed.nn import functional, init

STORED = read("signatures")[1]["arguments"]
PLACES = {**vars(init), **vars(optim), **vars(nn)}

PERFORMANCE = "chooses between PyTorch's own implementations; here kernels have backends"
REPLACED = "PyTorch's old spelling of reduction=, which it warns about"
RESUME = "resuming goes through load_state_dict alone"
IN_PLACE = "the gradient may need what would be overwritten"
LACKING = {
    "size_average": REPLACED,
    "reduce": REPLACED,
    "foreach": PERFORMANCE,
    "fused": PERFORMANCE,
    "capturable": PERFORMANCE,
    "differentiable": "steps are not recorded",
    "decoupled_weight_decay": "this is AdamW",
    "last_epoch": RESUME,
    "three_phase": "no medical application needs it",
    "Softplus.beta": "softplus(beta x) / beta says it",
    "Softplus.threshold": "softplus is exact without one",
    "softplus.beta": "softplus(beta x) / beta says it",
    "softplus.threshold": "softplus is exact without one",
    "mse_loss.weight": "(weight * mse_loss(..., reduction='none')) says it",
    "relu.inplace": IN_PLACE,
    "dropout.inplace": IN_PLACE,
    "_stacklevel": "of a warning that is not given here",
    "softmax.dtype": "x.to(dtype) says it",
    "log_softmax.dtype": "x.to(dtype) says it",
}
OTHER_DEFAULTS = {  # argument -> (PyTorch's, ours), None for no default
    "device": ([None], ["cpu"]),
    "dim": ([None], []),  # PyTorch guesses an axis, with a warning
    "ModuleList.modules": ([None], [()]),
    "batch_norm.running_mean": ([], [None]),
    "batch_norm.running_var": ([], [None]),
    "pad.value": ([None], [0]),
}
OLD = "size_average=None, reduce=None"
POOL = "input, kernel_size, stride=None, padding=0"
CONV = "input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1"
# From the documentation of torch.nn.functional 2.13: many of its functions have no signature.
FUNCTIONAL = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), CONV),
    "linear": "input, weight, bias=None",
    "avg_pool1d": f"{POOL}, ceil_mode=False, count_include_pad=True",
    "avg_pool2d": f"{POOL}, ceil_mode=False, count_include_pad=True, divisor_override=None",
    "avg_pool3d": f"{POOL}, ceil_mode=False, count_include_pad=True, divisor_override=None",
    **dict.fromkeys(
        ("max_pool1d", "max_pool2d", "max_pool3d"),
        f"{POOL}, dilation=1, ceil_mode=False, return_indices=False",
    ),
    **dict.fromkeys((f"adaptive_avg_pool{n}d" for n in (1, 2, 3)), "input, output_size"),
    "batch_norm": "input, running_mean, running_var, weight=None, bias=None, training=False, "
    "momentum=0.1, eps=1e-5",
    "dropout": "input, p=0.5, training=True, inplace=False",
    "relu": "input, inplace=False",
    "sigmoid": "input",
    "tanh": "input",
    "softplus": "input, beta=1, threshold=20",
    "softmax": "input, dim=None, _stacklevel=3, dtype=None",
    "log_softmax": "input, dim=None, _stacklevel=3, dtype=None",
    "pad": "input, pad, mode='constant', value=None",
    "cross_entropy": "input, target, weight=None, size_average=None, ignore_index=-100, "
    "reduce=None, reduction='mean', label_smoothing=0.0",
    "binary_cross_entropy_with_logits": f"input, target, weight=None, {OLD}, reduction='mean', "
    "pos_weight=None",
    "mse_loss": f"input, target, {OLD}, reduction='mean', weight=None",
}


LAYERS = [
    name
    for name in nn.__all__
    if inspect.isclass(kind := getattr(nn, name))
    and issubclass(kind, nn.Module)
    and kind is not nn.Module
]
EXPORTED = [*LAYERS, *optim.__all__, *init.__all__]


def arguments(function: Any) -> list[list[Any]]:
    """Return [name, kind] or [name, kind, default] of each argument but self and *, **."""
    found = []
    for p in inspect.signature(function).parameters.values():
        if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            default = [list(p.default) if p.default and p.default.__class__ is tuple else p.default]
            found.append([p.name, p.kind.name, *([] if p.default is p.empty else default)])
    return found


def lacks(name: str, argument: str) -> bool:
    return argument in LACKING or f"{name}.{argument}" in LACKING


def compare(name: str, theirs: list[list[Any]], ours: list[list[Any]]) -> None:
    """Assert that ours are theirs without what is lacking, then what only we have."""
    wanted = [a for a in theirs if not a[1].startswith("VAR_") and not lacks(name, a[0])]
    positional = [a[0] for a in ours if a[1] != "KEYWORD_ONLY"]
    expected = [a[0] for a in wanted if a[1] != "KEYWORD_ONLY"]
    assert positional[: len(expected)] == expected, name
    found = {a[0]: a for a in ours}
    for argument, kind, *default in wanted:
        assert argument in found, f"{name}: {argument} is neither there nor listed as lacking"
        given = found[argument]
        assert (given[1] == "KEYWORD_ONLY") == (kind == "KEYWORD_ONLY"), f"{name}: {argument}"
        other = OTHER_DEFAULTS.get(f"{name}.{argument}", OTHER_DEFAULTS.get(argument))
        if other is not None and given[2:] != default:
            assert (default, given[2:]) == other, f"{name}: {argument}"
        else:
            assert given[2:] == default, f"{name}: {argument}"
            assert [type(d) is bool for d in given[2:]] == [type(d) is bool for d in default]
    extra = [a for a in ours if a[0] not in {argument for argument, *_ in theirs}]
    assert all(len(a) == 3 for a in extra), f"{name}: what only tinymed has must have a default"


@pytest.mark.parametrize("name", EXPORTED)
def test_constructors_and_functions(name: str) -> None:
    assert name in STORED, f"{name}: run python -m tests.torch_results.make signatures"
    ours = PLACES[name]
    compare(name, STORED[name], arguments(ours.__init__ if inspect.isclass(ours) else ours))


@pytest.mark.parametrize("name", functional.__all__)
def test_functional(name: str) -> None:
    """The first argument is called x here, and input in PyTorch."""
    assert name in FUNCTIONAL, f"add PyTorch's arguments of {name} to FUNCTIONAL"
    theirs = arguments(eval(f"lambda {FUNCTIONAL[name]}: None"))
    ours = arguments(function := getattr(functional, name))
    assert ours[0][0] == "x"
    ours[0][0] = "input"
    if inspect.getfullargspec(function).varargs is None:
        compare(name, theirs, ours)
    else:  # settings are handed on; test_settings_that_are_handed_on calls them
        assert name in HANDED_ON
        assert ours == theirs[: len(ours)]


HANDED_ON = [name for name in functional.__all__ if name.startswith(("max_pool", "avg_pool"))]


@pytest.mark.parametrize("name", HANDED_ON)
def test_settings_that_are_handed_on(name: str) -> None:
    """By position as by name, and left out as with PyTorch's default."""
    theirs = {a[0]: a[2:] for a in arguments(eval(f"lambda {FUNCTIONAL[name]}: None"))}
    unusual = {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True}
    unusual |= {"count_include_pad": False, "divisor_override": 5, "return_indices": False}
    chosen = {argument: unusual[argument] for argument in theirs if argument != "input"}
    defaults = {argument: value[0] for argument, value in theirs.items() if value}
    function, axes = getattr(functional, name), int(name[-2])
    x = np.random.default_rng(0).standard_normal((1, 2, *[8] * axes))
    np.testing.assert_array_equal(function(x, *chosen.values()), function(x, **chosen))
    np.testing.assert_array_equal(function(x, 3, **defaults), function(x, 3))
    assert not np.array_equal(function(x, **chosen)[..., :2], function(x, 3)[..., :2])


def test_the_tables_hold_nothing_that_is_gone() -> None:
    every = {**STORED, **{n: arguments(eval(f"lambda {t}: None")) for n, t in FUNCTIONAL.items()}}
    known = {f"{name}.{a[0]}" for name, theirs in every.items() for a in theirs}
    for entry in (*LACKING, *OTHER_DEFAULTS):
        assert any(entry in (full, full.partition(".")[2]) for full in known), entry
    ours = {name: {a[0] for a in arguments(PLACES[name])} for name in EXPORTED}
    ours |= {name: {a[0] for a in arguments(getattr(functional, name))} for name in FUNCTIONAL}
    for full in LACKING:
        name, _, argument = full.rpartition(".")
        having = [n for n, found in ours.items() if argument in found and name in ("", n)]
        assert not having, f"{full} is not lacking in {having}"


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: nn.Conv2d(1, 1, 3, padding_mode="reflect"), "padding_mode='reflect'"),
        (lambda: nn.Conv2d(1, 1, 3, padding="same"), "padding='same'"),
        (lambda: nn.MaxPool2d(2, return_indices=True), "return_indices=True"),
        (lambda: nn.AvgPool1d(2, divisor_override=3), "divisor_override=3"),
        (lambda: nn.Dropout(0.5, True), "inplace=True"),
        (lambda: nn.ReLU(True), "inplace=True"),
        (lambda: nn.CrossEntropyLoss(label_smoothing=0.1), "label_smoothing=0.1"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(make: Any, argument: str) -> None:
    with pytest.raises(NotImplementedError, match=argument):
        make()
