"""Tensors, modules, optimizers and checkpoints on a GPU, which a stand-in for CuPy holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinymed as tm
from tests.fake_cupy import FakeCuPy, ndarray
from tests.fake_cupy.state import STATE
from tinymed import nn, optim
from tinymed.data import DataLoader, TensorDataset
from tinymed.nn.utils import rnn
from tinymed.serialization import load_tree, save_tree
from tinymed.training import fit, predict

OPTIMIZERS = [
    (kind, settings)
    for kind in ("Adadelta", "Adagrad", "Adam", "Adamax", "NAdam", "RAdam", "RMSprop", "SGD")
    for settings in ({}, {"weight_decay": 0.1})
] + [("Adam", {"amsgrad": True}), ("SGD", {"momentum": 0.9}), ("RMSprop", {"centered": True})]


def test_a_tensor_goes_and_comes_back(cupy: FakeCuPy) -> None:
    x = tm.tensor([1.0, 2.0])
    there = x.cuda()
    assert (there.device, type(there.data)) == ("cuda:0", ndarray)
    assert there.to("cuda") is there
    assert there.to("cuda:0") is there
    assert there.cpu().tolist() == [1, 2]
    assert x.cpu() is x
    assert x.to("cuda:1").device == "cuda:1"
    assert x.to("cuda:1", "float64").dtype == np.float64
    assert tm.zeros(2).to(there).device == "cuda:0"
    assert repr(there) == "tensor([1., 2.], device='cuda:0')"
    assert tm.as_tensor([1, 2], device="cuda").data.host.tolist() == [1, 2]


@pytest.mark.parametrize(
    "made",
    [
        lambda device: tm.zeros(2, 3, device=device),
        lambda device: tm.full((2,), 7, device=device),
        lambda device: tm.arange(5, device=device),
        lambda device: tm.eye(3, device=device),
        lambda device: tm.randn(4, device=device, generator=np.random.default_rng(3)),
        lambda device: tm.randint(0, 9, (4,), device=device, generator=np.random.default_rng(3)),
        lambda device: tm.randperm(6, device=device, generator=np.random.default_rng(3)),
        lambda device: tm.rand_like(tm.zeros(4, device=device), generator=np.random.default_rng(3)),
        lambda device: tm.ones_like(tm.zeros(4, device=device)),
    ],
)
def test_what_is_made_on_a_device_is_what_is_made_on_the_host(made: Any, cupy: FakeCuPy) -> None:
    there, here = made("cuda:1"), made("cpu")
    assert there.device == "cuda:1"
    np.testing.assert_array_equal(there.data.host, here.data, strict=True)


def test_a_gradient_comes_back_to_where_its_leaf_is(cupy: FakeCuPy) -> None:
    x = tm.tensor([1.0, 2.0], requires_grad=True)
    y = (x * 2).cuda()
    assert y.grad_fn.device == "cuda"
    (y * y).sum().cpu().backward()
    assert (x.grad.device, x.grad.tolist()) == ("cpu", [8.0, 16.0])


@pytest.mark.parametrize("kernel", ["product", "conv", "index"])
def test_arrays_of_two_places_are_refused_naming_both(kernel: str, cupy: FakeCuPy) -> None:
    here, there = tm.ones(1, 1, 4, 4), tm.ones(1, 1, 4, 4, device="cuda")
    call = {
        "product": lambda: here * there,
        "conv": lambda: tm.conv2d(there, here),
        "index": lambda: tm.ops.embedding(tm.zeros(2, dtype="int64"), tm.ones(3, 2, device="cuda")),
    }[kernel]
    words = r"\w+: arrays on cpu and cuda:0, expected one device; move .* by \.to\('cuda:0'\)"
    with pytest.raises(ValueError, match=words):
        call()


def test_two_gpus_are_refused_too(cupy: FakeCuPy) -> None:
    first, second = tm.ones(2, device="cuda:0"), tm.ones(2, device="cuda:1")
    with pytest.raises(ValueError, match="add: arrays on cuda:0 and cuda:1, expected one device"):
        first + second
    with pytest.raises(ValueError, match=r"multiply: arrays on cuda:0 and cuda:1.*cuda\.device"):
        second * 2  # the result would be on the current GPU
    with tm.cuda.device("cuda:1"):
        assert (second * 2).device == "cuda:1"


def test_memory_that_a_gpu_has_not_names_the_op(cupy: FakeCuPy) -> None:
    x = tm.ones(2, device="cuda")
    STATE.full = True
    words = "exp: out of memory on cuda:0: Out of memory allocating 96 bytes .*; use smaller"
    with pytest.raises(MemoryError, match=words):
        x.exp()


def test_writing_brings_values_along_and_not_into_shared_elements(cupy: FakeCuPy) -> None:
    x = tm.zeros(2, 3, device="cuda")
    x[0] = tm.ones(3)
    x[1].copy_(np.full(3, 2.0, np.float32))
    assert x.data.host.tolist() == [[1, 1, 1], [2, 2, 2]]
    with pytest.raises(RuntimeError, match="read-only view, as expand makes"):
        tm.zeros(1, device="cuda").expand(3).zero_()


def stepped(model: nn.Module, optimizer: Any, device: str, steps: int) -> None:
    generator = np.random.default_rng(5)
    for _ in range(steps):
        x = tm.tensor(generator.standard_normal((4, 3)), device=device)
        optimizer.zero_grad()
        (model(x) ** 2).mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()


@pytest.mark.parametrize(("kind", "settings"), OPTIMIZERS)
def test_an_optimizer_takes_the_same_way(kind: str, settings: Any, cupy: FakeCuPy) -> None:
    """And goes on there with a state from the host, restored or brought along."""
    start = nn.Linear(3, 2).double().state_dict()
    found = []
    for restored, devices in ((False, ["cpu"] * 2), (False, ["cpu", "cuda"]), (True, ["cuda"] * 2)):
        model = nn.Linear(3, 2).double()
        model.load_state_dict(start)
        model.to(devices[0])
        optimizer = getattr(optim, kind)(model.parameters(), lr=0.1, **settings)
        stepped(model, optimizer, devices[0], 2)
        model.to(devices[1])
        if restored:
            state = optimizer.state_dict()
            optimizer = getattr(optim, kind)(model.parameters(), lr=0.1, **settings)
            optimizer.load_state_dict(state)
        stepped(model, optimizer, devices[1], 2)
        found.append([p.cpu().detach().numpy() for p in model.parameters()])
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-8)


def test_a_checkpoint_is_read_on_another_device(cupy: FakeCuPy, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).to("cuda")
    optimizer = optim.Adam(model.parameters())
    model(tm.ones(2, 3, device="cuda")).sum().backward()
    optimizer.step()
    save_tree({"m": model.state_dict(), "o": optimizer.state_dict()}, tmp_path / "both.safetensors")
    tm.save(model.state_dict(), tmp_path / "model.safetensors")
    state = load_tree(tmp_path / "both.safetensors")
    for device in ("cpu", "cuda:0"):
        again = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).to(device)
        again.load_state_dict(tm.load(tmp_path / "model.safetensors"))
        following = optim.Adam(again.parameters())
        following.load_state_dict(state["o"])
        assert {t.device for t in again.state_dict().values()} == {device}
        arrays = [
            a for one in following.state.values() for a in one.values() if hasattr(a, "shape")
        ]
        assert {tm.Tensor(a).device for a in arrays} == {device}
        for key, tensor in model.state_dict().items():
            np.testing.assert_array_equal(again.state_dict()[key].cpu().data, tensor.cpu().data)


def test_packed_sequences(cupy: FakeCuPy) -> None:
    packed = rnn.pack_padded_sequence(tm.randn(4, 2, 3), [4, 2]).to("cuda")
    lstm = nn.LSTM(3, 5).cuda()
    output, (h, c) = lstm(packed)
    padded, lengths = rnn.pad_packed_sequence(output)
    assert (padded.device, h.device, c.device) == ("cuda:0",) * 3
    assert lengths.tolist() == [4, 2]
    expected, _ = lstm.cpu()(packed.to("cpu"))
    np.testing.assert_allclose(output.data.data.host, expected.data.data, rtol=1e-5, atol=1e-6)


def test_fit_and_predict(cupy: FakeCuPy, tmp_path: Path) -> None:
    """With batches that come on the device, resumed, as on the host."""
    generator = np.random.default_rng(0)
    images = generator.standard_normal((10, 3)).astype(np.float32)
    data = TensorDataset(images, (images.sum(axis=1) > 0).astype(np.int64))
    found = {}
    for device in ("cpu", "cuda"):
        tm.manual_seed(1)
        model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 2)).to(device)
        optimizer = optim.Adam(model.parameters(), lr=0.05)
        loader = DataLoader(
            data, 4, shuffle=True, generator=np.random.default_rng(1), device=device
        )
        for epochs, resume in ((1, False), (3, True)):
            folder = tmp_path / device
            history = fit(
                model, loader, nn.CrossEntropyLoss(), optimizer, epochs=epochs, folder=folder,
                resume=resume, clip_norm=1.0, average=0.5, progress=False,
            )  # fmt: skip
        assert model[0].weight.device == ("cuda:0" if device == "cuda" else "cpu")
        outputs, labels = predict(model, DataLoader(data, 4, device=device))
        found[device] = (outputs, labels, [epoch["loss"] for epoch in history.epochs])
    for here, there in zip(found["cpu"], found["cuda"], strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-5, atol=1e-6)


def test_memory_and_devices_as_cupy_says(cupy: FakeCuPy) -> None:
    assert tm.cuda.device_count() == 2
    assert tm.cuda.is_available()
    assert (tm.cuda.memory_allocated(), tm.cuda.memory_reserved()) == (3 * 2**30, 5 * 2**30)
    tm.cuda.empty_cache()
    tm.cuda.synchronize()
    assert STATE.events == [("free_all_blocks",), ("synchronize",)]
    with tm.cuda.device(1):
        assert tm.zeros(1, device="cuda").device == "cuda:1"
    with pytest.raises(ValueError, match=r"cuda\.device: 'cpu', expected 'cuda:N' or N"):
        tm.cuda.device("cpu").__enter__()
    STATE.count = 0
    assert not tm.cuda.is_available()
    with pytest.raises(RuntimeError, match=r"cuda\.memory_allocated needs a GPU: no GPU is visi"):
        tm.cuda.memory_allocated()
