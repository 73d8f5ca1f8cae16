"""Cases of looking up rows, alone and in bags.

What is left out of the gradient on purpose (padding, a scale by frequency) no finite difference
knows: `tests/ops/calls/embedding.py` compares it with PyTorch's.
"""

import numpy as np

from tests.ops.cases.case import any_, backwards, case, strided

IDS = np.array([[2, 0, 2], [3, 3, 1]])
FLAT = np.array([3, 0, 3, 2, 0])
OFFSETS = np.array([0, 2, 2, 5])  # the second bag is empty
NONE = np.zeros(0, np.int64)

case("Embedding", "ids twice", IDS, any_(4, 2))
case("Embedding", "one id", np.array(1), any_(3, 2))
case("Embedding", "no ids", np.zeros((2, 0), np.int64), any_(3, 2))
case("Embedding", "not contiguous", IDS[:, ::-1], strided(4, 2))
case("Embedding", "rows", IDS, backwards(4, 2), settings=(None, False, True))
case("Embedding", "no rows", NONE, any_(3, 2), settings=(None, False, True))
case("EmbeddingGrad", "ids twice", FLAT, any_(5, 2), settings=(4,))
case("EmbeddingGrad", "flat", FLAT, any_(5), settings=(4,))
case("EmbeddingGrad", "no ids", NONE, any_(0, 2), settings=(3,))
case("EmbeddingGrad", "not contiguous", FLAT[::-1], strided(5, 2), settings=(5,))
case("BagSum", "no factors", FLAT, OFFSETS, any_(4, 2), None)
case("BagSum", "factors", FLAT, OFFSETS, any_(4, 2), any_(5), constant=(3,))
case("BagSum", "empty bags", NONE, np.array([0, 0, 0]), any_(3, 2), any_(0), constant=(3,))
case("BagSum", "no bags", NONE, np.array([0]), any_(3, 2), None)
case("BagSum", "not contiguous", FLAT[::-1], OFFSETS, strided(4, 2), backwards(5), constant=(3,))
case("BagMax", "an empty bag", FLAT, OFFSETS, any_(4, 2))
case("BagMax", "one bag", FLAT, np.array([0, 5]), strided(4, 2))
case("BagMax", "empty bags", NONE, np.array([0, 0, 0]), any_(3, 2))
case("BagMax", "no bags", NONE, np.array([0]), any_(3, 2))
