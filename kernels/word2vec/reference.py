"""word2vec as its objective is written: the gradient of one prediction at a time, then a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tinymed.kernels.arrays import Array, array_module

MASK = (1 << 64) - 1  # numbers of 64 bits
LOW = (1 << 31) - 1  # the last 31 bits
GAMMA = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio, odd

Targets = Callable[[int], tuple[Array, Array]]  # word -> rows (T,) of outputs, labels (T,) 1 or 0
Window = tuple[int, list[int]]  # a word and those around it


class Draws:
    """The numbers splitmix64(seed + 1), splitmix64(seed + 2), ... of 64 bits each."""

    def __init__(self, seed: int) -> None:
        self.state = seed & MASK

    def next(self) -> int:
        """Return the next number."""
        self.state = (self.state + GAMMA) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, n: int) -> tuple[int, int]:
        """Return a number of 0 ... n - 1 from the first half of the bits, and the last 31."""
        z = self.next()
        return ((z >> 32) * n) >> 32, z & LOW


def kept_sentences(words: Array, starts: Array, keep: Array, draws: Draws) -> Iterator[list[int]]:
    """Yield the words of each sentence that are left; the next draws are made in between."""
    for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        yield [w for w in words[first:last].tolist() if draws.next() & LOW <= int(keep[w])]


def windows(sentence: list[int], window: int, shrink: bool, draws: Draws) -> Iterator[Window]:
    """Yield each word with the words around it, where there are any."""
    for i, word in enumerate(sentence):
        reach = window - draws.below(window)[0] if shrink else window
        around = sentence[max(0, i - reach) : i] + sentence[i + 1 : i + 1 + reach]
        if around:
            yield word, around


def noise_targets(noise: Array, negative: int, draws: Draws) -> Targets:
    """Return what draws the targets of negative sampling, without the word itself."""
    xp = array_module(noise)

    def targets(word: int) -> tuple[Array, Array]:
        rows = [word]
        for _ in range(negative):
            column, rest = draws.below(len(noise))
            drawn = column if rest <= int(noise[column, 0]) else int(noise[column, 1])
            rows += [drawn] if drawn != word else []
        return xp.asarray(rows), xp.asarray([1] + [0] * (len(rows) - 1))

    return targets


def path_targets(nodes: Array, labels: Array, paths: Array) -> Targets:
    """Return what finds the nodes on the way to a word."""

    def targets(word: int) -> tuple[Array, Array]:
        way = slice(int(paths[word]), int(paths[word + 1]))
        return nodes[way], labels[way]

    return targets


def predict(hidden: Array, outputs: Array, rows: Array, labels: Array, alpha: float) -> Array:
    """Take a step on ``outputs``, and return the one (D,) for the hidden vector.

    With p = sigmoid(h o) the loss of a target has the gradients (p - label) o for h and
    (p - label) h for o. A row that is a target twice gets both steps.
    """
    xp = array_module(hidden)
    scores = outputs[rows] @ hidden  # (T, D)(D,) -> (T,)
    gains = alpha * (labels - 1 / (1 + xp.exp(-scores)))
    step = gains @ outputs[rows]
    xp.add.at(outputs, rows, gains[:, None] * hidden)
    return step


def skip_gram(
    inputs: Array,
    outputs: Array,
    words: Array,
    starts: Array,
    keep: Array,
    window: int,
    shrink: bool,
    alpha: float,
    draws: Draws,
    targets: Targets,
) -> int:
    """Let each word of each window predict the middle one."""
    total = 0
    for sentence in kept_sentences(words, starts, keep, draws):
        total += len(sentence)
        for word, around in windows(sentence, window, shrink, draws):
            for other in around:
                inputs[other] += predict(inputs[other], outputs, *targets(word), alpha)
    return total


def cbow(
    inputs: Array,
    outputs: Array,
    words: Array,
    starts: Array,
    keep: Array,
    window: int,
    shrink: bool,
    mean: bool,
    alpha: float,
    draws: Draws,
    targets: Targets,
) -> int:
    """Let the words of each window together predict the middle one."""
    xp, total = array_module(inputs), 0
    for sentence in kept_sentences(words, starts, keep, draws):
        total += len(sentence)
        for word, around in windows(sentence, window, shrink, draws):
            share = 1 / len(around) if mean else 1.0
            hidden = share * inputs[around].sum(axis=0)
            step = predict(hidden, outputs, *targets(word), alpha)
            xp.add.at(inputs, around, share * step)  # a word may be in a window twice
    return total


def skip_gram_negative(
    inputs: Array,
    outputs: Array,
    words: Array,
    starts: Array,
    keep: Array,
    noise: Array,
    window: int,
    shrink: bool,
    negative: int,
    alpha: float,
    seed: int,
) -> int:
    """Train skip-gram with negative sampling in place; return the words that were left."""
    draws = Draws(seed)
    targets = noise_targets(noise, negative, draws)
    tables = inputs, outputs, words, starts, keep
    return skip_gram(*tables, window, shrink, alpha, draws, targets)


def cbow_negative(
    inputs: Array,
    outputs: Array,
    words: Array,
    starts: Array,
    keep: Array,
    noise: Array,
    window: int,
    shrink: bool,
    mean: bool,
    negative: int,
    alpha: float,
    seed: int,
) -> int:
    """Train continuous bags of words with negative sampling in place; return the words left."""
    draws = Draws(seed)
    targets = noise_targets(noise, negative, draws)
    return cbow(inputs, outputs, words, starts, keep, window, shrink, mean, alpha, draws, targets)


def skip_gram_hierarchical(
    inputs: Array,
    outputs: Array,
    words: Array,
    starts: Array,
    keep: Array,
    nodes: Array,
    labels: Array,
    paths: Array,
    window: int,
    shrink: bool,
    alpha: float,
    seed: int,
) -> int:
    """Train skip-gram with hierarchical softmax in place; return the words that were left."""
    draws, targets = Draws(seed), path_targets(nodes, labels, paths)
    tables = inputs, outputs, words, starts, keep
    return skip_gram(*tables, window, shrink, alpha, draws, targets)


def cbow_hierarchical(
    inputs: Array,
    outputs: Array,
    words: Array,
    starts: Array,
    keep: Array,
    nodes: Array,
    labels: Array,
    paths: Array,
    window: int,
    shrink: bool,
    mean: bool,
    alpha: float,
    seed: int,
) -> int:
    """Train continuous bags of words with hierarchical softmax in place; return the words left."""
    draws, targets = Draws(seed), path_targets(nodes, labels, paths)
    return cbow(inputs, outputs, words, starts, keep, window, shrink, mean, alpha, draws, targets)
