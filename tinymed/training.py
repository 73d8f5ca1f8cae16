"""A training loop: progress, early stopping, a log, checkpoints, and resuming to the bit.

Optional: nothing in the engine imports it, and its steps are the four lines of any loop.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinymed.data import DataLoader
from tinymed.data.transfer import on_device
from tinymed.grad_mode import no_grad
from tinymed.kernels.arrays import CPU, place
from tinymed.nn import Module
from tinymed.optim import LRScheduler, Optimizer
from tinymed.progress import progress_bar
from tinymed.run import History, Plan, Record, Run
from tinymed.tensor import Tensor

__all__ = ["CHECKPOINT", "LOG", "History", "evaluate", "fit", "predict"]

CHECKPOINT = "checkpoint.safetensors"
LOG = "log.jsonl"


def fit(
    model: Module,
    loader: DataLoader,
    loss: Callable[[Any, Any], Any],
    optimizer: Optimizer,
    *,
    epochs: int,
    scheduler: LRScheduler | None = None,
    schedule: str = "batch",
    validate: Callable[[Module], Mapping[str, Any]] | None = None,
    monitor: str = "loss",
    mode: str = "min",
    patience: int | None = None,
    clip_norm: float | None = None,
    average: float | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    checkpoint_every: int | None = None,
    asked: Mapping[str, str] | None = None,
    progress: bool = True,
) -> History:
    """Train ``model``; at the end it holds the parameters of its best epoch, in eval mode.

    Parameters
    ----------
    model : Module
    loader : DataLoader
        Yields (input, target) or more; what follows the target is for `evaluate`.
    loss : callable
        ``loss(model(input), target)``, a scalar: the mean over the batch.
    optimizer : Optimizer
    epochs : int
        Passes over the data, those before a resume included.
    scheduler : LRScheduler or None
    schedule : "batch" or "epoch"
        When the scheduler steps; `ReduceLROnPlateau` steps with ``monitor`` after each epoch.
    validate : callable or None
        ``validate(model)`` returns numbers (or other JSON values) by name after each epoch; called
        in eval mode without recording. NaN and infinities are logged as null.
    monitor : str
        The number that says which epoch is best: a key of ``validate``'s, or "loss".
    mode : "min" or "max"
    patience : int or None
        Stop after so many epochs without a better one.
    clip_norm : float or None
        Limit on the norm of all gradients together.
    average : float in [0, 1) or None
        Validate and keep, not the parameters of the last step, but their moving average with this
        decay (running statistics included): 0.99 averages over about 100 steps. It steadies a
        validation that jumps from epoch to epoch.
    folder : path or None
        Where ``log.jsonl`` (a line per epoch) and the checkpoint go.
    resume : bool
        Go on from the checkpoint in ``folder``, with the same bits as without interruption; from
        the beginning where the run was stopped before it had one.
    checkpoint_every : int or None
        Also save after so many batches, not only after each epoch.
    asked : dict of str or None
        What else tells this run from others, such as its seed and its data: kept in the
        checkpoint, and a run that was asked for anything else is not resumed.
    progress : bool
        Write to standard error: a bar where that is a terminal, a line per epoch.

    Raises
    ------
    AnomalyError
        If a loss, a parameter or ``monitor`` is not finite; the last checkpoint is from before.
    CheckpointError
        If ``resume`` finds no run, or the checkpoint of another; nothing is changed then.
    FileExistsError
        If there is a checkpoint or a log in ``folder`` without ``resume``.
    KeyError
        If ``monitor`` is not among the numbers.
    ValueError
        Arguments out of range; a scheduler whose plan ends before the training does.

    Notes
    -----
    A checkpoint holds parameters, buffers, their average, optimizer, scheduler, the loader's place,
    the default generator and those that modules keep as ``generator``. Whatever else draws, such as
    a shuffled loader in ``validate``, must make its generator afresh each time.
    """
    plan = Plan(
        loss,
        epochs,
        schedule,
        validate,
        monitor,
        mode,
        patience,
        clip_norm,
        average,
        checkpoint_every,
        dict(asked or {}),
    )
    run = Run(model, loader, optimizer, scheduler, plan, History(monitor))
    home = _home(run, folder, resume)
    run.check_schedule()
    while not run.finished():
        started = time.perf_counter()
        record = _epoch(run, home, progress)
        if home is not None:
            run.save(home / CHECKPOINT)  # before the log, which resuming writes anew
            with (home / LOG).open("a") as log:
                log.write(_line(record))
        if progress:
            _report(record, epochs, time.perf_counter() - started)
    model.load_state_dict(run.best_state)
    model.eval()
    return run.history


def predict(model: Module, loader: DataLoader) -> tuple[np.ndarray[Any, Any], ...]:
    """Return the model's outputs over a whole data set, then what else the loader yields.

    Runs in eval mode without recording; the mode of each module is restored. Batches that the
    loader leaves where they are made go to where the model is.

    Returns
    -------
    outputs (N, ...), then one array per further part of a batch: targets, groups ...
    """
    modes = [(module, module.training) for module in model.modules()]
    columns: list[list[np.ndarray[Any, Any]]] = []
    model.eval()
    try:
        with no_grad():
            for batch in _beside(model, loader):
                inputs, *rest = batch if isinstance(batch, (tuple, list)) else (batch,)
                columns.append([_host(part) for part in (model(inputs), *rest)])
    finally:
        for module, training in modes:
            module.training = training
    return tuple(np.concatenate(column) for column in zip(*columns, strict=True))


def evaluate(
    model: Module,
    loader: DataLoader,
    metrics: Any,
    score: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]],
    **settings: Any,
) -> dict[str, Any]:
    """Return ``metrics.compute(**settings)`` over a whole data set.

    Parameters
    ----------
    loader : DataLoader
        Yields (input, target) or (input, target, group).
    metrics : an accumulator of `tinymed.metrics`
        A fresh one; afterwards it holds the cases, for plots.
    score : callable
        Turns the model's outputs into what the metrics take, e.g. logits into probabilities.

    Raises
    ------
    ValueError
        If the metrics held cases before, or the loader yields no targets.
    """
    outputs, *columns = predict(model, loader)
    if not 1 <= len(columns) <= 2:
        raise ValueError(
            f"evaluate: the loader yields {1 + len(columns)} parts, (input, target) or (input, "
            "target, group) expected"
        )
    metrics.update(columns[0], score(outputs), *columns[1:])
    if len(metrics.y_true) != len(outputs):
        raise ValueError(
            f"evaluate: the metrics hold {len(metrics.y_true)} cases, the loader yields "
            f"{len(outputs)}; give a fresh {type(metrics).__name__}() to each call"
        )
    computed: dict[str, Any] = metrics.compute(**settings)
    return computed


def _beside(model: Module, loader: DataLoader) -> Iterator[Any]:
    """Yield the loader's batches on the model's GPU, if it is on one."""
    where = next((place(each.data) for each in model.parameters()), CPU)
    sent = where == CPU or getattr(loader, "device", None) is not None
    yield from loader if sent else on_device(iter(loader), where)


def _home(run: Run, folder: str | Path | None, resume: bool) -> Path | None:
    """Prepare the folder of a run, its checkpoint restored if it is to be resumed."""
    if folder is None:
        if resume or run.plan.checkpoint_every is not None:
            raise ValueError("fit: resume and checkpoint_every need the folder of the run")
        return None
    home = Path(folder)
    saved = (home / CHECKPOINT).exists()
    begun = (home / LOG).exists() and not (home / LOG).stat().st_size
    if resume and (saved or not begun):
        run.resume(home / CHECKPOINT)
    elif saved and not resume:
        raise FileExistsError(
            f"fit: {home} holds the checkpoint of a run; resume it, or choose another folder"
        )
    home.mkdir(parents=True, exist_ok=True)
    try:  # "x": of two runs that begin here at once, only one may go on
        with (home / LOG).open("w" if resume else "x") as log:
            log.writelines(map(_line, run.history.epochs))
    except FileExistsError as error:
        raise FileExistsError(
            f"fit: {home} holds the log of a run, which may be in progress; resume it, or choose "
            "another folder"
        ) from error
    return home


def _epoch(run: Run, home: Path | None, progress: bool) -> Record:
    """Train on the batches that are left of an epoch; return its record."""
    plan, epoch = run.plan, len(run.history.epochs) + 1
    done, total = run.batches_done(), len(run.loader)
    run.model.train()
    with progress_bar(f"epoch {epoch}/{plan.epochs}", total, done, shown=progress) as advance:
        for number, batch in enumerate(run.loader, done + 1):
            run.train_on(batch, f"epoch {epoch}, batch {number}")
            advance(f"loss {run.loss_sum / run.samples:.4f}")
            if home is not None and plan.checkpoint_every and number % plan.checkpoint_every == 0:
                run.save(home / CHECKPOINT)
    return run.end_epoch()


def _line(record: Record) -> str:
    """Return an epoch's line of the log."""
    return json.dumps(record) + "\n"


def _report(record: Record, epochs: int, seconds: float) -> None:
    """Write an epoch's record for people to read."""
    numbers = ", ".join(f"{k} {v:.4g}" for k, v in record.items() if isinstance(v, float))
    line = f"epoch {record['epoch']}/{epochs}: {numbers} ({seconds:.1f} s)"
    print(line, file=sys.stderr, flush=True)


def _host(part: Any) -> np.ndarray[Any, Any]:
    """Return a part of a batch (a Tensor, or a list such as that of the patients) as an array."""
    return part.cpu().numpy() if isinstance(part, Tensor) else np.asarray(part)
