"""The proof on the real thing: every kernel on a GPU, and what it takes there.

`steps` are all that is to be done, in the order of what matters most. A process of its own
(`worker`) does them, since a kernel that fails badly takes the GPU's context of its process with
it, and may never come to an end; `supervisor` starts the next one after it, and keeps an eye on the
card's `clocks`. Each row is in the `journal` at once, so that no run is for nothing. Behind
``python -m benchmarks.gpu_verify`` and, proofs alone, ``tinymed verify``. Tests put a device that
is emulated in the place of `device`.
"""
