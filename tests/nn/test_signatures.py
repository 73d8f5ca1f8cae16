"""Arguments have PyTorch's names, order and defaults, so that PyTorch's calls work as they are.

What PyTorch has and tinymed lacks stands in one table, each with its reason: such an argument is
refused by name (`TypeError`, or `NotImplementedError` where it is listed and cannot be used).
"""

import inspect
from typing import Any

import numpy as np
import pytest

from tests.torch_results.layers import ONLY_HERE
from tests.torch_results.stored import read
from tinymed import nn, optim
from tinymed.nn import functional, init, packing

STORED = read("signatures")[1]["arguments"]
PLACES = {**vars(init), **vars(optim), **vars(nn)}

PERFORMANCE = "chooses between PyTorch's own implementations; here kernels have backends"
REPLACED = "PyTorch's old spelling of reduction=, which it warns about"
IN_PLACE = "the layers have it; a function returns its result"
WRITTEN_OVER = (
    "relu", "relu6", "leaky_relu", "rrelu", "elu", "selu", "celu", "silu", "mish", "hardtanh",
    "hardsigmoid", "hardswish", "threshold",
)  # fmt: skip
DROPPED = (
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout",
)  # fmt: skip
LACKING = {
    "size_average": REPLACED,
    "reduce": REPLACED,
    "foreach": PERFORMANCE,
    "fused": PERFORMANCE,
    "capturable": PERFORMANCE,
    "differentiable": "steps are not recorded",
    "multi_avg_fn": "avg_fn with all parameters at once, for PyTorch's own implementations",
    **dict.fromkeys((f"{name}.inplace" for name in WRITTEN_OVER), IN_PLACE),
    "Hardtanh.min_value": "PyTorch's old spelling of min_val=",
    "Hardtanh.max_value": "PyTorch's old spelling of max_val=",
    **dict.fromkeys((f"{name}.inplace" for name in DROPPED), IN_PLACE),
    "mask_check": PERFORMANCE,
    "_stacklevel": "of a warning that is not given here",
}
OTHER_DEFAULTS = {  # argument -> (PyTorch's, ours), None for no default
    "device": ([None], ["cpu"]),
    "enable_nested_tensor": ([True], [False]),  # there are none here
    "dim": ([None], []),  # PyTorch guesses an axis, with a warning
    "batch_norm.running_mean": ([], [None]),
    "batch_norm.running_var": ([], [None]),
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
    **dict.fromkeys(
        (f"adaptive_max_pool{n}d" for n in (1, 2, 3)), "input, output_size, return_indices=False"
    ),
    **dict.fromkeys(
        (f"conv_transpose{n}d" for n in (1, 2, 3)),
        "input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1",
    ),
    **dict.fromkeys(
        (f"max_unpool{n}d" for n in (1, 2, 3)),
        "input, indices, kernel_size, stride=None, padding=0, output_size=None",
    ),
    **dict.fromkeys(
        (f"lp_pool{n}d" for n in (1, 2, 3)),
        "input, norm_type, kernel_size, stride=None, ceil_mode=False",
    ),
    **dict.fromkeys(
        (f"fractional_max_pool{n}d" for n in (2, 3)),
        "input, kernel_size, output_size=None, output_ratio=None, return_indices=False, "
        "_random_samples=None",
    ),
    "batch_norm": "input, running_mean, running_var, weight=None, bias=None, training=False, "
    "momentum=0.1, eps=1e-5",
    **dict.fromkeys(
        ("dropout", "dropout1d", "dropout2d", "dropout3d"),
        "input, p=0.5, training=True, inplace=False",
    ),
    **dict.fromkeys(
        ("alpha_dropout", "feature_alpha_dropout"), "input, p=0.5, training=False, inplace=False"
    ),
    "bilinear": "input1, input2, weight, bias=None",
    "relu": "input, inplace=False",
    "sigmoid": "input",
    "tanh": "input",
    **dict.fromkeys(("logsigmoid", "softsign", "tanhshrink"), "input"),
    **dict.fromkeys(
        ("relu6", "selu", "silu", "mish", "hardsigmoid", "hardswish"), "input, inplace=False"
    ),
    **dict.fromkeys(("elu", "celu"), "input, alpha=1.0, inplace=False"),
    **dict.fromkeys(("softshrink", "hardshrink"), "input, lambd=0.5"),
    "leaky_relu": "input, negative_slope=0.01, inplace=False",
    "prelu": "input, weight",
    "rrelu": "input, lower=1/8, upper=1/3, training=False, inplace=False",
    "hardtanh": "input, min_val=-1.0, max_val=1.0, inplace=False",
    "threshold": "input, threshold, value, inplace=False",
    "gelu": "input, approximate='none'",
    "glu": "input, dim=-1",
    "embedding": "input, weight, padding_idx=None, max_norm=None, norm_type=2.0, "
    "scale_grad_by_freq=False, sparse=False",
    "embedding_bag": "input, weight, offsets=None, max_norm=None, norm_type=2, "
    "scale_grad_by_freq=False, mode='mean', sparse=False, per_sample_weights=None, "
    "include_last_offset=False, padding_idx=None",
    "softplus": "input, beta=1, threshold=20",
    "softmin": "input, dim=None, _stacklevel=3, dtype=None",
    "softmax": "input, dim=None, _stacklevel=3, dtype=None",
    "log_softmax": "input, dim=None, _stacklevel=3, dtype=None",
    "pad": "input, pad, mode='constant', value=None",
    "pixel_shuffle": "input, upscale_factor",
    "pixel_unshuffle": "input, downscale_factor",
    "channel_shuffle": "input, groups",
    "one_hot": "input, num_classes=-1",
    "unfold": "input, kernel_size, dilation=1, padding=0, stride=1",
    "fold": "input, output_size, kernel_size, dilation=1, padding=0, stride=1",
    "cross_entropy": "input, target, weight=None, size_average=None, ignore_index=-100, "
    "reduce=None, reduction='mean', label_smoothing=0.0",
    "binary_cross_entropy_with_logits": f"input, target, weight=None, {OLD}, reduction='mean', "
    "pos_weight=None",
    **dict.fromkeys(
        ("mse_loss", "l1_loss"), f"input, target, {OLD}, reduction='mean', weight=None"
    ),
    "nll_loss": "input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, "
    "reduction='mean'",
    **dict.fromkeys(
        ("binary_cross_entropy", "multilabel_soft_margin_loss"),
        f"input, target, weight=None, {OLD}, reduction='mean'",
    ),
    "smooth_l1_loss": f"input, target, {OLD}, reduction='mean', beta=1.0",
    "huber_loss": "input, target, reduction='mean', delta=1.0, weight=None",
    "kl_div": f"input, target, {OLD}, reduction='mean', log_target=False",
    "poisson_nll_loss": "input, target, log_input=True, full=False, size_average=None, eps=1e-8, "
    "reduce=None, reduction='mean'",
    "gaussian_nll_loss": "input, target, var, full=False, eps=1e-6, reduction='mean'",
    **dict.fromkeys(
        ("multilabel_margin_loss", "soft_margin_loss"), f"input, target, {OLD}, reduction='mean'"
    ),
    "hinge_embedding_loss": f"input, target, margin=1.0, {OLD}, reduction='mean'",
    **dict.fromkeys(
        ("margin_ranking_loss", "cosine_embedding_loss"),
        f"input1, input2, target, margin=0, {OLD}, reduction='mean'",
    ),
    "multi_margin_loss": f"input, target, p=1, margin=1.0, weight=None, {OLD}, reduction='mean'",
    "triplet_margin_loss": "anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, "
    f"{OLD}, reduction='mean'",
    "triplet_margin_with_distance_loss": "anchor, positive, negative, *, distance_function=None, "
    "margin=1.0, swap=False, reduction='mean'",
    "pairwise_distance": "x1, x2, p=2.0, eps=1e-6, keepdim=False",
    "cosine_similarity": "x1, x2, dim=1, eps=1e-8",
    "normalize": "input, p=2.0, dim=1, eps=1e-12",
    "ctc_loss": "log_probs, targets, input_lengths, target_lengths, blank=0, reduction='mean', "
    "zero_infinity=False",
    # PyTorch has none; torchvision's, with None for its alpha=-1
    "sigmoid_focal_loss": "input, target, alpha=0.25, gamma=2.0, reduction='none'",
    # nor these, and each library has its own
    "focal_loss": "input, target",
    "dice_loss": "input, target",
    "tversky_loss": "input, target",
    "hinge_loss": "input, target, reduction='mean'",
    "generalized_cross_entropy": "input, target",
    "symmetric_cross_entropy": "input, target",
    "layer_norm": "input, normalized_shape, weight=None, bias=None, eps=1e-5",
    "rms_norm": "input, normalized_shape, weight=None, eps=None",
    "group_norm": "input, num_groups, weight=None, bias=None, eps=1e-5",
    "instance_norm": "input, running_mean=None, running_var=None, weight=None, bias=None, "
    "use_input_stats=True, momentum=0.1, eps=1e-5",
    "local_response_norm": "input, size, alpha=0.0001, beta=0.75, k=1.0",
    "scaled_dot_product_attention": "query, key, value, attn_mask=None, dropout_p=0.0, "
    "is_causal=False, scale=None, enable_gqa=False",
    "interpolate": "input, size=None, scale_factor=None, mode='nearest', align_corners=None, "
    "recompute_scale_factor=None, antialias=False",
    "grid_sample": "input, grid, mode='bilinear', padding_mode='zeros', align_corners=None",
    "affine_grid": "theta, size, align_corners=None",
}


LAYERS = [
    name
    for name in nn.__all__
    if inspect.isclass(kind := getattr(nn, name))
    and issubclass(kind, nn.Module)
    and kind is not nn.Module
]
PACKING = [name for name in packing.__all__ if name != "PackedSequence"]
OPTIM = [name for name in optim.__all__ if not inspect.ismodule(getattr(optim, name))]
EXPORTED = [n for n in (*LAYERS, *PACKING, *OPTIM, *init.__all__) if n not in ONLY_HERE]


def arguments(function: Any) -> list[list[Any]]:
    """Return [name, kind] or [name, kind, default] of each argument but self and *, **."""
    found = []
    for p in inspect.signature(function).parameters.values():
        if p.name != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            default = [list(p.default) if p.default and p.default.__class__ is tuple else p.default]
            default = [d.__name__ if inspect.isfunction(d) else d for d in default]
            found.append([p.name, p.kind.name, *([] if p.default is p.empty else default)])
    return found


# Their constructors take (*args, **kwargs) in PyTorch; these are from the documentation.
STACK = "bias=True, batch_first=False, dropout=0.0, bidirectional=False"
STORED |= {
    name: arguments(eval(f"lambda input_size, hidden_size, num_layers=1, {text}: None"))
    for name, text in {
        "RNN": f"nonlinearity='tanh', {STACK}, device=None, dtype=None",
        "LSTM": f"{STACK}, proj_size=0, device=None, dtype=None",
        "GRU": f"{STACK}, device=None, dtype=None",
    }.items()
}


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
    """An argument that is called input in PyTorch is called x here."""
    assert name in FUNCTIONAL, f"add PyTorch's arguments of {name} to FUNCTIONAL"
    theirs = arguments(eval(f"lambda {FUNCTIONAL[name]}: None"))
    ours = arguments(function := getattr(functional, name))
    if theirs[0][0] == "input":
        assert ours[0][0] == "x"
        ours[0][0] = "input"
    if inspect.getfullargspec(inspect.unwrap(function)).varargs is None:
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
        (lambda: nn.AvgPool1d(2, divisor_override=3), "divisor_override=3"),
        (
            lambda: nn.TransformerEncoder(nn.Linear(1, 1), 1, enable_nested_tensor=True),
            "enable_nested_tensor=True",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(make: Any, argument: str) -> None:
    with pytest.raises(NotImplementedError, match=argument):
        make()
