"""Files of tensors: what comes back is what was saved, to the bit, or an error says why not."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

import tinymed as tm
from tinymed import nn, optim, serialization
from tinymed.errors import CheckpointError
from tinymed.tensor import NUMPYS

CONFIGURATION = {
    "task": "lung",
    "classes": ["benign", "malignant"],
    "threshold": 0.1 + 0.2,
    "window": {"low": -1000, "high": 400.0, "clip": True, "mask": None},
    "café": '°C \\ " \n / é',
    "seed": 2**100,
}


def bits(array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    """All that makes an array what it is: -0.0 and NaN payloads included."""
    return array.dtype.name, array.shape, array.tobytes()


def random_array(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Any bit patterns for numbers, 0 and 1 for bool."""
    rng = np.random.default_rng(len(shape))
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer(rng.bytes(count), dtype).reshape(shape)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A small saved file."""
    path = tmp_path / "model.safetensors"
    arrays = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.array(7)}
    serialization.save(arrays, path, {"task": "lung", "threshold": 0.5})
    return path


def header(path: Path) -> dict:
    content = path.read_bytes()
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])


# --------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("dtype", NUMPYS)
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (2, 3, 5)], ids=str)
def test_every_dtype_and_shape_comes_back_to_the_bit(tmp_path, dtype, shape):
    array = random_array(dtype, shape)
    tm.save({"x": tm.Tensor(array), "raw": array}, tmp_path / "file")
    loaded = tm.load(tmp_path / "file")
    assert set(loaded) == {"x", "raw"}
    assert bits(loaded["x"].numpy()) == bits(loaded["raw"].numpy()) == bits(array)


LAYOUTS = {
    "transposed": lambda x: x.T,
    "column-major": np.asfortranarray,
    "strided": lambda x: x[::2, 1::3],
    "reversed": lambda x: x[::-1],
    "broadcast": lambda x: np.broadcast_to(x[0], (4, x.shape[1])),
    "big-endian": lambda x: x.astype(">f8"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_and_byte_order_do_not_matter(tmp_path, layout):
    array = LAYOUTS[layout](np.arange(35.0).reshape(5, 7))
    tm.save({"x": array}, tmp_path / "file")
    loaded = tm.load(tmp_path / "file")["x"].numpy()
    assert bits(loaded) == bits(np.array(array.tolist(), "f8"))


def test_loaded_tensors_can_be_changed(file):
    loaded = tm.load(file)
    loaded["weight"].add_(1)
    assert loaded["weight"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert tm.load(file)["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_no_tensors_and_odd_names(tmp_path):
    tm.save({}, tmp_path / "empty")
    assert tm.load(tmp_path / "empty") == {}
    names = ["", "a.b", "a/b", "~1", "é", "with space", '"quoted"', "a\nb"]
    tm.save({name: np.array(i) for i, name in enumerate(names)}, tmp_path / "odd")
    assert {k: v.item() for k, v in tm.load(tmp_path / "odd").items()} == {
        name: i for i, name in enumerate(names)
    }


def test_facts_come_back(tmp_path):
    tm.save({}, tmp_path / "file", about=CONFIGURATION)
    _, about = serialization.read(tmp_path / "file")
    assert about == CONFIGURATION
    assert list(map(type, about["window"].values())) == [bool, float, int, type(None)]  # sorted


def test_numpy_scalars_and_tuples_among_the_facts_become_json(tmp_path):
    facts = {"mean": np.float32(0.1), "n": np.int64(3), "shape": (1, 64), "ok": np.True_}
    tm.save({}, tmp_path / "file", facts)
    _, about = serialization.read(tmp_path / "file")
    assert about == {"mean": float(np.float32(0.1)), "n": 3, "shape": [1, 64], "ok": True}
    assert type(about["ok"]) is bool


def test_a_model_goes_on_as_it_was(tmp_path):
    model, other = (
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
        for _ in range(2)
    )
    x = tm.randn(3, 1, 4, 4)
    model(x)  # moves the running statistics
    tm.save(model.state_dict(), tmp_path / "model")
    other.load_state_dict(tm.load(tmp_path / "model"))
    assert bits(model.eval()(x).detach().numpy()) == bits(other.eval()(x).detach().numpy())


def test_the_same_content_gives_the_same_bytes(tmp_path):
    names = [f"layer{i}.weight" for i in range(20)]
    for order, file in ((names, "a"), (names[::-1], "b")):
        arrays = {name: np.full(3, int(name[5:-7])) for name in order}
        tm.save(arrays, tmp_path / file, dict.fromkeys(order, 1))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# -------------------------------------------------------------- other programs' files, and ours


def test_a_foreign_file_loads_without_facts(tmp_path):
    array = np.arange(4, dtype=np.float32)
    save_file({"w": array}, tmp_path / "plain")
    save_file({"w": array}, tmp_path / "named", metadata={"format": "pt", "sha256": "0" * 64})
    for name in ("plain", "named"):
        arrays, about = serialization.read(tmp_path / name)
        assert about == {}
        assert bits(arrays["w"]) == bits(array)
        assert bits(tm.load(tmp_path / name)["w"].numpy()) == bits(array)


def test_other_programs_can_read_ours(file):
    with safe_open(file, framework="np") as opened:
        assert sorted(opened.keys()) == ["step", "weight"]
        assert opened.get_tensor("weight").tolist() == [[0, 1, 2], [3, 4, 5]]
        assert json.loads(opened.metadata()["tinymed"])["about"]["task"] == "lung"


def test_metadata_null_is_a_foreign_file(tmp_path):
    text = b'{"__metadata__":null,"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    (tmp_path / "f").write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    assert tm.load(tmp_path / "f")["a"].tolist() == [0]


@pytest.mark.parametrize("dtype", ["U16", "F8_E4M3"])
def test_a_dtype_that_tensors_lack_is_named(tmp_path, dtype):
    size = 4 if dtype == "U16" else 2
    text = b'{"a":{"dtype":"%s","shape":[2],"data_offsets":[0,%d]}}' % (dtype.encode(), size)
    (tmp_path / "f").write_bytes(len(text).to_bytes(8, "little") + text + bytes(size))
    with pytest.raises(CheckpointError, match=f"load: .*f holds {dtype}, which Tensors do not"):
        tm.load(tmp_path / "f")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"epoch,loss\n1,0.5\n" * 9,
        b'{"a": 1}',
        bytes(8),
        bytes(100),
        b"\xff" * 64,
        (2).to_bytes(8, "little") + b"[]",
        (10**9).to_bytes(8, "little") + b"{}",
        b"\x80\x04\x95" + bytes(40),  # how a pickle begins
    ],
    ids=lambda content: str(content[:12]),
)
def test_what_is_no_safetensors_file_is_refused(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"load: .*f is no complete safetensors file"):
        tm.load(tmp_path / "f")


def test_a_directory_and_a_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"load: .* is a directory"):
        tm.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="nothing_here"):
        tm.load(tmp_path / "nothing_here")


def relabel(file: Path, **changes: object) -> None:
    """Change entries of the label that the metadata has, all else as it was."""
    label = json.loads(header(file)["__metadata__"]["tinymed"]) | changes
    arrays, _ = serialization.read(file)
    save_file(arrays, file, {"tinymed": json.dumps(label)})


def test_a_newer_format_says_so(file):
    relabel(file, format=2)
    with pytest.raises(CheckpointError, match="has format 2, this tinymed reads up to 1; upgrade"):
        tm.load(file)


@pytest.mark.parametrize(
    "changes",
    [
        {"about": {"task": "lung", "threshold": 0.6}},
        {"about": {}},
        {"about": None},
        {"sha256": None},
        {"sha256": hashlib.sha256().hexdigest()},
        {"format": 0},
        {"format": None},
        {"format": "one"},
        {"writer": "tinymad"},
    ],
    ids=str,
)
def test_an_altered_label_is_refused(file, changes):
    relabel(file, **changes)
    with pytest.raises(CheckpointError, match="was altered: its checksum does not fit"):
        tm.load(file)


@pytest.mark.parametrize("key", ["uinymed", "tinymec", "Tinymed", "tin9med"])
def test_a_damaged_key_is_no_foreign_file(file, key):
    content = file.read_bytes()
    assert content.count(b'"tinymed":') == 1
    file.write_bytes(content.replace(b'"tinymed":', f'"{key}":'.encode()))
    with pytest.raises(CheckpointError, match="altered"):
        tm.load(file)


# --------------------------------------------------------------------------------------- damage


def test_every_truncation_is_refused(file):
    content = file.read_bytes()
    for length in range(len(content)):
        file.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            tm.load(file)
    file.write_bytes(content + b"\0")
    with pytest.raises(CheckpointError):
        tm.load(file)


def test_every_flipped_bit_is_refused(file, monkeypatch):
    damaged = bytearray(file.read_bytes())
    monkeypatch.setattr(Path, "read_bytes", lambda _: bytes(damaged))  # writing takes seconds
    assert serialization.read(file)[1]["task"] == "lung"
    for position in range(len(damaged)):
        for bit in range(8):
            damaged[position] ^= 1 << bit
            with pytest.raises(CheckpointError):
                serialization.read(file)
            damaged[position] ^= 1 << bit


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_anywhere_in_a_larger_file_is_refused(tmp_path, data):
    path = tmp_path / "large"
    arrays = {f"{dtype}": random_array(dtype, (3, 50)) for dtype in NUMPYS}
    serialization.save(arrays, path, CONFIGURATION)
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(content) - 1))
    old = bytes(content[start : start + data.draw(st.integers(1, 8))])
    new = data.draw(st.binary(min_size=len(old), max_size=len(old)).filter(lambda b: b != old))
    content[start : start + len(old)] = new
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        serialization.read(path)


def test_two_tensors_of_one_shape_cannot_change_places(file):
    arrays = {"a": np.zeros(3), "b": np.ones(3)}
    serialization.save(arrays, file)
    label = header(file)["__metadata__"]
    save_file({"a": arrays["b"], "b": arrays["a"]}, file, label)
    with pytest.raises(CheckpointError, match="altered"):
        tm.load(file)


# -------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("facts", "kind", "words"),
    [
        ({"auc": float("nan")}, ValueError, "about/auc is nan"),
        ({"a": [1, {"b": -np.inf}]}, ValueError, "about/a/1/b is -inf"),
        ({"when": object()}, TypeError, "about/when is object, a JSON value or array expected"),
        ({"path": Path("x")}, TypeError, "about/path is PosixPath"),
        ({"classes": {"a", "b"}}, TypeError, "about/classes is set"),
        ({"raw": b"bytes"}, TypeError, "about/raw is bytes"),
        ({"z": 1j}, TypeError, "about/z is complex"),
        ({"mean": np.ones(2)}, TypeError, "about/mean among the facts is an array; use its tolist"),
        ({"mean": tm.ones(2)}, TypeError, "about/mean among the facts is an array"),
        ({None: 1}, TypeError, "about has the key None"),
        ({True: 1}, TypeError, "about has the key True"),
        ({1: "a", "1": "b"}, ValueError, "keys that are alike as strings"),
    ],
    ids=range(12),  # the same in each process: an object's text holds its address
)
def test_facts_that_json_cannot_hold_are_refused(tmp_path, facts, kind, words):
    with pytest.raises(kind, match=words.replace("(", r"\(")):
        tm.save({}, tmp_path / "file", facts)
    assert list(tmp_path.iterdir()) == []


def test_names_that_a_file_cannot_hold_are_refused(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(TypeError, match="save: the name 1 is a int, expected a str"):
        tm.save({1: tm.ones(2)}, path)
    with pytest.raises(ValueError, match="save: no tensor can be named __metadata__, where"):
        tm.save({"__metadata__": tm.ones(2)}, path)
    assert not path.exists()


@pytest.mark.parametrize(
    "array",
    [np.ones(2, np.complex64), np.array(["a"]), np.array([None]), np.ones(1, np.longdouble)],
    ids=lambda array: array.dtype.name,
)
def test_dtypes_that_no_tensor_has_are_refused(tmp_path, array):
    with pytest.raises(TypeError, match=f"save: weight is {array.dtype}; dtypes that can be saved"):
        tm.save({"weight": array}, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------- atomic writing


def fail(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("call", ["replace", "fsync"])
@pytest.mark.parametrize("there", [True, False])
def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch, call, there):
    path = tmp_path / "model"
    if there:
        tm.save({"x": np.ones(3)}, path)
    before = path.read_bytes() if there else None
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match=r"No space left on device: '.*/model'"):
        tm.save({"x": np.zeros(3)}, path)
    assert list(tmp_path.iterdir()) == ([path] if there else [])
    assert before is None or path.read_bytes() == before


def test_an_interrupt_leaves_what_was_there(file, monkeypatch):
    before = file.read_bytes()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tm.save({}, file)
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes() == before


def test_a_folder_that_is_not_there_or_not_writable(tmp_path):
    with pytest.raises(FileNotFoundError):
        tm.save({}, tmp_path / "missing" / "model")
    (tmp_path / "a_file").write_text("")
    with pytest.raises(NotADirectoryError):
        tm.save({}, tmp_path / "a_file" / "model")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a_file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder(file):
    before = file.read_bytes()
    file.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            tm.save({}, file)
    finally:
        file.parent.chmod(0o700)
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes() == before


def test_a_directory_is_not_replaced(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(IsADirectoryError):
        tm.save({}, tmp_path / "model")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_link_stays_a_link(file):
    link = file.parent / "latest"
    link.symlink_to(file.name)
    serialization.write_bytes(b"new", link)
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert sorted(p.name for p in file.parent.iterdir()) == sorted(["latest", file.name])


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    """As /dev/null does, which root would otherwise replace by a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        serialization.check_writable(pipe)
        serialization.write_bytes(b"numbers", pipe)
        assert os.read(reader, 100) == b"numbers"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_where_nothing_can_be_written_is_known_before(tmp_path):
    (tmp_path / "a_file").write_text("")
    for path in (tmp_path / "missing" / "x.json", tmp_path / "a_file" / "x.json"):
        with pytest.raises(FileNotFoundError, match=r"no folder .* for x\.json; make it first"):
            serialization.check_writable(path)
    with pytest.raises(IsADirectoryError, match="is a folder, a file expected"):
        serialization.check_writable(tmp_path)
    serialization.check_writable(tmp_path / "x.json")
    serialization.check_writable(tmp_path / "a_file")
    assert [p.name for p in tmp_path.iterdir()] == ["a_file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_known_before(file):
    file.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="may not be written to"):
            serialization.check_writable(file)
    finally:
        file.parent.chmod(0o700)


def test_the_mode_is_that_of_any_new_file(file):
    (file.parent / "other").write_text("")
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE((file.parent / "other").stat().st_mode)


# ------------------------------------------------------------------------------------------ trees


def round_trip(tree: object, folder: Path) -> object:
    serialization.save_tree(tree, folder / "tree")
    return serialization.load_tree(folder / "tree")


def described(tree: object) -> object:
    """A tree with its arrays as bits, so that == compares all of it."""
    if isinstance(tree, dict):
        return {key: described(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [described(value) for value in tree]
    return bits(tree) if isinstance(tree, np.ndarray) else (type(tree).__name__, repr(tree))


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from([np.zeros(()), np.ones((0, 2)), np.arange(3), np.array([-0.0, np.nan])])
)
KEYS = st.text("ab./~01é", max_size=4) | st.sampled_from(["array", "tree", "about", "null"])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tree=TREES)
def test_any_tree_comes_back(tmp_path, tree):
    assert described(round_trip(tree, tmp_path)) == described(tree)


@pytest.mark.parametrize(
    "tree",
    [
        {"array": np.ones(2)},
        {"array": "tree/array"},
        {"array": {"array": np.zeros(1)}},
        [{"array": None}, np.ones(1)],
        {"a.b": np.zeros(1), "a": {"b": np.ones(1)}},
        {
            "a/b": np.zeros(1),
            "a": {"b": np.ones(1)},
            "a~1b": np.full(1, 2.0),
            "a~b": np.full(1, 3.0),
        },
        {"": np.zeros(1), "/": {"": np.ones(1)}},
        {"0": [np.zeros(1)]},
        np.arange(3),
    ],
    ids=str,
)
def test_no_key_is_mistaken_for_another(tmp_path, tree):
    assert described(round_trip(tree, tmp_path)) == described(tree)


def test_keys_tuples_tensors_and_numpy_scalars_of_a_tree(tmp_path):
    tree = {1: (np.float32(0.1), tm.ones(2)), "lr": np.float64(0.1)}
    loaded = round_trip(tree, tmp_path)
    assert loaded["1"][0] == float(np.float32(0.1))
    assert type(loaded["lr"]) is float
    np.testing.assert_array_equal(loaded["1"][1], np.ones(2, np.float32), strict=True)
    with pytest.raises(ValueError, match="tree has keys that are alike as strings"):
        round_trip({1: 0, "1": 1}, tmp_path)


def test_an_optimizer_goes_on_as_it_was(tmp_path):
    def trained(steps: range, restored: dict | None = None) -> tuple[nn.Linear, optim.Adam]:
        layer = nn.Linear(3, 2, generator=np.random.default_rng(0))
        optimizer = optim.Adam(layer.parameters(), lr=0.1, amsgrad=True)
        if restored is not None:
            layer.load_state_dict(restored["layer"])
            optimizer.load_state_dict(restored["optimizer"])
        for step in steps:
            optimizer.zero_grad()
            x = tm.Tensor(np.random.default_rng(step).standard_normal((4, 3)).astype(np.float32))
            (layer(x) ** 2).sum().backward()
            optimizer.step()
        return layer, optimizer

    whole, _ = trained(range(6))
    layer, optimizer = trained(range(3))
    tree = {"layer": layer.state_dict(), "optimizer": optimizer.state_dict()}
    resumed, _ = trained(range(3, 6), round_trip(tree, tmp_path))
    assert bits(resumed.weight.detach().numpy()) == bits(whole.weight.detach().numpy())
    assert bits(resumed.bias.detach().numpy()) == bits(whole.bias.detach().numpy())


def test_a_file_without_a_tree_is_refused(file):
    for facts in ({}, {"tree": "oak"}, {"tree": None}):
        tm.save({"weight": np.ones(2)}, file, facts)
        with pytest.raises(CheckpointError, match=r"load_tree: .* holds no training state"):
            serialization.load_tree(file)
