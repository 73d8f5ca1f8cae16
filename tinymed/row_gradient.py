"""RowGradient: the gradient of a table of which only some rows took part."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels import embedding as kernels
from tinymed.kernels.arrays import Array, array_module

__all__ = ["RowGradient"]


class RowGradient:
    """A gradient that is 0 but in some rows, and holds only these: an embedding's, if ``sparse``.

    It takes the place of a dense gradient on the way to a leaf, in hooks, in what `grad` returns,
    and as ``.grad``. Two of them add up to one of the rows of both; with a dense gradient the sum
    is dense, and so is what goes on to an op or under ``create_graph``.
    `SGD`, `Adagrad` and `SparseAdam` change the rows it has and leave the others alone.

    Parameters
    ----------
    rows : (k,) int64
        In ascending order, each once.
    values : (k, *shape[1:])
        The gradient in these rows. Arrays, not Tensors: nothing is recorded through them.
    shape : tuple of int
        Shape of the whole gradient.

    Examples
    --------
    >>> import tinymed as tm
    >>> table = tm.ones(5, 2, requires_grad=True)
    >>> tm.nn.functional.embedding(tm.tensor([3, 0, 3]), table, sparse=True).sum().backward()
    >>> table.grad
    RowGradient(2 of 5 rows, shape (5, 2), float32)
    >>> table.grad.rows, table.grad.values[1]
    (array([0, 3]), array([2., 2.], dtype=float32))
    """

    __slots__ = ("rows", "shape", "values")
    __array_ufunc__ = None  # so that ndarray + RowGradient calls __radd__

    def __init__(self, rows: Array, values: Array, shape: tuple[int, ...]) -> None:
        self.rows, self.values, self.shape = rows, values, tuple(shape)
        if rows.dtype != np.int64 or rows.ndim != 1 or not (rows[1:] > rows[:-1]).all():
            raise ValueError(
                "RowGradient: rows are not int64 numbers in ascending order, each once"
            )
        if values.shape != (len(rows), *self.shape[1:]) or not self.shape:
            raise ValueError(
                f"RowGradient: values {values.shape} do not fit {len(rows)} rows of {self.shape}"
            )
        if len(rows) and (rows[0] < 0 or rows[-1] >= self.shape[0]):
            raise IndexError(
                f"RowGradient: rows {rows[0]} to {rows[-1]} are out of range for {self.shape}"
            )

    @classmethod
    def summed(cls, ids: Array, values: Array, shape: tuple[int, ...]) -> RowGradient:
        """Return the gradient from values (n, *shape[1:]) at ids (n,); those of one id add up."""
        rows, sums = kernels.sum_rows(values, ids)
        return cls(rows, sums, shape)

    @property
    def dtype(self) -> Any:
        """The dtype of the values."""
        return self.values.dtype

    def to_dense(self) -> Array:
        """Return the whole gradient as an array."""
        dense = array_module(self.values).zeros(self.shape, self.dtype)
        dense[self.rows] = self.values
        return dense

    def astype(self, dtype: Any) -> RowGradient:
        """Return the same gradient with its values in ``dtype``."""
        return RowGradient(self.rows, self.values.astype(dtype), self.shape)

    def copy(self) -> RowGradient:
        """Return the same gradient with memory of its own."""
        return RowGradient(self.rows.copy(), self.values.copy(), self.shape)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, RowGradient):
            check_shapes(self.shape, other.shape)
            concatenate = array_module(self.values).concatenate
            ids = concatenate((self.rows, other.rows))
            return RowGradient.summed(ids, concatenate((self.values, other.values)), self.shape)
        if isinstance(other, array_module(other).ndarray):
            check_shapes(self.shape, other.shape)
            total = other.astype(np.promote_types(self.dtype, other.dtype))
            total[self.rows] += self.values
            return total
        return NotImplemented

    __radd__ = __add__

    def __mul__(self, factor: float) -> RowGradient:
        return RowGradient(self.rows, self.values * factor, self.shape)

    __rmul__ = __mul__

    def __neg__(self) -> RowGradient:
        return RowGradient(self.rows, -self.values, self.shape)

    def __repr__(self) -> str:
        of = f"{len(self.rows)} of {self.shape[0]} rows"
        return f"RowGradient({of}, shape {self.shape}, {self.dtype})"


def check_shapes(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    """Raise unless two gradients are of one tensor."""
    if one != other:
        raise ValueError(f"RowGradient: gradients {one} and {other} cannot be added")
