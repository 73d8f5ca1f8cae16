"""Saving and loading: safetensors files with a checksum, written atomically. Never pickle.

A file holds arrays by name, and facts as a JSON in its metadata. The SHA-256 of both is checked on
load, so that a truncated or altered file raises instead of giving wrong numbers; a write that is
cut off leaves the file that was there before. The same content gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as render

from tinymed.errors import CheckpointError
from tinymed.kernels.arrays import is_array, to_host
from tinymed.tensor import DTYPES, Tensor, dtype_of

__all__ = [
    "check_writable",
    "load",
    "load_tree",
    "read",
    "save",
    "save_tree",
    "write",
    "write_bytes",
]

FORMAT = 1
KEY = "tinymed"  # the only one in the metadata: safetensors writes several in random order
MARK = '"writer": "tinymed"'  # in the text behind KEY, so that no single damaged byte hides both
DTYPES_IN_FILES = {
    "BF16": "bfloat16",
    "BOOL": "bool",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
}
Arrays = dict[str, np.ndarray[Any, Any]]
PathLike = str | os.PathLike[str]


def save(state: Mapping[str, Any], path: PathLike, about: Mapping[str, Any] | None = None) -> None:
    """Write tensors by name, as from ``model.state_dict()``, and facts about them.

    Parameters
    ----------
    state : name -> Tensor or array
        Of the dtypes of a Tensor.
    path : file to write; ``.safetensors`` by convention
    about : nested dicts and lists of JSON values (configuration, classes, threshold ...)
        Returned by `read`; tuples come back as lists, keys as strings.

    Raises
    ------
    TypeError, ValueError
        What a file cannot hold: another dtype, a fact that is an object or NaN, a name that is no
        str or ``__metadata__``. Nothing is written.

    Examples
    --------
    >>> import tempfile, os, tinymed as tm
    >>> path = os.path.join(tempfile.mkdtemp(), "layer.safetensors")
    >>> layer = tm.nn.Linear(2, 1)
    >>> tm.save(layer.state_dict(), path)
    >>> _ = layer.load_state_dict(tm.load(path))
    """
    if not isinstance(state, Mapping):
        raise TypeError(
            f"save: state is {type(state).__name__}, expected tensors by name; "
            "model.state_dict() gives them"
        )
    write({name: _host(value) for name, value in state.items()}, about or {}, path)


def load(path: PathLike) -> dict[str, Tensor]:
    """Return the tensors of a file by name, in host memory.

    Raises
    ------
    FileNotFoundError
    CheckpointError
        If the file is not a safetensors file, is truncated, or its checksum does not fit.
    """
    arrays, _ = read(path)
    return {name: Tensor(array) for name, array in arrays.items()}


def save_tree(tree: Any, path: PathLike) -> None:
    """Write nested dicts and lists of JSON values and arrays, such as an optimizer's state."""
    arrays: Arrays = {}
    write(arrays, {"tree": _without_arrays(tree, "tree", arrays)}, path)


def load_tree(path: PathLike) -> Any:
    """Return what `save_tree` wrote; keys of dicts come back as strings, tuples as lists."""
    arrays, about = read(path)
    try:
        for name, array in arrays.items():
            _put(about, name.split("/"), array)
        return about["tree"]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"load_tree: {os.fspath(path)} holds no training state") from error


def write(
    arrays: Mapping[str, np.ndarray[Any, Any]], about: Mapping[str, Any], path: PathLike
) -> None:
    """Write arrays and facts with their checksum; see `save` for errors."""
    for name, array in arrays.items():
        if not isinstance(name, str):
            raise TypeError(f"save: the name {name!r} is a {type(name).__name__}, expected a str")
        if name == "__metadata__":
            raise ValueError(f"save: no tensor can be named {name}, where files keep their facts")
        if array.dtype.name not in DTYPES:
            raise TypeError(
                f"save: {name} is {array.dtype}; dtypes that can be saved: {', '.join(DTYPES)}"
            )
    found: Arrays = {}
    facts = _without_arrays(about, "about", found)
    if found:
        raise TypeError(f"save: {', '.join(found)} among the facts is an array; use its tolist()")
    native = {
        name: array.astype(array.dtype.newbyteorder("="), order="C", copy=False)
        for name, array in arrays.items()
    }
    label = {"about": facts, "format": FORMAT, "sha256": _checksum(native, facts), "writer": KEY}
    write_bytes(render(native, {KEY: json.dumps(label, sort_keys=True)}), path)


def read(path: PathLike) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays of a file by name, and the facts about them; see `load` for errors.

    A safetensors file that tinymed did not write has no checksum and no facts: its arrays are
    returned with an empty dict.
    """
    where = os.fspath(path)
    try:
        content = Path(path).read_bytes()
    except IsADirectoryError as error:
        raise CheckpointError(f"load: {where} is a directory") from error
    try:
        arrays = parse(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except KeyError as error:
        raise CheckpointError(
            f"load: {where} holds {error.args[0]}, which Tensors do not hold"
        ) from error
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"load: {where} is no complete safetensors file ({error})") from error
    metadata = header.get("__metadata__") or {}
    if KEY not in metadata and not any(MARK in text for text in metadata.values()):
        return arrays, {}
    return arrays, _facts(metadata, arrays, where)


def _facts(metadata: dict[str, str], arrays: Arrays, where: str) -> dict[str, Any]:
    """Return the facts in a file's metadata, or raise `CheckpointError` if they are not intact."""
    altered = CheckpointError(f"load: {where} was altered: its checksum does not fit")
    try:
        label = json.loads(metadata[KEY])
        version, facts, checksum = int(label["format"]), label["about"], label["sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise altered from error
    if version > FORMAT:  # first, for its checksum may be another
        raise CheckpointError(
            f"load: {where} has format {version}, this tinymed reads up to {FORMAT}; upgrade it"
        )
    if version != FORMAT or label.get("writer") != KEY or checksum != _checksum(arrays, facts):
        raise altered
    return dict(facts)


def parse(content: bytes) -> Arrays:
    """Return the arrays of a safetensors file; `KeyError` names a dtype that Tensors have not."""
    return {
        name: np.frombuffer(entry["data"], dtype_of(DTYPES_IN_FILES[entry["dtype"]])).reshape(
            entry["shape"]
        )
        for name, entry in deserialize(content)  # type: ignore[no-untyped-call]
    }


def write_bytes(content: bytes, path: PathLike) -> None:
    """Write a file so that it is there whole, or as it was before, whatever happens.

    A link stays one, and its file is written. What is no file, such as /dev/null or a pipe, is
    written to: a file in its place would take it away from everybody else.
    """
    target = Path(path)
    if _is_no_file(target):
        with target.open("wb") as stream:
            stream.write(content)
        return
    target = Path(os.path.realpath(target))
    temporary = target.with_name(f".{target.name}.{os.urandom(8).hex()}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(target)  # of a full disk Python says only that it is full
        raise


def check_writable(path: PathLike) -> None:
    """Raise the `OSError` that `write_bytes` would meet: before hours of work, not after."""
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"write: {target} is a folder, a file expected")
    stream = _is_no_file(target)
    place = target if stream else Path(os.path.realpath(target)).parent
    if not stream and not place.is_dir():
        raise FileNotFoundError(f"write: no folder {str(place)!r} for {target.name}; make it first")
    if not os.access(place, os.W_OK):
        raise PermissionError(f"write: {str(place)!r} may not be written to, for {target.name}")


def _is_no_file(target: Path) -> bool:
    """Whether something is there that is neither a file nor a folder: a device, a pipe."""
    return target.exists() and not target.is_file() and not target.is_dir()


def _checksum(arrays: Mapping[str, np.ndarray[Any, Any]], facts: Any) -> str:
    """Return the SHA-256 of facts, names, dtypes, shapes and elements."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(repr((name, array.dtype.str, array.shape)).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _host(value: Any) -> np.ndarray[Any, Any]:
    """Return a NumPy array of a Tensor or array."""
    return to_host(value.data if isinstance(value, Tensor) else value)


def _without_arrays(tree: Any, path: str, arrays: Arrays) -> Any:
    """Return the tree as JSON values, with None where it has an array.

    The arrays are put under their JSON Pointer (RFC 6901), which tells where they belong whatever
    the keys are: {"a.b": {"c/d": [x]}} has x at "a.b/c~1d/0".
    """
    if isinstance(tree, Mapping):
        keys = [_key(key, path) for key in tree]
        if len(set(keys)) < len(keys):
            raise ValueError(f"save: {path} has keys that are alike as strings: {list(tree)}")
        return {
            key: _without_arrays(
                value, f"{path}/{key.replace('~', '~0').replace('/', '~1')}", arrays
            )
            for key, value in zip(keys, tree.values(), strict=True)
        }
    if isinstance(tree, (list, tuple)):
        return [_without_arrays(value, f"{path}/{i}", arrays) for i, value in enumerate(tree)]
    if isinstance(tree, Tensor) or is_array(tree):
        arrays[path] = _host(tree)
        return None
    return _json_value(tree.item() if isinstance(tree, np.generic) else tree, path)


def _put(tree: Any, pointer: list[str], array: np.ndarray[Any, Any]) -> None:
    """Put an array where `_without_arrays` took it out."""
    for step in pointer[:-1]:
        tree = tree[_place(tree, step)]
    last = _place(tree, pointer[-1])
    if tree[last] is not None:
        raise KeyError(pointer)
    tree[last] = array


def _place(home: Any, step: str) -> str | int:
    """Return the index or key that one step of a pointer stands for."""
    return int(step) if isinstance(home, list) else step.replace("~1", "/").replace("~0", "~")


def _key(key: Any, path: str) -> str:
    """Return a key of a dict as a string, as which it comes back."""
    if not isinstance(key, (str, int)) or isinstance(key, bool):
        raise TypeError(f"save: {path} has the key {key!r}, a string or an integer expected")
    return str(key)


def _json_value(value: Any, path: str) -> Any:
    """Return what JSON can hold, or raise."""
    if value is not None and not isinstance(value, (str, bool, int, float)):
        raise TypeError(f"save: {path} is {type(value).__name__}, a JSON value or array expected")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(
            f"save: {path} is {value}, which JSON has no word for; None can stand for it"
        )
    return value
