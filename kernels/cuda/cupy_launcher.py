"""Kernels run by CuPy."""

from __future__ import annotations

import math
import warnings
from functools import cache
from typing import Any

import numpy as np

from tinymed.kernels.arrays import Array, is_array, place
from tinymed.kernels.cuda.cubins import cubin
from tinymed.kernels.cuda.launcher import Resources, Struct, Threads
from tinymed.kernels.cuda.nvrtc import library_version
from tinymed.kernels.cuda.tensor_map import TensorMap
from tinymed.kernels.cuda.variant import Grid, Variant
from tinymed.kernels.devices import cupy_on_gpu, out_of_memory

__all__ = ["CuPyLauncher", "cupy_launcher"]


PORTABLE_CLUSTER = 8  # blocks; more must be asked for
LARGE_CLUSTERS = 14  # CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED


class CuPyLauncher:
    """Compiles with our own options, caches, and launches on CuPy's current stream."""

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy
        # by variant, its shared memory, entry point and device
        self.functions: dict[tuple[str, int, str, int], Any] = {}
        self.has: dict[int | None, Resources] = {}  # by device: CuPy asks for all there is to know

    def holds(self, array: Array) -> bool:
        """Return whether this is a CuPy array."""
        return isinstance(array, self.cupy.ndarray)

    def capability(self, array: Array) -> tuple[int, int]:
        """Return the compute capability of an array's GPU."""
        text = self.cupy.cuda.Device(place(array).index).compute_capability
        return int(text[:-1]), int(text[-1])

    def address(self, array: Array) -> int:
        """Return where in the GPU's memory an array begins."""
        pointer: int = array.data.ptr
        return pointer

    def resources(self, array: Array) -> Resources:
        """Return what the GPU that holds an array has."""
        index = place(array).index
        if index not in self.has:
            found = self.cupy.cuda.Device(index).attributes
            self.has[index] = Resources(
                found["MultiProcessorCount"], found["MaxSharedMemoryPerBlockOptin"]
            )
        return self.has[index]

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Array) -> Array:
        """Return a new array of anything, from CuPy's pool."""
        try:
            with self.cupy.cuda.Device(place(like).index):
                return self.cupy.empty(shape, dtype)
        except self.cupy.cuda.memory.OutOfMemoryError as error:
            raise out_of_memory(self.cupy, f"empty: {np.dtype(dtype)} {shape}", error) from error

    def run(
        self, variant: Variant, entry: str, grid: Grid, threads: int, arguments: tuple[Any, ...]
    ) -> None:
        """Launch on the GPU of the first array; all others must be there too."""
        structs = [one for one in arguments if isinstance(one, Struct | TensorMap)]
        arrays = [a for a in arguments if isinstance(a, self.cupy.ndarray)]
        arrays += [a for struct in structs for a in struct.arrays]
        with self.cupy.cuda.Device(self._device(str(variant), arrays)):
            function = self._function(variant, entry, arrays[0])
            if variant.cooperative:
                self._check_residency(variant, function, grid, threads)
            try:
                given = tuple(self._by_value(a) for a in arguments)
                function(tuple(grid), (threads,), given, shared_mem=variant.shared)
            except self.cupy.cuda.driver.CUDADriverError as error:
                raise RuntimeError(
                    f"{variant}: {entry} on a grid of {tuple(grid)} with {threads} threads and "
                    f"{variant.shared} bytes of shared memory was refused: {error}"
                ) from error

    def run_python(
        self, kernel: Any, grid: Grid, threads: Threads, arguments: tuple[Any, ...]
    ) -> None:
        """Queue a kernel of numba-cuda in CuPy's current stream of the GPU of its arrays."""
        from numba import cuda
        from numba.core.errors import NumbaPerformanceWarning

        from tinymed.kernels.cuda.numba_compiler import refusal

        if why := refusal():
            raise ImportError(f"{kernel.__name__} on 'numba_cuda': {why}")
        device = self._device(kernel.__name__, [a for a in arguments if is_array(a)])
        with self.cupy.cuda.Device(device):
            stream = cuda.external_stream(self.cupy.cuda.get_current_stream().ptr)
            # else numba would wait for CuPy's stream, in which it is about to queue the kernel
            given = (cuda.as_cuda_array(a, sync=False) if is_array(a) else a for a in arguments)
            with warnings.catch_warnings():  # of few blocks, which is what small arrays make
                warnings.simplefilter("ignore", NumbaPerformanceWarning)
                configured = kernel[tuple(grid), threads, stream]
            configured(*given)

    def _device(self, name: str, arrays: list[Array]) -> int:
        """Return the number of the GPU that holds all arrays."""
        devices = sorted({int(array.device.id) for array in arrays})
        if len(devices) != 1:
            raise ValueError(
                f"{name}: arrays on the GPUs {devices}, expected one; move them with to_place"
            )
        return devices[0]

    def _by_value(self, argument: Any) -> Any:
        """Return a struct as the NumPy array of one element that CuPy takes by value."""
        if isinstance(argument, TensorMap):
            return argument.encoded(self.address(argument.array))
        if not isinstance(argument, Struct):
            return argument
        words = enumerate(argument.words)
        return argument.written({n: self.address(word) for n, word in words if is_array(word)})

    def _function(self, variant: Variant, entry: str, array: Array) -> Any:
        """Return the compiled entry point for the GPU of an array, loading it once."""
        known = (variant.name, variant.shared, entry, array.device.id)
        if known not in self.functions:
            _check_driver(self.cupy)
            target = variant.target(self.capability(array))
            module = self.cupy.RawModule(
                path=str(cubin(variant, target)),
                enable_cooperative_groups=variant.cooperative,
            )
            function = module.get_function(entry)
            # Only ever more: launches with other sizes share the function, and what it is allowed.
            if variant.shared > function.max_dynamic_shared_size_bytes:
                function.max_dynamic_shared_size_bytes = variant.shared
            if variant.cluster > PORTABLE_CLUSTER:
                self.cupy.cuda.driver.funcSetAttribute(function.kernel.ptr, LARGE_CLUSTERS, 1)
            self.functions[known] = function
        return self.functions[known]

    def _check_residency(self, variant: Variant, function: Any, grid: Grid, threads: int) -> None:
        """Raise if not all blocks of a cooperative grid fit on the GPU: CuPy would only warn."""
        each = self.cupy.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(
            function.kernel.ptr, threads, variant.shared
        )
        most = each * self.cupy.cuda.Device().attributes["MultiProcessorCount"]
        if math.prod(grid) > most:
            raise ValueError(
                f"{variant}: a cooperative grid of {math.prod(grid)} blocks, expected {most} at "
                "most on this GPU, where they must all be resident; use smaller batches"
            )


def _check_driver(cupy: Any) -> None:
    """Raise if the driver is older than the compiler whose code it is to load."""
    has, needs = cupy.cuda.runtime.driverGetVersion() // 1000, library_version()[0]
    if has < needs:
        raise RuntimeError(
            f"launch: the driver is for CUDA {has}, the kernels are compiled by NVRTC {needs}; "
            f"pip install tinymed[cuda{has}], or update the driver"
        )


@cache
def cupy_launcher() -> CuPyLauncher:
    """Return the launcher of this process.

    Raises
    ------
    ImportError
        If CuPy is not installed.
    RuntimeError
        If there is no NVIDIA driver or no GPU.
    """
    return CuPyLauncher(cupy_on_gpu("launch: a CUDA kernel"))
