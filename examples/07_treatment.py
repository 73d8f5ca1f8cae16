"""Whom a treatment helps: survival in a randomised trial, by Cox's loss, judged by uplift.

Run: python examples/07_treatment.py   (some seconds). `tinymed treatment` is the same in full.
"""

import numpy as np

import tinymed as tm
from tinymed import optim
from tinymed.medical.models import TreatmentNetwork
from tinymed.medical.survival import (
    censoring_survival,
    concordance_index,
    cox_loss,
    horizon_weights,
    qini,
)
from tinymed.medical.survival.covariates import encoded, fitted_covariates
from tinymed.medical.survival.synthetic_trial import as_csv, synthetic_trial
from tinymed.medical.survival.trial_table import parse_trial

# Read: a row for each patient; the arm was drawn by lot.
tm.manual_seed(0)
table = parse_trial(as_csv(synthetic_trial(2000, np.random.default_rng(0))), "synthetic")
time, event = table.endpoints["time"], table.endpoints["event"]
arm = (table.endpoints["arm"] == "inhibitor").astype(int)
known = np.isin(table.endpoints["arm"], ("control", "inhibitor"))
train, test = (np.flatnonzero(known & (np.arange(2000) % 2 == half)) for half in (0, 1))

# Preprocess: medians, categories and scales of the training patients.
facts = fitted_covariates(table.patients[train])
x = encoded(table.patients, facts, scores=True).astype(np.float32)

# Train: one network for both arms, each patient counted under the arm that it had.
network = TreatmentNetwork(x.shape[1], arms=2)
optimizer = optim.AdamW(network.parameters(), lr=1e-2, weight_decay=1.0)
for _ in range(40):
    optimizer.zero_grad()
    had = network(tm.tensor(x[train]))[np.arange(len(train)), arm[train], 0]
    loss = cox_loss(had, time[train], event[train])
    loss.backward()
    optimizer.step()
print(f"loss {loss.item():.3f}")

# Judge on the other half: the order of events, and who gains from the drug.
network.eval()
with tm.no_grad():
    risk = network(tm.tensor(x[test])).numpy()[..., 0].astype(float)  # (n, arms)
had = risk[np.arange(len(test)), arm[test]]
print(f"concordance {concordance_index(time[test], event[test], had):.3f}")
benefit = risk[:, 0] - risk[:, 1]
censoring = censoring_survival(time[test], event[test])
free, weight = horizon_weights(time[test], event[test], 700.0, censoring)
print(f"qini {qini(benefit, arm[test], free, weight):.4f} (0: the benefit orders nobody)")
truth = -table.endpoints["truth_inhibitor"][test]
print(f"correlation with the true benefit {np.corrcoef(benefit, truth)[0, 1]:.2f}")
