"""Fragments of molecules: counted by hand, weights beside those of scikit-learn."""

import math
import sys
from collections import Counter

import numpy as np
import pytest

import tinymed as tm
from tinymed.medical.models import MoleculeNetwork
from tinymed.medical.models.fragment_regression import FragmentRegression
from tinymed.medical.models.sparse_linear import SparseLinear
from tinymed.medical.molecules import parse_smiles
from tinymed.medical.molecules.encoding import SURROUNDINGS, SYMBOLS, EncodedMolecule
from tinymed.medical.tasks.drug import TOXICITY, measure_rarity, synthetic
from tinymed.medical.tasks.sparse_regression import fit_view

TEXTS = ["CCO", "CC(=O)Oc1ccccc1C(=O)O", "N#Cc1ccccc1", "[Na+].[Cl-]", "C"]


def padded(ids):
    rows = np.zeros((len(ids), max(map(len, ids)), 3), np.int64)
    for row, each in zip(rows, ids, strict=True):
        row[: len(each)] = each
    return tm.tensor(rows)


def by_hand(ids, rarity):
    """Return the share of each fragment of one molecule."""
    counts = Counter()
    for symbol, *around in ids.tolist():
        if around[0]:
            counts[symbol] += 1
        counts.update(SYMBOLS + number for number in around if number)
    shares = {row: (1 + math.log(k)) * rarity[row] for row, k in counts.items()}
    length = math.sqrt(sum(share**2 for share in shares.values()))
    return {row: share / length for row, share in shares.items()}


def test_fragments_are_counted_and_made_a_unit_vector():
    ids = [EncodedMolecule(parse_smiles(text)).ids() for text in TEXTS]
    wide = FragmentRegression(SYMBOLS, SURROUNDINGS, 1)
    wide.rarity.data[...] = np.random.default_rng(0).uniform(1, 5, len(wide.rarity))
    rows, shares = (found.numpy() for found in wide.features(padded(ids)))
    for each, row, share in zip(ids, rows, shares, strict=True):
        found = {int(r): float(s) for r, s in zip(row, share, strict=True) if s > 0}
        assert found == pytest.approx(by_hand(each, wide.rarity.numpy()), rel=1e-5)


def test_fragments_are_counted_where_a_number_grows_with_the_molecule():
    ids = padded([EncodedMolecule(parse_smiles("C" * n)).ids() for n in (8, 12)])
    rows, shares = FragmentRegression(SYMBOLS, SURROUNDINGS, 1, counted=True).features(ids)
    carbon = int(ids.numpy()[0, 0, 0])
    found = [float(s[r == carbon].sum()) for r, s in zip(rows.numpy(), shares.numpy(), strict=True)]
    assert found == [8, 12]


def test_a_molecule_says_the_same_however_it_is_spelled():
    wide = FragmentRegression(SYMBOLS, SURROUNDINGS, 2)
    wide.weight.data[...] = np.random.default_rng(0).normal(size=wide.weight.shape)
    molecule = EncodedMolecule(parse_smiles(TEXTS[1]))
    generator = np.random.default_rng(0)
    spelled = [molecule.ids()] + [molecule.ids(generator) for _ in range(4)]
    assert len({ids[:, 0].tobytes() for ids in spelled}) > 1
    found = wide(padded(spelled)).numpy()
    np.testing.assert_allclose(found, np.broadcast_to(found[:1], found.shape), rtol=1e-4)


def test_padding_and_an_empty_row_say_nothing():
    wide = FragmentRegression(4, 8, 1)
    wide.weight.data[...] = 1.0
    wide.bias.data[...] = 0.5
    ids = tm.tensor([[[1, 5, 6], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]])
    np.testing.assert_allclose(wide(ids).numpy()[:, 0], [math.sqrt(3) + 0.5, 0.5], rtol=1e-6)


def test_weights_agree_with_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    pytest.importorskip("scipy")
    texts = TEXTS[:4] + ["CCN", "CCCO", "c1ccncc1", "CC=O"]
    wanted = np.array([1, 0, 0, 1, 1, 0, np.nan, 1.0])
    examples = synthetic(texts, wanted[:, None])
    wide = FragmentRegression(SYMBOLS, SURROUNDINGS, 1)
    batches = TOXICITY.spelled(examples, 3)
    measure_rarity(wide, batches, len(texts))
    assert wide.rarity.data.max() == pytest.approx(math.log(9) + 1)  # of what none has
    fit_view(wide, batches, wanted[:, None], "logistic", TOXICITY.penalty)
    batch = padded([molecule.ids() for molecule in examples.inputs])
    rows, shares = (found.numpy() for found in wide.features(batch))
    x = np.zeros((len(texts), len(wide.rarity)))
    np.add.at(x, (np.arange(len(texts))[:, None], rows), shares)
    known = np.isfinite(wanted)
    model = linear.LogisticRegression(C=1 / TOXICITY.penalty, tol=1e-8, max_iter=1000)
    expected = model.fit(x[known], wanted[known]).decision_function(x)
    np.testing.assert_allclose(wide(batch).numpy()[:, 0], expected, atol=2e-3)


def test_both_views_are_there_and_only_the_deep_one_learns_by_gradient():
    network = MoleculeNetwork(SYMBOLS, SURROUNDINGS, 3, classes=1)
    ids = padded([EncodedMolecule(parse_smiles(text)).ids() for text in TEXTS])
    outputs = network(ids)
    assert outputs.shape == (5, 2, 3)
    assert not any(name.startswith("wide") for name, _ in network.named_parameters())
    assert {name for name in network.state_dict() if name.startswith("wide")} == {
        "wide.rarity", "wide.weight", "wide.bias",
    }  # fmt: skip


def test_without_scipy_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(ImportError, match=r"pip install tinymed\[medical\]"):
        fit_view(FragmentRegression(4, 8, 1), [], np.zeros((0, 1)), "squared", 1.0)


def test_a_view_without_features_is_refused():
    with pytest.raises(NotImplementedError):
        SparseLinear(3, 1)(tm.ones(1, 2))
