"""Cases of the layers that compare two batches of points."""

import math

from tests.torch_results.layers.case import case

case("CosineSimilarity: rows", (5, 3), (5, 3))
case("CosineSimilarity: one against all", (1, 3, 2), (4, 3, 2))
case("CosineSimilarity: the last axis", (2, 3, 4), (2, 3, 4), dim=-1)
case("CosineSimilarity: zero batch", (0, 3), (0, 3))
case("PairwiseDistance: rows", (5, 3), (5, 3))
case("PairwiseDistance: sum", (5, 3), (5, 3), p=1.0)
case("PairwiseDistance: largest", (5, 3), (5, 3), p=math.inf)
case("PairwiseDistance: kept axis, a large eps", (5, 3), (5, 3), eps=0.5, keepdim=True)
case("PairwiseDistance: one against all", (1, 3), (4, 3), p=3.0)
case("PairwiseDistance: unbatched", (3,), (3,))
