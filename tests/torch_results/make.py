"""Write what PyTorch computes for every entry of the tables.

    python -m tests.torch_results.make                      # everything
    python -m tests.torch_results.make layers.basics calls.basics optimizers signatures

It needs PyTorch; the tests read the files and do not. Layers run in float64 on numbers that are
exact in float16 and are stored as such.
"""

from __future__ import annotations

import inspect
import sys
import warnings
import zlib
from typing import Any

import numpy as np
import torch

from tests.ops.calls import CALLS, Call, Constant
from tests.ops.calls import FAMILIES as CALL_FAMILIES
from tests.torch_results.layers import CASES, Case, Drawn, build, draw, flat, nested
from tests.torch_results.layers import FAMILIES as LAYER_FAMILIES
from tests.torch_results.stored import Arrays, fingerprint, write
from tests.torch_results.trajectories import (
    LOOKED_AT,
    PATHS,
    SHAPES,
    STEPS,
    Path,
    follow,
    gradients,
    limit,
    make,
)  # fmt: skip
from tinymed import nn, optim


def seeded(name: str) -> np.random.Generator:
    """Return a generator that belongs to a name, whatever stands before it in the table."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    """Return a float64 tensor of numbers, an integer one of indices."""
    return torch.tensor(array.astype(np.float64) if array.dtype.kind == "f" else array)


# ----------------------------------------------------------------------------------------- layers


def draw_state(layer: torch.nn.Module, generator: np.random.Generator) -> Arrays:
    """Return a state dict with drawn weights and statistics."""
    state: Arrays = {}
    for key, value in layer.state_dict().items():
        if key.endswith("num_batches_tracked"):
            state[key] = np.array(3)
        else:
            positive = key.endswith(("running_var", "pos_weight")) or isinstance(
                layer, torch.nn.CrossEntropyLoss
            )
            state[key] = draw(Drawn("positive" if positive else "normal", value.shape), generator)
    return state


def run_layer(name: str, case: Case) -> Arrays:
    """Return inputs, state, outputs, gradients, and the buffers after the call."""
    generator = seeded(name)
    settings = {
        key: tensor(draw(value, generator)) if isinstance(value, Drawn) else value
        for key, value in case.settings.items()
    }
    layer = build(torch.nn, case.layer, settings).double().train(case.training)
    state = draw_state(layer, generator)
    layer.load_state_dict({key: tensor(value) for key, value in state.items()})
    drawn = list(flat(case.inputs))
    arrays = [draw(d, generator) for d in drawn]
    inputs = [
        tensor(a).requires_grad_(a.dtype.kind == "f" and not d.constant)
        for a, d in zip(arrays, drawn, strict=True)
    ]
    outputs = list(flat(layer(*nested(case.inputs, iter(inputs)), **case.call)))
    recorded = [i for i, y in enumerate(outputs) if y.requires_grad]
    seeds = {i: draw(Drawn("normal", tuple(outputs[i].shape)), generator) for i in recorded}
    if recorded:
        torch.autograd.backward(
            [outputs[i] for i in recorded], [tensor(seeds[i]) for i in recorded]
        )
    results: Arrays = {f"x{i}": array for i, array in enumerate(arrays)}
    results |= {f"state/{key}": value for key, value in state.items()}
    results |= {f"output{i}": y.detach().numpy() for i, y in enumerate(outputs)}
    results |= {f"seed{i}": seed for i, seed in seeds.items()}
    results |= {f"grad/x{i}": x.grad.numpy() for i, x in enumerate(inputs) if x.grad is not None}
    results |= {
        f"grad/{key}": p.grad.numpy() for key, p in layer.named_parameters() if p.grad is not None
    }
    if case.training:
        results |= {f"after/{key}": b.numpy() for key, b in layer.named_buffers()}
    return results


def make_layers(family: str) -> None:
    """Write the results of one family of layers."""
    cases = {name: case for name, case in CASES.items() if case.family == family}
    results = {name: run_layer(name, case) for name, case in cases.items()}
    entries = {name: fingerprint(case) for name, case in cases.items()}
    write(f"layers.{family}", results, {"torch": torch.__version__, "entries": entries})


# ------------------------------------------------------------------------------------------ calls

RENAMED = {"power": "pow", "expand": "broadcast_to"}
IN_FUNCTIONAL = {  # where torch has something else under the name, or without return_indices
    "adaptive_max_pool1d", "alpha_dropout", "batch_norm", "binary_cross_entropy_with_logits",
    "dropout", "embedding", "embedding_bag", "feature_alpha_dropout", "group_norm",
    "instance_norm", "kl_div", "max_pool1d", "max_pool2d", "max_pool3d", "pad", "softmax",
}  # fmt: skip


class Torch:
    """PyTorch's functions under the names they have in `tinymed.ops`."""

    def __getattr__(self, name: str) -> Any:
        name = RENAMED.get(name, name)
        functional = torch.nn.functional
        inside = name in IN_FUNCTIONAL or name.endswith("_loss") or not hasattr(torch, name)
        return getattr(functional if inside else torch, name)


def weights(y: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return what the elements of a result are weighted with before its gradient is taken."""
    return np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)


def run_call(call: Call) -> Arrays:
    """Return the outputs and the gradients of the inputs."""
    inputs = [
        torch.tensor(np.array(x), requires_grad=x.dtype.kind == "f" and not isinstance(x, Constant))
        for x in call.inputs
    ]
    result = call.call(Torch(), *inputs)
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    outputs = [y if isinstance(y, torch.Tensor) else torch.tensor(y) for y in outputs]
    recorded = [y for y in outputs if y.requires_grad]
    found: Arrays = {f"output{i}": y.detach().numpy() for i, y in enumerate(outputs)}
    leaves = {i: x for i, x in enumerate(inputs) if x.requires_grad}
    if recorded and leaves:
        weight = [torch.tensor(weights(y.detach().numpy())) for y in recorded]
        grads = torch.autograd.grad(recorded, list(leaves.values()), weight, allow_unused=True)
        found |= {
            f"grad{i}": g.numpy() for i, g in zip(leaves, grads, strict=True) if g is not None
        }
    return found


def make_calls(family: str) -> None:
    """Write what PyTorch answers to one family of calls; a refusal is written as its words."""
    results: dict[str, Arrays] = {}
    refused: dict[str, str] = {}
    calls = {name: call for name, call in CALLS.items() if call.family == family}
    for name, call in calls.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                results[name] = run_call(call)
        except Exception as error:
            refused[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"[:200]
    entries = {name: fingerprint([x.tolist() for x in call.inputs]) for name, call in calls.items()}
    facts = {"torch": torch.__version__, "entries": entries, "refused": refused}
    write(f"calls.{family}", results, facts)


# ------------------------------------------------------------------------------------- optimizers


def noise() -> Arrays:
    """Return where all paths start, and what is added to their gradients."""
    generator = seeded("noise")
    drawn: Arrays = {}
    for i, shape in enumerate(SHAPES):
        drawn[f"start{i}"] = draw(Drawn("normal", shape), generator)
        drawn[f"noise{i}"] = draw(Drawn("normal", (STEPS, *shape)), generator)
    return drawn


def of_rows(rows: np.ndarray[Any, Any], values: Any, shape: tuple[int, ...]) -> Any:
    """Return a sparse gradient."""
    return torch.sparse_coo_tensor(
        torch.tensor(rows)[None], values, shape, is_coalesced=True, check_invariants=True
    )


def run_path(path: Path, given: Arrays) -> Arrays:
    """Return the parameters, and with a scheduler the rates, and with clipping the norms."""
    params = [torch.nn.Parameter(tensor(given[f"start{i}"])) for i in range(len(SHAPES))]
    added = [tensor(given[f"noise{i}"]) for i in range(len(SHAPES))]
    optimizer, scheduler = make(path, params, torch.optim, torch.optim.lr_scheduler)

    def give_gradients(step: int) -> Any:
        found = gradients(step, path, [p.detach() for p in params], added, of_rows)
        for param, gradient in zip(params, found, strict=True):
            param.grad = gradient
        return limit(path, params, torch.nn.utils)

    steps = list(follow(range(STEPS), params, optimizer, scheduler, give_gradients))
    results = {
        f"param{i}": np.stack([steps[step][0][i] for step in LOOKED_AT]) for i in range(len(SHAPES))
    }
    if path.scheduler:
        results["rates"] = np.array([rates for _, rates, _ in steps])
    if path.clip:
        results["norms"] = np.array([norm for _, _, norm in steps])
    return results


def make_optimizers() -> None:
    """Write the paths of all optimizers and schedulers."""
    given = noise()
    torch.set_default_dtype(torch.float64)  # of the numbers that optimizers keep in tensors
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # steps of schedulers, before the first of the optimizer
        results = {"all": given, **{name: run_path(path, given) for name, path in PATHS.items()}}
    torch.set_default_dtype(torch.float32)
    entries = {name: fingerprint(path) for name, path in PATHS.items()}
    write("optimizers", results, {"torch": torch.__version__, "entries": entries})


# ------------------------------------------------------------------------------------- signatures


def arguments(function: Any) -> list[list[Any]]:
    """Return [name, kind] or [name, kind, default] of each argument after self."""
    found = []
    for p in inspect.signature(function).parameters.values():
        if p.name != "self":
            default = p.default.__name__ if inspect.isfunction(p.default) else p.default
            given = [] if p.default is p.empty else [default]
            found.append([p.name, p.kind.name, *given])
    return found


def make_signatures() -> None:
    """Write the arguments of all that tinymed exports under a name PyTorch has."""
    places = {
        **dict.fromkeys(nn.__all__, torch.nn),
        **dict.fromkeys(nn.init.__all__, torch.nn.init),
        **dict.fromkeys(optim.__all__, torch.optim),
    }
    found = {}
    for name, place in places.items():
        others = (
            *(torch.optim.lr_scheduler, torch.optim.swa_utils),
            *(torch.nn.utils, torch.nn.utils.rnn),
        )
        having = [p for p in (place, *others) if hasattr(p, name)]
        if having and callable(what := getattr(having[0], name)):
            found[name] = arguments(what.__init__ if inspect.isclass(what) else what)
    write("signatures", {}, {"torch": torch.__version__, "arguments": found})


def main(wanted: list[str]) -> None:
    """Write the files that are asked for."""
    torch.use_deterministic_algorithms(True, warn_only=True)  # max_unpool only warns: one thread
    torch.set_num_threads(1)
    makers: dict[str, Any] = {
        **{f"layers.{family}": lambda f=family: make_layers(f) for family in LAYER_FAMILIES},
        **{f"calls.{family}": lambda f=family: make_calls(f) for family in CALL_FAMILIES},
        "optimizers": make_optimizers,
        "signatures": make_signatures,
    }
    for name in wanted or makers:
        if name not in makers:
            raise SystemExit(f"make: {name} is not one of {', '.join(makers)}")
        makers[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
