"""Other libraries doing the same work: one or two files each, imported where they are installed.

A peer's file has ``kernel(name, arguments, variant)`` or ``workload(spec, arrays, variant)``. They
return an `Attempt`, or several by what sets them apart, and raise `CannotError` for what they have
no code for. Inputs are converted before the timing, and handed over as arguments. Libraries that
work later than they return are waited for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from tinymed.bench.contest import Attempt, CannotError, Entry, InstallError

__all__ = ["PEERS", "Peer", "chosen", "kernel_entries", "workload_entries"]

Attempts = Attempt | Mapping[str, Attempt]


@dataclass(frozen=True)
class Peer:
    """A library, and a way to use it.

    Parameters
    ----------
    packages : tuple of str
        What has to be installed.
    kernels, workloads : str or None
        The files of this package that have ``kernel`` and ``workload``.
    variant : str
        Given to them.
    """

    packages: tuple[str, ...]
    kernels: str | None
    workloads: str | None
    variant: str = ""

    def made(self, file: str, function: str, *given: Any) -> Attempts:
        """Return the attempts of one of the files."""
        for package in self.packages:
            if find_spec(package) is None:
                raise InstallError(f"pip install {package}")
        module = importlib.import_module(f"{__name__}.{file}")
        return getattr(module, function)(*given, self.variant)


PEERS = {
    "torch": Peer(("torch",), "torch_kernels", "torch_workloads"),
    "torch-channels-last": Peer(
        ("torch",), "torch_kernels", "torch_workloads", variant="channels-last"
    ),
    "torch-graph": Peer(("torch",), None, "torch_workloads", variant="graph"),
    "jax": Peer(("jax",), "with_jax", "with_jax"),
    "onnxruntime": Peer(("onnxruntime", "onnx"), "with_onnxruntime", "with_onnxruntime"),
    "mygrad": Peer(("mygrad",), "with_mygrad", "with_mygrad"),
    "gensim": Peer(("gensim",), None, "with_gensim"),
}


def chosen(names: str) -> tuple[str, ...]:
    """Return the peers in a text such as "torch,jax"; "" are none.

    Raises
    ------
    LookupError
        If there is no such peer.
    """
    found = tuple(name.strip() for name in names.split(",") if name.strip())
    for name in found:
        if name not in PEERS:
            raise LookupError(f"peers: no peer {name!r}; there are {', '.join(PEERS)}")
    return found


def kernel_entries(
    peers: Sequence[str], name: str, make: Callable[[], tuple[Any, ...]]
) -> dict[str, Entry]:
    """Return an entry for each peer, on the arguments that ``make`` returns."""
    return _entries(peers, lambda peer: (peer.kernels, "kernel", name, make()))


def workload_entries(peers: Sequence[str], spec: Any, arrays: Any) -> dict[str, Entry]:
    """Return an entry for each peer."""

    def what(peer: Peer) -> tuple[Any, ...]:
        if spec.autocast and "torch" not in peer.packages:
            raise CannotError("autocast is not written for it")
        return peer.workloads, "workload", spec, arrays

    return _entries(peers, what)


def _entries(peers: Sequence[str], what: Callable[[Peer], tuple[Any, ...]]) -> dict[str, Entry]:
    def entry(name: str) -> Entry:
        def make() -> Attempts:
            file, function, *given = what(PEERS[name])
            if file is None:
                raise CannotError("nothing like it")
            return PEERS[name].made(file, function, *given)

        return Entry(make, peer=True)

    return {name: entry(name) for name in peers}
