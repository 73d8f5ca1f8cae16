"""The model card: one page of Markdown that says what a model is for, how good, and how it fails.

The sections follow Mitchell et al. (2019), "Model cards for model reporting", FAT*. All that is
given is escaped, so that a file name with a ``|`` or a ``<`` neither breaks a table nor becomes
markup.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["OPTIONAL", "REQUIRED", "in_words", "metric_rows", "model_card", "write_model_card"]

# Fact -> what it is. A dict of facts is shown as a list of "name: value".
REQUIRED = {
    "name": "str",
    "purpose": "str, in a sentence",
    "data": "dict, with 'label': what a label means ('1: marked by radiologists, not pathology')",
    "splits": "dict split -> dict of numbers, such as images, patients, positives",
    "split_by": "str, of what all images are in one split ('patient'), or None if it is not known",
    "preprocessing": "dict, or list of str",
    "network": "dict, or list of str",
    "training": "dict, or list of str",
    "metrics": "dict name -> number; auc_ci (low, high) is the 95 % interval of auc, and so on",
}
OPTIONAL = {
    "threshold": "str, how it was chosen ('recall 0.9 on val')",
    "results_on": "str, the split that the metrics are of",
    "baseline": "dict name -> AUC, or {'auc': .., 'auc_ci': (.., ..)}: what needs no network",
    "warnings": "list of str, found in the data or the results",
    "limits": "list of str, beside those that hold for every model",
    "reproduce": "list of str, shell commands",
}

_NOT_A_DEVICE = (
    "**Not a medical device.** For research and teaching. It must not be used to diagnose, to "
    "treat, or to decide for or against either; it was not tested in care and no authority has "
    "cleared it."
)
_SPLIT_BY = (
    "Split by {}: all images of one {} are in one split, so the test measures what happens with "
    "those never seen."
)
_SPLIT_UNKNOWN = (
    "**It is not known which images are of the same patient**, so a patient may be in several "
    "splits, and the results may be too good."
)
_LIMITS = (
    "The results hold for data like these: another scanner, kernel, hospital or share of positive "
    "cases changes them, and the score is then no longer a probability.",
    "The intervals say how much a test of this size can vary, not what other data would give.",
)


def model_card(facts: Mapping[str, Any]) -> str:
    r"""Return the card of a trained model as Markdown (GitHub's dialect).

    Parameters
    ----------
    facts : dict
        All of `REQUIRED`, any of `OPTIONAL`; they say what each is.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        A required fact is missing, or a fact is unknown.

    Examples
    --------
    >>> facts = dict.fromkeys(REQUIRED, {})
    >>> facts |= {"name": "a|b", "purpose": "teaching", "data": {"label": "1: nodule"}}
    >>> model_card(facts).splitlines()[0]
    '# Model card: a\\|b'
    """
    _check(facts)
    warnings = facts.get("warnings", ())
    split_by = None if facts["split_by"] is None else _escaped(facts["split_by"])
    sections = [
        f"# Model card: {_escaped(facts['name'])}",
        _NOT_A_DEVICE,
        "## Purpose",
        _escaped(facts["purpose"]),
        "## Data",
        _list({key: value for key, value in facts["data"].items() if key != "label"}),
        f"**What a label means.** {_escaped(facts['data']['label'])}",
        _splits(facts["splits"]),
        _SPLIT_UNKNOWN if split_by is None else _SPLIT_BY.format(split_by, split_by),
        "## Preprocessing",
        _list(facts["preprocessing"]),
        "## Network",
        _list(facts["network"]),
        "## Training",
        _list(facts["training"]),
        "## Results" + (f" on {_escaped(facts['results_on'])}" if "results_on" in facts else ""),
        _table(("metric", "value", "95 % interval"), metric_rows(facts["metrics"])),
        *([f"**Threshold.** {_escaped(facts['threshold'])}"] if "threshold" in facts else []),
        *_baseline(facts.get("baseline", {})),
        *(["**Warnings.**", _list(warnings)] if warnings else []),
        "## Limits",
        _list([*facts.get("limits", ()), *_LIMITS]),
        *(["## How to reproduce", _fenced(facts["reproduce"])] if "reproduce" in facts else []),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _check(facts: Mapping[str, Any]) -> None:
    missing = {key: meaning for key, meaning in REQUIRED.items() if key not in facts}
    if missing:
        raise ValueError(f"model_card: facts lack {missing}")
    unknown = [key for key in facts if key not in REQUIRED | OPTIONAL]
    if unknown:
        raise ValueError(
            f"model_card: facts {unknown} are unknown; known are {[*REQUIRED, *OPTIONAL]}"
        )
    if "label" not in facts["data"]:
        raise ValueError(
            f"model_card: data has {sorted(facts['data'])}, 'label' expected: what a label means"
        )


def write_model_card(path: str | os.PathLike[str], facts: Mapping[str, Any]) -> None:
    """Write `model_card` of ``facts`` to ``path`` as UTF-8, what that cannot hold as escapes."""
    text = model_card(facts)  # with a file's name, perhaps, that is of an older encoding
    Path(path).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def _splits(splits: Mapping[str, Mapping[str, Any]]) -> str:
    columns = list(dict.fromkeys(key for split in splits.values() for key in split))
    rows = [(name, *(split.get(key) for key in columns)) for name, split in splits.items()]
    return _table(("split", *columns), rows)


def metric_rows(metrics: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return name, value and interval (text) of each metric; ``x_ci`` is the interval of x."""
    rows = []
    for name, value in metrics.items():
        if name.endswith("_ci") and name.removesuffix("_ci") in metrics:
            continue
        interval = metrics.get(f"{name}_ci")
        text = "" if interval is None else f"{in_words(interval[0])} to {in_words(interval[1])}"
        rows.append((name.replace("_", " "), value, text))
    return rows


def _baseline(baseline: Mapping[str, Any]) -> list[str]:
    if not baseline:
        return []
    rows: list[tuple[Any, ...]] = []
    for name, value in baseline.items():
        metrics = value if isinstance(value, Mapping) else {"auc": value}
        rows += [(name, *row[1:]) for row in metric_rows(metrics)]
    return [
        "What the same test gives without a network; the model is worth what it adds to this:",
        _table(("baseline", "AUC", "95 % interval"), rows),
    ]


def _list(items: Mapping[str, Any] | Iterable[Any]) -> str:
    if isinstance(items, Mapping):
        lines = [f"- {_escaped(key)}: {_escaped(value)}" for key, value in items.items()]
    else:
        lines = [f"- {_escaped(item)}" for item in items]
    return "\n".join(lines)


def _table(header: Sequence[Any], rows: Sequence[Sequence[Any]]) -> str:
    if not rows:
        return ""
    first, *others = ([_escaped(cell) for cell in row] for row in (header, *rows))
    lines = [first, ["---"] * len(header), *others]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _fenced(commands: Iterable[str]) -> str:
    text = "\n".join(commands)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{text}\n{fence}"


def in_words(value: Any) -> str:
    """Return a value in words: four digits of a float, ``a, b`` of a list."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):  # NumPy's float64 is one
        return "undefined" if math.isnan(value) else f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{in_words(key)} {in_words(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(in_words(item) for item in value)
    return str(value)


def _escaped(value: Any) -> str:
    """Return a value as Markdown that shows it and nothing else, on one line."""
    text = " ".join(in_words(value).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*_{}\[\]#|~$])", r"\\\1", text)
    text = re.sub(r"^([-+=])", r"\\\1", text)  # a list or a heading
    return re.sub(r"^(\d+)([.)]\s)", r"\1\\\2", text)  # a numbered list
