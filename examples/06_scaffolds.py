"""Molecules as text and as graphs: one molecule, many SMILES, one scaffold.

Run: python examples/06_scaffolds.py
"""

import numpy as np

from tinymed.medical.molecules import parse_smiles, scaffold, scaffold_key, write_smiles

aspirin = parse_smiles("CC(=O)Oc1ccccc1C(=O)O")
generator = np.random.default_rng(0)
print("aspirin, written from other atoms:")
for _ in range(3):
    print(" ", write_smiles(aspirin, generator))

# A split by scaffold asks about chemistry that training has not seen.
for name, smiles in {
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "paracetamol": "CC(=O)Nc1ccc(O)cc1",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
}.items():
    molecule = parse_smiles(smiles)
    print(f"{name}: scaffold {write_smiles(scaffold(molecule))}, key {scaffold_key(molecule)}")
