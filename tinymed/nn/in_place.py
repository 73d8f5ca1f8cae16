"""Layers with ``inplace=True``: the tensor that goes in becomes the one that comes out.

No memory is overwritten, for the gradient may need it. The tensor gets the array and the place in
the graph of the result instead, so all code that goes on to use it sees what PyTorch's would. Only
views that were taken of it before keep their values, where PyTorch's would change.
"""

from __future__ import annotations

from typing import Any

from tinymed.grad_mode import MODE
from tinymed.nn.module import Module
from tinymed.tensor import Tensor

__all__ = ["InPlace"]


class InPlace(Module):
    """The family of layers y = f(x) that can let x become y.

    Parameters
    ----------
    inplace : bool
        Let x become y, a Tensor or an array.

    Raises
    ------
    RuntimeError
        If x is a leaf whose gradient is recorded: it would no longer be one.

    Examples
    --------
    >>> import tinymed as tm
    >>> x = tm.tensor([-1.0, 2.0])
    >>> tm.nn.ReLU(inplace=True)(x) is x
    True
    >>> x
    tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        if not isinstance(inplace, bool):
            raise TypeError(f"{type(self).__name__}: inplace={inplace!r} is not a bool")
        self.inplace = inplace

    def __call__(self, x: Any) -> Any:
        """Return f(x), in the place of x where that is asked for."""
        y = super().__call__(x)
        return become(type(self).__name__, x, y) if self.inplace else y

    def extra_repr(self) -> str:
        """Return what `repr` shows."""
        return "inplace=True" if self.inplace else ""


def become(name: str, x: Any, y: Any) -> Any:
    """Let ``x`` be ``y`` from now on, and return it."""
    if not isinstance(x, Tensor):
        x[...] = y
        return x
    if x.requires_grad and x.source is None:
        if MODE.enabled:
            raise RuntimeError(
                f"{name}: inplace=True on a leaf {x.shape} whose gradient is recorded; use "
                "inplace=False, or no_grad()"
            )
        return x.copy_(y)
    x.data, x.requires_grad, x.source = y.data, y.requires_grad, y.source
    return x
