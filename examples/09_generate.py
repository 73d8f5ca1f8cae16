"""Write diagnoses a character at a time: cold, warm, and by searching for the likeliest.

Run: python examples/09_generate.py   (about half a minute)
The real set: tinymed generate --data icd10   (needs the extra `datasets`)
"""

import dataclasses
import tempfile
from pathlib import Path

from tinymed.cli import main
from tinymed.medical.tasks.generate import writer_of
from tinymed.medical.tasks.task import load_model
from tinymed.medical.text.writing import Writer

folder = Path(tempfile.mkdtemp()) / "run"
main(["generate", "--quick", "--out", str(folder)])

saved = load_model(folder / "model.safetensors")
writer = writer_of(saved.network, saved.about["preprocessing"])
for temperature in (0.3, 0.8, 1.5):
    writing = dataclasses.replace(writer.writing, temperature=temperature, top_p=1.0)
    at = Writer(writer.network, writer.alphabet, writing)
    print(f"temperature {temperature}:", " | ".join(at.write("Acute ", n) for n in range(3)))
print("likeliest:", writer.likeliest("Acute "))
