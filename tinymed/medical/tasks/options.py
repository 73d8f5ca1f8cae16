"""The options that every training has, and the names of what it writes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tinymed.data.transfer import check_device

__all__ = ["METRICS", "MODEL", "Settings", "check_installed", "declare"]

Options = argparse.Namespace
MODEL = "model.safetensors"
METRICS = "metrics.json"


@dataclass(frozen=True)
class Settings:
    """How long and how fast a task trains unless told otherwise; ``quick_`` under ``--quick``.

    ``on_gpu``: whether it takes ``--device cuda``: all it computes with tensors is ops, and proved.
    ``needs``: packages of the extra ``medical`` without which it cannot train.
    """

    epochs: int
    quick_epochs: int
    batch_size: int = 64
    quick_batch_size: int = 32
    lr: float = 4e-3
    on_gpu: bool = False
    needs: tuple[str, ...] = ()

    def settle(self, options: Options, task: str) -> None:
        """Fill in what was not given.

        Raises
        ------
        ValueError
            Numbers out of range, a device that there is not: before anything is read or written.
        ImportError
            Without what it needs.
        ImportError, RuntimeError
            For a GPU without CuPy, or without a driver that fits it.
        """
        check_installed(task, self.needs)
        if options.device != "cpu" and not self.on_gpu:
            raise ValueError(
                f"{task}: --device {options.device}, cpu expected; only the tasks on images are "
                "proved on a GPU"
            )
        options.device = check_device(options.device)
        for name in ("epochs", "batch_size"):
            value = getattr(options, name)
            if value is not None and value < 1:
                raise ValueError(f"{task}: --{name.replace('_', '-')} {value} is not positive")
        if options.lr is not None and not 0 < options.lr < float("inf"):
            raise ValueError(f"{task}: --lr {options.lr} is not a positive number")
        if options.seed < 0:
            raise ValueError(f"{task}: --seed {options.seed} is negative")
        if options.epochs is None:
            options.epochs = self.quick_epochs if options.quick else self.epochs
        if options.batch_size is None:
            options.batch_size = self.quick_batch_size if options.quick else self.batch_size
        if options.lr is None:
            options.lr = self.lr


def check_installed(command: str, needed: Sequence[str], extra: str = "medical") -> None:
    """Raise `ImportError`, with what to install, where a package is lacking: before the work."""
    if lacking := [name for name in needed if find_spec(name) is None]:
        raise ImportError(f"{command}: needs {', '.join(lacking)}; pip install tinymed[{extra}]")


def declare(
    parser: argparse.ArgumentParser, task: str, data: str, settings: Mapping[str, Settings]
) -> None:
    """Add the options that every training has; `Settings.settle` fills in those not given.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    task : str
        Its name, for the folder.
    data : str
        The help of ``--data``.
    settings : mapping of str to Settings
        By ``--kind``; help tells the values of each.
    """

    def told(name: str) -> str:
        values = {kind: getattr(each, name) for kind, each in settings.items()}
        if len(set(values.values())) == 1:
            return str(next(iter(values.values())))
        return ", ".join(f"{kind} {value}" for kind, value in values.items())

    parser.add_argument("--data", type=Path, metavar="PATH", help=data)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help=f"where to write (default: the first free runs/{task}-N)",
    )
    parser.add_argument(
        "--epochs",
        type=int,
        help=f"passes over the data ({told('epochs')}; with --quick {told('quick_epochs')})",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        help=f"examples in a step ({told('batch_size')}; with --quick {told('quick_batch_size')})",
    )
    parser.add_argument("--lr", type=float, help=f"peak learning rate ({told('lr')})")
    on_gpu = any(each.on_gpu for each in settings.values())
    parser.add_argument(
        "--device",
        default="cpu",
        help="where to train: cpu (default), cuda or cuda:N" if on_gpu else argparse.SUPPRESS,
    )
    parser.add_argument("--seed", type=int, default=0, help="of everything random (0)")
    parser.add_argument("--quick", action="store_true", help="half a minute, to see it work")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the metrics here too")
