"""word2vec: vectors of words that predict the words around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tinymed.data.sampler import checked_count
from tinymed.kernels import word2vec as kernels
from tinymed.medical.text.corpus import Corpus, encode_corpus
from tinymed.medical.text.noise import alias_table, huffman_tree
from tinymed.medical.text.vectors import WordVectors
from tinymed.medical.text.vocabulary import Document, Vocabulary
from tinymed.medical.text.windows import keep_probability

__all__ = ["Word2Vec"]

Array = np.ndarray[Any, np.dtype[Any]]

PASSES = {  # (skip-gram, hierarchical softmax) -> the kernel
    (True, False): kernels.skip_gram_negative,
    (False, False): kernels.cbow_negative,
    (True, True): kernels.skip_gram_hierarchical,
    (False, True): kernels.cbow_hierarchical,
}


class Word2Vec:
    """Skip-gram or continuous bags of words, with negative sampling or hierarchical softmax.

    Arguments have gensim's names and meanings; those that differ are marked.

    Parameters
    ----------
    vector_size : int
        Numbers in each vector, D.
    window : int
        The most words on each side that count.
    min_count : int
        Rarer words are left out.
    sg : {0, 1}
        1: each word of a window predicts the middle one (skip-gram); 0: their mean does (CBOW).
    hs : {0, 1}
        1: hierarchical softmax; it wants ``negative=0`` (gensim would add up both).
    negative : int
        Words drawn against each right one.
    sample : float
        The share of the text above which words are drawn less often; 0 keeps all.
    alpha, min_alpha : float
        The step size at the beginning and at the end, linear between.
    epochs : int
        Passes over the text.
    ns_exponent : float
        Noise words are drawn in proportion to count^ns_exponent.
    cbow_mean : {0, 1}
        1: the mean of the words around; 0: their sum.
    shrink_windows : bool
        Draw each window from 1 ... ``window``, which gives near words more weight.
    batch_words : int
        Words that are handed to compiled code at once, at one step size.
    seed : int
        Of the first vectors and all draws.
    workers : int
        Threads. 1 (gensim: 3) gives the same bits for the same seed. More work on the same vectors
        without waiting for each other, and what they learn depends on who comes first.

    Notes
    -----
    The steps are along the gradient of the objective. gensim and the original program take a step
    for CBOW's mean that is as many times longer as the window has words: it reaches the same with
    a larger ``alpha`` here, 0.075 say (Irsoy, Benton, Stratos, 2021, "Corrected CBOW performs as
    well as skip-gram").

    References
    ----------
    Mikolov, Chen, Corrado, Dean (2013), "Efficient estimation of word representations in vector
    space"; Mikolov, Sutskever, Chen, Corrado, Dean (2013), "Distributed representations of words
    and phrases and their compositionality".

    Examples
    --------
    >>> documents = [["fracture", "of", "femur"], ["fracture", "of", "tibia"]] * 20
    >>> vectors = Word2Vec(vector_size=8, min_count=1, epochs=2).train(documents)
    >>> vectors["femur"].shape
    (8,)
    """

    def __init__(
        self,
        *,
        vector_size: int = 100,
        window: int = 5,
        min_count: int = 5,
        sg: int = 0,
        hs: int = 0,
        negative: int = 5,
        sample: float = 1e-3,
        alpha: float = 0.025,
        min_alpha: float = 1e-4,
        epochs: int = 5,
        ns_exponent: float = 0.75,
        cbow_mean: int = 1,
        shrink_windows: bool = True,
        batch_words: int = 10_000,
        seed: int = 1,
        workers: int = 1,
    ) -> None:
        self.vector_size = checked_count("Word2Vec", "vector_size", vector_size)
        self.window = checked_count("Word2Vec", "window", window)
        self.min_count = checked_count("Word2Vec", "min_count", min_count)
        self.epochs = checked_count("Word2Vec", "epochs", epochs)
        self.batch_words = checked_count("Word2Vec", "batch_words", batch_words)
        self.seed = checked_count("Word2Vec", "seed", seed, minimum=0)
        self.workers = checked_count("Word2Vec", "workers", workers)
        self.negative = checked_count("Word2Vec", "negative", negative, minimum=0)
        for name, value in (("sg", sg), ("hs", hs), ("cbow_mean", cbow_mean)):
            if value not in (0, 1):
                raise ValueError(f"Word2Vec: {name}={value!r}, 0 or 1 expected")
        self.sg, self.hs, self.cbow_mean = bool(sg), bool(hs), bool(cbow_mean)
        if self.hs == (self.negative > 0):
            raise ValueError(
                f"Word2Vec: hs={hs} and negative={negative}, one of them above 0 expected; "
                "hierarchical softmax is hs=1, negative=0"
            )
        if not 0 <= min_alpha <= alpha < np.inf or alpha == 0:
            raise ValueError(
                f"Word2Vec: alpha={alpha}, min_alpha={min_alpha}; 0 <= min_alpha <= alpha, "
                "alpha > 0 expected"
            )
        if not 0 <= sample < np.inf:
            raise ValueError(f"Word2Vec: sample={sample}, 0 or more expected")
        if not np.isfinite(ns_exponent):
            raise ValueError(f"Word2Vec: ns_exponent={ns_exponent}, a finite number expected")
        self.sample, self.alpha, self.min_alpha = sample, alpha, min_alpha
        self.ns_exponent, self.shrink_windows = ns_exponent, bool(shrink_windows)
        self.vocabulary: Vocabulary | None = None
        self.inputs: Array | None = None
        self.outputs: Array | None = None

    def train(
        self, documents: Iterable[Document], vocabulary: Vocabulary | None = None
    ) -> WordVectors:
        """Learn vectors from documents, from the beginning.

        Parameters
        ----------
        documents : iterable of sequences of str
            Each is a sentence or a text; windows do not reach out of it.
        vocabulary : Vocabulary, optional
            The words that get vectors, instead of those seen ``min_count`` times. Its counts say
            which are frequent.

        Returns
        -------
        WordVectors
            ``inputs`` of the model; ``outputs`` and ``vocabulary`` stay in its attributes.

        Raises
        ------
        TypeError, ValueError
            A document is a string, or empty; no word is frequent enough; no document has two words.
        FloatingPointError
            The vectors ran away to infinity.
        """
        texts = documents if isinstance(documents, list) else list(documents)
        known = vocabulary or Vocabulary.from_documents(texts, min_count=self.min_count)
        corpus = encode_corpus(texts, known)
        if not (np.diff(corpus.starts) > 1).any():
            raise ValueError(
                f"Word2Vec: none of {len(corpus)} documents has two of the {len(known)} words of "
                "the vocabulary, nothing to learn from; give more text or a smaller min_count"
            )
        draws = np.random.default_rng(self.seed)
        rows, width = len(known), self.vector_size
        self.vocabulary = known
        self.inputs = (draws.random((rows, width), np.float32) - np.float32(0.5)) / width
        self.outputs = np.zeros((rows - self.hs, width), np.float32)
        given = self.inputs, self.outputs
        step = self._step(known, *given)
        for _ in self._run(step, list(corpus.jobs(self.batch_words)), draws):
            if not np.isfinite(self.inputs).all():
                raise FloatingPointError(
                    f"Word2Vec: vectors are no longer finite; alpha={self.alpha} is too large"
                )
        return WordVectors(known.tokens, self.inputs)

    def _step(
        self, vocabulary: Vocabulary, inputs: Array, outputs: Array
    ) -> Callable[[Corpus, float, int], None]:
        """Return the pass over a part of the corpus, at a step size, with a seed."""
        counts = np.maximum(vocabulary.counts, 1)  # specials may never have been seen
        share = keep_probability(counts, self.sample)
        keep = (np.floor(share * 2.0**31) - 1).astype(np.int32)
        how: tuple[Any, ...]
        how = huffman_tree(counts) if self.hs else (alias_table(counts**self.ns_exponent),)
        how += (self.window, self.shrink_windows)
        how += () if self.sg else (self.cbow_mean,)
        how += () if self.hs else (self.negative,)
        kernel = PASSES[self.sg, self.hs]
        none = np.empty(0, np.int64), np.zeros(1, np.int64)
        # Chosen here: a thread does not see what `use_backend` asked for in this one.
        run = kernel.chosen(inputs, outputs, *none, keep, *how, self.alpha, 0)

        def step(part: Corpus, alpha: float, seed: int) -> None:
            run(inputs, outputs, part.words, part.starts, keep, *how, alpha, seed)

        return step

    def _run(
        self,
        step: Callable[[Corpus, float, int], None],
        jobs: list[Corpus],
        draws: np.random.Generator,
    ) -> Iterator[int]:
        """Do all jobs, epoch by epoch, and yield the number of each epoch that is done."""
        before = np.cumsum([0, *(len(job.words) for job in jobs)])
        with ThreadPoolExecutor(self.workers) as pool:
            for epoch in range(self.epochs):
                progress = (epoch + before[:-1] / before[-1]) / self.epochs
                alphas = self.alpha - (self.alpha - self.min_alpha) * progress
                seeds = draws.integers(1 << 62, size=len(jobs)).tolist()
                call = map if self.workers == 1 else pool.map
                for _ in call(step, jobs, alphas.tolist(), seeds):
                    pass  # an error of a job is raised here
                yield epoch
