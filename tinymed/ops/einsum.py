"""Sums over products named by subscripts, made of permute, reshape and `matmul`.

An operand is a `Term`: a tensor whose axes bear labels. A label is a letter, or, for an axis that
an ellipsis stands for, its number from the right, so that "..." broadcasts like everything else.
"""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tinymed.errors import check_dims
from tinymed.ops.arithmetic import multiply
from tinymed.ops.diagonal import diagonal
from tinymed.ops.matmul import matmul
from tinymed.ops.promotion import same_dtype
from tinymed.ops.reduction import sum
from tinymed.ops.shaping import permute, reshape

__all__ = ["einsum", "tensordot"]

Labels = tuple[str, ...]
LETTERS = string.ascii_uppercase + string.ascii_lowercase  # what numbers in sublists stand for


class Term(NamedTuple):
    """A tensor and the label of each of its axes, no label twice."""

    tensor: Any
    labels: Labels

    def size(self, labels: Iterable[str]) -> int:
        """Return the number of elements along ``labels``."""
        sizes = dict(zip(self.labels, self.tensor.shape, strict=True))
        return math.prod(sizes[label] for label in labels)

    def ordered(self, labels: Sequence[str], shape: tuple[int, ...] | None = None) -> Any:
        """Return the tensor with its axes in this order, and then in a shape."""
        places = tuple(self.labels.index(label) for label in labels)
        x = self.tensor if places == tuple(range(len(places))) else permute(self.tensor, places)
        return x if shape is None else reshape(x, shape)

    def keeping(self, labels: Iterable[str]) -> Term:
        """Return the sum over all axes but these."""
        kept = set(labels)
        gone = tuple(i for i, label in enumerate(self.labels) if label not in kept)
        if not gone:
            return self
        left = tuple(label for label in self.labels if label in kept)
        return Term(sum(self.tensor, gone, dtype=self.tensor.dtype), left)


def einsum(*args: Any) -> Any:
    """Return the sum, over the subscripts that the output lacks, of the products of the operands.

    Parameters
    ----------
    equation : str
        "ij,jk->ik": a letter for each axis of each operand. A letter met twice in one operand takes
        the diagonal; "..." stands for the axes that are left. Without "->" the output has the axes
        of the ellipsis and then the letters that are met once, A to Z before a to z. Axes of length
        1 are broadcast.
    *operands : tensors of one dtype, or one list of them
        Also ``einsum(a, [0, 1], b, [1, 2], [0, 2])``, with numbers from 0 to 51 and ``...`` in
        place of letters.

    Notes
    -----
    Several operands are taken two at a time, first those whose product is small, each time by one
    batched matrix product.

    Examples
    --------
    >>> import numpy as np
    >>> einsum("ij,jk->ik", np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    equation, operands = equation_and_operands(args)
    subscripts, arrow, wanted = equation.replace(" ", "").partition("->")
    given = subscripts.split(",")
    if len(given) != len(operands):
        raise ValueError(
            f"einsum: {equation!r} has subscripts for {len(given)} operands, {len(operands)} given"
        )
    same_dtype("einsum", **{f"operand {i}": x for i, x in enumerate(operands)})
    pairs = zip(given, operands, strict=True)
    inputs = [labels_of(text, i, x.shape) for i, (text, x) in enumerate(pairs)]
    known = set(itertools.chain(*inputs))
    broadcast = tuple(str(n) for n in sorted(int(label) for label in known if label[0] == "-"))
    if arrow:
        output = labels_of(wanted, None, (), broadcast)
        for label in output:
            if label not in known or output.count(label) > 1:
                problem = "is in no operand" if label not in known else "is twice in the output"
                raise ValueError(f"einsum: subscript {label} of {equation!r} {problem}")
    else:
        letters = subscripts.replace(".", "").replace(",", "")
        output = (*broadcast, *sorted(c for c in set(letters) if letters.count(c) == 1))
    return contracted(operands, inputs, output)


def equation_and_operands(args: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """Return both, whichever way they were given."""
    if args and isinstance(args[0], str):
        equation, *operands = args
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = list(operands[0])
        if operands:
            return equation, operands
    if len(args) < 2:
        raise ValueError(
            "einsum: an equation and at least one operand are expected, or an operand and its list "
            "of subscripts"
        )
    lists = [written(numbers) for numbers in args[1::2]]
    if len(args) % 2:
        return f"{','.join(lists)}->{written(args[-1])}", list(args[:-1:2])
    return ",".join(lists), list(args[::2])


def written(numbers: Sequence[Any]) -> str:
    """Return a list of numbers and ``...`` as subscripts."""
    for number in numbers:
        if number is not ... and not (isinstance(number, int) and 0 <= number < len(LETTERS)):
            raise ValueError(f"einsum: subscript {number!r} is not a number from 0 to 51 or ...")
    return "".join("..." if number is ... else LETTERS[number] for number in numbers)


def labels_of(
    text: str, operand: int | None, shape: tuple[int, ...], broadcast: Labels = ()
) -> Labels:
    """Return the labels of an operand's axes, or of the output's (``operand=None``)."""
    what = "the output" if operand is None else f"operand {operand} {shape}"
    before, dots, behind = text.partition("...")
    if not all(c in LETTERS for c in before + behind):
        raise ValueError(
            f"einsum: the subscripts {text!r} of {what} hold more than letters and one '...'"
        )
    if operand is not None:
        rest = len(shape) - len(before) - len(behind)
        if rest < 0 or (rest > 0 and not dots):
            raise ValueError(
                f"einsum: the subscripts {text!r} of {what} name {len(before + behind)} axes, "
                f"it has {len(shape)}"
            )
        broadcast = tuple(str(n) for n in range(-rest, 0))
    return (*before, *(broadcast if dots else ()), *behind)


def contracted(operands: Sequence[Any], inputs: Sequence[Labels], output: Labels) -> Any:
    """Return the sum over all labels that the output lacks."""
    if operands[0].dtype.kind == "b":
        raise TypeError("einsum: bools are not added up; cast them first")
    sizes = common_sizes([x.shape for x in operands], inputs)
    terms = [term_of(x, labels, sizes) for x, labels in zip(operands, inputs, strict=True)]
    while len(terms) > 1:
        first, second = cheapest(terms, output)
        others = [term for i, term in enumerate(terms) if i not in (first, second)]
        keep = set(output).union(*(term.labels for term in others))
        terms = [*others, product(terms[first], terms[second], keep)]
    return terms[0].keeping(output).ordered(output)


def common_sizes(shapes: Sequence[tuple[int, ...]], inputs: Sequence[Labels]) -> dict[str, int]:
    """Return the length of each label's axes, or raise where two differ and neither is 1."""
    sizes: dict[str, int] = {}
    origin: dict[str, int] = {}
    for operand, (shape, labels) in enumerate(zip(shapes, inputs, strict=True)):
        within: dict[str, int] = {}
        for label, n in zip(labels, shape, strict=True):
            before = within.get(label, n)
            if before != n:
                raise ValueError(
                    f"einsum: subscript {label} is repeated in operand {operand} {shape}, but with "
                    f"sizes {before} and {n}"
                )
            within[label] = n
            if sizes.get(label, 1) == 1:
                sizes[label], origin[label] = n, operand
            elif n not in (1, sizes[label]):
                other = origin[label]
                name = "of the ellipsis" if label[0] == "-" else label
                raise ValueError(
                    f"einsum: subscript {name} has size {sizes[label]} in operand {other} "
                    f"{shapes[other]} but {n} in operand {operand} {shape}"
                )
    return sizes


def term_of(x: Any, labels: Labels, sizes: dict[str, int]) -> Term:
    """Return an operand without repeated labels, and without axes of 1 that others are longer in.

    What such an axis would be repeated along need not be there to be multiplied.
    """
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first, second = [i for i, other in enumerate(labels) if other == label][:2]
            rest = [i for i in range(x.ndim) if i not in (first, second)]
            x = diagonal(x, 0, first, second)
            labels = (*(labels[i] for i in rest), label)
    kept = [i for i, label in enumerate(labels) if x.shape[i] == sizes[label]]
    x = reshape(x, tuple(x.shape[i] for i in kept))
    return Term(x, tuple(labels[i] for i in kept))


def cheapest(terms: Sequence[Term], output: Labels) -> tuple[int, int]:
    """Return the pair whose product is smallest beside what it replaces; then, of fewest steps."""

    def cost(pair: tuple[int, int]) -> tuple[int, int]:
        a, b = (terms[i] for i in pair)
        others = (term.labels for i, term in enumerate(terms) if i not in pair)
        keep = set(output).union(*others)
        rest = [label for label in b.labels if label not in a.labels]
        result = a.size(keep.intersection(a.labels)) * b.size(keep.intersection(rest))
        steps = a.size(a.labels) * b.size(rest)
        return result - a.size(a.labels) - b.size(b.labels), steps

    return min(itertools.combinations(range(len(terms)), 2), key=cost)


def product(a: Term, b: Term, keep: set[str]) -> Term:
    """Return the product of two terms, summed over the labels that need not be kept."""
    a, b = a.keeping(keep.union(b.labels)), b.keeping(keep.union(a.labels))
    shared = [label for label in a.labels if label in b.labels]
    batch = [label for label in shared if label in keep]
    inner = [label for label in shared if label not in keep]
    rows = [label for label in a.labels if label not in shared]
    columns = [label for label in b.labels if label not in shared]
    labels = (*batch, *rows, *columns)
    shape = tuple((a if label in a.labels else b).size([label]) for label in labels)
    n, k = a.size(batch), a.size(inner)
    if not inner:
        left = a.ordered([*batch, *rows], (n, a.size(rows), 1))
        y = multiply(left, b.ordered([*batch, *columns], (n, 1, b.size(columns))))
    else:
        left = a.ordered([*batch, *rows, *inner], (n, a.size(rows), k))
        y = matmul(left, b.ordered([*batch, *inner, *columns], (n, k, b.size(columns))))
    return Term(reshape(y, shape), labels)


def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """Return the sum of products over axes of ``a`` and as many of ``b``.

    Parameters
    ----------
    dims : int, or (axes of a, axes of b)
        A number takes the last axes of ``a`` and the first of ``b``.

    Returns
    -------
    The other axes of ``a``, then those of ``b``.
    """
    same_dtype("tensordot", a=a, b=b)
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise ValueError(
                f"tensordot: dims={dims} is not between 0 and the number of axes of a {a.shape} "
                f"and b {b.shape}"
            )
        dims = range(a.ndim - dims, a.ndim), range(dims)
    of_a, of_b = (list(d) if isinstance(d, Iterable) else [d] for d in dims)
    axes_a = check_dims("tensordot", tuple(of_a), a.ndim) if of_a else ()
    axes_b = check_dims("tensordot", tuple(of_b), b.ndim) if of_b else ()
    if len(axes_a) != len(axes_b):
        raise ValueError(
            f"tensordot: dims={dims} names {len(axes_a)} axes of a, {len(axes_b)} of b"
        )
    labels_a = [f"a{i}" for i in range(a.ndim)]
    labels_b = [f"b{i}" for i in range(b.ndim)]
    for i, j in zip(axes_a, axes_b, strict=True):
        if a.shape[i] != b.shape[j] and 1 not in (a.shape[i], b.shape[j]):
            raise ValueError(
                f"tensordot: axis {i} of a {a.shape} has size {a.shape[i]}, "
                f"axis {j} of b {b.shape} has size {b.shape[j]}"
            )
        labels_b[j] = labels_a[i]
    free_a = [label for label in labels_a if label not in labels_b]
    output = (*free_a, *(label for label in labels_b if label[0] == "b"))
    return contracted((a, b), (tuple(labels_a), tuple(labels_b)), output)
