"""Calls of the CTC loss: T steps, N sequences, C classes.

Labels out of range are not here: PyTorch reads what lies elsewhere in memory, or crashes.
"""

from typing import Any

import numpy as np

from tests.ops.calls.call import RANDOM, Constant, compare, deviates, inf, nan, normal

Ints = tuple[int, ...]


def log_probs(*shape: int) -> np.ndarray:
    x = normal(*shape)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def labels(classes: int, blank: int, *shape: int) -> np.ndarray:
    """Return class indices other than the blank."""
    drawn = RANDOM.integers(0, classes - 1, shape)
    return drawn + (drawn >= blank)


def ctc(name: str, x: np.ndarray, targets: Any, steps: Any, lengths: Any, **settings: Any) -> None:
    compare(
        f"ctc_loss {name}",
        lambda m, x, t, *given: m.ctc_loss(x, t, *(given or (steps, lengths)), **settings),
        x,
        np.asarray(targets),
        *(() if isinstance(steps, (tuple, list, int)) else (steps, lengths)),
    )


for reduction in ("mean", "sum", "none"):
    for blank in (0, 2):
        for zero in (False, True):
            ctc(
                f"{reduction} blank {blank} zero_infinity {zero}",
                log_probs(5, 3, 4),
                labels(4, blank, 3, 3),
                (5, 4, 3),
                (3, 1, 2),
                blank=blank,
                reduction=reduction,
                zero_infinity=zero,
            )
    for name, steps, lengths in (
        ("more labels than steps", (2, 5, 1), (3, 2, 2)),
        ("no labels", (5, 4, 3), (0, 2, 0)),
        ("no steps", (0, 0, 3), (0, 1, 1)),
        ("one step", (1, 1, 1), (0, 1, 2)),
    ):
        for zero in (False, True):
            ctc(
                f"{name} {reduction} {zero}",
                log_probs(5, 3, 4),
                labels(4, 0, 3, 3),
                steps,
                lengths,
                reduction=reduction,
                zero_infinity=zero,
            )
    ctc(f"unbatched {reduction}", log_probs(5, 4), [1, 3], (5,), (2,), reduction=reduction)

REPEATED = np.array([[1, 1, 2], [2, 2, 2]])
X = log_probs(6, 2, 3)
LENGTHS = np.array([6, 5]), np.array([3, 3])
ctc("repeated", X, REPEATED, (6, 5), (3, 3), reduction="none")
ctc("repeated, one step too few", X, REPEATED, (4, 4), (3, 3), reduction="none")
ctc("one after the other", X, [1, 2, 2, 1], (6, 5), (1, 3), reduction="none")
ctc("one after the other, one empty", X, [2, 1], (6, 5), (0, 2), reduction="none")
ctc("lists", X, REPEATED, [6, 5], [3, 3])
ctc("arrays", X, REPEATED, *LENGTHS)
ctc("int32", X, REPEATED.astype(np.int32), *(n.astype(np.int32) for n in LENGTHS))
ctc("padding out of range", X, [[1, -1, 9], [2, 1, -1]], (6, 5), (1, 2), reduction="none")
ctc("no labels at all", X, np.zeros((2, 0), np.int64), (6, 5), (0, 0), reduction="none")
ctc("unbatched, lengths without axes", X[:, 0], [1, 2], np.array(6), np.array(2))
ctc("unbatched, shorter than its targets", X[:, 0], [1, 2, 1], (5,), (2,))
ctc("unbatched, targets with an axis", X[:, 0], [[1, 2]], (6,), (2,))
ctc("float32", Constant(X.astype("f4")), REPEATED, (6, 5), (3, 3), reduction="none")
ctc("not normalised", -abs(normal(6, 2, 3)), REPEATED, (6, 5), (3, 3), reduction="none")
ctc("nan", np.where(np.arange(36).reshape(6, 2, 3) == 4, nan, X), REPEATED, (6, 5), (3, 3))
ctc("far", 400 * X, REPEATED, (6, 5), (3, 3), reduction="none")
ctc("strided", log_probs(2, 6, 6)[:, :, ::2].transpose(1, 0, 2) - 1, REPEATED, (6, 5), (3, 3))
CERTAIN = np.full((3, 1, 3), -inf)
CERTAIN[[0, 1, 2], 0, [1, 0, 2]] = 0
ctc("certain", Constant(CERTAIN), [[1, 2]], (3,), (2,))
ctc("gradient where certain", CERTAIN, [[1, 2]], (3,), (2,))

ctc("steps above T", X, REPEATED, (7, 5), (3, 3))
ctc("steps below 0", X, REPEATED, (-1, 5), (3, 3))
ctc("labels above S", X, REPEATED, (6, 5), (4, 3))
ctc("labels below 0", X, REPEATED, (6, 5), (-1, 3))
ctc("lengths of floats", X, REPEATED, (6.0, 5.0), (3, 3))
ctc("too few lengths", X, REPEATED, (6,), (3,))
ctc("too few labels", X, [1, 2, 2], (6, 5), (1, 3))
ctc("too many labels", X, [1, 2, 2, 1, 1], (6, 5), (1, 3))
ctc("too few targets", X, REPEATED[:1], (6, 5), (3, 3))
ctc("targets of three axes", X, REPEATED[None], (6, 5), (3, 3))
ctc("label is the blank", X, REPEATED - 1, (6, 5), (3, 3))
ctc("labels of floats", X, REPEATED + 0.0, (6, 5), (3, 3))
ctc("blank out of range", X, REPEATED, (6, 5), (3, 3), blank=3)
ctc("blank below 0", X, REPEATED, (6, 5), (3, 3), blank=-1)
ctc("reduction", X, REPEATED, (6, 5), (3, 3), reduction="avg")
ctc("axes", X[None], REPEATED, (6, 5), (3, 3))
ctc("integers", X.astype(np.int64), REPEATED, (6, 5), (3, 3))
ctc("logits", abs(normal(6, 2, 3)) + 1, REPEATED, (6, 5), (3, 3))
ctc("float16", X.astype("f2"), REPEATED, (6, 5), (3, 3))
ctc("no steps at all", X[:0], REPEATED, (0, 0), (0, 1), reduction="none")
ctc("no sequences", X[:, :0], REPEATED[:0], (), (), reduction="none")

deviates("ctc_loss labels of floats", "refused; PyTorch cuts off the fraction")
deviates("ctc_loss label is the blank", "refused; PyTorch's number means nothing")
deviates("ctc_loss logits", "probabilities above 1 are refused")
deviates("ctc_loss float16", "computed in float32; PyTorch has none on the CPU")
deviates("ctc_loss no steps at all", "inf, or 0 for no labels; PyTorch refuses")
deviates("ctc_loss no sequences", "an empty result; PyTorch refuses")
deviates("ctc_loss gradient where certain", "0 for probabilities of 0; PyTorch's is NaN")
