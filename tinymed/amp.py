"""Mixed precision: products in 16 bits, the rest and the parameters in float32.

>>> import tinymed as tm
>>> x, weight = tm.ones(2, 3), tm.ones(4, 3, requires_grad=True)
>>> with autocast("cpu", tm.float16):
...     y = tm.ops.linear(x, weight)            # in float16
...     loss = tm.ops.softmax(y, 1).sum()       # in float32
>>> y.dtype.name, loss.dtype.name
('float16', 'float32')
>>> loss.backward()
>>> weight.grad.dtype.name
'float32'
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any

import numpy as np

from tinymed.autograd import CASTING, Function, Variable, wrote
from tinymed.grad_mode import MODE
from tinymed.kernels.arrays import array_module, place
from tinymed.kernels.recording import action
from tinymed.ops.promotion import cast
from tinymed.optim import Optimizer
from tinymed.optim.clip import gradients_of, values_of
from tinymed.precision import NARROW, SINGLE, is_narrow
from tinymed.tensor import Tensor, dtype_of

__all__ = ["FLOAT32", "LOW", "GradScaler", "autocast"]

# What gains from 16 bits: products, which the matrix units of a GPU do several times as fast.
LOW = frozenset(
    """
    Conv ConvActivated ConvPool ConvTranspose ConvTransposeActivated GRU LSTM Linear
    LinearActivated MatMul RNN
    """.split()  # noqa: SIM905 - a list would take a line for each
)
# What needs the range or the digits of float32: PyTorch's list. All others compute in the dtype
# they are given, in the widest one if they are given several; batch norm in that of x.
FLOAT32 = frozenset(
    """
    ACos ASin BinaryCrossEntropy CDist CTC Cosh CrossEntropy CumProd CumSum ErfInv Exp Exp2 ExpM1
    GroupNorm Log Log10 Log1P Log2 LogSoftmax LogSumExp MeanCrossEntropy MeanLogistic MeanSquares
    Norm Power Prod RSqrt Reciprocal Sinh Softmax Softplus Square Sum Tan
    """.split()  # noqa: SIM905 - a list would take a line for each
)


class autocast(contextlib.ContextDecorator):  # noqa: N801 - PyTorch's name
    """Let ops on Tensors choose their precision inside: `LOW` in ``dtype``, `FLOAT32` in float32.

    Inputs in 16 bits and float32 are cast as an op needs them, and the gradient is cast back, so
    parameters stay float32. float64, integers and plain arrays are left alone. It holds for this
    thread, for what is computed inside; backward needs none and goes outside.

    Parameters
    ----------
    device_type : "cuda" or "cpu"
        Where: inputs elsewhere are left alone. On the CPU it is slow, and there for tests.
    dtype : dtype
        float16, whose gradients want a `GradScaler`; or bfloat16, which has the range of float32
        and needs none: ``with autocast("cuda", tm.bfloat16): loss = ...``, ``loss.backward()``.
    enabled : bool
        False: inside of another, do not.

    Raises
    ------
    ValueError
        For another device.
    NotImplementedError
        For a dtype that does not have 16 bits.
    ImportError
        For bfloat16, without ml_dtypes.
    """

    def __init__(self, device_type: str, dtype: Any = np.float16, enabled: bool = True) -> None:
        if device_type not in ("cuda", "cpu"):
            raise ValueError(f"autocast: device_type={device_type!r} is not 'cuda' or 'cpu'")
        kind = dtype_of(dtype)
        if kind.char not in NARROW:
            raise NotImplementedError(
                f"autocast: dtype={kind} is not implemented; use bfloat16, or float16 with "
                "GradScaler for its range"
            )
        self.device_type, self.enabled, self.dtype = device_type, enabled, kind
        self.outer: list[tuple[str, Any] | None] = []

    def __enter__(self) -> autocast:
        CASTING.hook = _cast_inputs  # and it stays: who never comes here is never asked
        self.outer.append(MODE.casts)
        MODE.casts = (self.device_type, self.dtype) if self.enabled else None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        MODE.casts = self.outer.pop()


def _cast_inputs(node: Function, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the inputs of an op as `autocast` wants them."""
    casts, name = MODE.casts, type(node).__name__
    if casts is None or not any(isinstance(x, Variable) for x in inputs):
        return inputs
    device_type, low = casts
    wanted = low if name in LOW else SINGLE if name in FLOAT32 else None
    if wanted is None:
        return inputs
    MODE.casts = None  # while they are cast
    try:
        return tuple(_as(x, wanted, device_type) for x in inputs)
    finally:
        MODE.casts = casts


def _as(x: Any, dtype: np.dtype[Any], device_type: str) -> Any:
    array = x.data if isinstance(x, Variable) else x
    castable = is_narrow(array) or getattr(array, "dtype", None) == SINGLE
    if not castable or isinstance(array, np.generic):
        return x
    return cast(x, dtype) if place(array).type == device_type else x


class GradScaler:
    """Multiplies the loss, so that gradients in float16 are not 0, and divides the gradients.

    With bfloat16, whose range is that of float32, there is nothing for it to do.
    ``scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()``. A step whose
    gradients are not all finite is left out, and the scale halved; after ``growth_interval`` steps
    in a row that were not, it is doubled.

    Parameters
    ----------
    device : "cuda" or "cpu"
        Where the losses are.
    init_scale : float > 0
    growth_factor : float > 1
    backoff_factor : float in (0, 1)
    growth_interval : int >= 1
    enabled : bool
        False: ``scale`` returns the loss, ``step`` does the optimizer's.

    References
    ----------
    Micikevicius et al. (2018), "Mixed precision training", section 3.2.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if device not in ("cuda", "cpu"):
            raise ValueError(f"GradScaler: device={device!r} is not 'cuda' or 'cpu'")
        if not (init_scale > 0 and growth_factor > 1 and 0 < backoff_factor < 1):
            raise ValueError(
                f"GradScaler: {init_scale=}, {growth_factor=}, {backoff_factor=}; expected > 0, "
                "> 1, and between 0 and 1"
            )
        if growth_interval < 1:
            raise ValueError(f"GradScaler: {growth_interval=} is not >= 1")
        self.device, self.enabled = device, enabled
        self.growth_factor, self.backoff_factor = growth_factor, backoff_factor
        self.growth_interval = growth_interval
        self._scale, self._finite_steps = float(init_scale), 0
        self._factors: dict[str, Tensor] = {}  # the scale by device: `capture` reads it anew
        self._unscaled: dict[int, bool] = {}  # whether an optimizer's gradients are finite
        self._stepped: set[int] = set()

    def get_scale(self) -> float:
        """Return what losses are multiplied by now."""
        return self._scale if self.enabled else 1.0

    def is_enabled(self) -> bool:
        """Tell whether it does anything."""
        return self.enabled

    def scale(self, loss: Tensor) -> Tensor:
        """Return the loss times the scale, in float32 at least."""
        if not self.enabled:
            return loss
        where = place(loss.data)
        if where.type != self.device:
            raise ValueError(
                f"GradScaler: the loss is on {where}, expected {self.device!r}; make it by "
                f"GradScaler({where.type!r})"
            )
        if where not in self._factors:
            # Full of a number rather than sent, which could not be captured.
            self._factors[where] = Tensor(array_module(loss.data).full((), self._scale, SINGLE))
        return cast(loss, np.promote_types(loss.dtype, SINGLE)) * self._factors[where]

    @action
    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide an optimizer's gradients by the scale, to clip them before `step`."""
        if not self.enabled:
            return
        if id(optimizer) in self._unscaled:
            raise RuntimeError(
                "GradScaler: unscale_() or step() was called twice for one optimizer; call "
                "update() after each step"
            )
        found = []
        for array in map(values_of, gradients_of(optimizer.parameters())):
            if is_narrow(array):
                raise TypeError(
                    f"GradScaler: a gradient is {array.dtype}, expected parameters in float32; use "
                    "autocast instead of a model in 16 bits"
                )
            array *= 1 / self._scale
            wrote(array)
            found.append(array_module(array).isfinite(array).all())
        # All arrays first, then one wait for the GPU.
        finite = array_module(*found).stack(found).all() if found else True
        self._unscaled[id(optimizer)] = bool(finite)

    @action
    def step(self, optimizer: Optimizer) -> None:
        """Do the optimizer's step, if its gradients are finite."""
        if not self.enabled:
            optimizer.step()
            return
        if id(optimizer) in self._stepped:
            raise RuntimeError("GradScaler: step() was called twice; call update() after each")
        if id(optimizer) not in self._unscaled:
            self.unscale_(optimizer)
        if self._unscaled[id(optimizer)]:
            optimizer.step()
        self._stepped.add(id(optimizer))

    @action
    def update(self) -> None:
        """Change the scale by what the steps since the last time have met."""
        if not self.enabled:
            return
        if not self._unscaled:
            raise RuntimeError("GradScaler: update() before step(); there is nothing to go by")
        if all(self._unscaled.values()):
            self._finite_steps += 1
            if self._finite_steps == self.growth_interval:
                self._scale, self._finite_steps = self._scale * self.growth_factor, 0
        else:
            self._scale, self._finite_steps = self._scale * self.backoff_factor, 0
        for factor in self._factors.values():
            factor.data.fill(self._scale)
        self._unscaled.clear()
        self._stepped.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on, in JSON types."""
        return {
            "scale": self._scale,
            "growth_factor": self.growth_factor,
            "backoff_factor": self.backoff_factor,
            "growth_interval": self.growth_interval,
            "_growth_tracker": self._finite_steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was called.

        Raises
        ------
        ValueError
            If entries are missing, or there are others.
        """
        if set(state) != set(self.state_dict()):
            raise ValueError(
                f"GradScaler: the state has {sorted(state)}, expected {sorted(self.state_dict())}"
            )
        self._scale, self._finite_steps = float(state["scale"]), int(state["_growth_tracker"])
        self.growth_factor = float(state["growth_factor"])
        self.backoff_factor = float(state["backoff_factor"])
        self.growth_interval = int(state["growth_interval"])
        for factor in self._factors.values():
            factor.data.fill(self._scale)
