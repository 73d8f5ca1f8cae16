"""The certificate of a proof: on what, with what, which kernels, and how large the errors are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinymed.bench.machine import machine
from tinymed.bench.verify import Verdict

__all__ = ["Certificate", "of_device", "of_host"]

SHOWN = ("capability", "driver", "cuda_of_driver", "cuda", "nvrtc", "cupy")
PROVED = "proved"


@dataclass(frozen=True)
class Certificate:
    """What was proved on one device.

    Parameters
    ----------
    about : dict
        The device, versions, date and commit.
    rows : sequence of dict
        For each implementation: kernel, implementation, state ("proved", "wrong", "failed",
        "crashed", "hung" or "not run"), proved (cases), worst (the largest error as a fraction of
        what is allowed), failures.
    """

    about: dict[str, Any]
    rows: Sequence[dict[str, Any]]

    @property
    def wrong(self) -> list[dict[str, Any]]:
        """Return the rows of what is wrong."""
        return [row for row in self.rows if row["state"] not in (PROVED, "not run")]

    @property
    def complete(self) -> bool:
        """Whether everything was proved."""
        return bool(self.rows) and all(row["state"] == PROVED for row in self.rows)

    def lines(self) -> Iterator[str]:
        """Yield the certificate as text."""
        about = self.about
        yield f"certificate of tinymed {about['versions'].get('tinymed')} on {self.device}"
        own = [f"{name.replace('_', ' ')} {_text(about[name])}" for name in SHOWN if name in about]
        packages = [f"{name} {v}" for name, v in about["versions"].items() if v and name in HOST]
        where = f"commit {about['commit']}" if about.get("commit") else "no commit"
        yield f"  {', '.join([*own, *packages, where, about['date']])}"
        proved = [row for row in self.rows if row["state"] == PROVED]
        kernels = {row["kernel"] for row in proved}
        cases = sum(row["proved"] for row in proved)
        yield (
            f"  proved: {len(proved)} of {len(self.rows)} implementations, of {len(kernels)} "
            f"kernels, on {cases} cases"
        )
        if proved:
            worst = max(proved, key=lambda row: row["worst"])
            name = f"{worst['kernel']} on {worst['implementation']}"
            yield f"  largest error: {worst['worst']:.0%} of the tolerance ({name})"
        for row in self.rows:
            if row["state"] != PROVED:
                why = "; ".join(row["failures"]) or row.get("note", "")
                yield f"  {row['state']}: {row['kernel']} on {row['implementation']}: {why}"

    @property
    def device(self) -> str:
        """Return the device's name."""
        found: str = self.about.get("device") or self.about["cpu"]
        return found

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON writes it."""
        worst = max((row.get("worst", 0.0) for row in self.rows), default=0.0)
        return {
            "about": self.about,
            "complete": self.complete,
            "largest_error": worst,
            "rows": list(self.rows),
        }


HOST = ("numpy", "numba")


def _text(value: Any) -> str:
    return ".".join(map(str, value)) if isinstance(value, list) else str(value)


def of_host(verdicts: Sequence[Verdict]) -> Certificate:
    """Return the certificate of what was proved on this machine's processor."""
    return Certificate(machine(), [_row(verdict) for verdict in verdicts])


def _row(verdict: Verdict) -> dict[str, Any]:
    state = "not run" if verdict.note else "wrong" if verdict.failures else PROVED
    return {
        "kernel": verdict.kernel,
        "implementation": verdict.implementation,
        "state": state,
        "proved": verdict.proved,
        "worst": verdict.worst,
        "failures": verdict.failures,
        "note": verdict.note,
    }


def of_device(kernels: Sequence[str], minutes: float, device: str | None = None) -> Certificate:
    """Prove the implementations of these kernels on the GPU; return the certificate.

    ``device`` is "module:function" that connects to another than CuPy's GPU.

    Raises
    ------
    NoGpuError
        If there is no GPU to be used: what to install or change.
    """
    import tempfile

    from tinymed.bench.gpu.device import DEVICE
    from tinymed.bench.gpu.supervisor import Run, supervise

    with tempfile.TemporaryDirectory() as folder:
        path, kinds = Path(folder) / "gpu.jsonl", ("compile", "check")
        run = Run(path, minutes, kinds, kernels, device=device or DEVICE)
        journal = supervise(run)
        about, rows = journal.about(), journal.rows()
    found = {row["step"]: row for row in rows if row["step"].startswith("check ")}
    checks = [name for name in run.names() if name.startswith("check ")]
    return Certificate(about, [_of_step(name, found) for name in checks])


def _of_step(name: str, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the row of a step, with all that a certificate says of one."""
    _, kernel, implementation = name.split()
    nothing = {"kernel": kernel, "implementation": implementation, "state": "not run", "proved": 0}
    nothing |= {"worst": 0.0, "failures": [], "note": "the time was over"}
    return nothing | found[name] if name in found else nothing
