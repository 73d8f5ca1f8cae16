"""Synthetic molecules: scaffolds with side chains, and groups that act more or less strongly.

Nothing here was ever measured. What a molecule does depends on groups at its rings (some only
beside another), on how many rings are joined, and on noise; each scaffold brings a shift of its
own, so that what is learned on some scaffolds does not all hold on others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["synthesise_molecules"]

Array = np.ndarray[Any, Any]
RINGS = (
    "c1cc({0})ccc1{1}", "c1cc({0})ncc1{1}", "C1CC({0})CCC1{1}", "c1c({0})scc1{1}",
    "c1cc({0})cn1{1}", "c1cc({0})c2ccccc2c1{1}", "C1CN({0})CCN1{1}",
    "c1c({0})[nH]c2ccccc12", "C1CC({0})OC1{1}",
)  # fmt: skip
GROUPS = ("C", "CC", "O", "OC", "N", "Cl", "F", "C(=O)O", "C#N", "S(N)(=O)=O", "[N+](=O)[O-]")
ACTIVITY = (0.0, 0.1, -0.4, 0.2, 0.9, 1.0, 0.3, -1.0, 0.5, -0.7, 1.3)
LINKS = ("", "C", "O", "C(=O)N", "CC", "N", "OC")
GREASE = (0.5, 1.0, -0.8, 0.0, -0.9, 0.7, 0.2, -1.0, -0.3, -1.4, -0.2)


def synthesise_molecules(
    count: int, outputs: int, generator: np.random.Generator
) -> tuple[list[str], Array, Array]:
    """Return SMILES, classes 0 or 1 with one in ten unknown (NaN), and a solubility.

    Parameters
    ----------
    count : int
    outputs : int
        Classes of each molecule; they share their cause in part.

    Returns
    -------
    smiles : list of str (count,)
    labels : (count, outputs) float32
    solubility : (count,) float32
        log10 of mol / L.
    """
    own = generator.normal(0, 0.5, (outputs, len(GROUPS)))
    shifts: dict[tuple[int, ...], Array] = {}
    texts, labels, soluble = [], [], []
    for _ in range(count):
        rings = [int(i) for i in generator.integers(0, len(RINGS), generator.integers(1, 4))]
        groups = generator.integers(0, len(GROUPS), len(rings) + 1)
        text = GROUPS[groups[-1]]
        for ring, group in zip(rings, groups, strict=False):
            text = RINGS[ring].format(GROUPS[group], LINKS[generator.integers(len(LINKS))] + text)
        shift = shifts.setdefault(tuple(sorted(rings)), generator.normal(0, 0.5, outputs + 1))
        acts = np.array(ACTIVITY)[groups].sum() + 0.8 * (4 in groups) * (9 in groups)
        score = acts + own[:, groups].sum(axis=1) + shift[:-1] + 0.5 * len(rings) - 2.5
        noisy = score + generator.logistic(0, 0.4, outputs)
        labels.append(np.where(generator.random(outputs) < 0.1, np.nan, noisy > 0))
        grease = np.array(GREASE)[groups].sum() + 0.9 * len(rings) + 0.4 * shift[-1]
        soluble.append(-grease - 1 + generator.normal(0, 0.4))
        texts.append(text)
    return texts, np.array(labels, np.float32), np.array(soluble, np.float32)
