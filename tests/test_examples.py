"""The examples run, as a reader would run them; long ones are cut short."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinymed.medical.molecules import parse_smiles, scaffold_key

EXAMPLES = Path(__file__).parent.parent / "examples"


def output_of(source: str, *arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", source, *arguments], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def shortened(name: str, changes: dict[str, str]) -> str:
    """Return an example with some of its text replaced; all of it must be there, once."""
    source = (EXAMPLES / name).read_text()
    for old, new in changes.items():
        assert source.count(old) == 1, f"{name} no longer says {old!r}"
        source = source.replace(old, new)
    return source


def numbers(pattern: str, out: str) -> list[float]:
    """Return the number in each match of a pattern with one group."""
    return [float(found) for found in re.findall(pattern, out)]


def test_every_example_is_run_here():
    told = Path(__file__).read_text()
    names = [path.name for path in EXAMPLES.glob("*.py")]
    assert names
    assert [name for name in names if f'"{name}"' not in told] == []


def test_autograd_by_hand_agrees_with_the_engine():
    out = output_of((EXAMPLES / "01_autograd_by_hand.py").read_text())
    assert "gradcheck: True" in out
    assert "anomaly: Log: made -inf" in out
    by_hand, by_engine = out.split("by hand:")[1].split("recorded:")[0], out.split("engine:")[1]
    assert by_engine.strip().startswith(by_hand.strip())


def test_lung_from_scratch_reports_accuracy_and_recall():
    pytest.importorskip("scipy", reason="augmentation needs the extra `medical`")
    changes = {"range(12)": "range(1)", "synthesise(100,": "synthesise(20,"}
    assert "recall" in output_of(shortened("02_lung_from_scratch.py", changes))


def test_truncated_backpropagation_remembers_and_forgets_what_it_says():
    out = output_of((EXAMPLES / "03_truncated_backpropagation.py").read_text())
    carried, anew, naive = (
        float(out.split(f"error, {name}:")[1].split()[0])
        for name in ("state carried on", "state begun anew", "value as it was")
    )
    assert carried < 0.8 * anew
    assert carried < 0.6 * naive
    assert "its loss reaches: 10, detached: 0" in out
    full, cut = out.split("held for backward: ")[1].split(" MB, detached: ")
    assert float(cut.split()[0]) < float(full) / 50


def test_heartbeats_are_learned_and_judged_on_other_patients():
    changes = {"synthesise(20, 240,": "synthesise(16, 120,", "EPOCHS = 8": "EPOCHS = 5"}
    out = output_of(shortened("04_heartbeats.py", changes))
    losses = numbers(r"loss (\S+)", out)
    assert len(losses) == 5
    assert losses[-1] < 0.8 * losses[0]
    (balanced,) = numbers(r"balanced accuracy (\S+)", out)
    assert balanced > 0.45  # a guess: one third
    sensitivity, counts = numbers(r": (\S+) of", out), numbers(r" of (\d+)\n", out)
    assert sum(counts) == 4 * 120
    assert abs(np.mean(sensitivity) - balanced) < 2e-3


def test_splice_junctions_are_found_better_than_by_the_most_frequent_class():
    out = output_of(shortened("05_splice_junctions.py", {"range(8)": "range(5)"}))
    losses = numbers(r"loss (\S+)", out)
    assert losses[-1] < 0.6 * losses[0]
    for name in ("network", "softmax regression"):
        assert numbers(name + r" (\d\.\d+)", out)[0] > 0.6  # half are of one class


def test_molecules_are_spelled_differently_and_stay_what_they_are():
    out = output_of((EXAMPLES / "06_scaffolds.py").read_text())
    spelled = re.findall(r"^  (\S+)$", out, re.MULTILINE)
    assert len(set(spelled)) == 3
    aspirin = parse_smiles("CC(=O)Oc1ccccc1C(=O)O")
    for text in spelled:
        read = parse_smiles(text)
        assert (len(read.atoms), len(read.bonds)) == (len(aspirin.atoms), len(aspirin.bonds))
        assert scaffold_key(read) == scaffold_key(aspirin)
    keys = dict(re.findall(r"^(\w+): .* key (\S+)$", out, re.MULTILINE))
    assert keys["aspirin"] == keys["paracetamol"] != keys["caffeine"]


def test_the_treatment_example_finds_whom_the_drug_helps():
    out = output_of((EXAMPLES / "07_treatment.py").read_text())
    assert numbers(r"concordance (\S+)", out)[0] > 0.6
    assert numbers(r"qini (\S+)", out)[0] > 0
    assert numbers(r"true benefit (\S+)", out)[0] > 0.4


def test_notes_are_told_by_their_parts_and_the_disease_gets_the_attention():
    pytest.importorskip("scipy", reason="the baseline needs the extra `medical`")
    out = output_of((EXAMPLES / "08_notes.py").read_text())
    (network,), (baseline,) = (
        numbers(rf"\n{key} +(\S+)", out) for key in ("accuracy", "baseline_accuracy")
    )
    assert network > baseline + 0.2
    assert re.search(r"class=genitourinary .* text=Nephralgia", out)
    found = re.findall(r"^(\w+) +(\d\.\d{3}) #*$", out, re.MULTILINE)
    assert [word for word, _ in found] == ["acute", "gastrectasia", "left", "side"]
    weights = [float(weight) for _, weight in found]
    assert abs(sum(weights) - 1) < 5e-3
    assert max(weights) == weights[1]


def test_diagnoses_are_written_warm_and_cold():
    out = output_of(shortened("09_generate.py", {'"--quick", ': '"--quick", "--epochs", "4", '}))
    (perplexity,) = numbers(r"\nperplexity +(\S+)", out)
    assert 1 < perplexity < 8  # of some 40 characters
    written = re.findall(r"temperature \S+: (.*)", out)
    assert len(written) == 3
    texts = [text for line in written for text in line.split(" | ")]
    assert len(texts) == 9
    assert all(text.startswith("Acute ") for text in texts)
    assert re.search(r"^likeliest: Acute \w", out, re.MULTILINE)


def test_words_that_can_stand_for_each_other_come_together():
    out = output_of((EXAMPLES / "10_word_vectors.py").read_text(), "--synthetic")
    near = re.findall(r"^  left: (.*)$", out, re.MULTILINE)
    assert len(near) == 2
    assert all({"right", "bilateral"} <= set(line.split(", ")) for line in near)
    of_glove = out.split("GloVe: ")[1]
    assert "  2 of 2 analogies" in of_glove
    if importlib.util.find_spec("matplotlib"):
        maps = re.findall(r"frequent words: (.*)$", out, re.MULTILINE)
        assert len(maps) == 2
        assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in maps)


def test_gates_show_a_memory_that_begins_with_the_first_pulse():
    out = output_of((EXAMPLES / "11_gates.py").read_text())
    assert numbers(r"accuracy (\S+)", out)[0] > 0.95
    before, after = (numbers(pattern, out)[0] for pattern in (r"(\S+) apart", r"(\S+) at end"))
    assert before < 0.1 * after
    drawn = dict(re.findall(r"^ +(\w+) (.{48})$", out, re.MULTILINE))
    assert set(drawn) == {"pulses", "input", "forget", "output", "memory"}
    assert all("@" in line for line in drawn.values())
    assert drawn["memory"][:8].strip() == ""


def test_maps_point_at_the_nodule_and_forget_with_the_network():
    pytest.importorskip("scipy", reason="turning the patches needs the extra `medical`")
    changes = {"patches(range(40))": "patches(range(20))", "range(40, 52)": "range(40, 48)"}
    out = output_of(shortened("12_explain.py", changes))
    (chance,) = numbers(r"\nchance +\S+ +(\S+)", out)
    for name in ("integrated_gradients", "occlusion"):
        assert numbers(rf"\n{name} +\S+ +(\S+)", out)[0] > chance + 0.15
    forgotten = numbers(r"\n[a-z_+]+ +\d\S+ +\d\S+ +(-?\d\S+)", out)
    assert len(forgotten) == 6
    assert np.median(np.abs(forgotten)) < 0.5
    assert numbers(r"within (\d\S+) of it", out)[0] < 0.1
    assert "@" in out.split("Grad-CAM\n")[1]
