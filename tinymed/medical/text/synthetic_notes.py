"""Notes of a generator: short diagnoses from templates, with families, slips and ambiguous ones."""

from __future__ import annotations

import numpy as np

from tinymed.medical.text.notes import Notes

__all__ = ["synthesise_notes"]

SYSTEMS = {  # label -> the stems of its organs and the words that it shares with others
    "circulatory": ("cardi", "ven", "arteri", "phleb", "aort"),
    "digestive": ("gastr", "enter", "col", "hepat", "pancreat"),
    "respiratory": ("bronch", "pneum", "pleur", "laryng", "sinus"),
    "musculoskeletal": ("arthr", "myos", "oste", "tend", "spondyl"),
    "nervous": ("neur", "myel", "enceph", "mening", "cerebr"),
    "genitourinary": ("nephr", "cyst", "ureter", "prostat", "urethr"),
}
ENDINGS = ("itis", "opathy", "osis", "algia", "ectasia", "oma", "omalacia", "osclerosis")
MIDDLES = ("", "o", "al", "ar", "ic", "ul")
MANNERS = ("acute", "chronic", "recurrent", "unspecified", "other specified", "secondary")
PLACES = ("left side", "right side", "bilateral", "unspecified side", "multiple sites")
CAUSES = ("due to infection", "due to drug", "following injury", "in diseases elsewhere", "")
SHAPES = (
    "{manner} {disease}, {place}",
    "{disease} {cause}, {place}",
    "{manner} {disease} {cause}",
    "{disease} of {other}, {manner}",
    "{place}: {manner} {disease} {cause}",
)
SLIP, VAGUE, STRAY = 0.04, 0.05, 0.3  # of letters' exchange in a text, no name, another system


def synthesise_notes(families: int, generator: np.random.Generator, each: int = 8) -> Notes:
    """Return notes of ``families`` diagnoses, about ``each`` notes per diagnosis.

    A family has a name of its own, so one that is held out is new but for its stem. The stems of
    a system are shared by its families; a note may name an organ of another system, and one in
    twenty has no name at all: no reader can tell its system, so accuracy has a limit.

    Labels are systems, groups families.

    Examples
    --------
    >>> notes = synthesise_notes(30, np.random.default_rng(0))
    >>> len(set(notes.groups.tolist())), len(set(notes.labels.tolist()))
    (30, 6)
    """
    texts, labels, groups = [], [], []
    systems = list(SYSTEMS)
    for family in range(families):
        system = systems[family % len(systems)]
        stem, middle, ending = (
            str(generator.choice(part)) for part in (SYSTEMS[system], MIDDLES, ENDINGS)
        )
        for _ in range(int(generator.integers(each // 2, each * 3 // 2 + 1))):
            texts.append(_note(stem + middle + ending, generator))
            labels.append(system)
            groups.append(f"F{family:04d}")
    return Notes(*(np.array(column) for column in (texts, labels, groups)))


def _note(disease: str, generator: np.random.Generator) -> str:
    """Return one way to write a disease down."""
    system = str(generator.choice(list(SYSTEMS)))
    other = "unspecified organ"
    if generator.random() < STRAY:
        other = str(generator.choice(SYSTEMS[system])) + "al region"
    if generator.random() < VAGUE:
        disease = "disorder"
    text = str(generator.choice(SHAPES)).format(
        disease=disease,
        other=other,
        manner=generator.choice(MANNERS),
        place=generator.choice(PLACES),
        cause=generator.choice(CAUSES),
    )
    letters = list(" ".join(text.replace(" ,", ",").split()).strip(" ,"))
    for i in range(len(letters) - 1):
        if letters[i].isalpha() and generator.random() < SLIP / 10:
            letters[i], letters[i + 1] = letters[i + 1], letters[i]
    text = "".join(letters)
    return text[0].upper() + text[1:]
