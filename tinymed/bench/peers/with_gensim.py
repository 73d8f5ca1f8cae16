"""gensim: word2vec, with its own threads and its own text handling."""

from __future__ import annotations

from typing import Any

import numpy as np
from gensim.models import Word2Vec  # type: ignore

from tinymed.bench.contest import Attempt, CannotError
from tinymed.bench.workloads import Arrays, Spec, Words
from tinymed.kernels.threads import get_num_threads

__all__ = ["workload"]


def workload(spec: Spec, arrays: Arrays, variant: str) -> Attempt:
    """Return gensim's attempt at a workload, if it is word2vec."""
    if not isinstance(spec, Words):
        raise CannotError("vectors of words only")

    def call() -> Any:
        model = Word2Vec(arrays["documents"], workers=get_num_threads(), **spec.settings)
        return model.wv

    def results(found: Any) -> list[Any]:
        words = spec.frequent()
        return [spec.together(np.stack([found[word] for word in words]))]

    return Attempt(call, results)
