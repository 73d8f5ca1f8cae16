"""A thousand random programs of 5 to 30 ops: their gradients against finite differences.

Ops come together as no table of single ops brings them together: values are used twice, broadcast,
sliced, joined and reduced in every order. A direction v through all leaves at once is enough:
<gradient, v> must be the difference quotient along v.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinymed import ops
from tinymed.backpropagation import grad
from tinymed.tensor import Tensor

SHAPES = ((2, 3), (3,), (1, 3), (2, 1), (3, 2), ())
UNARY: dict[str, Callable[[Any], Any]] = {
    **{
        name: getattr(ops, name)
        for name in (
            "tanh", "sigmoid", "sin", "cos", "atan", "softplus", "silu", "gelu", "mish", "erf",
            "square", "negative", "exp", "expm1", "asinh", "softsign", "logsigmoid", "clone",
        )
    },
    "log of 1 + x^2": lambda x: ops.log1p(x * x),
    "root of 1 + x^2": lambda x: ops.sqrt(x * x + 1),
    "1 / (1 + x^2)": lambda x: ops.reciprocal(x * x + 1),
    "sum": lambda x: ops.sum(x),
    "mean, last axis": lambda x: ops.mean(x, -1, keepdim=True) if x.ndim else x,
    "sum, first axis": lambda x: ops.sum(x, 0) if x.ndim else x,
    "logsumexp": lambda x: ops.logsumexp(x, -1) if x.ndim else x,
    "softmax": lambda x: ops.softmax(x, -1) if x.ndim else x,
    "log_softmax": lambda x: ops.log_softmax(x, 0) if x.ndim else x,
    "cumsum": lambda x: ops.cumsum(x, -1) if x.ndim else x,
    "transposed": lambda x: ops.permute(x, tuple(reversed(range(x.ndim)))),
    "flat": lambda x: ops.reshape(x, (-1,)),
    "flipped": lambda x: ops.flip(x, (0,)) if x.ndim else x,
    "rolled": lambda x: ops.roll(x, 1, -1) if x.ndim else x,
    "a part": lambda x: x[..., 1:] if x.ndim and x.shape[-1] > 1 else x,
    "some twice": lambda x: x[np.array([0, -1, 0])] if x.ndim else x,
    "padded": lambda x: ops.pad(x, (1, 0)) if x.ndim and x.numel() < 30 else x,
    "variance": lambda x: ops.var(x, -1, keepdim=True) if x.ndim and x.shape[-1] > 1 else x,
    "prod": lambda x: ops.prod(x, -1) if x.ndim else x,
    "norm": lambda x: ops.norm(x * x + 1),
    "one per row": lambda x: ops.unsqueeze(x, 0) if x.ndim < 3 else ops.sum(x, 0),
}  # fmt: skip
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": ops.add,
    "-": ops.subtract,
    "*": ops.multiply,
    "/ (1 + y^2)": lambda x, y: x / (y * y + 1),
    "lerp": lambda x, y: ops.lerp(x, y, 0.3),
    "where": lambda x, y: ops.where(np.array(True), x, y) + ops.where(np.array(False), x, y),
    "hypot": lambda x, y: ops.hypot(x, y * y + 1),
    "logaddexp": ops.logaddexp,
    "outer": lambda x, y: ops.outer(ops.reshape(x, (-1,))[:3], ops.reshape(y, (-1,))[:3]),
    "side by side": lambda x, y: ops.cat([ops.reshape(x, (-1,))[:9], ops.reshape(y, (-1,))[:9]]),
    "matmul": lambda x, y: (
        ops.matmul(x, ops.transpose(y, -1, -2))
        if x.ndim == y.ndim == 2 and x.shape[1] == y.shape[1]
        else x - y
    ),
}


def draw_program(generator: np.random.Generator) -> list[tuple[Any, ...]]:
    """Return steps (name of op, positions of its inputs); earlier values are taken again."""
    leaves = int(generator.integers(1, 4))
    steps: list[tuple[Any, ...]] = []
    for step in range(int(generator.integers(5, 31))):
        made = leaves + step
        recent = int(generator.integers(max(0, made - 3), made))
        if generator.random() < 0.4:
            other = int(generator.integers(made))
            steps.append((str(generator.choice(list(BINARY))), recent, other))
        else:
            steps.append((str(generator.choice(list(UNARY))), recent))
    return [(leaves,), *steps]


def run(program: list[tuple[Any, ...]], leaves: list[Any]) -> Any:
    """Return a scalar made of the last values. Values are kept small, shapes are made to fit."""
    values = list(leaves)
    for name, *inputs in program[1:]:
        if len(inputs) == 1:
            y = UNARY[name](values[inputs[0]])
        else:
            a, b = (values[i] for i in inputs)
            try:
                y = BINARY[name](a, b)
            except ValueError:  # shapes that do not broadcast
                y = BINARY[name](a, ops.mean(b))
        values.append(ops.tanh(y) if y.numel() and abs(y.data).max() > 2 else y)
    return sum((ops.sum(v * 0.7) for v in values[-3:]), start=ops.sum(values[-1] * values[-1]))


def draw_leaves(generator: np.random.Generator, count: int) -> list[np.ndarray]:
    return [
        generator.uniform(-1, 1, SHAPES[int(generator.integers(len(SHAPES)))]) for _ in range(count)
    ]


@pytest.mark.parametrize("hundred", range(10))
def test_gradients(hundred: int) -> None:
    for seed in range(100 * hundred, 100 * hundred + 100):
        generator = np.random.default_rng(seed)
        program = draw_program(generator)
        arrays = draw_leaves(generator, program[0][0])
        directions = [generator.standard_normal(x.shape) for x in arrays]
        leaves = [Tensor(x, requires_grad=True) for x in arrays]
        found = grad(run(program, leaves), leaves, allow_unused=True)
        along = sum(
            float((g.data * v).sum())
            for g, v in zip(found, directions, strict=True)
            if g is not None
        )
        h = 1e-6
        ahead, behind = (
            run(program, [Tensor(x + s * v) for x, v in zip(arrays, directions, strict=True)])
            for s in (h, -h)
        )
        quotient = (ahead.item() - behind.item()) / (2 * h)
        assert along == pytest.approx(quotient, rel=2e-5, abs=2e-6), (seed, program)


def test_second_derivatives() -> None:
    """The gradient's change along a direction, against a difference of gradients."""
    for seed in range(1000, 1100):
        generator = np.random.default_rng(seed)
        program = draw_program(generator)
        arrays = draw_leaves(generator, program[0][0])
        directions = [generator.standard_normal(x.shape) for x in arrays]

        def slope(at: list[np.ndarray], create_graph: bool, v: Any, p: Any = program) -> Any:
            leaves = [Tensor(x, requires_grad=True) for x in at]
            found = grad(run(p, leaves), leaves, allow_unused=True, create_graph=create_graph)
            used = [(g, d) for g, d in zip(found, v, strict=True) if g is not None]
            return leaves, sum((ops.sum(g * d) for g, d in used), start=Tensor(np.zeros(())))

        leaves, along = slope(arrays, True, directions)
        if not along.requires_grad:
            continue
        second = grad(along, leaves, allow_unused=True)
        found = sum(
            float((g.data * v).sum())
            for g, v in zip(second, directions, strict=True)
            if g is not None
        )
        h = 1e-6
        moved = ([x + s * v for x, v in zip(arrays, directions, strict=True)] for s in (h, -h))
        ahead, behind = (slope(at, False, directions)[1] for at in moved)
        quotient = (ahead.item() - behind.item()) / (2 * h)
        assert found == pytest.approx(quotient, rel=1e-4, abs=1e-4), (seed, program)
