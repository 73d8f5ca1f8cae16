"""``tinymed check``: what to know of a data set before anybody trains on it."""

from tinymed.medical.check.collection import Collection, collect
from tinymed.medical.check.findings import Findings, examine

__all__ = ["Collection", "Findings", "collect", "examine"]
