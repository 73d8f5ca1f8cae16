"""The optimizers whose paths over 50 steps PyTorch has stored (`optimizers`).

Gradients do not come from a graph: at each step they are ``CURVATURE * param + noise[step]`` with
stored noise, so that a path tests the optimizer alone. The last parameter has no gradient at all at
the steps ``SKIPPED``; where gradients are sparse, it never has one, and the others have `ROWS` of
it. Parameters are stored after the steps ``LOOKED_AT``, rates after all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.torch_results.paths import PATHS, Path

__all__ = [
    "CURVATURE",
    "PATHS",
    "SHAPES",
    "SKIPPED",
    "STEPS",
    "Path",
    "follow",
    "gradients",
    "limit",
    "make",
]

STEPS = 50
SHAPES = ((3, 2), (4,), ())
CURVATURE = 0.5
SKIPPED = (0, 7, 8, 30)
LOOKED_AT = (0, 1, 2, 3, 4, 6, 9, 14, 19, 29, 39, 49)
NO_ROWS = (5, 6, 17)  # steps at which a sparse gradient is there and empty


def rows(step: int, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Return the rows in which a sparse gradient is, at a step: all, some, or none."""
    if step in NO_ROWS:
        return np.zeros(0, np.int64)
    return np.array([row for row in range(shape[0]) if (step + row * row) % 3], np.int64)


def gradients(
    step: int, path: Path, params: list[Any], noise: list[Any], of_rows: Callable[..., Any]
) -> list[Any]:
    """Return the gradient of each parameter (arrays of any kind), None where there is none.

    ``of_rows(rows, values, shape)`` makes a sparse one.
    """
    found: list[Any] = [CURVATURE * p + n[step] for p, n in zip(params, noise, strict=True)]
    if path.sparse or step in SKIPPED:
        found[-1] = None
    if path.sparse:
        for i, shape in enumerate(SHAPES[:-1]):
            chosen = rows(step, shape)
            found[i] = of_rows(chosen, found[i][chosen], shape)
    return found


def limit(path: Path, params: list[Any], clip: Any) -> float:
    """Clip the gradients as the path has it; return their norm before, 0 where it has no norm."""
    if path.clip is None:
        return 0.0
    if len(path.clip) == 1:
        clip.clip_grad_value_(params, *path.clip)
        return 0.0
    return float(clip.clip_grad_norm_(params, *path.clip))


def make(path: Path, params: list[Any], optim: Any, schedulers: Any) -> tuple[Any, Any]:
    """Return the optimizer and the scheduler (or None) of ``torch`` or ``tinymed``."""
    groups = [{"params": params[:1], **path.first}, {"params": params[1:], **path.second}]
    optimizer = getattr(optim, path.optimizer)(groups, **path.settings)
    if not path.scheduler:
        return optimizer, None
    made = getattr(schedulers, path.scheduler)
    if not path.parts:
        return optimizer, made(optimizer, **path.plan)
    parts = [getattr(schedulers, name)(optimizer, **plan) for name, plan in path.parts]
    if path.scheduler == "ChainedScheduler":
        return optimizer, made(parts)
    return optimizer, made(optimizer, parts, **path.plan)


def follow(
    steps: range,
    params: list[Any],
    optimizer: Any,
    scheduler: Any,
    give_gradients: Callable[[int], Any],
) -> Iterator[tuple[list[np.ndarray[Any, Any]], list[float], float]]:
    """Yield after each step: the parameters, each group's lr and momentum, the gradients' norm."""
    for step in steps:
        norm = give_gradients(step)
        optimizer.step()
        rates = [
            value for group in optimizer.param_groups for value in (group["lr"], momentum(group))
        ]
        if type(scheduler).__name__ == "ReduceLROnPlateau":
            scheduler.step(metric(step))
        elif scheduler is not None:
            scheduler.step()
        yield [np.array(p.detach().numpy()) for p in params], rates, float(norm)


def metric(step: int) -> float:
    """Return what a plateau is found in: stretches of better and of worse, and equal ones."""
    return round(1.0 + math.cos(step / 7) * math.exp(-step / 40), 2)


def momentum(group: dict[str, Any]) -> float:
    """Return what a group calls momentum: beta1 in Adam; 0 if it has none."""
    return float(group["betas"][0] if "betas" in group else group.get("momentum", 0.0))
