"""The network of treatment effects: what each arm would do for a patient."""

from __future__ import annotations

from typing import Any

from tinymed import nn, ops

__all__ = ["TreatmentNetwork"]


class TreatmentNetwork(nn.Module):
    """Predictions for a patient under each arm: (N, D) -> (N, arms, hazards + outcomes).

    Hazards are linear in covariates, arm and their products, as in Cox's regression, plus one
    hidden layer of which the arm is an input like the covariates. Outcomes come from that layer.

    Parameters
    ----------
    covariates : int
        D.
    arms : int
    hazards : int
        1 for a log hazard, k for the logits of k discrete hazards.
    outcomes : int
        Measurements that are predicted along, in standard units.
    width : int
    dropout, input_dropout : float in [0, 1)
        Of the hidden layer; of the covariates before it.
    separate : bool
        A network of its own for each arm (T-learner), instead of one for all (S-learner).

    References
    ----------
    Katzman et al. (2018), "DeepSurv", BMC Med. Res. Methodol. 18; Kuenzel et al. (2019),
    "Metalearners for estimating heterogeneous treatment effects", PNAS 116.

    Examples
    --------
    >>> import tinymed as tm
    >>> TreatmentNetwork(8, arms=3, outcomes=2)(tm.zeros(5, 8)).shape
    (5, 3, 3)
    """

    def __init__(
        self,
        covariates: int,
        arms: int,
        hazards: int = 1,
        outcomes: int = 0,
        width: int = 64,
        dropout: float = 0.5,
        input_dropout: float = 0.2,
        separate: bool = False,
    ) -> None:
        super().__init__()
        self.hazards = hazards
        self.of_each: nn.ModuleList | None = None
        if separate:
            one = (covariates, 1, hazards, outcomes, width, dropout, input_dropout)
            self.of_each = nn.ModuleList([TreatmentNetwork(*one) for _ in range(arms)])
            return
        self.linear = nn.Linear(covariates, 1, bias=False)
        self.effect = nn.Linear(1, arms, bias=False)
        self.interaction = nn.Linear(covariates, arms, bias=False)
        nn.init.zeros_(self.interaction.weight)  # all arms are alike until there is a reason
        self.input_dropout = nn.Dropout(input_dropout)
        self.hidden = nn.Linear(covariates, width)
        self.hidden_effect = nn.Linear(width, arms, bias=False)
        bound = (covariates + arms) ** -0.5  # as if the arm were among the covariates
        nn.init.uniform_(self.hidden_effect.weight, -bound, bound)
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(width, hazards + outcomes)

    def forward(self, x: Any) -> Any:
        """Return log hazards or logits, then outcomes, under each arm."""
        if self.of_each is not None:
            return ops.cat([network(x) for network in self.of_each], 1)
        hidden = self.hidden(self.input_dropout(x))[:, None]  # (N, 1, W)
        hidden = ops.tanh(hidden + self.hidden_effect.weight)  # (N, arms, W)
        found = self.readout(self.dropout(hidden))
        straight = self.linear(x) + self.effect.weight.T + self.interaction(x)  # (N, arms)
        hazards = found[..., : self.hazards] + straight[..., None]
        return ops.cat([hazards, found[..., self.hazards :]], 2)
