"""Tensor: an array with operators, gradients and in-place methods.

Longer than other files because every operator is written out, so that a reader can search for it.
The operations as methods, ``x.sum()``, are in `tensor_methods`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, SupportsIndex

import numpy as np

from tinymed import autograd, backpropagation, ops, precision
from tinymed.autograd import Variable
from tinymed.backpropagation import Handle
from tinymed.errors import CompileError, check_dim
from tinymed.grad_mode import MODE
from tinymed.kernels.arrays import is_array, place, to_host, to_place
from tinymed.kernels.recording import repeats
from tinymed.ops.index_parts import in_turn, plain_index
from tinymed.ops.promotion import to_device
from tinymed.ops.shaping import shape_argument
from tinymed.precision import kind_of, widened
from tinymed.random import or_default
from tinymed.tensor_methods import Methods

__all__ = ["DTYPES", "Tensor", "is_tensor"]

NUMPYS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
SUPPORTED = frozenset(map(np.dtype, NUMPYS))  # in this machine's byte order
DTYPES = (*NUMPYS, "bfloat16")  # bfloat16 where ml_dtypes is

KIND_OR_LOWER = {"b": "b", "i": "biu", "u": "biu", "f": "biuf"}

_bool = bool  # Tensor has methods of these names, which hide the types from its annotations
_float = float
_int = int


class Tensor(Methods):
    """A NumPy or CuPy array that can be differentiated.

    Parameters
    ----------
    data : array
        Kept as it is, without a copy; use `tensor` for lists, numbers and copies.
    requires_grad : bool
        Record what is computed from it. Floating dtypes only.

    Attributes
    ----------
    data : NumPy or CuPy array
    grad : Tensor or None
        Where `backward` adds up the gradient, for leaves.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: _bool = False) -> None:
        data = checked(data)
        if requires_grad and kind_of(data.dtype) != "f":
            raise TypeError(f"tensor: only floating dtypes have gradients, this is {data.dtype}")
        super().__init__(data, requires_grad)

    # ---------------------------------------------------------------------------- what it is

    @property
    def shape(self) -> tuple[_int, ...]:
        """Number of elements along each axis."""
        shape: tuple[_int, ...] = self.data.shape
        return shape

    @property
    def dtype(self) -> Any:
        """The NumPy dtype of the elements."""
        return self.data.dtype

    @property
    def ndim(self) -> _int:
        """Number of axes."""
        ndim: _int = self.data.ndim
        return ndim

    @property
    def device(self) -> str:
        """Where the array lives: "cpu" or "cuda:N"."""
        return place(self.data)

    @property
    def is_leaf(self) -> _bool:
        """Whether no recorded call made it: leaves get a `.grad`."""
        return self.source is None

    @property
    def grad_fn(self) -> Any:
        """The node that made it, with its settings; None for leaves."""
        return None if self.source is None else self.source[0]

    @property
    def T(self) -> Tensor:
        """The tensor with its axes reversed."""
        return self.permute(tuple(reversed(range(self.ndim))))

    def size(self, dim: _int | None = None) -> Any:
        """Return the shape, or the length of the axis ``dim``."""
        return self.shape if dim is None else self.shape[check_dim("size", dim, self.ndim)]

    def dim(self) -> _int:
        """Return the number of axes."""
        return self.ndim

    def numel(self) -> _int:
        """Return the number of elements."""
        return math.prod(self.shape)

    nelement = numel
    ndimension = dim

    def element_size(self) -> _int:
        """Return the bytes of an element."""
        size: _int = self.dtype.itemsize
        return size

    @property
    def nbytes(self) -> _int:
        """Bytes of all elements."""
        return self.numel() * self.element_size()

    def is_floating_point(self) -> _bool:
        """Tell whether the dtype is a floating one."""
        return kind_of(self.dtype) == "f"

    def is_contiguous(self) -> _bool:
        """Tell whether the elements are in row order in memory."""
        ordered: _bool = self.data.flags.c_contiguous
        return ordered

    def __len__(self) -> _int:
        if self.ndim == 0:
            raise TypeError("len: a tensor without axes has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            raise TypeError("iteration: a tensor without axes cannot be iterated")
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self) -> _bool:
        self._is_read("bool")
        if self.numel() != 1:
            raise ValueError(
                f"bool: the truth of a tensor {self.shape} is ambiguous; use x.any() or x.all()"
            )
        return bool(self.data.reshape(())[()])

    def __int__(self) -> _int:
        return int(self.item())

    def __float__(self) -> _float:
        return float(self.item())

    def __index__(self) -> _int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"index: only an integer tensor can be an index, this is {self.dtype}")
        return int(self.item())

    def __repr__(self) -> str:
        array = widened(to_host(self.data))  # NumPy shows a bfloat16 as if it were an integer
        values = np.array2string(array, separator=", ", prefix="tensor(", precision=4)
        extras = [f", {self.data.dtype}"] if self.dtype != ops.default_dtype() else []
        if self.device != "cpu":
            extras.append(f", device={self.device!r}")
        if self.source is not None:
            extras.append(f", grad_fn={type(self.source[0]).__name__}")
        elif self.requires_grad:
            extras.append(", requires_grad=True")
        return f"tensor({values}{''.join(extras)})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.ndim == 0 else super().__format__(spec)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        if self.source is not None:
            raise RuntimeError(
                f"copy: a tensor {self.shape} made by {type(self.grad_fn).__name__} cannot be "
                "copied or pickled with its graph; use clone() or detach()"
            )
        return super().__reduce_ex__(protocol)

    # ------------------------------------------------------------------------- to other forms

    def _is_read(self, how: str) -> None:
        """Refuse to give values to Python where the step is repeated: the next ones will differ."""
        if (who := repeats()) is not None:
            raise CompileError(
                f"{who}: {how}() reads the values of a tensor {self.shape} inside the step; "
                "return the tensor and read it outside"
            )

    def item(self) -> Any:
        """Return the only element as a Python number."""
        self._is_read("item")
        if self.numel() != 1:
            raise ValueError(f"item: a tensor {self.shape} has {self.numel()} elements, expected 1")
        return self.data.item()

    def tolist(self) -> Any:
        """Return the elements as nested lists of Python numbers."""
        self._is_read("tolist")
        return self.data.tolist()

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return a NumPy array, sharing memory where it can; refused where gradients are wanted."""
        self._is_read("numpy")
        if self.requires_grad:
            raise RuntimeError("numpy: the tensor requires a gradient; use detach().numpy()")
        return to_host(self.data)

    def __array__(self, dtype: Any = None, copy: _bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy()
        if copy is False and dtype is not None and array.dtype != np.dtype(dtype):
            raise ValueError(f"array: {array.dtype} cannot become {np.dtype(dtype)} without a copy")
        return np.array(array, dtype=dtype, copy=True) if copy else np.asarray(array, dtype=dtype)

    def to(self, *targets: Any, device: str | None = None, dtype: Any = None) -> Tensor:
        """Return it in another dtype and/or on another device ("cpu", "cuda", "cuda:1").

        By position, a device, a dtype or a tensor, which stands for its own device and dtype.
        """
        result, wanted = self, targets_of(targets, device, dtype)
        if place(self.data) == "cpu":  # cast before it is sent: on another GPU it could not be
            wanted.sort(key=names_device)
        for target in wanted:
            if names_device(target):
                result = to_device(result, target)
            elif isinstance(target, str) and target not in DTYPES:
                raise ValueError(
                    f"to: {target!r} is neither a device ('cpu', 'cuda', 'cuda:N') nor one of the "
                    f"dtypes {', '.join(DTYPES)}"
                )
            else:
                result = ops.cast(result, dtype_of(target))
        return result

    def cpu(self) -> Tensor:
        """Return it in host memory."""
        return self.to("cpu")

    def cuda(self, device: str = "cuda") -> Tensor:
        """Return it in the memory of a GPU."""
        return self.to(device)

    def float(self) -> Tensor:
        """Return it in float32."""
        return self.to(np.float32)

    def double(self) -> Tensor:
        """Return it in float64."""
        return self.to(np.float64)

    def long(self) -> Tensor:
        """Return it in int64."""
        return self.to(np.int64)

    def int(self) -> Tensor:
        """Return it in int32."""
        return self.to(np.int32)

    def half(self) -> Tensor:
        """Return it in float16."""
        return self.to(np.float16)

    def bfloat16(self) -> Tensor:
        """Return it in bfloat16, which needs ml_dtypes."""
        return self.to(precision.bfloat16())

    def type_as(self, other: Tensor) -> Tensor:
        """Return it in the dtype of ``other``."""
        return self.to(other.dtype)

    def bool(self) -> Tensor:
        """Return it as bools."""
        return self.to(np.bool_)

    # -------------------------------------------------------------------------- differentiation

    def backward(
        self, gradient: Any = None, retain_graph: _bool = False, create_graph: _bool = False
    ) -> None:
        """Add the derivative of this tensor to the `.grad` of every leaf it was made from.

        Parameters
        ----------
        gradient : Tensor, array or None
            Weight of each element; None stands for 1 where there is only one.
        """
        backpropagation.backward([self], [gradient], create_graph, retain_graph)

    def detach(self) -> Tensor:
        """Return the same memory as a constant."""
        return Tensor(self.data)

    def requires_grad_(self, requires_grad: _bool = True) -> Tensor:
        """Make a leaf require a gradient (or not), and return it."""
        if self.source is not None and not requires_grad:
            raise RuntimeError("requires_grad_: only leaves can stop requiring one; use detach()")
        if requires_grad and kind_of(self.dtype) != "f":
            raise TypeError(
                f"requires_grad_: only floating dtypes have gradients, not {self.dtype}"
            )
        self.requires_grad = requires_grad
        return self

    def register_hook(self, hook: Callable[[Any], Any]) -> Handle:
        """Call ``hook(gradient)`` in backward; it may return another.

        Returns what removes it, by ``remove()``.
        """
        return backpropagation.add_hook(self, hook)

    def retain_grad(self) -> None:
        """Keep `.grad` although this is not a leaf."""
        backpropagation.retain_grad(self)

    # ------------------------------------------------------------------------------- operators

    def __add__(self, other: Any) -> Tensor:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return ops.subtract(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return ops.subtract(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return ops.multiply(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return ops.multiply(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return ops.divide(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return ops.divide(other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return ops.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return ops.floor_divide(other, self)

    def __mod__(self, other: Any) -> Tensor:
        return ops.remainder(self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return ops.remainder(other, self)

    def __pow__(self, other: Any) -> Tensor:
        return ops.power(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return ops.power(other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return ops.matmul(other, self)

    def __neg__(self) -> Tensor:
        return ops.negative(self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return ops.abs(self)

    def __invert__(self) -> Tensor:
        return ops.bitwise_not(self)

    def __and__(self, other: Any) -> Tensor:
        return ops.bitwise_and(self, other)

    def __rand__(self, other: Any) -> Tensor:
        return ops.bitwise_and(other, self)

    def __or__(self, other: Any) -> Tensor:
        return ops.bitwise_or(self, other)

    def __ror__(self, other: Any) -> Tensor:
        return ops.bitwise_or(other, self)

    def __xor__(self, other: Any) -> Tensor:
        return ops.bitwise_xor(self, other)

    def __rxor__(self, other: Any) -> Tensor:
        return ops.bitwise_xor(other, self)

    def __lshift__(self, other: Any) -> Tensor:
        return ops.bitwise_left_shift(self, other)

    def __rlshift__(self, other: Any) -> Tensor:
        return ops.bitwise_left_shift(other, self)

    def __rshift__(self, other: Any) -> Tensor:
        return ops.bitwise_right_shift(self, other)

    def __rrshift__(self, other: Any) -> Tensor:
        return ops.bitwise_right_shift(other, self)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return ops.eq(self, other) if is_operand(other) else NotImplemented

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return ops.ne(self, other) if is_operand(other) else NotImplemented

    def __lt__(self, other: Any) -> Tensor:
        return ops.lt(self, other)

    def __le__(self, other: Any) -> Tensor:
        return ops.le(self, other)

    def __gt__(self, other: Any) -> Tensor:
        return ops.gt(self, other)

    def __ge__(self, other: Any) -> Tensor:
        return ops.ge(self, other)

    __hash__ = Variable.__hash__  # by identity, since == compares elements

    def __getitem__(self, index: Any) -> Tensor:
        return ops.getitem(self, index)

    # ----------------------------------------------------------------------- writing in place

    def __setitem__(self, index: Any, value: Any) -> None:
        self._check_write("x[i] = v", value, "ops.where, cat or pad make a new one")
        *before, last = in_turn(plain_index(index), self.ndim)
        view = self.data
        for part in before:
            view = view[part]
        array = self._beside(value)
        if is_array(array) and array.size == 1:  # NumPy puts no array (1,) in the place of a number
            array = array.reshape(())
        try:
            view[last] = array
        except ValueError as error:
            if not is_array(array):
                raise
            shape = ops.getitem(view, last).shape
            raise ValueError(f"x[i] = v: v {array.shape} does not fit x[i] {shape}") from error
        autograd.wrote(self.data)

    def copy_(self, other: Any) -> Tensor:
        """Overwrite the elements with those of ``other``."""
        self._check_write("copy_", other, "use the other tensor itself")
        self.data[...] = self._beside(other)
        autograd.wrote(self.data)
        return self

    def _beside(self, value: Any) -> Any:
        """Return the array of a value where this tensor is; a number as it is."""
        array = array_of(value)
        return to_place(array, self.device) if is_array(array) else array

    def fill_(self, value: Any) -> Tensor:
        """Set every element to ``value``."""
        self._check_write("fill_", value, "ops make a new one")
        self.data[...] = array_of(value)
        autograd.wrote(self.data)
        return self

    def zero_(self) -> Tensor:
        """Set every element to 0."""
        return self.fill_(0)

    def masked_fill_(self, mask: Any, value: Any) -> Tensor:
        """Set the elements where ``mask`` (bool, broadcast) holds to ``value``."""
        self._check_write("masked_fill_", value, "masked_fill makes a new one")
        filled = ops.masked_fill(self.data, array_of(mask), array_of(value))
        return self._become("masked_fill_", filled)

    def uniform_(
        self, low: _float = 0.0, high: _float = 1.0, *, generator: np.random.Generator | None = None
    ) -> Tensor:
        """Draw every element from U(low, high)."""
        drawn = or_default(generator).uniform(low, high, self.shape)
        return self._draw("uniform_", drawn)

    def normal_(
        self, mean: _float = 0.0, std: _float = 1.0, *, generator: np.random.Generator | None = None
    ) -> Tensor:
        """Draw every element from N(mean, std^2)."""
        drawn = or_default(generator).normal(mean, std, self.shape)
        return self._draw("normal_", drawn)

    def _draw(self, name: str, values: Any) -> Tensor:
        """Take over what was drawn on the host, if the dtype is a floating one."""
        self._check_write(name, None, "nn.init writes into parameters")
        if not self.is_floating_point():
            raise TypeError(f"{name}: random numbers do not fit a tensor of {self.dtype}")
        self.data[...] = to_place(values.astype(self.dtype), self.device)
        autograd.wrote(self.data)
        return self

    def add_(self, other: Any, *, alpha: _float = 1) -> Tensor:
        """Add ``alpha * other`` in place."""
        self._check_write("add_", other, "x = x + other makes a new one")
        return self._become("add_", ops.add(self.data, array_of(other), alpha=alpha))

    def sub_(self, other: Any, *, alpha: _float = 1) -> Tensor:
        """Subtract ``alpha * other`` in place."""
        self._check_write("sub_", other, "x = x - other makes a new one")
        return self._become("sub_", ops.subtract(self.data, array_of(other), alpha=alpha))

    def mul_(self, other: Any) -> Tensor:
        """Multiply by ``other`` in place."""
        self._check_write("mul_", other, "x = x * other makes a new one")
        return self._become("mul_", ops.multiply(self.data, array_of(other)))

    def div_(self, other: Any) -> Tensor:
        """Divide by ``other`` in place."""
        self._check_write("div_", other, "x = x / other makes a new one")
        return self._become("div_", ops.divide(self.data, array_of(other)))

    def __iadd__(self, other: Any) -> Tensor:
        return self.add_(other) if self._writes(other) else ops.add(self, other)

    def __isub__(self, other: Any) -> Tensor:
        return self.sub_(other) if self._writes(other) else ops.subtract(self, other)

    def __imul__(self, other: Any) -> Tensor:
        return self.mul_(other) if self._writes(other) else ops.multiply(self, other)

    def __itruediv__(self, other: Any) -> Tensor:
        return self.div_(other) if self._writes(other) else ops.divide(self, other)

    def _writes(self, other: Any) -> _bool:
        """Tell whether ``x += other`` writes into x: what is recorded becomes a new tensor instead.

        A leaf is written, or refused where it is recorded: ``w -= lr * w.grad`` outside no_grad
        would make a constant of a parameter without a word.
        """
        recorded = MODE.enabled and (self.requires_grad or getattr(other, "requires_grad", False))
        return not recorded or (self.requires_grad and self.is_leaf)

    def clamp_(self, min: Any = None, max: Any = None) -> Tensor:
        """Limit the elements to [min, max] in place."""
        self._check_write("clamp_", None, "x = x.clamp(...) makes a new one")
        return self._become("clamp_", ops.clamp(self.data, array_of(min), array_of(max)))

    def _check_write(self, name: str, value: Any, instead: str) -> None:
        """Refuse to write where a gradient is recorded, and into what several elements share."""
        involved = self.requires_grad or getattr(value, "requires_grad", False)
        if involved and MODE.enabled:
            raise RuntimeError(
                f"{name}: a tensor {self.shape} whose gradient is recorded cannot be written in "
                f"place; {instead}, or write under no_grad()"
            )
        if not writeable(self.data):
            raise RuntimeError(
                f"{name}: the tensor is a read-only view, as expand makes; clone() it"
            )

    def _become(self, name: str, result: Any) -> Tensor:
        """Take over the values of ``result``, unless this dtype cannot hold their kind."""
        kind = kind_of(ops.result_type(self.data, result))
        if kind not in KIND_OR_LOWER[kind_of(self.dtype)]:
            raise TypeError(
                f"{name}: the result is {result.dtype}, which a tensor of {self.dtype} cannot hold"
            )
        self.data[...] = result
        autograd.wrote(self.data)
        return self

    # ------------------------------------------------------- shapes that are named another way

    def t(self) -> Tensor:
        """Return a matrix transposed; a vector or number as it is."""
        if self.ndim > 2:
            raise ValueError(f"t: a tensor {self.shape} has {self.ndim} axes, expected at most 2")
        return self.T

    @property
    def mT(self) -> Tensor:
        """The tensor with its last two axes exchanged."""
        return ops.transpose(self, -2, -1)

    def expand(self, *shape: Any) -> Tensor:
        """Return it repeated along axes of length 1; -1 keeps an axis."""
        return ops.expand(self, shape_argument(shape))

    def expand_as(self, other: Tensor) -> Tensor:
        """Return it repeated to the shape of ``other``."""
        return ops.expand(self, other.shape)

    def reshape_as(self, other: Tensor) -> Tensor:
        """Return the elements in the shape of ``other``."""
        return ops.reshape(self, other.shape)

    def view_as(self, other: Tensor) -> Tensor:
        """Return the same memory in the shape of ``other``."""
        return ops.view(self, other.shape)

    def contiguous(self) -> Tensor:
        """Return it with its elements in row order in memory; itself if they are."""
        return self if self.data.flags.c_contiguous else ops.clone(self)


Variable.result_type = Tensor


def checked(data: Any) -> Any:
    """Return an array of a supported dtype, or raise `TypeError`."""
    if type(data) is np.ndarray and data.dtype in SUPPORTED:
        return data  # before everything else, since every result without a gradient passes here
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError("tensor: a masked array has no values under its mask; use x.filled(value)")
    if isinstance(data, np.ndarray | np.generic):
        data = np.asarray(data)  # a plain array, not matrix or memmap
    if not is_array(data):
        raise TypeError(f"tensor: {type(data).__name__} is not an array; tensor(x) makes one of it")
    if data.dtype.name not in DTYPES:
        kind = "complex numbers are" if data.dtype.kind == "c" else f"{data.dtype} is"
        raise TypeError(f"tensor: {kind} not supported; dtypes are {', '.join(DTYPES)}")
    return data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))


def writeable(array: Any) -> _bool:
    """Tell whether each element has a place of its own; CuPy, unlike NumPy, has no flag for it."""
    flag = getattr(array.flags, "writeable", None)
    if flag is not None:
        return bool(flag)
    return all(step or n < 2 for step, n in zip(array.strides, array.shape, strict=True))


def is_operand(x: Any) -> bool:
    """Tell whether ``x`` can be compared element by element; None and strings cannot."""
    return isinstance(x, Variable | int | float) or hasattr(x, "dtype")


def targets_of(targets: tuple[Any, ...], device: Any = None, dtype: Any = None) -> list[Any]:
    """Return the devices and dtypes to move to, in order; a tensor names its own."""
    every = [part for t in targets for part in ((t.device, t.dtype) if is_tensor(t) else (t,))]
    return every + [target for target in (device, dtype) if target is not None]


def names_device(target: Any) -> _bool:
    """Tell whether a target of `to` is a device, rather than a dtype."""
    return isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda")


def is_tensor(x: Any) -> bool:
    """Tell whether ``x`` is a Tensor."""
    return isinstance(x, Tensor)


def array_of(value: Any) -> Any:
    """Return the array of a Tensor; anything else as it is."""
    return value.data if isinstance(value, Variable) else value


def dtype_of(dtype: Any) -> np.dtype[Any]:
    """Return a supported NumPy dtype from a dtype, a type or a name, or raise `TypeError`."""
    try:
        found = precision.bfloat16() if dtype == "bfloat16" else np.dtype(dtype)
    except TypeError:
        found = None
    if dtype is None or found is None or found.name not in DTYPES:
        raise TypeError(f"dtype: {dtype!r} is not one of {', '.join(DTYPES)}")
    return found
