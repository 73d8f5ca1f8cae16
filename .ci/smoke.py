"""Use the installed wheel as a user would, away from the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

LIMIT = 500_000  # bytes of the core: the wheel without what is built on it, and without kernels
WHOLE = 1_600_000  # bytes of the wheel, sources of CUDA kernels included
BESIDE = ("tinymed/medical/", "tinymed/interpret/", "tinymed/bench/", "tinymed/kernels/")


def check(holds: bool, message: str) -> None:
    """Stop with a message unless ``holds``."""
    if not holds:
        raise SystemExit(f"smoke: {message}")


wheel = Path(sys.argv[1])
with zipfile.ZipFile(wheel) as archive:
    core = [e for e in archive.infolist() if not e.filename.startswith(BESIDE)]
whole, size = wheel.stat().st_size, sum(e.compress_size for e in core)
print(f"smoke: the wheel has {whole} bytes, {size} of them for the core")
check(size < LIMIT, f"the core of the wheel has {size} bytes, expected fewer than {LIMIT}")
check(whole < WHOLE, f"the wheel has {whole} bytes, expected fewer than {WHOLE}")

import tinymed as tm  # noqa: E402  after the wheel's own size

check("site-packages" in tm.__file__, f"tinymed comes from {tm.__file__}, not from the wheel")
layer = tm.nn.Sequential(tm.nn.Conv2d(1, 2, 3, activation="relu"), tm.nn.Flatten())
layer(tm.ones(1, 1, 5, 5)).sum().backward()
check(layer[0].weight.grad.shape == (2, 1, 3, 3), "a gradient has the wrong shape")
check(len(tm.kernels.KERNELS) > 5, "kernels are missing from the wheel")
for command in (
    [sys.executable, "-m", "tinymed.kernels"],
    [str(Path(sys.executable).parent / "tinymed"), "info"],
):
    subprocess.run(command, check=True)
print(f"smoke: the wheel works; {size} bytes")
