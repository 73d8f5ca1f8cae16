"""Cases of the recurrent layers and cells: x (T, N, D), states (layers * directions, N, H)."""

from typing import Any

from tests.torch_results.layers.case import case

SIZES = {"input_size": 3, "hidden_size": 2}


def state(layer: str, *shape: int) -> Any:
    """An initial state: one array, or for an LSTM two."""
    return [shape, shape] if layer.startswith("LSTM") else shape


for layer in ("RNN", "LSTM", "GRU"):
    case(f"{layer}: default", (4, 2, 3), **SIZES)
    case(f"{layer}: one step", (1, 2, 3), **SIZES)
    case(f"{layer}: one sequence", (4, 1, 3), **SIZES)
    case(f"{layer}: no sequence", (3, 0, 3), **SIZES)
    case(f"{layer}: one unit, one feature", (3, 2, 1), input_size=1, hidden_size=1)
    case(f"{layer}: unbatched", (4, 3), **SIZES)
    case(f"{layer}: unbatched, state", (3, 3), state(layer, 1, 2), **SIZES)
    case(f"{layer}: unbatched, batch first", (4, 3), **SIZES, batch_first=True, bidirectional=True)
    case(f"{layer}: batch first", (2, 4, 3), **SIZES, batch_first=True)
    case(f"{layer}: no bias", (3, 2, 3), **SIZES, bias=False)
    case(f"{layer}: state", (3, 2, 3), state(layer, 1, 2, 2), **SIZES)
    case(f"{layer}: two directions", (3, 2, 3), **SIZES, bidirectional=True)
    case(
        f"{layer}: three layers, two directions, state",
        (3, 2, 3),
        state(layer, 6, 2, 2),
        **{**SIZES, "num_layers": 3, "bidirectional": True},
    )
    case(
        f"{layer}: two layers, batch first, no bias, state",
        (2, 4, 3),
        state(layer, 2, 2, 2),
        **{**SIZES, "num_layers": 2, "batch_first": True, "bias": False},
    )
    case(
        f"{layer}: dropout is off in evaluation",
        (3, 2, 3),
        **{**SIZES, "num_layers": 2, "dropout": 0.5},
    )
    case(
        f"{layer}: everything is dropped between layers",
        (3, 2, 3),
        **{**SIZES, "num_layers": 2, "dropout": 1.0, "training": True},
    )

    case(f"{layer}Cell: default", (4, 3), **SIZES)
    case(f"{layer}Cell: state", (4, 3), state(layer, 4, 2), **SIZES)
    case(f"{layer}Cell: unbatched", (3,), **SIZES)
    case(f"{layer}Cell: unbatched, state", (3,), state(layer, 2), **SIZES)
    case(f"{layer}Cell: no bias", (2, 3), state(layer, 2, 2), **SIZES, bias=False)
    case(f"{layer}Cell: one of each", (1, 1), state(layer, 1, 1), input_size=1, hidden_size=1)
    case(f"{layer}Cell: no sequence", (0, 3), **SIZES)

case("RNN: relu", (4, 2, 3), **SIZES, nonlinearity="relu")
case(
    "RNN: relu, two layers, two directions",
    (3, 2, 3),
    **{**SIZES, "num_layers": 2, "nonlinearity": "relu", "bidirectional": True},
)
case("RNNCell: relu", (4, 3), (4, 2), **SIZES, nonlinearity="relu")

proj = {"input_size": 3, "hidden_size": 4, "proj_size": 2}
case("LSTM: projection", (4, 2, 3), **proj)
case("LSTM: projection, state", (3, 2, 3), [(1, 2, 2), (1, 2, 4)], **proj)
case("LSTM: projection to one", (3, 2, 3), **{**proj, "hidden_size": 2, "proj_size": 1})
case("LSTM: projection, unbatched, no bias", (3, 3), [(1, 2), (1, 4)], **proj, bias=False)
case(
    "LSTM: projection, three layers, two directions, state",
    (2, 2, 3),
    [(6, 2, 2), (6, 2, 4)],
    **{**proj, "num_layers": 3, "bidirectional": True},
)
