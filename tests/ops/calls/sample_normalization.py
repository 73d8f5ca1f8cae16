"""Calls of the norms within each sample, and what they refuse."""

from typing import Any

import numpy as np

from tests.ops.calls.call import compare, deviates, inf, nan, normal, rounded, whole

rounded("*_norm *")
INPUTS = {
    "(3, 4)": normal(3, 4),
    "(2, 3, 4)": normal(2, 3, 4),
    "(2, 4, 2, 3)": normal(2, 4, 2, 3),
    "float32": normal(2, 4, 4).astype(np.float32),
    "(0, 4, 4)": np.zeros((0, 4, 4)),
    "NaN": np.array([[[nan, 1.0, 2.0, 0.0]], [[1.0, 2.0, 3.0, 5.0]]]),
    "inf": np.array([[[inf, 1.0, 2.0, 0.0]], [[1.0, 2.0, 3.0, 5.0]]]),
    "equal": np.full((2, 4, 4), 7.0),
    "large mean": normal(2, 4, 4) + 1e3,
    "integers": whole(2, 4, 4),
    "(4,)": normal(4),
    "()": np.array(1.0),
    "(1, 3)": normal(1, 3),
}
for kind, x in INPUTS.items():
    for shape in ((4,), (4, 4), (3, 4), (2, 3), ()):

        def layer(m: Any, x: Any, s: Any = shape) -> Any:
            return m.layer_norm(x, s)

        def rms(m: Any, x: Any, s: Any = shape) -> Any:
            return m.rms_norm(x, s)

        if shape or kind == "(3, 4)":
            compare(f"layer_norm {kind} over {shape}", layer, x)
            compare(f"rms_norm {kind} over {shape}", rms, x)
    for groups in (1, 2, 3):
        compare(f"group_norm {kind} {groups}", lambda m, x, g=groups: m.group_norm(x, g), x)
    compare(f"instance_norm {kind}", lambda m, x: m.instance_norm(x), x)
    for size in (1, 2, 3, 9):
        compare(
            f"local_response_norm {kind} {size}",
            lambda m, x, n=size: m.local_response_norm(x, n, 0.5, 0.7, 2.0),
            x,
        )
compare("layer_norm affine", lambda m, x, w, b: m.layer_norm(x, (3, 4), w, b, 0.1),
        normal(2, 3, 4), normal(3, 4), normal(3, 4))  # fmt: skip
compare(
    "layer_norm weight shape", lambda m, x, w: m.layer_norm(x, (4,), w), normal(2, 4), normal(3)
)
compare("rms_norm weight", lambda m, x, w: m.rms_norm(x, (4,), w, 0.1), normal(2, 4), normal(4))
compare("group_norm affine", lambda m, x, w, b: m.group_norm(x, 2, w, b, 0.1),
        normal(2, 4, 3), normal(4), normal(4))  # fmt: skip
compare("group_norm weight shape", lambda m, x, w: m.group_norm(x, 2, w), normal(2, 4), normal(3))
compare("group_norm 0 groups", lambda m, x: m.group_norm(x, 0), normal(2, 4))
compare("instance_norm one value", lambda m, x: m.instance_norm(x), normal(2, 4, 1))
for alpha, beta, k in ((1.0, 0.5, 1.0), (-0.5, 2.0, 1.0), (1e-4, 0.75, 0.0)):
    compare(
        f"local_response_norm {alpha} {beta} {k}",
        lambda m, x, s=(alpha, beta, k): m.local_response_norm(x, 3, *s),
        normal(2, 5, 3),
    )
deviates("local_response_norm integers *", "refused; PyTorch averages integers")
