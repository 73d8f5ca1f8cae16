"""The bench: kernels are proved, then timed, side by side and beside other libraries.

`proof` says whether an implementation is the kernel it claims to be, `contest` times what agrees,
`workloads` are what models are made of, `peers` are other libraries doing the same. A record is
kept as JSON and shown as text, in the README and as a page. Behind ``tinymed verify``, ``tinymed
bench`` and ``tinymed kernels``.
"""

from tinymed.bench.contest import Attempt, CannotError, Contest
from tinymed.bench.proof import DisagreementError, prove
from tinymed.bench.record import Record, Row
from tinymed.bench.timing import Interval, alternate, median_interval, ratio

__all__ = [
    "Attempt",
    "CannotError",
    "Contest",
    "DisagreementError",
    "Interval",
    "Record",
    "Row",
    "alternate",
    "median_interval",
    "prove",
    "ratio",
]
