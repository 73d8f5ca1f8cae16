"""Windows that are whole planes, at the end of most image networks: a sum along a row, and back."""

from __future__ import annotations

from typing import Any

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd.loops import elementwise, reduction

__all__ = ["plane_means", "plane_shares"]

_sum = reduction(lambda code, x: x, 0, lambda code, a, b: a + b)
_fill = elementwise(lambda code, share: share)


@compiled
def plane_means(first: int, last: int, y: Any, by: Any, x: Any, size: int) -> None:
    """Divide the sums of planes first to last - 1, ``size`` places each, by the one of ``by``."""
    for plane in range(first, last):
        y[plane] = _sum(((x, plane * size),), size, ()) / by[0]


@compiled
def plane_shares(first: int, last: int, grad_x: Any, grad_y: Any, by: Any, size: int) -> None:
    """Give each place of planes first to last - 1 its equal share of the plane's gradient."""
    for plane in range(first, last):
        _fill(((grad_x, plane * size),), (), size, (grad_y[plane] / by[0],))
