"""The kernels as PyTorch has them: functions forward, its own backward kernels for gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from tinymed.bench.contest import Attempt, CannotError
from tinymed.bench.peers.torch_activations import activation, activation_grad
from tinymed.bench.peers.torch_optimizers import adam, sgd

__all__ = ["arrays", "image", "kernel"]

aten = torch.ops.aten
Attempts = Attempt | Mapping[str, Attempt]


def kernel(name: str, arguments: tuple[Any, ...], variant: str) -> Attempts:
    """Return PyTorch's attempt at a kernel; ``variant`` is "" or "channels-last"."""
    if name not in KERNELS:
        raise CannotError("PyTorch has nothing like it")
    images = any(isinstance(a, np.ndarray) and a.ndim in (4, 5) for a in arguments)
    if variant == "channels-last" and not (images and name in LAYOUT_MATTERS):
        raise CannotError("its layout does not matter here")
    last = variant == "channels-last"
    converted = [image(a, last) if isinstance(a, np.ndarray) else a for a in arguments]
    return KERNELS[name](*converted)


def image(array: Any, channels_last: bool) -> Any:
    """Return a tensor of an array on PyTorch's default device, images in the layout wanted."""
    if array.dtype.name == "bfloat16":  # which PyTorch does not know of NumPy
        made = torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    else:
        made = torch.from_numpy(np.array(array))
    made = made.to(torch.get_default_device())
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    if channels_last and made.ndim in formats:
        return made.contiguous(memory_format=formats[made.ndim])
    return made


def arrays(results: Any) -> list[Any]:
    """Return tensors as arrays, None as it is."""
    results = results if isinstance(results, tuple | list) else [results]
    return [r if r is None else _array(r.detach().cpu()) for r in results]


def _array(tensor: Any) -> Any:
    """Return a tensor as an array."""
    if tensor.dtype == torch.bfloat16:
        from ml_dtypes import bfloat16

        return tensor.view(torch.int16).numpy().view(bfloat16)
    return tensor.numpy()


def _first(count: int, picked: Callable[[Any], Any] = lambda r: r) -> Callable[[Any], list[Any]]:
    """Return a function that takes the first results alone, the others not being comparable."""
    return lambda results: arrays(picked(results)[:count])


def _activate(y: Any, activation: str | None) -> Any:
    return y if activation is None else getattr(torch, f"{activation}_")(y)


def product(a: Any, b: Any) -> Attempt:
    return Attempt(lambda: a @ b, arrays)


def linear(x: Any, weight: Any, bias: Any, activation: str | None) -> Attempt:
    return Attempt(lambda: _activate(F.linear(x, weight, bias), activation), arrays)


def conv(
    x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int, f: Any
) -> Attempt:
    run = (F.conv1d, F.conv2d, F.conv3d)[x.ndim - 3]
    return Attempt(
        lambda: _activate(run(x, weight, bias, stride, padding, dilation, groups), f), arrays
    )


def conv_grad_input(
    dy: Any, weight: Any, spatial: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Attempt:
    like = dy.new_empty((dy.shape[0], weight.shape[1] * groups, *spatial))
    if dy.ndim == 4 and dy.is_contiguous(memory_format=torch.channels_last):
        like = like.contiguous(memory_format=torch.channels_last)
    settings = (None, stride, padding, dilation, False, [0] * len(spatial), groups)

    def call() -> Any:
        return aten.convolution_backward(dy, like, weight, *settings, (True, False, False))[0]

    return Attempt(call, arrays)


def conv_grad_weight(
    dy: Any, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Attempt:
    like = dy.new_empty((dy.shape[1], x.shape[1] // groups, *kernel))
    if dy.ndim == 4 and dy.is_contiguous(memory_format=torch.channels_last):
        like = like.contiguous(memory_format=torch.channels_last)
    settings = (None, stride, padding, dilation, False, [0] * len(kernel), groups)

    def call() -> Any:
        return aten.convolution_backward(dy, x, like, *settings, (False, True, False))[1]

    return Attempt(call, arrays)


def max_pool(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, out: Any) -> Attempt:
    run = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(kernel) - 1]

    def call() -> Any:
        return run(x, kernel, stride, padding, dilation, return_indices=True)

    y, _ = call()
    if y.shape[2:] != tuple(out):
        raise CannotError("windows past the edge")
    return Attempt(call, _first(1))


def twice_along(x: Any, index: Any, weight: Any, dim: int) -> Attempt:
    """Enlarge linearly, which is what is timed; whoever had other taps would disagree."""
    size = [*x.shape[2:dim], len(index), *x.shape[dim + 1 :]]
    mode = ("linear", "bilinear", "trilinear")[len(size) - 1]
    return Attempt(lambda: F.interpolate(x, size, mode=mode, align_corners=False), arrays)


def max_pool_grad(
    dy: Any, winner: Any, spatial: Any, kernel: Any, stride: Any, padding: Any, dilation: Any
) -> Attempt:
    if len(kernel) != 2:
        raise CannotError("two dimensions only")
    last = dy.is_contiguous(memory_format=torch.channels_last)
    x = image(np.empty((*dy.shape[:2], *spatial), arrays(dy)[0].dtype), last)
    place = 0
    taps = np.unravel_index(arrays(winner)[0], tuple(kernel))
    for axis, tap in enumerate(taps):  # the winner's place in the input, numbered row by row
        start = np.arange(dy.shape[2 + axis]) * stride[axis] - padding[axis]
        at = start.reshape(-1, *[1] * (1 - axis)) + tap * dilation[axis]
        place = place * spatial[axis] + at
    indices = image(np.asarray(place, np.int64), last)
    settings = (list(kernel), list(stride), list(padding), list(dilation), False, indices)
    return Attempt(lambda: aten.max_pool2d_with_indices_backward(dy, x, *settings), arrays)


def avg_pool(x: Any, kernel: Any, stride: Any, padding: Any, out: Any, divisor: Any) -> Attempt:
    if len(kernel) != 2 or divisor != math.prod(kernel):
        raise CannotError("whole windows of two dimensions only")
    y = F.avg_pool2d(x, kernel, stride, padding)
    if y.shape[2:] != tuple(out):
        raise CannotError("windows past the edge")
    return Attempt(lambda: F.avg_pool2d(x, kernel, stride, padding), arrays)


def avg_pool_grad(
    dy: Any, spatial: Any, kernel: Any, stride: Any, padding: Any, divisor: Any
) -> Attempt:
    if len(kernel) != 2 or divisor != math.prod(kernel):
        raise CannotError("whole windows of two dimensions only")
    x = dy.new_empty((*dy.shape[:2], *spatial))
    settings = (list(kernel), list(stride), list(padding), False, True, None)
    return Attempt(lambda: aten.avg_pool2d_backward(dy, x, *settings), arrays)


def batch_norm(x: Any, weight: Any, bias: Any, eps: float) -> Attempt:
    def call() -> Any:
        return aten.native_batch_norm(x, weight, bias, None, None, True, 0.0, eps)

    return Attempt(call, _first(2))  # 1 / standard deviation, where the kernel has the variance


def batch_norm_grad(dy: Any, x: Any, weight: Any, mean: Any, variance: Any, eps: float) -> Attempt:
    settings = (weight, None, None, mean, (variance + eps).rsqrt(), True, eps, [True] * 3)
    return Attempt(lambda: aten.native_batch_norm_backward(dy, x, *settings), arrays)


def group_norm(x: Any, weight: Any, bias: Any, groups: int, eps: float) -> Attempt:
    n, c, length = x.shape
    if groups == 1 and length == 1:
        rows = x.reshape(n, c)

        def layer() -> Any:
            y, _, _ = aten.native_layer_norm(rows, [c], weight, bias, eps)
            return (y.reshape(x.shape),)

        return Attempt(layer, arrays)
    settings = (n, c, length, groups, eps)
    return Attempt(lambda: aten.native_group_norm(x, weight, bias, *settings), _first(2))


def group_norm_grad(dy: Any, x: Any, weight: Any, mean: Any, variance: Any, eps: float) -> Attempt:
    (n, c, length), groups = x.shape, mean.shape[1]
    scale, mask = (variance + eps).rsqrt(), [True] * 3
    if weight is None:
        raise CannotError("it wants a weight")
    if groups == 1 and length == 1:
        flat = (dy.reshape(n, c), x.reshape(n, c), [c])
        bias = torch.zeros_like(weight)

        def layer() -> Any:
            dx, *others = aten.native_layer_norm_backward(*flat, mean, scale, weight, bias, mask)
            return dx.reshape(x.shape), *others

        return Attempt(layer, arrays)
    settings = (mean, scale, weight, n, c, length, groups, mask)
    return Attempt(lambda: aten.native_group_norm_backward(dy, x, *settings), arrays)


def cross_entropy(logits: Any, target: Any) -> Attempt:
    return Attempt(lambda: F.cross_entropy(logits, target, reduction="none"), arrays)


def cross_entropy_grad(dy: Any, logits: Any, target: Any) -> Attempt:
    """From the log-softmax that PyTorch keeps, so without computing it once more."""
    kept, none = F.log_softmax(logits, 1), torch.tensor(0.0)

    def call() -> Any:
        d = aten.nll_loss_backward(dy, kept, target, None, 0, -100, none)
        return aten._log_softmax_backward_data(d, kept, 1, logits.dtype)

    return Attempt(call, arrays)


def embedding(weight: Any, ids: Any) -> Attempt:
    return Attempt(lambda: F.embedding(ids, weight), arrays)


def embedding_grad(dy: Any, ids: Any, rows: int) -> Attempt:
    return Attempt(lambda: aten.embedding_dense_backward(dy, ids, rows, -1, False), arrays)


def sum_rows(values: Any, ids: Any) -> Attempt:
    size = (int(ids.max()) + 1, values.shape[1])

    def call() -> Any:
        made = torch.sparse_coo_tensor(ids[None], values, size, check_invariants=False)
        return made.coalesce()

    return Attempt(call, lambda found: arrays([found.indices()[0], found.values()]))


def bag_sum(weight: Any, ids: Any, offsets: Any, scale: Any) -> Attempt:
    settings = {"mode": "sum", "per_sample_weights": scale, "include_last_offset": True}
    return Attempt(lambda: F.embedding_bag(ids, weight, offsets, **settings), arrays)


def bag_max(weight: Any, ids: Any, offsets: Any) -> Attempt:
    def call() -> Any:
        return F.embedding_bag(ids, weight, offsets, mode="max", include_last_offset=True)

    return Attempt(call, arrays)


def first_layer(x: Any, weight: Any, bias: Any, padding: Any) -> Attempt:
    def call() -> Any:
        return F.max_pool2d(F.conv2d(x, weight, bias, padding=padding).relu_(), 2)

    return Attempt(call, arrays)


def bias_grad(dy: Any) -> Attempt:
    axes, dtype = [0, *range(2, dy.ndim)], torch.promote_types(dy.dtype, torch.float32)
    return Attempt(lambda: dy.sum(axes, dtype=dtype), arrays)


def softmax(x: Any) -> Attempt:
    return Attempt(lambda: torch.softmax(x, 1), arrays)


def softmax_grad(dy: Any, y: Any) -> Attempt:
    return Attempt(lambda: aten._softmax_backward_data(dy, y, 1, y.dtype), arrays)


def log_softmax(x: Any) -> Attempt:
    return Attempt(lambda: torch.log_softmax(x, 1), arrays)


def log_softmax_grad(dy: Any, y: Any) -> Attempt:
    return Attempt(lambda: aten._log_softmax_backward_data(dy, y, 1, y.dtype), arrays)


def mean_cross_entropy(logits: Any, target: Any) -> Attempt:
    return Attempt(lambda: F.cross_entropy(logits, target), arrays)


KERNELS: dict[str, Callable[..., Attempts]] = {
    "activation.forward": activation,
    "activation.grad": activation_grad,
    "matmul.product": product,
    "matmul.bias_grad": bias_grad,
    "conv_pool.forward": first_layer,
    "softmax.softmax": softmax,
    "softmax.softmax_grad": softmax_grad,
    "softmax.log_softmax": log_softmax,
    "softmax.log_softmax_grad": log_softmax_grad,
    "softmax.mean_cross_entropy": mean_cross_entropy,
    "matmul.linear": linear,
    "conv.forward": conv,
    "conv.grad_input": conv_grad_input,
    "conv.grad_weight": conv_grad_weight,
    "pooling.max_forward": max_pool,
    "pooling.max_grad_input": max_pool_grad,
    "pooling.avg_forward": avg_pool,
    "pooling.avg_grad_input": avg_pool_grad,
    "normalization.batch_norm": batch_norm,
    "normalization.batch_norm_grad": batch_norm_grad,
    "normalization.group_norm": group_norm,
    "normalization.group_norm_grad": group_norm_grad,
    "softmax.cross_entropy": cross_entropy,
    "softmax.cross_entropy_grad": cross_entropy_grad,
    "embedding.forward": embedding,
    "embedding.grad_weight": embedding_grad,
    "embedding.sum_rows": sum_rows,
    "embedding.bag_sum": bag_sum,
    "embedding.bag_max": bag_max,
    "optimizer.adam": adam,
    "resampling.forward": twice_along,
    "optimizer.sgd": sgd,
}
LAYOUT_MATTERS = {
    name for name in KERNELS if name.startswith(("conv", "pooling.", "normalization.batch"))
}
