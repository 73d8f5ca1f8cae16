"""Words by the company they keep: word2vec and GloVe on diagnoses, neighbours, analogies, a map.

Run: python examples/10_word_vectors.py   (about ten seconds with the extra `fast`)
With the extra `datasets` on the 46,837 descriptions of ICD-10-CM, without on synthetic notes. The
picture needs the extra `report`.
"""

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tinymed.medical.text import GloVe, Word2Vec, WordVectors, draw_word_map, words
from tinymed.medical.text.notes import read_icd10
from tinymed.medical.text.synthetic_notes import synthesise_notes

# a is to b as c is to d: d is asked for. What the answer should be is said before.
ICD10 = (
    "elbow arm knee leg",
    "wrist hand ankle foot",
    "hand finger foot toe",
    "ulna arm tibia leg",
)
SYNTHETIC = ("infection due injury following", "left side multiple sites")

# Read. `--synthetic` for notes of the generator, whatever is installed.
if find_spec("simple_icd_10_cm") and "--synthetic" not in sys.argv:
    notes, asked, shown, seen = read_icd10(), ICD10, ("femur", "retinopathy", "heroin"), 5
else:
    notes = synthesise_notes(900, np.random.default_rng(0))
    asked, shown, seen = SYNTHETIC, ("left", "acute", "infection"), 40
documents = [words(text) for text in notes.texts]
print(f"{len(documents)} texts, {sum(map(len, documents))} words")


def right(vectors: WordVectors) -> int:
    """Ask the analogies and return how many were answered as expected."""
    count = 0
    for a, b, c, expected in map(str.split, asked):
        found = [word for word, _ in vectors.most_similar([b, c], [a], topn=3)]
        count += found[0] == expected
        print(f"  {a} is to {b} as {c} is to {', '.join(found)} ({expected} expected)")
    return count


# Train both, and ask both the same.
models = {
    "word2vec": Word2Vec(vector_size=50, min_count=seen, sg=1, alpha=0.05, epochs=10, seed=0),
    "GloVe": GloVe(vector_size=50, min_count=seen, x_max=20, epochs=30, seed=0),
}
for name, model in models.items():
    vectors = model.train(documents)
    print(f"{name}: {len(vectors)} words")
    for word in shown:
        print(f"  {word}: {', '.join(near for near, _ in vectors.most_similar(word, topn=5))}")
    print(f"  {right(vectors)} of {len(asked)} analogies")

    # The map: what the first two principal components keep of 50 numbers.
    if find_spec("matplotlib"):
        path = Path(tempfile.mkdtemp()) / f"words-{name}.png"
        draw_word_map(vectors, path, top=80)
        print(f"  map of the 80 most frequent words: {path}")
