"""What a network is made of, layer by layer, and what one call costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinymed.creation import zeros
from tinymed.grad_mode import no_grad
from tinymed.nn.module import Module, Parameter
from tinymed.ops.promotion import default_dtype
from tinymed.tensor import Tensor

__all__ = ["LayerSummary", "Summary", "summary"]


@dataclass(frozen=True)
class LayerSummary:
    """One call of one layer."""

    path: str
    kind: str
    output_shape: tuple[int, ...]  # of the first output
    parameters: int  # elements, of this layer alone; 0 where they were counted before
    multiply_adds: int
    output_bytes: int  # of all outputs


@dataclass(frozen=True)
class Summary:
    """The layers in the order in which they ran; ``str`` makes a table of it."""

    layers: tuple[LayerSummary, ...]
    parameters: int  # elements, trainable and frozen, of layers that did not run as well
    parameter_bytes: int

    @property
    def multiply_adds(self) -> int:
        """Products of matrix multiplications and convolutions; elementwise work is not counted."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def output_bytes(self) -> int:
        """Bytes of all outputs together."""
        return sum(layer.output_bytes for layer in self.layers)

    def __str__(self) -> str:
        rows = [("layer", "kind", "output", "parameters", "multiply-adds", "bytes")]
        rows += [
            (
                layer.path or "(network)",
                layer.kind,
                str(layer.output_shape),
                f"{layer.parameters:,}",
                f"{layer.multiply_adds:,}",
                f"{layer.output_bytes:,}",
            )
            for layer in self.layers
        ]
        total = f"{self.parameters:,}", f"{self.multiply_adds:,}", f"{self.output_bytes:,}"
        rows.append(("total", "", "", *total))
        widths = [max(len(row[i]) for row in rows) for i in range(6)]
        return "\n".join(
            "  ".join(
                text.ljust(width) if i < 3 else text.rjust(width)
                for i, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        )


def summary(model: Module, *input_shapes: tuple[int, ...], dtype: Any = None) -> Summary:
    """Run ``model`` once on zeros and return what each layer without children did.

    Parameters
    ----------
    *input_shapes : tuple of int
        One per input, the batch included; multiply-adds and bytes are for this batch.
    dtype : of the inputs; that of the parameters unless given

    Examples
    --------
    >>> import tinymed as tm
    >>> tm.nn.summary(tm.nn.Linear(3, 2), (1, 3)).multiply_adds
    6
    """
    layers: list[LayerSummary] = []
    counted: set[int] = set()
    parameters = list(model.parameters())
    if dtype is None:
        dtype = parameters[0].dtype if parameters else default_dtype()
    device = parameters[0].device if parameters else "cpu"
    inputs = [zeros(shape, dtype=dtype, device=device) for shape in input_shapes]
    handles = [
        module.register_forward_hook(_observer(path, layers, counted))
        for path, module in model.named_modules()
        if not any(True for _ in module.children()) or _own(module)
    ]
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with no_grad():
            model(*inputs)
    finally:
        for module, training in modes:
            module.__dict__["training"] = training
        for remove in handles:
            remove()
    return Summary(
        tuple(layers),
        sum(p.numel() for p in parameters),
        sum(p.data.nbytes for p in parameters),
    )


def _own(module: Module) -> list[Parameter]:
    """Return the parameters of a module without those of the modules below it."""
    return [p for p in module._parameters.values() if p is not None]


def _observer(path: str, layers: list[LayerSummary], counted: set[int]) -> Callable[..., None]:
    """Return a forward hook that appends to ``layers`` what one call did."""

    def hook(module: Module, inputs: Any, output: Any) -> None:
        new = [p for p in _own(module) if id(p) not in counted]
        counted.update(map(id, new))
        several = output if isinstance(output, (tuple, list)) else (output,)
        tensors = [y for y in several if isinstance(y, Tensor)]
        shape = tensors[0].shape if tensors else ()
        work = getattr(module, "multiply_adds", None)
        layers.append(
            LayerSummary(
                path,
                type(module).__name__,
                shape,
                sum(p.numel() for p in new),
                work(shape) if work else 0,
                sum(y.data.nbytes for y in tensors),
            )
        )

    return hook
