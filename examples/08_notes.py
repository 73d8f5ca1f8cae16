"""Which chapter does a diagnosis stand in? Train on notes, then ask about new ones, word by word.

Run: python examples/08_notes.py   (about half a minute; needs the extra `medical`)
The real set: tinymed notes --data icd10   (needs the extra `datasets`)
"""

import tempfile
from pathlib import Path

from tinymed.cli import main
from tinymed.medical.tasks.notes import attention
from tinymed.medical.tasks.task import load_model

# Train on synthetic notes; families of diagnoses are in one split each, so that those of the test
# are new. The baseline counts whole words, and a new family's name is a word never seen.
folder = Path(tempfile.mkdtemp()) / "run"
main(["notes", "--quick", "--out", str(folder)])

# Predict: names that no note had, known by their parts.
new = folder / "new.txt"
new.write_text("Acute gastrectasia of sinusal region\nNephralgia, unspecified side\n")
main(["predict", str(folder / "model.safetensors"), str(new)])

# Look inside: which words did the attention choose?
saved = load_model(folder / "model.safetensors")
for word, weight in attention(saved, "Acute gastrectasia, left side"):
    print(f"{word:15} {weight:.3f} {'#' * round(40 * weight)}")
