"""Products of vectors and matrices under their own names; all of them are made of `matmul`."""

from __future__ import annotations

import math
from typing import Any

from tinymed.errors import check_dim, refuse
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.arithmetic import multiply
from tinymed.ops.broadcasting import expand
from tinymed.ops.counting import unrecorded
from tinymed.ops.cumulative import counted
from tinymed.ops.diagonal import diagonal
from tinymed.ops.indexing import getitem
from tinymed.ops.joining import stack
from tinymed.ops.matmul import matmul
from tinymed.ops.promotion import cast, result_type, rounded_once, same_dtype
from tinymed.ops.reduction import sum
from tinymed.ops.shaping import permute, reshape, transpose, unsqueeze
from tinymed.precision import kind_of

__all__ = [
    "addbmm",
    "addmm",
    "addmv",
    "addr",
    "baddbmm",
    "bmm",
    "cross",
    "dot",
    "inner",
    "kron",
    "matrix_power",
    "mm",
    "mv",
    "outer",
    "trace",
    "vdot",
]


def check_axes(name: str, **inputs: tuple[Any, int]) -> None:
    """Raise unless each (tensor, number of axes) has as many, and all one dtype."""
    same_dtype(name, **{argument: x for argument, (x, _) in inputs.items()})
    if any(x.ndim != axes for x, axes in inputs.values()):
        given = " and ".join(f"{argument} {x.shape}" for argument, (x, _) in inputs.items())
        wanted = " and ".join(str(axes) for _, axes in inputs.values())
        raise ValueError(f"{name}: {given} must have {wanted} axes")


def mm(x: Any, mat2: Any) -> Any:
    """Return the product of two matrices: (N, K) (K, M) -> (N, M)."""
    check_axes("mm", x=(x, 2), mat2=(mat2, 2))
    return matmul(x, mat2)


def bmm(x: Any, mat2: Any) -> Any:
    """Return the products of two batches of matrices: (B, N, K) (B, K, M) -> (B, N, M)."""
    check_axes("bmm", x=(x, 3), mat2=(mat2, 3))
    if x.shape[0] != mat2.shape[0]:
        raise ValueError(f"bmm: x {x.shape} and mat2 {mat2.shape} differ in their batch axis")
    return matmul(x, mat2)


def mv(x: Any, vec: Any) -> Any:
    """Return the product of a matrix and a vector: (N, K) (K,) -> (N,)."""
    check_axes("mv", x=(x, 2), vec=(vec, 1))
    return matmul(x, vec)


def dot(x: Any, tensor: Any) -> Any:
    """Return the sum of the products of two vectors: (K,) (K,) -> ()."""
    check_axes("dot", x=(x, 1), tensor=(tensor, 1))
    return matmul(x, tensor)


def vdot(x: Any, other: Any) -> Any:
    """Return `dot`: there are no complex numbers to conjugate."""
    check_axes("vdot", x=(x, 1), other=(other, 1))
    return matmul(x, other)


def outer(x: Any, vec2: Any) -> Any:
    """Return all products of the elements of two vectors: (N,) (M,) -> (N, M)."""
    if x.ndim != 1 or vec2.ndim != 1:
        raise ValueError(f"outer: x {x.shape} and vec2 {vec2.shape} must have 1 axis each")
    return multiply(unsqueeze(x, 1), vec2)


def inner(x: Any, other: Any) -> Any:
    """Return the dots of the last axes: (..., K) (*, K) -> (..., *); a 0-d tensor multiplies."""
    if x.ndim == 0 or other.ndim == 0:
        return multiply(x, other)
    same_dtype("inner", x=x, other=other)
    if x.shape[-1] != other.shape[-1]:
        raise ValueError(f"inner: x {x.shape} and other {other.shape} differ in their last axis")
    rows, columns = (reshape(t, (math.prod(t.shape[:-1]), t.shape[-1])) for t in (x, other))
    return reshape(matmul(rows, transpose(columns, 0, 1)), (*x.shape[:-1], *other.shape[:-1]))


def addmm(x: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """Return beta x + alpha mat1 mat2: (N, K) (K, M) -> (N, M).

    ``x`` is repeated to the result's shape. With ``beta=0`` it does not count, whatever it holds;
    neither does the product with ``alpha=0``. That holds for all functions here that add.
    """
    same_dtype("addmm", x=x, mat1=mat1, mat2=mat2)
    check_axes("addmm", mat1=(mat1, 2), mat2=(mat2, 2))
    return added("addmm", x, matmul(mat1, mat2), beta, alpha)


def addmv(x: Any, mat: Any, vec: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """Return beta x + alpha mat vec: (N, K) (K,) -> (N,). See `addmm`."""
    same_dtype("addmv", x=x, mat=mat, vec=vec)
    check_axes("addmv", mat=(mat, 2), vec=(vec, 1))
    return added("addmv", x, matmul(mat, vec), beta, alpha)


def addr(x: Any, vec1: Any, vec2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """Return beta x + alpha vec1 vec2^T: (N,) (M,) -> (N, M), in the common dtype. See `addmm`."""
    dtype = result_type(x, vec1, vec2)
    return added("addr", cast(x, dtype), cast(outer(vec1, vec2), dtype), beta, alpha)


def baddbmm(x: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """Return beta x + alpha batch1 batch2: (B, N, K) (B, K, M) -> (B, N, M). See `addmm`."""
    same_dtype("baddbmm", x=x, batch1=batch1, batch2=batch2)
    return added("baddbmm", x, bmm(batch1, batch2), beta, alpha)


def addbmm(x: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """Return beta x + alpha sum_b batch1_b batch2_b: (B, N, K) (B, K, M) -> (N, M). See `addmm`."""
    same_dtype("addbmm", x=x, batch1=batch1, batch2=batch2)
    check_axes("addbmm", batch1=(batch1, 3), batch2=(batch2, 3))
    (b, n, k), (c, j, m) = batch1.shape, batch2.shape
    if (b, k) != (c, j):
        raise ValueError(f"addbmm: batch1 {batch1.shape} and batch2 {batch2.shape} do not fit")
    wide = reshape(permute(batch1, 1, 0, 2), (n, b * k))
    return added("addbmm", x, matmul(wide, reshape(batch2, (b * k, m))), beta, alpha)


def added(name: str, x: Any, product: Any, beta: float, alpha: float) -> Any:
    """Return beta x + alpha product."""
    if kind_of(product.dtype) != "f":
        if int(beta) != beta or int(alpha) != alpha:
            raise TypeError(
                f"{name}: beta={beta} and alpha={alpha} must be integers, as the tensors are "
                f"({product.dtype})"
            )
        beta, alpha = int(beta), int(alpha)
    return scaled(expand(x, product.shape), beta) + scaled(product, alpha)


def scaled(x: Any, factor: float) -> Any:
    """Return factor x: 0 for a factor of 0, be x NaN or infinite."""
    if factor == 0:
        return cast(x != x, x.dtype) * 0
    return x if factor == 1 else x * factor


def kron(x: Any, other: Any) -> Any:
    """Return the Kronecker product: each element of ``x`` times all of ``other``, as blocks."""
    ndim = max(x.ndim, other.ndim)
    left, right = ((1,) * (ndim - t.ndim) + t.shape for t in (x, other))
    apart_left = tuple(n for size in left for n in (size, 1))
    apart_right = tuple(n for size in right for n in (1, size))
    blocks = multiply(reshape(x, apart_left), reshape(other, apart_right))
    return reshape(blocks, tuple(n * m for n, m in zip(left, right, strict=True)))


def trace(x: Any) -> Any:
    """Return the sum of the diagonal of a matrix (N, M); integers are counted in int64."""
    if x.ndim != 2:
        raise ValueError(f"trace: x {x.shape} is not a matrix")
    return sum(diagonal(counted(x)))


def matrix_power(x: Any, n: int) -> Any:
    """Return the product of ``n`` of the square matrices ``x`` (..., N, N), by squaring.

    Negative powers need an inverse, which is not implemented.
    """
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"matrix_power: x {x.shape} is not of square matrices")
    if n < 0:
        refuse("matrix_power", n=(n, "n >= 0"))
    if n == 0:
        return unrecorded(identities, x)
    power: Any = None
    while True:
        if n % 2:
            power = x if power is None else matmul(power, x)
        n //= 2
        if n == 0:
            return power
        x = matmul(x, x)


def identities(x: Array) -> Array:
    """Return an identity matrix for each of the matrices."""
    xp = array_module(x)
    return xp.zeros_like(x) + xp.eye(x.shape[-1], dtype=x.dtype)


@rounded_once
def cross(x: Any, other: Any, dim: int | None = None) -> Any:
    """Return the vector product along ``dim``, an axis of 3; other axes are broadcast.

    None takes the first axis of length 3, as in PyTorch.
    """
    same_dtype("cross", x=x, other=other)
    if x.ndim != other.ndim:
        raise ValueError(f"cross: x {x.shape} and other {other.shape} differ in number of axes")
    if dim is None:
        if 3 not in x.shape:
            raise ValueError(f"cross: x {x.shape} has no axis of length 3")
        dim = x.shape.index(3)
    axis = check_dim("cross", dim, x.ndim)
    if x.ndim == 0 or (x.shape[axis], other.shape[axis]) != (3, 3):
        raise ValueError(
            f"cross: x {x.shape} and other {other.shape} must have length 3 along dim={dim}"
        )
    before = (slice(None),) * axis
    (a, b, c), (d, e, f) = ([getitem(t, (*before, i)) for i in range(3)] for t in (x, other))
    return stack([b * f - c * e, c * d - a * f, a * e - b * d], axis)
