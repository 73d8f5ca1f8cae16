"""Several networks of one kind as one: the mean of their probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tinymed as tm
from tinymed import nn

__all__ = ["Ensemble"]


class Ensemble(nn.Module):
    """Logarithms of the mean of the members' probabilities, (..., classes).

    Networks that have learned from different patients err differently; their mean errs less.

    Parameters
    ----------
    network : str
        Name in `tinymed.medical.models.MODELS`.
    arguments : dict
        Of each member.
    members : int
        At least 1.
    mean : "probabilities" or "outputs"
        What is averaged; "outputs" where they are numbers, not logits.

    References
    ----------
    Krogh, Vedelsby (1995), Advances in Neural Information Processing Systems 7: the error of an
    ensemble is the members' mean error less their mean disagreement.
    """

    def __init__(
        self, network: str, arguments: dict[str, Any], members: int, mean: str = "probabilities"
    ) -> None:
        from tinymed.medical.models import MODELS  # which names this class too

        super().__init__()
        if members < 1:
            raise ValueError(f"Ensemble: {members} members, at least 1 expected")
        if mean not in ("probabilities", "outputs"):
            raise ValueError(f"Ensemble: mean {mean!r}, 'probabilities' or 'outputs' expected")
        self.mean = mean
        self.members = nn.ModuleList([MODELS[network](**arguments) for _ in range(members)])

    def take(self, networks: Sequence[nn.Module]) -> None:
        """Copy the parameters of one network into each member; in eval mode from then on."""
        for member, network in zip(self.members, networks, strict=True):
            member.load_state_dict(network.state_dict())
        self.eval()

    def forward(self, x: Any) -> Any:
        """Return log-probabilities, or the mean, in the shape of a member's outputs."""
        if self.mean == "outputs":
            return tm.stack([member(x) for member in self.members]).mean(0)
        found = tm.stack([member(x).log_softmax(-1) for member in self.members])
        return found.logsumexp(0) - math.log(len(self.members))
