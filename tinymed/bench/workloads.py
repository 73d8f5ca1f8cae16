"""What models are made of: layers forward and backward, and whole steps, with goals.

A workload is a description and its inputs; who can do it says so in a table by the description's
class: `ours` for tinymed, ``peers/`` for other libraries. All take the same arrays, as arguments,
and give results in the same order. ``autocast`` names the dtype that the products of the forward
pass are computed in ("bfloat16"), or is "" for float32 throughout.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinymed.tensor import dtype_of

__all__ = [
    "STEPS",
    "Adam",
    "Conv",
    "Embedding",
    "MaxPool",
    "Network",
    "Recurrent",
    "Spec",
    "Words",
    "Workload",
    "workloads",
]

Arrays = dict[str, Any]

STEPS = 4  # of training whose losses are compared; a compiled step's own work begins with the third


def _like_result(grad: Any, autocast: str) -> Any:
    """Return the gradient of a layer's result in the dtype of the result."""
    return grad if not autocast else grad.astype(dtype_of(autocast))


def _suffix(autocast: str) -> str:
    return f", autocast to {autocast}" if autocast else ""


def _normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Any:
    return rng.standard_normal(shape, np.float32) * np.float32(scale)


@dataclass(frozen=True)
class Conv:
    """A square convolution of images; results: y, and backward dL/dx, dL/dweight, dL/dbias."""

    n: int
    c: int
    size: int
    filters: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    groups: int = 1
    backward: bool = True
    pool: bool = False  # followed by ReLU and the maximum of 2 x 2
    autocast: str = ""

    def __str__(self) -> str:
        stride = f" stride {self.stride}" * (self.stride > 1)
        kernel = f"{self.kernel}x{self.kernel}{stride}"
        sizes = f"{self.n}x{self.c}x{self.size}x{self.size}, {self.filters} of {kernel}"
        return sizes + _suffix(self.autocast)

    @property
    def out(self) -> int:
        """Rows and columns of the result, before pooling."""
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def flops(self) -> float:
        """Of the definition; the two gradients are as much work as the layer, each."""
        taps = self.c // self.groups * self.kernel**2
        return 2.0 * self.n * self.filters * self.out**2 * taps * (3 if self.backward else 1)

    def inputs(self, rng: np.random.Generator) -> Arrays:
        """Return x, weight, bias and the gradient of y."""
        fan_in = self.c // self.groups * self.kernel**2
        shape = (self.filters, self.c // self.groups, self.kernel, self.kernel)
        x = _normal(rng, self.n, self.c, self.size, self.size)
        weight, bias = _normal(rng, *shape, scale=fan_in**-0.5), _normal(rng, self.filters)
        grad = _normal(rng, self.n, self.filters, self.out, self.out)
        return {
            "x": x,
            "weight": weight,
            "bias": bias,
            "grad": _like_result(grad, self.autocast),
        }


@dataclass(frozen=True)
class MaxPool:
    """The largest under each window; results: y, dL/dx."""

    n: int
    c: int
    size: int
    kernel: int
    stride: int
    padding: int = 0
    flops = 0.0
    autocast = ""

    def __str__(self) -> str:
        window = f"{self.kernel}x{self.kernel} stride {self.stride}"
        return f"{self.n}x{self.c}x{self.size}x{self.size}, {window}"

    def inputs(self, rng: np.random.Generator) -> Arrays:
        """Return x and the gradient of y."""
        out = (self.size + 2 * self.padding - self.kernel) // self.stride + 1
        shape = (self.n, self.c, self.size, self.size)
        return {"x": _normal(rng, *shape), "grad": _normal(rng, self.n, self.c, out, out)}


@dataclass(frozen=True)
class Recurrent:
    """A layer "rnn", "gru" or "lstm"; results: output, dL/dx, dL/dparameter in PyTorch's order."""

    kind: str
    steps: int
    n: int
    features: int
    hidden: int
    autocast: str = ""

    def __str__(self) -> str:
        sizes = f"T {self.steps}, N {self.n}, D {self.features}, H {self.hidden}"
        return sizes + _suffix(self.autocast)

    @property
    def gates(self) -> int:
        """Blocks of rows of the weights."""
        return {"rnn": 1, "gru": 3, "lstm": 4}[self.kind]

    @property
    def flops(self) -> float:
        """Of the products with weights, forward and both gradients."""
        rows = self.gates * self.hidden
        return 6.0 * self.steps * self.n * rows * (self.features + self.hidden)

    def inputs(self, rng: np.random.Generator) -> Arrays:
        """Return x (T, N, D), the gradient of the output, and four parameters."""
        rows, scale = self.gates * self.hidden, self.hidden**-0.5
        return {
            "x": _normal(rng, self.steps, self.n, self.features),
            "grad": _like_result(_normal(rng, self.steps, self.n, self.hidden), self.autocast),
            "parameters": [
                _normal(rng, rows, self.features, scale=scale),
                _normal(rng, rows, self.hidden, scale=scale),
                _normal(rng, rows, scale=scale),
                _normal(rng, rows, scale=scale),
            ],
        }


@dataclass(frozen=True)
class Embedding:
    """Rows of a table and its gradient, dense or of these rows; results: y, dL/dtable."""

    rows: int
    features: int
    ids: int
    sparse: bool
    flops = 0.0
    autocast = ""

    def __str__(self) -> str:
        return f"{self.ids} of {self.rows} rows of {self.features}"

    def inputs(self, rng: np.random.Generator) -> Arrays:
        """Return the table, ids that are rare or frequent as words are, the gradient of y."""
        return {
            "weight": _normal(rng, self.rows, self.features),
            "ids": (self.rows ** rng.random(self.ids)).astype(np.int64) - 1,
            "grad": _normal(rng, self.ids, self.features),
        }


@dataclass(frozen=True)
class Adam:
    """Steps of the optimizer on one array; results: the parameters."""

    parameters: int
    flops = 0.0
    autocast = ""

    def __str__(self) -> str:
        return f"{self.parameters / 1e6:.1f} M parameters"

    def inputs(self, rng: np.random.Generator) -> Arrays:
        """Return parameters and gradients."""
        return {name: _normal(rng, self.parameters) for name in ("param", "grad")}


@dataclass(frozen=True)
class Network:
    """A model of `networks`, a step of training with Adam or a prediction.

    Results: the losses of the first `STEPS` steps, or the logits.
    """

    model: str
    n: int
    shape: tuple[int, ...]
    classes: int = 2
    training: bool = True
    autocast: str = ""
    flops = 0.0

    def __str__(self) -> str:
        return "x".join(map(str, (self.n, *self.shape))) + _suffix(self.autocast)

    def inputs(self, rng: np.random.Generator) -> Arrays:
        """Return a batch and the values that the parameters begin with."""
        from tinymed.bench.networks import start

        return {
            "x": _normal(rng, self.n, *self.shape),
            "labels": rng.integers(0, self.classes, self.n),
            "parameters": start(self.model, self.shape, self.classes),
        }


@dataclass(frozen=True)
class Words:
    """Skip-gram vectors with 5 negatives from a text, its vocabulary counted first; one pass.

    Each document draws its words from one topic, so the nearest neighbour of a word has to be of
    its topic. Result: the share of frequent words for which it is, and that is known to be 1:
    libraries draw different numbers, so the vectors themselves are not comparable.
    """

    words: int
    vocabulary: int
    features: int
    topics: int = 50
    length: int = 20  # of a document
    flops = 0.0
    autocast = ""

    def __str__(self) -> str:
        return f"{self.words} words, {self.vocabulary} different, D {self.features}"

    @property
    def settings(self) -> dict[str, int]:
        """The arguments that gensim and tinymed share; all others are their defaults."""
        fixed = {"sg": 1, "negative": 5, "window": 5, "min_count": 1, "epochs": 1, "seed": 1}
        return {"vector_size": self.features} | fixed

    def inputs(self, rng: np.random.Generator) -> Arrays:
        """Return the documents; the words of a topic are as frequent as 1 / rank."""
        each, n = self.vocabulary // self.topics, self.words // self.length
        ranks = (each ** rng.random((n, self.length))).astype(np.int64) - 1
        topics = rng.integers(0, self.topics, (n, 1))
        ids = ranks * self.topics + topics
        return {"documents": [[f"word{number}" for number in row] for row in ids.tolist()]}

    def frequent(self) -> list[str]:
        """Return the two most frequent words of each topic."""
        return [f"word{number}" for number in range(2 * self.topics)]

    def together(self, vectors: Any) -> Any:
        """Return the share of `frequent` words, in that order, nearest to one of their topic."""
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = units @ units.T
        np.fill_diagonal(cosines, -1)
        same = cosines.argmax(axis=1) % self.topics == np.arange(len(units)) % self.topics
        return np.array([same.mean()], np.float32)


Spec = Conv | MaxPool | Recurrent | Embedding | Adam | Network | Words


@dataclass(frozen=True)
class Workload:
    """A description with its name, the goal, and how much rounding may change.

    ``goal`` is the time over that of the fastest peer, a number or one for each number of threads.
    ``compiled``: tinymed does it through `tinymed.compile`; peers do what they always do.
    """

    name: str
    spec: Spec
    goal: float | Mapping[int, float]
    bound: float = 1e-4
    compiled: bool = False

    def goal_with(self, threads: int) -> float | None:
        """Return the goal for a number of threads, None if there is none."""
        return self.goal.get(threads) if isinstance(self.goal, Mapping) else self.goal


def _convolutions() -> Iterator[Workload]:
    for c, size in ((16, 64), (32, 32), (64, 28), (128, 14)):
        yield Workload("conv 3x3 forward", Conv(32, c, size, c, backward=False), 0.55)
        yield Workload("conv 3x3 forward + backward", Conv(32, c, size, c), 0.65)
    for name, spec in (
        ("conv 3x3 wide", Conv(32, 256, 14, 256)),
        ("conv 1x1", Conv(32, 64, 28, 256, kernel=1, padding=0)),
        ("conv 3x3 stride 2", Conv(32, 64, 56, 128, stride=2)),
        ("conv 7x7 stride 2", Conv(8, 3, 112, 64, kernel=7, stride=2, padding=3)),
    ):
        yield Workload(f"{name} forward + backward", spec, 1.0)
    yield Workload(
        "first layer: conv, ReLU, pool", Conv(32, 1, 64, 16, backward=False, pool=True), 0.5
    )
    yield Workload(
        "depthwise 3x3 forward + backward", Conv(32, 64, 28, 64, groups=64), 0.5
    )  # fmt: skip


def _layers() -> Iterator[Workload]:
    yield Workload("max-pool forward + backward", MaxPool(32, 32, 64, 2, 2), 0.8)
    yield Workload("max-pool forward + backward", MaxPool(32, 64, 56, 3, 2, 1), 0.8)
    small, wide = {"rnn": 0.35, "gru": 0.3, "lstm": 0.45}, {"rnn": 0.35, "gru": 0.6, "lstm": 0.85}
    for kind in ("rnn", "gru", "lstm"):
        for sizes, goals in (
            ((100, 32, 64, 128), small),
            ((50, 64, 128, 256), small),
            ((35, 20, 512, 512), wide),
        ):
            name = f"{'tanh-RNN' if kind == 'rnn' else kind.upper()} forward + backward"
            yield Workload(name, Recurrent(kind, *sizes), goals[kind], 1e-3)
    yield Workload("embedding, dense gradient", Embedding(50_000, 128, 16_384, False), 0.7)
    yield Workload("embedding, sparse rows", Embedding(50_000, 128, 16_384, True), 1.0)
    yield Workload("Adam", Adam(11_200_000), 0.95)


def _networks() -> Iterator[Workload]:
    lung = (1, 64, 64)
    inference = Network("cnn", 1, lung, training=False)
    for name, spec, goal, compiled_goal in (
        ("MLP 30-64-32-2 step", Network("mlp", 32, (30,)), 0.8, 0.25),
        ("GRU classifier step", Network("gru", 32, (20, 8)), {}, {}),
        ("lung CNN step", Network("cnn", 32, lung), 0.45, 0.45),
        ("lung CNN inference", inference, {1: 0.6, 2: 0.9}, {1: 0.6, 2: 0.9}),
    ):
        yield Workload(name, spec, goal, 1e-3)
        yield Workload(f"{name}, compiled", spec, compiled_goal, 1e-3, compiled=True)
    yield Workload("ResNet-18 step", Network("resnet18", 32, (3, 28, 28)), 0.8, 1e-2)
    name = "word2vec skip-gram, 5 negatives, words/s"
    yield Workload(name, Words(200_000, 5_000, 100), 1.0, 0.05)


def workloads(words: str = "") -> list[Workload]:
    """Return the workloads whose name and sizes contain all of ``words``; all for none."""
    every = [*_convolutions(), *_layers(), *_networks()]
    return [w for w in every if all(word in f"{w.name} {w.spec}".lower() for word in words.split())]


def size_of(arrays: Any) -> int:
    """Return the bytes of all arrays in nested lists and dicts."""
    if isinstance(arrays, dict):
        return sum(map(size_of, arrays.values()))
    if isinstance(arrays, list):
        return sum(map(size_of, arrays))
    return int(math.prod(arrays.shape)) * int(arrays.dtype.itemsize)
