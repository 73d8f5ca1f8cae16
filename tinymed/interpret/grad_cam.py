"""Class activation maps: what a convolution saw, weighed by what the score makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinymed import ops
from tinymed.interpret.gradients import slopes
from tinymed.interpret.question import Array, Layer, Question, Target
from tinymed.kernels.arrays import to_host
from tinymed.nn import Conv1d, Conv2d, Conv3d, Module
from tinymed.tensor import Tensor

__all__ = ["grad_cam", "grad_cam_plus_plus"]

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def grad_cam(
    model: Module,
    x: Any,
    target: Target = None,
    *,
    layer: Layer = None,
    channel_axis: int = 1,
    signed: bool = False,
    batch_size: int = 32,
) -> Array:
    """Return relu(sum over channels of w_k A_k), w_k the mean over the plane of d score / d A_k.

    A is what the layer makes of x, in one, two or three dimensions; the map is drawn out to x.

    Parameters
    ----------
    model, x, target, batch_size
        As for `tinymed.interpret.saliency`.
    layer : Module, str or None
        Its outputs (N, K, *places) are looked at. None: the last outputs in the shape of those of
        the last convolution with more than one place, so norm and activation are behind it.
    channel_axis : int
        The axis of x that is no place; x (N, T) of ids has none.
    signed : bool
        Leave out the relu: negative where a place speaks against the target.

    Returns
    -------
    numpy.ndarray, of the shape of x
        The same map for every channel of x.

    Raises
    ------
    ValueError
        No such layer, or one whose outputs have not the places of x.

    Notes
    -----
    As coarse as the layer: what is smaller than one of its places cannot be told apart.

    References
    ----------
    Selvaraju et al. (2017), "Grad-CAM: visual explanations from deep networks via gradient-based
    localization", equations 1 and 2.

    Examples
    --------
    >>> import tinymed as tm
    >>> model = tm.nn.Sequential(
    ...     tm.nn.Conv2d(1, 4, 3, activation="relu"), tm.nn.Flatten(), tm.nn.Linear(4 * 36, 2)
    ... )
    >>> grad_cam(model, tm.ones(3, 1, 8, 8), target=1).shape
    (3, 1, 8, 8)
    """
    with at_plane("grad_cam", model, x, target, layer, batch_size) as ask:
        plane = tuple(range(2, ask.start.ndim))
        weights = slopes(ask).mean(axis=plane, keepdims=True)
        return drawn_out(ask, weights, channel_axis, signed)


def grad_cam_plus_plus(
    model: Module,
    x: Any,
    target: Target = None,
    *,
    layer: Layer = None,
    channel_axis: int = 1,
    signed: bool = False,
    batch_size: int = 32,
) -> Array:
    """Return Grad-CAM with channels weighed where they raise the score: several lesions, not one.

    With g = d score / d A, w_k = sum of alpha relu(g), alpha = g^2 / (2 g^2 + g^3 sum(A_k)).

    Parameters
    ----------
    model, x, target, layer, channel_axis, signed, batch_size
        As for `grad_cam`.

    Returns
    -------
    numpy.ndarray, of the shape of x

    Notes
    -----
    The closed form of alpha holds for exp(score): higher derivatives of a score that is piecewise
    linear in A are powers of g.

    References
    ----------
    Chattopadhyay et al. (2018), "Grad-CAM++: generalized gradient-based visual explanations for
    deep convolutional networks", equations 11 and 19.
    """
    with at_plane("grad_cam_plus_plus", model, x, target, layer, batch_size) as ask:
        plane = tuple(range(2, ask.start.ndim))
        slope = slopes(ask).astype(np.float64)
        divisor = 2 * slope**2 + slope**3 * ask.start.sum(axis=plane, keepdims=True)
        alpha = np.divide(slope**2, divisor, where=divisor != 0, out=np.zeros_like(slope))
        weights = (alpha * np.maximum(slope, 0)).sum(axis=plane, keepdims=True)
        return drawn_out(ask, weights, channel_axis, signed)


def at_plane(
    name: str, model: Module, x: Any, target: Target, layer: Layer, batch_size: int
) -> Question:
    """Return the question at a layer, the last plane unless one is named."""
    if not isinstance(model, Module):
        raise TypeError(f"{name}: model is {type(model).__name__}, a Module expected")
    ask = Question(name, model, x, target, layer, batch_size)
    if ask.layer is None:
        with ask:
            ask.layer = last_plane(name, model, lambda: model(ask.tensor(ask.x[:1])))
    return ask


def last_plane(name: str, model: Module, run: Callable[[], Any]) -> Module:
    """Return the module with the last outputs in the shape of those of the last convolution."""
    told: list[tuple[Module, tuple[int, ...]]] = []

    def listen(module: Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            told.append((module, output.shape))

    innermost = [module for module in model.modules() if not any(module.children())]
    handles = [module.register_forward_hook(listen) for module in innermost]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    planes = [
        shape
        for module, shape in told
        if isinstance(module, (Conv1d, Conv2d, Conv3d)) and np.prod(shape[2:]) > 1
    ]
    ran = [module for module, _ in told]
    for module, shape in reversed(told if planes else []):
        if shape == planes[-1] and sum(module is each for each in ran) == 1:
            return module
    raise ValueError(
        f"{name}: {type(model).__name__} runs no convolution with more than one place; name a layer"
    )


def drawn_out(ask: Question, weights: Array, channel_axis: int, signed: bool) -> Array:
    """Return sum over channels of weights times activations, in the shape of x."""
    shape, dims = ask.x.shape, ask.start.ndim - 2
    channels = {channel_axis % len(shape)} if len(shape) > 2 else set()
    places = [axis for axis in range(1, len(shape)) if axis not in channels]
    if dims != len(places) or dims not in LINEAR:
        raise ValueError(
            f"{ask.name}: the layer makes {ask.start.shape}, x {shape} has {len(places)} axes of "
            "places; (N, K, *places) with one to three of them expected"
        )
    coarse = (weights * ask.start).sum(axis=1, keepdims=True)  # (N, 1, *places)
    coarse = coarse if signed else np.maximum(coarse, 0)
    size = tuple(shape[axis] for axis in places)
    fine = to_host(ops.interpolate(coarse, size, mode=LINEAR[dims], align_corners=False))[:, 0]
    for axis in channels:
        fine = np.expand_dims(fine, axis)
    return np.broadcast_to(fine, shape).astype(np.result_type(ask.x.dtype, np.float32))
