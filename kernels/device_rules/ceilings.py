"""The rules of the kernels that measure a GPU."""

from __future__ import annotations

from typing import Any

from tinymed.kernels.rules import Rule, always, floats, never

__all__ = ["CEILING_RULES"]


def tiles_of_tensor_cores(a: Any, b: Any, *others: Any) -> bool:
    """Return whether both are tiles of one instruction, in float32 or bfloat16."""
    k = {"float32": 8, "bfloat16": 16}.get(a.dtype.name)
    return a.dtype == b.dtype and (a.shape, b.shape) == ((16, k), (k, 8))


def tiles_of_warpgroups(a: Any, b: Any, *others: Any) -> bool:
    """Return whether both are tiles of one instruction of a warpgroup, in float16."""
    shapes = (a.shape, b.shape) == ((64, 16), (16, 256))
    return shapes and a.dtype.name == b.dtype.name == "float16"


CEILING_RULES: dict[str, tuple[Rule, ...]] = {
    "ceilings.copy": (Rule("cuda", floats, always, "16 bytes a thread"),),
    "ceilings.multiply_add": (Rule("cuda", floats, always, "eight chains in registers"),),
    "ceilings.tile_product": (
        Rule("cuda:tensor", tiles_of_tensor_cores, never, "tensor cores: other numbers"),
    ),
    "ceilings.warpgroup_product": (
        Rule("cuda:wgmma", tiles_of_warpgroups, never, "Hopper's warpgroups: sums in float32"),
    ),
}
