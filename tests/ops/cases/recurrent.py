"""Cases of packing and of the recurrent nodes: inputs are packed rows, settings begin with sizes.

Inputs of a node: x (R, D), h0 (N, P), weight_ih (G, D), weight_hh (G, P), two biases (G,) or None;
for an LSTM then c0 (N, H), weight_hr (P, H) or None, peepholes (3, H) or None.
"""

from typing import Any

import numpy as np

from tests.ops.cases.case import any_, backwards, case, strided

case("TakeRows", "of two axes", any_(2, 3, 2), settings=(np.array([4, 0, 3]), (2, 3)))
case("TakeRows", "all, in another order", strided(3, 2), settings=(np.array([2, 0, 1]), (3,)))
case("TakeRows", "none", any_(2, 2), settings=(np.zeros(0, int), (2, 2)))
case("PutRows", "into two axes", any_(3, 2), settings=(np.array([4, 0, 3]), (2, 3)))
case("PutRows", "among a value", backwards(2), settings=(np.array([1, 3]), (4,), -1.0))
case("PutRows", "nothing", any_(0, 2), settings=(np.zeros(0, int), (2, 1)))


def weights(blocks: int, d: int, h: int, p: int | None = None) -> tuple[Any, ...]:
    """W, U and the biases, for ``blocks`` blocks of h rows; p is what the state has."""
    rows, state = blocks * h, h if p is None else p
    return any_(rows, d), any_(rows, state) / 2, any_(rows), any_(rows)


full, ragged, nothing = (2, 2), (3, 2, 1), ()
case("RNN", "full", any_(4, 3), any_(2, 2), *weights(1, 3, 2), settings=(full,))
case(
    *("RNN", "ragged, reverse, relu, no bias", strided(6, 2), strided(3, 2)),
    *(*weights(1, 2, 2)[:2], None, None),
    settings=(ragged, True, "relu"),
)
case("RNN", "no step", any_(0, 2), any_(2, 1), *weights(1, 2, 1), settings=(nothing,))
case("RNN", "state is a constant", any_(3, 1), any_(2, 1), *weights(1, 1, 1), settings=((2, 1),),
     constant=(1,))  # fmt: skip

for reset_after in (True, False):
    name = "after" if reset_after else "before"
    case("GRU", f"full, {name}", any_(4, 2), any_(2, 2), *weights(3, 2, 2),
         settings=(full, False, reset_after))  # fmt: skip
    case(
        *("GRU", f"ragged, reverse, no bias, {name}", strided(6, 2), strided(3, 1)),
        *(*weights(3, 2, 1)[:2], None, None),
        settings=(ragged, True, reset_after),
    )
    case("GRU", f"one bias, {name}", any_(2, 1), any_(1, 1), *weights(3, 1, 1)[:3], None,
         settings=((1, 1), False, reset_after))  # fmt: skip

case(
    "LSTM",
    "full",
    any_(4, 2),
    any_(2, 2),
    *weights(4, 2, 2),
    any_(2, 2),
    None,
    None,
    settings=(full,),
)
case(
    *("LSTM", "ragged, reverse, no bias", strided(6, 1), strided(3, 2)),
    *(*weights(4, 1, 2)[:2], None, None, strided(3, 2), None, None),
    settings=(ragged, True),
)
case(
    *("LSTM", "projection", any_(3, 2), any_(2, 1), *weights(4, 2, 2, 1), any_(2, 2), any_(1, 2)),
    None,
    settings=((2, 1),),
    constant=(1, 6),
)
case(
    *("LSTM", "peepholes", any_(3, 1), any_(2, 2), *weights(4, 1, 2), any_(2, 2), None),
    any_(3, 2),
    settings=((2, 1), True),
    constant=(4, 5),
)
case(
    *("LSTM", "projection and peepholes", any_(2, 1), any_(1, 1), *weights(4, 1, 2, 1)),
    *(any_(1, 2), any_(1, 2), any_(3, 2)),
    settings=((1, 1),),
    constant=(0, 4),
)
case("LSTM", "no step", any_(0, 2), any_(2, 1), *weights(4, 2, 1), any_(2, 1), None, None,
     settings=(nothing,))  # fmt: skip
