"""Compare gradients with finite differences, for your own ops as for tinymed's.

Central differences: dy/dx along v = (f(x + e v) - f(x - e v)) / 2e, error O(e^2). Small inputs are
checked one element at a time; large ones along random directions, where one wrong element still
shows (a product of random vectors is 0 only by chance).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinymed.backpropagation import grad
from tinymed.creation import tensor
from tinymed.grad_mode import no_grad
from tinymed.row_gradient import RowGradient
from tinymed.tensor import Tensor

__all__ = ["gradcheck", "gradgradcheck"]

FULL = 200  # inputs of up to this many elements are checked element by element
DIRECTIONS = 8  # larger ones along this many random directions


def gradcheck(
    function: Callable[..., Any],
    inputs: Sequence[Tensor],
    *,
    eps: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-4,
    generator: np.random.Generator | None = None,
) -> bool:
    """Return True if the gradients of ``function`` equal finite differences.

    Parameters
    ----------
    function : callable
        Takes ``inputs``, returns a Tensor or a tuple of Tensors. Must be deterministic.
    inputs : sequence of Tensor
        Float64 where they require a gradient; the others are passed on as they are.
    eps : float
        Step of the finite difference.
    atol, rtol : float
        |analytic - numeric| <= atol + rtol |numeric| must hold for every element.

    Raises
    ------
    ValueError
        If no input requires a gradient, or one that does is not float64.
    AssertionError
        If a gradient is wrong: names the input, the element and both values.

    Examples
    --------
    >>> import tinymed as tm
    >>> x = tm.tensor([0.5, 2.0], dtype="float64", requires_grad=True)
    >>> gradcheck(lambda x: (x * x).sum(), [x])
    True
    """
    wanted = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not wanted:
        raise ValueError("gradcheck: no input requires a gradient")
    for i in wanted:
        if inputs[i].dtype != np.float64:
            raise ValueError(f"gradcheck: input {i} is {inputs[i].dtype}, expected float64")
    generator = np.random.default_rng(0) if generator is None else generator
    outputs = differentiable_outputs(function(*inputs))
    weights = [generator.standard_normal(y.shape) for y in outputs]
    analytic = grad(outputs, [inputs[i] for i in wanted], weights, allow_unused=True)
    for i, gradient in zip(wanted, analytic, strict=True):
        if isinstance(gradient, RowGradient):
            gradient = Tensor(gradient.to_dense())
        exact = np.zeros(inputs[i].shape) if gradient is None else gradient.detach().numpy()
        for name, direction in directions(inputs[i].shape, generator):
            numeric = along(function, inputs, i, direction, weights, eps)
            value = float((exact * direction).sum())
            if not abs(value - numeric) <= atol + rtol * abs(numeric):
                raise AssertionError(
                    f"gradcheck: input {i} {inputs[i].shape}, {name}: the gradient is "
                    f"{value:.10g}, finite differences give {numeric:.10g}"
                )
    return True


def gradgradcheck(
    function: Callable[..., Any],
    inputs: Sequence[Tensor],
    *,
    eps: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-4,
    generator: np.random.Generator | None = None,
) -> bool:
    """Return True if the second derivatives of ``function`` equal finite differences.

    Checks the gradient as a function of the inputs and of the output's weights; see `gradcheck`.
    """
    generator = np.random.default_rng(0) if generator is None else generator
    outputs = differentiable_outputs(function(*inputs))
    weights = [tensor(generator.standard_normal(y.shape), requires_grad=True) for y in outputs]
    wanted = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]

    def first_derivative(*arguments: Any) -> tuple[Any, ...]:
        given, factors = arguments[: len(inputs)], arguments[len(inputs) :]
        results = differentiable_outputs(function(*given))
        gradients = grad(
            results,
            [given[i] for i in wanted],
            list(factors),
            create_graph=True,
            allow_unused=True,
        )
        return tuple(g for g in gradients if g is not None)

    return gradcheck(
        first_derivative, [*inputs, *weights], eps=eps, atol=atol, rtol=rtol, generator=generator
    )


def differentiable_outputs(result: Any) -> list[Tensor]:
    """Return the floating outputs that depend on an input that requires a gradient."""
    outputs = result if isinstance(result, (tuple, list)) else (result,)
    return [y for y in outputs if isinstance(y, Tensor) and y.requires_grad]


def directions(
    shape: tuple[int, ...], generator: np.random.Generator
) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Yield (name, direction): every element of a small input, random mixtures of a large one."""
    size = int(np.prod(shape))
    if size <= FULL:
        for index in np.ndindex(shape):
            direction = np.zeros(shape)
            direction[index] = 1
            yield f"element {index}", direction
    else:
        for number in range(DIRECTIONS):
            direction = generator.standard_normal(shape)
            yield f"random direction {number}", direction / np.sqrt(size)


def along(
    function: Callable[..., Any],
    inputs: Sequence[Any],
    position: int,
    direction: np.ndarray[Any, Any],
    weights: Sequence[Any],
    eps: float,
) -> float:
    """Return the finite difference of the weighted outputs along a direction of one input."""
    total = 0.0
    for sign in (1, -1):
        moved = list(inputs)
        moved[position] = Tensor(inputs[position].data + sign * eps * direction, True)
        outputs = differentiable_outputs(function(*moved))
        with no_grad():
            total += sign * sum(
                float((y.detach().numpy() * as_array(w)).sum())
                for y, w in zip(outputs, weights, strict=True)
            )
    return total / (2 * eps)


def as_array(weight: Any) -> Any:
    """Return the array of a Tensor, or the array itself."""
    return weight.data if isinstance(weight, Tensor) else weight
