"""Cases of the losses that are ops of their own; the others are composed, see `test_losses`."""

import numpy as np

from tests.ops.cases.case import RANDOM, any_, case, strided


def probabilities(*shape: int) -> np.ndarray:
    return RANDOM.uniform(0.1, 0.9, shape)


case("BinaryCrossEntropy", "rows", probabilities(3, 2), probabilities(3, 2))
case("BinaryCrossEntropy", "hard targets", probabilities(4), np.array([0.0, 1.0, 1.0, 0.0]),
     constant=(1,))  # fmt: skip
case("BinaryCrossEntropy", "not contiguous", 0.5 + strided(2, 3) / 5, probabilities(2, 3))
case("BinaryCrossEntropy", "no axes", probabilities(), probabilities())
case("BinaryCrossEntropy", "nothing", np.zeros((0, 2)), np.zeros((0, 2)))

case("MeanLogistic", "rows", any_(3, 2), probabilities(3, 2))
case("MeanLogistic", "not contiguous", strided(2, 3), probabilities(2, 3))
case("MeanLogistic", "no axes", any_(), probabilities())
case("MeanSquares", "rows", any_(3, 2), any_(3, 2))
case("MeanSquares", "not contiguous", strided(2, 3), any_(2, 3))
case("MeanSquares", "no axes", any_(), any_())

# The gradient is one of normalised inputs, not of each for itself: `test_ctc` checks it.
for name, steps, labels, settings in (
    ("two sequences", [4, 3], [2, 1], (0, False)),
    ("no labels, no steps, what cannot be", [2, 0], [2, 0], (0, False)),
    ("infinity is zero", [1, 4], [2, 2], (0, True)),
):
    case("CTC", name, -abs(any_(4, 2, 3)), np.array([[1, 2], [1, 1]]), np.array(steps),
         np.array(labels), settings=settings, constant=(0,))  # fmt: skip
