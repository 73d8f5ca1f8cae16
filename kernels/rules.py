"""Which implementation runs on the CPU: one table, measured, read from top to bottom.

A kernel's rules are tried in order, and the first whose implementation can do what is asked and
pays runs. ``can`` is about being right: what shapes, dtypes and settings the code is written for.
``pays`` is about being fast, measured by ``tinymed bench``; a backend that is asked for by its full
name (``use_backend("numba_cpu:direct")``) runs wherever it can. The reference always can, and is
the last of every kernel's rules without being listed. Conditions look at shapes, dtypes and
settings alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from tinymed.precision import NARROW

__all__ = ["RULES", "Rule"]

Condition = Callable[..., bool]


def always(*arguments: Any) -> bool:
    """Return True."""
    return True


def never(*arguments: Any) -> bool:
    """Return False: what runs only where it is asked for."""
    return False


class Rule(NamedTuple):
    """An implementation, when it can run and when it pays, by the arguments of its kernel."""

    implementation: str  # "backend" or "backend:variant"
    can: Condition
    pays: Condition
    why: str  # one line for `explain`
    here: Condition = always  # asked of what can run: is the GPU that holds the arrays one for it?


def floats(x: Any, *others: Any) -> bool:
    """Return whether the first array is float32 or float64, and so what the vector code is for."""
    return x.dtype.char in "fd" and x.dtype.isnative


def rows(x: Any, ids: Any, *others: Any) -> bool:
    """Return whether the arrays are rows of float32 or float64 and their numbers, int64."""
    return floats(x) and x.dtype.isnative and ids.dtype.kind == "i" and ids.dtype.itemsize == 8


def many_rows(weight: Any, ids: Any) -> bool:
    """Return whether more than one thread is worth it; one copies no faster than NumPy's take."""
    elements: int = ids.size * weight.shape[-1] if weight.ndim > 1 else ids.size
    return elements >= 1 << 20


def rows_of_bags(weight: Any, ids: Any, *others: Any) -> bool:
    """Return whether a place in a bag is also a whole float32, which maxima are tracked by."""
    return rows(weight, ids) and ids.size <= 1 << 24


def rows_in_place(weight: Any, ids: Any, max_norm: float, norm_type: float) -> bool:
    """Return whether rows can be shortened where they are, by one of the common norms."""
    return rows(weight, ids) and weight.flags.carray and norm_type in (1, 2, float("inf"))


def reals(x: Any, *others: Any) -> bool:
    """Return whether x is of floats of 16, 32 or 64 bits."""
    return x.dtype.char in NARROW or floats(x)


def alike_reals(a: Any, b: Any, *others: Any) -> bool:
    """Return whether two arrays are of the same floats, and of one shape."""
    return reals(a) and a.dtype == getattr(b, "dtype", None) and a.shape == b.shape


def alike_floats(a: Any, b: Any, *others: Any) -> bool:
    """Return whether two arrays are float32, or float64, and of one shape."""
    return floats(a) and a.dtype == getattr(b, "dtype", None) and a.shape == b.shape


def alike_but_first(grad_output: Any, x: Any, target: Any) -> bool:
    """Return whether x and target are of one shape, and all three float32, or float64."""
    return alike_floats(x, target) and grad_output.dtype == x.dtype


def long_activation(x: Any, name: str, *parameters: float) -> bool:
    """Return whether the call is worth it: NumPy does three of them in one short pass."""
    return x.size >= 4096 or name not in ("relu", "hardtanh", "tanh")


def long_activation_grad(grad_output: Any, known: Any, name: str, *parameters: float) -> bool:
    """Return the same of the gradient's arguments."""
    return known.size >= 4096 or name not in ("sigmoid", "tanh")


def alike(params: Any, *others: Any) -> bool:
    """Return whether lists of arrays are float32, or float64, and of the same shapes one by one.

    Vector code that is given addresses would read and write beyond the end of shorter ones.
    """
    dtype = params[0].dtype
    if dtype.char not in "fd" or not dtype.isnative:
        return False
    lists = [params, *(other for other in others if other.__class__ is list)]
    arrays = [array for one in lists for array in one]
    shapes = [array.shape for array in params]
    return [array.shape for array in arrays] == shapes * len(lists) and [
        array.dtype for array in arrays
    ].count(dtype) == len(arrays)


def all_floats(arrays: Any) -> bool:
    """Return whether all arrays of a list are float32 or float64."""
    return all(array.dtype.char in "fd" and array.dtype.isnative for array in arrays)


ONE_PASS = (Rule("numba_cpu", alike, always, "one pass over memory, all parameters in one call"),)


def matrices(a: Any, b: Any, *others: Any) -> bool:
    """Return whether both are matrices of the same dtype, float32 or float64."""
    return a.ndim == 2 == b.ndim and a.dtype == b.dtype and floats(a)


def some_thousands(x: Any, *others: Any) -> bool:
    """Return whether there are 4096 elements: fewer are done before compiled code is called."""
    return x.size >= 4096


def long_linear(x: Any, weight: Any, *others: Any) -> bool:
    """Return whether a layer has 2^18 multiply-adds: fewer are done before threads are called."""
    return x.size * len(weight) >= 1 << 18


def long_product(a: Any, b: Any) -> bool:
    """Return whether a product has 2^18 multiply-adds."""
    return a.size * b.shape[-1] >= 1 << 18


def one_dtype(*arguments: Any) -> bool:
    """Return whether all arrays are float32, or all float64."""
    dtypes = {argument.dtype for argument in arguments if hasattr(argument, "dtype")}
    return len(dtypes) == 1 and dtypes.pop() in ("float32", "float64")


def plain_lstm_forward(*arguments: Any) -> bool:
    """Return whether an LSTM has neither a projection nor peepholes."""
    return arguments[7] is None is arguments[8] and one_dtype(*arguments)


def plain_lstm_backward(*arguments: Any) -> bool:
    """Return the same of the gradient's arguments."""
    return arguments[6] is None is arguments[7] and one_dtype(*arguments)


def reset_after_forward(*arguments: Any) -> bool:
    """Return whether the reset gate of a GRU comes after U h."""
    return bool(arguments[8]) and one_dtype(*arguments)


def reset_after_backward(*arguments: Any) -> bool:
    """Return the same of the gradient's arguments: there are candidates then."""
    return arguments[3] is not None and one_dtype(*arguments)


CUBES = (3, 3), (3, 3, 3)


def three_by_three(x: Any, weight: Any, *settings: Any) -> bool:
    """Return whether a convolution is what Winograd's transforms are for, in float32."""
    _, stride, _, dilation, groups, *_ = settings
    plain = {*stride, *dilation, groups} == {1} and weight.shape[2:] in CUBES
    return plain and x.dtype.char == "f" and one_dtype(x, weight)


def many_tiles(x: Any, weight: Any, *settings: Any) -> bool:
    """Return whether there are 8 channels on both sides, and 128 positions in all images.

    Where a map is a tile or two, most of a tile is padding: there images are better side by side,
    unless many channels make the products all that counts.
    """
    n, positions = x.shape[0] * math.prod(x.shape[2:-2]), math.prod(x.shape[-2:])  # of slices
    channels = min(weight.shape[:2])
    few = positions <= 4 or (positions <= 36 and channels <= 32 and n >= 16)
    return channels >= 8 and n * positions >= 128 and not few


def three_by_three_windows(dy: Any, x: Any, kernel: Any, *settings: Any) -> bool:
    """Return whether the gradient of the weight is that of such a convolution."""
    stride, _, dilation, groups = settings
    plain = {*stride, *dilation, groups} == {1} and tuple(kernel) in CUBES
    return plain and dy.dtype.char == "f" and one_dtype(dy, x)


def many_sums(dy: Any, x: Any, *settings: Any) -> bool:
    """Return whether there are 8 channels, 128 positions and fewer products with tiles."""
    k, (height, width), n = dy.shape[1], dy.shape[-2:], len(dy) * math.prod(dy.shape[2:-2])
    tiles = -(-height // 4) * -(-width // 4)
    enough = min(k, x.shape[1]) >= 8 and n * height * width >= 128
    return enough and 4 * tiles < height * width


def one_by_one(x: Any, weight: Any, bias: Any, *settings: Any) -> bool:
    """Return whether a convolution is a matrix product for each image, of a register at least."""
    stride, padding = settings[:2]
    plain = max(*weight.shape[2:], *stride) == 1 and not any(padding)
    return plain and math.prod(x.shape[2:]) >= 16 and one_dtype(x, weight, bias)


def one_by_one_gradient(dy: Any, weight: Any, spatial: Any, *settings: Any) -> bool:
    """Return the same of the gradient's arguments; dy may be smaller than x elsewhere."""
    return tuple(spatial) == dy.shape[2:] and one_by_one(dy, weight, None, *settings)


def one_group(*arguments: Any) -> bool:
    """Return whether a convolution, or a gradient of it, has one group and one dtype."""
    return arguments[6] == 1 and one_dtype(*arguments)


def small_maps(x: Any, weight: Any, *settings: Any) -> bool:
    """Return whether 8 channels have 64 positions at most, fewer if there are not 16 images."""
    return min(weight.shape[:2]) >= 8 and math.prod(x.shape[2:]) <= min(64, 4 * len(x))


def small_maps_of_x(dy: Any, weight: Any, spatial: Any, *settings: Any) -> bool:
    """Return the same of the gradient's arguments."""
    return min(weight.shape[:2]) >= 8 and math.prod(spatial) <= min(64, 4 * len(dy))


def small_maps_of_both(dy: Any, x: Any, *settings: Any) -> bool:
    """Return whether a batch has 64 positions a map, and x as many channels as a register."""
    positions = math.prod(dy.shape[2:])
    return x.shape[1] >= 16 and positions <= 64 and len(dy) * positions >= 8


def tables_in_place(inputs: Any, outputs: Any, words: Any, starts: Any, *others: Any) -> bool:
    """Return whether word2vec's tables can be changed where they are, and words are int64."""
    return (
        one_dtype(inputs, outputs)
        and floats(inputs)
        and inputs.flags.carray
        and outputs.flags.carray
        and words.dtype == starts.dtype == "int64"
    )


def glove_in_place(*arguments: Any) -> bool:
    """Return whether GloVe's eight tables can be changed where they are, and rows are int64."""
    tables, (rows, columns, targets, weights, starts, _) = arguments[:8], arguments[8:]
    whole = all(array.dtype == "int64" for array in (rows, columns, starts))
    contiguous = all(table.flags.carray for table in tables)
    return one_dtype(*tables, targets, weights) and contiguous and whole


def taps_along(x: Any, index: Any, weight: Any, dim: int) -> bool:
    """Return whether numbers and weights are float32, or float64, and indices int64."""
    return one_dtype(x, weight) and index.dtype == "int64"


def labelled(log_probs: Any, targets: Any, *others: Any) -> bool:
    """Return whether sequences are of float32 or float64, and labels and lengths int64."""
    return floats(log_probs) and all(one.dtype == "int64" for one in (targets, *others[:2]))


def labelled_grad(grad_output: Any, log_probs: Any, *others: Any) -> bool:
    """Return the same of the gradient's arguments, whose numbers are of one dtype."""
    alike = all(one.dtype == log_probs.dtype for one in (grad_output, *others[-2:]))
    return alike and labelled(log_probs, *others)


SMALL_MAPS = "a batch of small maps: the lanes run along images, no product with the padding"
PRODUCT = "1x1: a matrix product for each image, nothing laid out"
WINOGRAD = "3x3 or 3x3x3 in float32: a quarter of the products, ten times the rounding error"
EXACT = "sums of taps, any geometry; nothing is approximated"
ANY_FORMULA = "one pass over memory, whatever the formula"
NOT_STORED = "what is pooled is never written to memory"
ALL_STEPS = "all time steps in one call; each thread takes some sequences"

WINDOWS = (Rule("numba_cpu", floats, always, "a register of neighbouring windows at a time"),)

WORD_PAIRS = (Rule("numba_cpu", tables_in_place, always, "a whole pass in compiled code"),)

NORMS = (Rule("numba_cpu", floats, always, "sums and result of a channel or sample in cache"),)

LOGITS = (Rule("numba_cpu", floats, always, "exponentials in vector code, a row in cache"),)

BOTH = (Rule("numba_cpu", alike_floats, never, "only as part of a compiled step"),)

OF_LOSS = (Rule("numba_cpu", alike_but_first, always, "one pass over memory"),)

RULES: dict[str, tuple[Rule, ...]] = {
    "activation.forward": (Rule("numba_cpu", floats, long_activation, ANY_FORMULA),),
    "activation.grad": (Rule("numba_cpu", alike_floats, long_activation_grad, ANY_FORMULA),),
    "arithmetic.add": BOTH,
    "arithmetic.multiply": BOTH,
    "losses.mean_squares": (Rule("numba_cpu", alike_floats, always, "one pass over memory"),),
    "losses.mean_squares_grad": OF_LOSS,
    "losses.mean_logistic": (Rule("numba_cpu", alike_floats, always, "one pass over memory"),),
    "losses.mean_logistic_grad": OF_LOSS,
    "matmul.product": (Rule("numba_cpu", matrices, long_product, "2^18 multiply-adds or more"),),
    "matmul.bias_grad": (Rule("numba_cpu", floats, some_thousands, "4096 elements or more"),),
    "matmul.linear": (
        Rule("numba_cpu", matrices, long_linear, "2^18 multiply-adds or more; bias and f fused"),
    ),
    "conv.forward": (
        Rule("numba_cpu:winograd", three_by_three, many_tiles, WINOGRAD),
        Rule("numba_cpu:pointwise", one_by_one, always, PRODUCT),
        Rule("numba_cpu:small_maps", one_group, small_maps, SMALL_MAPS),
        Rule("numba_cpu:direct", one_dtype, always, EXACT),
    ),
    "conv.grad_input": (
        Rule("numba_cpu:winograd", three_by_three, many_tiles, WINOGRAD),
        Rule("numba_cpu:pointwise", one_by_one_gradient, always, PRODUCT),
        Rule("numba_cpu:small_maps", one_group, small_maps_of_x, SMALL_MAPS),
        Rule("numba_cpu:direct", one_dtype, always, EXACT),
    ),
    "conv.grad_weight": (
        Rule("numba_cpu:winograd", three_by_three_windows, many_sums, WINOGRAD),
        Rule("numba_cpu:small_maps", one_group, small_maps_of_both, SMALL_MAPS),
        Rule("numba_cpu:direct", one_dtype, always, EXACT),
    ),
    "ctc.forward": (Rule("numba_cpu", labelled, always, "the lanes are neighbouring states"),),
    "ctc.grad": (Rule("numba_cpu", labelled_grad, always, "and beta is never written to memory"),),
    "conv_pool.forward": (Rule("numba_cpu", one_dtype, always, NOT_STORED),),
    "conv_pool.grad_weight": (Rule("numba_cpu", floats, always, NOT_STORED),),
    "recurrent.rnn_forward": (Rule("numba_cpu", one_dtype, always, ALL_STEPS),),
    "recurrent.rnn_backward": (Rule("numba_cpu", one_dtype, always, ALL_STEPS),),
    "recurrent.lstm_forward": (Rule("numba_cpu", plain_lstm_forward, always, ALL_STEPS),),
    "recurrent.lstm_backward": (Rule("numba_cpu", plain_lstm_backward, always, ALL_STEPS),),
    "recurrent.gru_forward": (Rule("numba_cpu", reset_after_forward, always, ALL_STEPS),),
    "recurrent.gru_backward": (Rule("numba_cpu", reset_after_backward, always, ALL_STEPS),),
    "recurrent.before": (Rule("numba_cpu", one_dtype, always, "each sequence on its own"),),
    "optimizer.sgd": ONE_PASS,
    "optimizer.adam": ONE_PASS,
    "optimizer.adamax": ONE_PASS,
    "optimizer.nadam": ONE_PASS,
    "optimizer.radam": ONE_PASS,
    "optimizer.sparse_adam": ONE_PASS,
    "optimizer.rmsprop": ONE_PASS,
    "optimizer.adagrad": ONE_PASS,
    "optimizer.adadelta": ONE_PASS,
    "optimizer.squares": (Rule("numba_cpu", all_floats, always, "one pass over memory"),),
    "pooling.max_forward": WINDOWS,
    "pooling.max_grad_input": WINDOWS,
    "pooling.max_gather": WINDOWS,
    "pooling.avg_forward": WINDOWS,
    "pooling.avg_grad_input": WINDOWS,
    "embedding.forward": (
        Rule("numba_cpu", rows, many_rows, "a million elements: several threads copy them"),
    ),
    "embedding.sum_rows": (Rule("numba_cpu", rows, always, "ids sorted by their digits, O(n)"),),
    "embedding.grad_weight": (Rule("numba_cpu", rows, always, "each row is written once"),),
    "embedding.bag_sum": (Rule("numba_cpu", rows, always, "no copies of the rows"),),
    "embedding.bag_max": (Rule("numba_cpu", rows_of_bags, always, "no copies of the rows"),),
    "resampling.forward": (
        Rule("numba_cpu", taps_along, some_thousands, "4096 elements or more: one pass an axis"),
    ),
    "glove.adagrad": (
        Rule("numba_cpu", glove_in_place, always, "blocks of a diagonal at the same time"),
    ),
    "word2vec.skip_gram_negative": WORD_PAIRS,
    "word2vec.cbow_negative": WORD_PAIRS,
    "word2vec.skip_gram_hierarchical": WORD_PAIRS,
    "word2vec.cbow_hierarchical": WORD_PAIRS,
    "embedding.renormalize": (Rule("numba_cpu", rows_in_place, always, "no copies of the rows"),),
    "normalization.batch_norm": NORMS,
    "normalization.batch_norm_grad": NORMS,
    "normalization.affine": (Rule("numba_cpu", one_dtype, always, "one pass over memory"),),
    "normalization.group_norm": NORMS,
    "normalization.group_norm_grad": NORMS,
    "softmax.softmax": LOGITS,
    "softmax.softmax_grad": LOGITS,
    "softmax.log_softmax": LOGITS,
    "softmax.log_softmax_grad": LOGITS,
    "softmax.cross_entropy": LOGITS,
    "softmax.cross_entropy_grad": LOGITS,
    "softmax.mean_cross_entropy": LOGITS,
    "softmax.mean_cross_entropy_grad": LOGITS,
}
