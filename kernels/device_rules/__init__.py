"""Which implementation runs on a GPU: the table of `rules.py` for arrays that live there.

The rules of a kernel are tried in order; the reference, on CuPy, is the last without being listed.
What changes the numbers (float32 on tensor cores) or is there to be read (the ladder) never pays:
it runs where it is asked for by name. Each family of kernels has its file here.
"""

from __future__ import annotations

from tinymed.kernels.device_rules.ceilings import CEILING_RULES
from tinymed.kernels.device_rules.ctc import CTC_RULES
from tinymed.kernels.device_rules.matmul import MATMUL_RULES
from tinymed.kernels.device_rules.memory import MEMORY_RULES
from tinymed.kernels.device_rules.numba_cuda import NUMBA_CUDA_RULES
from tinymed.kernels.device_rules.recurrent import RECURRENT_RULES
from tinymed.kernels.device_rules.windows import WINDOW_RULES
from tinymed.kernels.rules import Rule

__all__ = ["DEVICE_RULES"]

CUDA_RULES: dict[str, tuple[Rule, ...]] = {
    **CEILING_RULES,
    **CTC_RULES,
    **MATMUL_RULES,
    **MEMORY_RULES,
    **RECURRENT_RULES,
    **WINDOW_RULES,
}
DEVICE_RULES: dict[str, tuple[Rule, ...]] = {
    name: (*rules, *([NUMBA_CUDA_RULES[name]] if name in NUMBA_CUDA_RULES else []))
    for name, rules in CUDA_RULES.items()
}
