"""tinymed and the libraries that are installed compute the same on small workloads."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.bench import ours, proof
from tinymed.bench.contest import CannotError, InstallError
from tinymed.bench.contests import workload_contest
from tinymed.bench.ours import attempt, compiled_attempt
from tinymed.bench.peers import PEERS, Peer, chosen, kernel_entries, workload_entries
from tinymed.bench.proof import compare
from tinymed.bench.text import blocks
from tinymed.bench.workloads import (
    Adam,
    Conv,
    Embedding,
    MaxPool,
    Network,
    Recurrent,
    Words,
    Workload,
    size_of,
)
from tinymed.errors import CompileError
from tinymed.kernels import registry, use_backend

SMALL = (
    Conv(2, 4, 8, 6),
    Conv(2, 4, 8, 8, groups=4, stride=2),
    Conv(2, 1, 8, 6, backward=False, pool=True),
    MaxPool(2, 3, 9, 3, 2, 1),
    MaxPool(2, 3, 8, 2, 2),
    Recurrent("rnn", 5, 3, 4, 6),
    Recurrent("gru", 5, 3, 4, 6),
    Recurrent("lstm", 5, 3, 4, 6),
    Embedding(50, 4, 20, True),
    Embedding(50, 4, 20, False),
    Network("lstm", 3, (4, 5)),
    Adam(100),
    Network("mlp", 4, (30,)),
    Network("gru", 4, (6, 5)),
    Network("cnn", 2, (1, 16, 16)),
    Network("cnn", 1, (1, 16, 16), training=False),
)


def expected(spec, arrays):
    with use_backend("reference"):
        made = attempt(spec, arrays)
        return made.results(made.call())


@pytest.mark.parametrize("spec", SMALL, ids=lambda s: f"{type(s).__name__} {s}")
@pytest.mark.parametrize("peer", ["torch", "torch-channels-last"])
def test_pytorch_computes_the_same(spec, peer):
    pytest.importorskip("torch")
    arrays = spec.inputs(np.random.default_rng(0))
    before = size_of(arrays), [a.copy() for a in arrays.values() if not isinstance(a, list)]
    try:
        made = workload_entries((peer,), spec, arrays)[peer].make()
    except CannotError:
        assert peer == "torch-channels-last"
        return
    exact = expected(spec, arrays)
    for one in made.values() if isinstance(made, dict) else [made]:
        found = one.results(one.call())
        assert compare(found, exact, {np.dtype("f4"): 1e-3}) < 1
    after = [a for a in arrays.values() if not isinstance(a, list)]
    for a, b in zip(before[1], after, strict=True):
        np.testing.assert_array_equal(a, b)


def test_pytorchs_graph_begins_where_training_does():
    """What a capture is warmed up with leaves no trace; the graph itself needs a GPU."""
    pytest.importorskip("torch")
    from tinymed.bench.peers import torch_workloads as files

    spec = Network("cnn", 2, (1, 16, 16))
    arrays = spec.inputs(np.random.default_rng(0))
    x, labels = (files.image(arrays[name], False) for name in ("x", "labels"))
    cold, warm = (
        files._training(files._model(spec, arrays), x, labels, {}, files._precision(spec))
        for _ in range(2)
    )
    files._warm_up(*warm)
    losses = [[step().item() for _ in range(4)] for step, *_ in (cold, warm)]
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]
    for refused, words in ((spec, "CUDA graphs are for a GPU"), (SMALL[0], "only steps of")):
        (entry,) = workload_entries(("torch-graph",), refused, arrays).values()
        with pytest.raises(CannotError, match=words):
            entry.make()


@pytest.mark.parametrize("model", ["mlp", "gru"])
def test_jax_trains_the_same_networks(model):
    pytest.importorskip("jax")
    spec = Network(model, 4, (30,) if model == "mlp" else (6, 5))
    arrays = spec.inputs(np.random.default_rng(0))
    made = workload_entries(("jax",), spec, arrays)["jax"].make()
    assert compare(made.results(made.call()), expected(spec, arrays), {np.dtype("f4"): 1e-3}) < 1


COMPILED = [spec for spec in SMALL if isinstance(spec, Network)]


@pytest.mark.parametrize("spec", COMPILED, ids=lambda s: f"{s.model} {s} {s.training}")
def test_compiled_networks_compute_the_same(spec):
    pytest.importorskip("numba")
    arrays = spec.inputs(np.random.default_rng(0))
    before = arrays["x"].copy()
    made = compiled_attempt(spec, arrays)
    assert compare(made.results(made.call()), expected(spec, arrays), {np.dtype("f4"): 1e-3}) < 1
    np.testing.assert_array_equal(arrays["x"], before)


def test_compiled_rows_do_not_run_eagerly(monkeypatch):
    monkeypatch.setattr(ours, "compile", lambda step: lambda *given: 1 / 0)
    workload = Workload("mlp", Network("mlp", 2, (30,)), {}, compiled=True)
    monkeypatch.setattr(ours, "missing", lambda name: None)
    (row,) = workload_contest(workload, (), 1).run(1, 1, None)
    assert (row.state, row.note) == ("failed", "ZeroDivisionError: division by zero")


def test_a_refusal_is_listed_with_its_reason(monkeypatch):
    def refuse(*given):
        raise CompileError("compile: no compiled kernel does the op Sort of the step")

    monkeypatch.setattr(ours, "missing", lambda name: None)
    workload = Workload("mlp", Network("mlp", 2, (30,)), 0.25, compiled=True)
    for compile_ in (refuse, lambda step: refuse):
        monkeypatch.setattr(ours, "compile", compile_)
        (row,) = workload_contest(workload, (), 1).run(1, 1, None)
        assert (row.state, row.goal) == ("refused", 0.25)
        assert row.note.endswith("the op Sort of the step")
        assert any("refused: compile: no compiled" in line for line in blocks([row]))


def test_compiling_needs_numba(monkeypatch):
    monkeypatch.setattr(ours, "missing", lambda name: "numba")
    with pytest.raises(InstallError, match=r"needs numba: pip install tinymed\[fast\]"):
        compiled_attempt(Network("mlp", 2, (30,)), {})
    monkeypatch.setattr(ours, "missing", lambda name: None)
    with pytest.raises(TypeError, match="a Adam is not a Network"):
        compiled_attempt(Adam(3), {})


TEXT = Words(60_000, 400, 24, topics=8)


@pytest.mark.parametrize("peer", ["tinymed", "gensim"])
def test_words_of_a_topic_come_together(peer):
    pytest.importorskip("numba" if peer == "tinymed" else "gensim")
    arrays = TEXT.inputs(np.random.default_rng(0))
    workload = Workload("word2vec", TEXT, {}, 0.05)
    rows = {
        row.candidate: row for row in workload_contest(workload, ("gensim",), 1).run(1, 1, None)
    }
    assert (rows[peer].state, rows[peer].words) == ("timed", 60_000), rows[peer].note
    assert sum(map(len, arrays["documents"])) == 60_000
    assert any("k words/s" in line for line in blocks(list(rows.values())))


@pytest.mark.parametrize("peer", ["torch", "jax", "onnxruntime", "mygrad"])
def test_other_peers_have_no_word_vectors(peer):
    pytest.importorskip(peer)
    with pytest.raises(CannotError):
        workload_entries((peer,), TEXT, {})[peer].make()


def test_vectors_that_learned_nothing_do_not_pass():
    vectors = np.random.default_rng(0).standard_normal((16, 24))
    assert TEXT.together(vectors) < 0.6
    assert TEXT.together(np.tile(np.eye(8), (2, 1)) + 1e-3 * vectors[:, :8]) == 1


def test_resnet_18_has_its_parameters():
    spec = Network("resnet18", 1, (3, 28, 28))
    arrays = spec.inputs(np.random.default_rng(0))
    assert sum(p.size for p in arrays["parameters"]) == 11_169_858  # He et al., two classes
    assert len(arrays["parameters"]) == 62
    narrow = Network("narrow resnet18", 2, (3, 8, 8))
    few = narrow.inputs(np.random.default_rng(0))["parameters"]
    assert [p.ndim for p in few] == [p.ndim for p in arrays["parameters"]]


@pytest.mark.parametrize(
    ("spec", "flops"),
    [
        (Conv(1, 1, 3, 1, padding=0, backward=False), 18),  # one position, nine products
        (Conv(1, 2, 3, 4, padding=0), 3 * 4 * 2 * 18),
        (Conv(1, 2, 3, 2, padding=0, groups=2), 3 * 2 * 18),
        (Recurrent("lstm", 1, 1, 1, 1), 3 * 2 * 8),
    ],
)
def test_operations_are_counted(spec, flops):
    assert spec.flops == flops


def test_inputs_are_the_same_each_time():
    spec = Network("mlp", 2, (30,))
    first, again = (spec.inputs(np.random.default_rng(3)) for _ in range(2))
    for a, b in zip(first["parameters"], again["parameters"], strict=True):
        np.testing.assert_array_equal(a, b)
    assert size_of(first) > 4 * (30 * 64 + 64 * 32)


KERNELS = {
    "activation.forward": lambda x: (x(3, 4), "gelu"),
    "activation.grad": lambda x: (x(3, 4), x(3, 4), "elu", 1.5, 1.1, 0.7),
    "matmul.product": lambda x: (x(3, 4), x(4, 5)),
    "matmul.linear": lambda x: (x(3, 4), x(5, 4), x(5), "relu"),
    "matmul.bias_grad": lambda x: (x(3, 4, 5, 5),),
    "conv_pool.forward": lambda x: (x(2, 1, 8, 8), x(6, 1, 3, 3), x(6), (1, 1)),
    "softmax.softmax": lambda x: (x(3, 4, 5),),
    "softmax.softmax_grad": lambda x: (x(3, 4, 5), x(3, 4, 5)),
    "softmax.log_softmax": lambda x: (x(3, 4, 5),),
    "softmax.log_softmax_grad": lambda x: (x(3, 4, 5), x(3, 4, 5)),
    "softmax.mean_cross_entropy": lambda x: (x(4, 5), np.array([0, 4, 2, 2])),
    "conv.forward": lambda x: (x(2, 4, 7, 7), x(6, 2, 3, 3), x(6), (2, 1), (1, 0), (1, 1), 2, None),
    "conv.grad_input": lambda x: (
        *(x(2, 6, 5, 5), x(6, 4, 3, 3), (7, 7)),
        *((1, 1), (0, 0), (1, 1), 1),
    ),
    "conv.grad_weight": lambda x: (
        *(x(2, 6, 5, 5), x(2, 4, 7, 7), (3, 3)),
        *((1, 1), (0, 0), (1, 1), 1),
    ),
    "pooling.max_forward": lambda x: (x(2, 3, 7, 7), (3, 3), (2, 2), (1, 1), (1, 1), (4, 4)),
    "pooling.avg_forward": lambda x: (x(2, 3, 8, 8), (2, 2), (2, 2), (0, 0), (4, 4), 4),
    "pooling.avg_grad_input": lambda x: (x(2, 3, 4, 4), (8, 8), (2, 2), (2, 2), (0, 0), 4),
    "normalization.batch_norm": lambda x: (x(4, 3, 5, 5), x(3), x(3), 1e-5),
    "normalization.group_norm": lambda x: (x(4, 6, 5), x(6), x(6), 2, 1e-5),
    "softmax.cross_entropy": lambda x: (x(4, 5), np.array([0, 4, 2, 2])),
    "softmax.cross_entropy_grad": lambda x: (x(4), x(4, 5), np.array([0, 4, 2, 2])),
    "embedding.forward": lambda x: (x(9, 4), np.array([0, 8, 8])),
    "embedding.grad_weight": lambda x: (x(3, 4), np.array([0, 8, 8]), 9),
    "embedding.sum_rows": lambda x: (x(3, 4), np.array([8, 0, 8])),
    "embedding.bag_sum": lambda x: (x(9, 4), np.array([0, 8, 8]), np.array([0, 1, 3]), x(3)),
    "embedding.bag_max": lambda x: (x(9, 4), np.array([0, 8, 2]), np.array([0, 1, 3])),
}


def made_arguments(name):
    rng = np.random.default_rng(2)
    return KERNELS[name](lambda *shape: rng.standard_normal(shape).astype(np.float32))


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("peer", ["torch", "torch-channels-last"])
def test_pytorch_has_the_kernels(name, peer):
    pytest.importorskip("torch")
    try:
        made = kernel_entries((peer,), name, lambda: made_arguments(name))[peer].make()
    except CannotError:
        assert peer == "torch-channels-last"
        return
    exact = proof.outcome(registry.KERNELS[name].load("reference"), made_arguments(name))
    pairs = [p for p in zip(made.results(made.call()), exact, strict=False) if p[0] is not None]
    assert compare(*map(list, zip(*pairs, strict=True)), {np.dtype("f4"): 1e-4}) < 1


def test_max_pooling_backward_from_winners_is_pytorchs():
    pytest.importorskip("torch")
    from tinymed.kernels.pooling import reference

    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 9, 7)).astype(np.float32)
    settings = ((3, 2), (2, 2), (1, 1), (1, 1))
    y, winner = reference.max_forward(x, *settings, (5, 4))
    given = (np.ones_like(y), winner, (9, 7), *settings)
    for peer in ("torch", "torch-channels-last"):
        entries = kernel_entries((peer,), "pooling.max_grad_input", lambda: given)
        made = entries[peer].make()
        np.testing.assert_array_equal(
            made.results(made.call())[0], reference.max_grad_input(*given)
        )


def test_peers_are_chosen_by_name():
    assert chosen("torch, jax") == ("torch", "jax")
    assert chosen("") == ()
    with pytest.raises(LookupError, match="no peer 'tensorflow'; there are torch"):
        chosen("tensorflow")


def test_a_peer_without_autocast_does_not_take_part_in_it():
    spec = Conv(1, 1, 4, 1, autocast="bfloat16")
    for name in ("jax", "onnxruntime", "mygrad"):
        with pytest.raises(CannotError, match="autocast is not written for it"):
            workload_entries((name,), spec, {})[name].make()


def test_a_peer_that_is_not_installed_says_how_it_is(monkeypatch):
    monkeypatch.setitem(PEERS, "none", Peer(("no_such_package",), "with_none", "with_none"))
    with pytest.raises(InstallError, match="pip install no_such_package"):
        workload_entries(("none",), Conv(1, 1, 4, 1), None)["none"].make()


def test_pytorchs_activations_are_the_kernels():
    torch = pytest.importorskip("torch")
    from tinymed.bench.peers.torch_activations import activation, activation_grad
    from tinymed.kernels.activation.cases import PROOFS

    attempts = {"activation.forward": activation, "activation.grad": activation_grad}
    for case in PROOFS:
        given = proof.arguments(case, np.float64)
        made = attempts[case.kernel](
            *(torch.as_tensor(a) if hasattr(a, "dtype") else a for a in given)
        )
        exact = registry.KERNELS[case.kernel].load("reference")(*given)
        np.testing.assert_allclose(*made.results(made.call()), exact, 1e-7, 1e-7, err_msg=case.name)
