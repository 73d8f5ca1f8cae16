"""Write what PyTorch computes for every case of `cases` and `trajectories`.

    python tests/torch_results/make.py

It needs PyTorch; the tests read the files and do not. Layers run in float64 on numbers that are
exact in float16 and are stored as such.
"""

from __future__ import annotations

import inspect
import json
import zlib
from typing import Any

import numpy as np
import torch
from cases import CASES, Case, Drawn, build, draw
from safetensors.numpy import save
from stored import FOLDER, fingerprint
from trajectories import LOOKED_AT, PATHS, SHAPES, STEPS, Path, follow, gradients, make

Arrays = dict[str, np.ndarray[Any, Any]]

SIGNED = {
    "nn": [
        *(f"{name}{n}d" for name in ("Conv", "MaxPool", "AvgPool", "AdaptiveAvgPool", "BatchNorm")
          for n in (1, 2, 3)),
        *("Linear", "Dropout", "Identity", "ReLU", "Sigmoid", "Tanh", "Softplus", "Softmax"),
        *("LogSoftmax", "Flatten", "Sequential", "ModuleList"),
        *("CrossEntropyLoss", "BCEWithLogitsLoss", "MSELoss"),
    ],
    "optim": ["Optimizer", "SGD", "Adam", "AdamW"],
    "optim.lr_scheduler": ["LRScheduler", "StepLR", "CosineAnnealingLR", "OneCycleLR"],
    "nn.utils": ["clip_grad_norm_"],
    "nn.init": [
        *("calculate_gain", "constant_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_"),
        *("orthogonal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_"),
    ],
}  # fmt: skip


def seeded(name: str) -> np.random.Generator:
    """Return a generator that belongs to a name, whatever stands before it in the table."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    """Return a float64 tensor of numbers, an integer one of indices."""
    return torch.tensor(array.astype(np.float64) if array.dtype.kind == "f" else array)


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
    """Return inputs, state, output, gradients, and the buffers after the call."""
    generator = seeded(name)
    settings = {
        key: tensor(draw(value, generator)) if isinstance(value, Drawn) else value
        for key, value in case.settings.items()
    }
    layer = build(torch.nn, case.layer, settings).double().train(case.training)
    state = draw_state(layer, generator)
    layer.load_state_dict({key: tensor(value) for key, value in state.items()})
    arrays = [draw(drawn, generator) for drawn in case.inputs]
    inputs = [tensor(array).requires_grad_(array.dtype.kind == "f") for array in arrays]
    output = layer(*inputs)
    seed = draw(Drawn("normal", tuple(output.shape)), generator)
    output.backward(tensor(seed))
    results: Arrays = {f"x{i}": array for i, array in enumerate(arrays)}
    results |= {f"state/{key}": value for key, value in state.items()}
    results |= {"output": output.detach().numpy(), "seed": seed}
    results |= {f"grad/x{i}": x.grad.numpy() for i, x in enumerate(inputs) if x.grad is not None}
    results |= {f"grad/{key}": p.grad.numpy() for key, p in layer.named_parameters()}
    if case.training:
        results |= {f"after/{key}": b.numpy() for key, b in layer.named_buffers()}
    return results


def noise() -> Arrays:
    """Return where all paths start, and what is added to their gradients."""
    generator = seeded("noise")
    drawn: Arrays = {}
    for i, shape in enumerate(SHAPES):
        drawn[f"start{i}"] = draw(Drawn("normal", shape), generator)
        drawn[f"noise{i}"] = draw(Drawn("normal", (STEPS, *shape)), generator)
    return drawn


def run_path(path: Path, given: Arrays) -> Arrays:
    """Return the parameters, and with a scheduler the rates, and with clipping the norms."""
    params = [torch.nn.Parameter(tensor(given[f"start{i}"])) for i in range(len(SHAPES))]
    added = [tensor(given[f"noise{i}"]) for i in range(len(SHAPES))]
    optimizer, scheduler = make(path, params, torch.optim, torch.optim.lr_scheduler)

    def give_gradients(step: int) -> Any:
        found = gradients(step, [p.detach() for p in params], added)
        for param, gradient in zip(params, found, strict=True):
            param.grad = gradient
        return torch.nn.utils.clip_grad_norm_(params, *path.clip) if path.clip else 0.0

    steps = list(follow(range(STEPS), params, optimizer, scheduler, give_gradients))
    results = {
        f"param{i}": np.stack([steps[step][0][i] for step in LOOKED_AT]) for i in range(len(SHAPES))
    }
    if path.scheduler:
        results["rates"] = np.array([rates for _, rates, _ in steps])
    if path.clip:
        results["norms"] = np.array([norm for _, _, norm in steps])
    return results


def signature(function: Any) -> list[list[Any]]:
    """Return [name, kind] or [name, kind, default] of each argument after self."""
    found = []
    for p in inspect.signature(function).parameters.values():
        if p.name != "self":
            given = [] if p.default is p.empty else [p.default]
            found.append([p.name, p.kind.name, *given])
    return found


def signatures() -> dict[str, list[list[Any]]]:
    """Return the arguments of everything in `SIGNED`."""
    found = {}
    for place, names in SIGNED.items():
        module = torch
        for part in place.split("."):
            module = getattr(module, part)
        for name in names:
            what = getattr(module, name)
            found[name] = signature(what.__init__ if inspect.isclass(what) else what)
    return found


def write(name: str, results: dict[str, Arrays], facts: dict[str, Any]) -> None:
    """Write one file."""
    path = FOLDER / f"{name}.safetensors"
    arrays = {
        f"{entry}|{key}": np.ascontiguousarray(array).reshape(array.shape)
        for entry, found in results.items()
        for key, array in found.items()
    }
    facts = {"torch": torch.__version__, **facts}
    path.write_bytes(save(arrays, {"facts": json.dumps(facts, sort_keys=True)}))
    print(f"{path.name}: {len(results)} entries, {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Write both files."""
    torch.use_deterministic_algorithms(True)
    write(
        "layers",
        {name: run_layer(name, case) for name, case in CASES.items()},
        {
            "entries": {name: fingerprint(case) for name, case in CASES.items()},
            "signatures": signatures(),
        },
    )
    given = noise()
    write(
        "optimizers",
        {"all": given, **{name: run_path(path, given) for name, path in PATHS.items()}},
        {"entries": {name: fingerprint(path) for name, path in PATHS.items()}},
    )


if __name__ == "__main__":
    main()
