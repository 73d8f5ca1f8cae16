"""The hot operations, one folder each: every implementation side by side, judged by the reference.

Shipped as ``tinymed.kernels``. ``python -m tinymed.kernels`` prints what there is.
"""

from tinymed.kernels import (
    activation,
    arithmetic,
    ceilings,
    conv,
    conv_pool,
    ctc,
    dropout,
    embedding,
    glove,
    losses,
    matmul,
    normalization,
    optimizer,
    pooling,
    recurrent,
    resampling,
    softmax,
    word2vec,
)
from tinymed.kernels.registry import KERNELS, Kernel, explain, use_backend
from tinymed.kernels.tuning import autotune

__all__ = [
    "KERNELS",
    "Kernel",
    "activation",
    "arithmetic",
    "autotune",
    "ceilings",
    "conv",
    "conv_pool",
    "ctc",
    "dropout",
    "embedding",
    "explain",
    "glove",
    "losses",
    "matmul",
    "normalization",
    "optimizer",
    "pooling",
    "recurrent",
    "resampling",
    "softmax",
    "use_backend",
    "word2vec",
]
