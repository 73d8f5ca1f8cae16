"""What the gates of a recurrent layer did at each step: what it took in, kept, and told.

A map of them explains a decision by what the layer itself computed. It stands beside the layers,
not with the methods that ask any model from outside: it runs their kernels on their packed rows.

The weights of attention need no such map: `MultiheadAttention` returns them (``need_weights``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.autograd import Variable
from tinymed.grad_mode import no_grad
from tinymed.kernels import recurrent as kernels
from tinymed.kernels.arrays import Array, array_module, to_host
from tinymed.kernels.recurrent.reference import parts
from tinymed.nn.recurrent import GRU, LSTM, PEEPHOLES
from tinymed.ops.packing import Packing, pack, packing, put_rows

__all__ = ["gate_maps"]

Maps = dict[str, np.ndarray[Any, Any]]


def gate_maps(layer: LSTM | GRU, x: Any, hx: Any = None, lengths: Any = None) -> dict[str, Maps]:
    """Return the gates of each layer and direction at each step.

    Parameters
    ----------
    layer : LSTM or GRU
        Any number of layers, one direction or both, with projection or peepholes, either
        convention of the reset gate. It is run as in evaluation: nothing is dropped between layers,
        and no gradient is recorded.
    x, hx, lengths
        As the layer takes them; x with a batch axis.

    Returns
    -------
    dict of str to dict of str to numpy.ndarray (N, T, H)
        "l0", "l0_reverse", "l1" ..., as the names of the weights end, ->

        - of an LSTM "input" i, "forget" f, "output" o, "new" g and "cell" c_t, where
          c_t = f c_{t-1} + i g, h_t = o tanh(c_t);
        - of a GRU "reset" r, "update" z, "new" n and "state" h_t, where
          h_t = (1 - z) n + z h_{t-1}.

        Gates are in (0, 1), "new" in (-1, 1). NaN behind the end of a sequence. N comes first,
        whatever ``batch_first`` says; step t is that of x in both directions.

    Raises
    ------
    TypeError
        Another kind of layer; what the layer itself refuses.
    ValueError
        x has no batch axis; what the layer itself refuses.

    References
    ----------
    Karpathy, Johnson, Li (2015), "Visualizing and understanding recurrent networks", section 4.2.

    Examples
    --------
    >>> import tinymed as tm
    >>> maps = gate_maps(tm.nn.LSTM(3, 4), tm.ones(5, 2, 3), lengths=[5, 2])
    >>> maps["l0"]["forget"].shape, int(np.isnan(maps["l0"]["forget"][1, :, 0]).sum())
    ((2, 5, 4), 3)
    """
    if not isinstance(layer, (LSTM, GRU)):
        raise TypeError(f"gate_maps: layer is {type(layer).__name__}, an LSTM or a GRU expected")
    if getattr(x, "ndim", None) != 3 or x.shape[2] != layer.input_size:
        raise ValueError(
            f"gate_maps: x {getattr(x, 'shape', type(x).__name__)}, a padded batch with "
            f"{layer.input_size} features at each step expected"
        )
    how = packing(type(layer).__name__, tuple(x.shape[:2]), lengths, layer.batch_first)
    with no_grad():
        rows = as_array(pack(x, how))
        states = layer._initial(layer._state_parts(hx), how)
        found: dict[str, Maps] = {}
        for depth in range(layer.num_layers):
            outputs = []
            for suffix in layer._suffixes():
                name = f"l{depth}{suffix}"
                begin = [as_array(part[len(found)]) for part in states]
                weights = {n: getattr(layer, f"{n}_{name}").data for n in layer._shapes(0)}
                run = of_lstm if isinstance(layer, LSTM) else of_gru
                output, told = run(layer, rows, begin, weights, how.sizes, bool(suffix))
                outputs.append(output)
                found[name] = {n: padded(each, how, layer.batch_first) for n, each in told.items()}
            rows = array_module(rows).concatenate(outputs, axis=1)
    return found


def of_lstm(
    layer: Any, rows: Array, begin: list[Array], weights: dict[str, Array], *schedule: Any
) -> tuple[Array, dict[str, Array]]:
    """Return the output (R, P) of one layer and direction, and its gates, packed (R, H)."""
    eyes = None
    if layer.peephole:
        eyes = array_module(rows).stack([weights[name] for name in PEEPHOLES])
    usual = four(weights)
    output, _, _, gates, cells = kernels.lstm_forward(
        rows, *begin, *usual, weights.get("weight_hr"), eyes, *schedule, True
    )
    i, f, g, o = parts(gates, 4)
    after = f * cells + i * g  # ``cells`` are what the steps began with
    return output, {"input": i, "forget": f, "output": o, "new": g, "cell": after}


def of_gru(
    layer: Any, rows: Array, begin: list[Array], weights: dict[str, Array], *schedule: Any
) -> tuple[Array, dict[str, Array]]:
    """Return the output (R, H) of one layer and direction, and its gates, packed (R, H)."""
    output, _, gates, _ = kernels.gru_forward(
        rows, *begin, *four(weights), *schedule, layer.reset_after, True
    )
    r, z, new = parts(gates, 3)
    return output, {"reset": r, "update": z, "new": new, "state": output}


def four(weights: dict[str, Array]) -> list[Array | None]:
    """Return W, U and the biases, None without."""
    return [weights.get(name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def padded(rows: Array, how: Packing, batch_first: bool) -> np.ndarray[Any, Any]:
    """Return packed rows (R, H) as (N, T, H) on the host, NaN where there is no step."""
    if how.rows is None:
        whole = rows.reshape(*how.padded, rows.shape[1])
    else:
        whole = put_rows(rows, how.rows, how.padded, float("nan"))
    host = to_host(whole)
    return host if batch_first else host.swapaxes(0, 1)


def as_array(x: Any) -> Array:
    """Return the array of a Tensor; arrays as they are."""
    return x.data if isinstance(x, Variable) else x
