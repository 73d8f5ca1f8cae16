"""Recurrent layers with all steps in one launch: how they are cut into blocks, and the launches.

See resident.cu. `grid_plan` and `cluster_plan` are arithmetic on sizes, on what an entry point
needs (`NEEDS`) and on what the GPU has; `cuda_grid` and `cuda_cluster` are the two as
implementations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import (
    ARCHITECTURES,
    Grid,
    Resources,
    Variant,
    blocks,
    capability,
    empty,
    launch,
    resources,
)
from tinymed.kernels.recurrent.cuda import (
    carried,
    first_rows,
    flat,
    for_product,
    input_product,
    own,
    stored,
)
from tinymed.kernels.recurrent.reference import Ints
from tinymed.precision import rounded

__all__ = ["NEEDS", "VARIANTS", "Layer", "Need", "Plan", "Resident", "cluster_plan", "clusters_of",
           "grid_plan", "pays", "shared_bytes"]  # fmt: skip

WARPS, GROUP = 8, 4  # as resident.cuh has them
ITEMSIZES = {"float32": 4, "bfloat16": 2, "float16": 2}
TILES = {False: (8, 32), True: (32, 4)}  # units and sequences of a tile: of a grid, of a cluster


class Need(NamedTuple):
    """What an entry point holds on the chip, counted for each unit of the state."""

    gates: int  # rows of U
    exchanged: int  # numbers that blocks exchange at once, of each sequence
    sums: int  # of one product
    projected: int = 0  # rows of a projection, for as many units again of the state


NEEDS = {
    "rnn_forward": Need(1, 1, 1),
    "rnn_backward": Need(1, 1, 1),
    "lstm_forward": Need(4, 1, 4),
    "lstm_backward": Need(4, 4, 1),
    "lstm_projected_forward": Need(4, 1, 4, 1),
    "lstm_projected_backward": Need(4, 4, 1, 1),
    "gru_forward": Need(3, 1, 3),
    "gru_backward": Need(3, 3, 1),
    "gru_reset_before_forward": Need(3, 1, 2),  # first of r and z, then of n
    "gru_reset_before_backward": Need(3, 2, 1),  # first of n, then of r and z
}


def _variant(cluster: int, dtype: str, scalar: str) -> Variant:
    """Return the variant for clusters of so many blocks; 0 is the whole grid."""
    of_products = 75 if dtype == "float32" else 80  # of 16 bits, by tensor cores: W x is one
    least = max({0: 75, 8: 90, 16: 90}[cluster], of_products)
    numbers = {name: int(name.removeprefix("sm_")) for name in ARCHITECTURES}
    return Variant(
        name=f"recurrent/{f'cluster_{cluster}' if cluster else 'grid'}_{dtype}",
        source="recurrent/resident.cu",
        entries=tuple(NEEDS),
        defines=(("CLUSTER_BLOCKS", cluster), ("SCALAR", scalar)),
        # clusters of more than 8 blocks are for the GPUs of data centres
        architectures=tuple(
            a for a, n in numbers.items() if n >= least and (cluster < 16 or n < 120)
        ),
        cooperative=not cluster,
        cluster=cluster or 1,
    )


SCALARS = {"float32": "float", "bfloat16": "bfloat16", "float16": "float16"}
RESIDENT = {(blocks, dtype): _variant(blocks, dtype, scalar)
            for dtype, scalar in SCALARS.items() for blocks in (0, 8, 16)}  # fmt: skip
VARIANTS = tuple(RESIDENT.values())


class Plan(NamedTuple):
    """How a layer is launched."""

    variant: Variant
    grid: Grid
    units: int  # of a block
    units_of_state: int  # the same, unless there is a projection


class Layer(NamedTuple):
    """What of a layer decides how it is cut into blocks."""

    size: int  # of the cell
    state: int  # and of the state, which a projection makes another
    dtype: str = "float32"

    @classmethod
    def of(cls, weight: Array, need: Need) -> Layer:
        """Return that of U, (gates H, P)."""
        return cls(len(weight) // need.gates, weight.shape[1], weight.dtype.name)


def shared_bytes(cluster: bool, layer: Layer, units: int, of_state: int, need: Need) -> int:
    """Return the bytes of shared memory of a block: weights, parts of sums, a cluster's exchange.

    ``units`` of the cell and ``of_state`` of the state are the block's.
    """
    tile_units, tile_batch = TILES[cluster]
    parts = WARPS * tile_batch * (tile_units * need.sums + 1)  # float32
    exchange = 2 * need.exchanged * max(layer.size, layer.state) * GROUP * cluster
    weights = (need.gates + need.projected) * max(layer.state * units, layer.size * of_state)
    return 4 * (blocks((weights + exchange) * ITEMSIZES[layer.dtype], 4) + parts)


def grid_plan(layer: Layer, batch: int, need: Need, has: Resources) -> Plan | None:
    """Return the plan for a cooperative grid, or None if the weights do not fit.

    As few units a block as all multiprocessors can share, but a tile's at least; what
    multiprocessors are left then share the batch.
    """
    tile_units, tile_batch = TILES[False]
    units = max(tile_units, 2 * blocks(layer.size, 2 * has.multiprocessors))
    sharers = blocks(layer.size, units)
    of_state = 2 * blocks(layer.state, 2 * sharers) if need.projected else units
    slices = max(1, min(blocks(batch, tile_batch), has.multiprocessors // sharers))
    needed = shared_bytes(False, layer, units, of_state, need)
    if needed > has.shared:
        return None
    variant = RESIDENT[0, layer.dtype].with_shared(needed)
    return Plan(variant, Grid(sharers * slices), units, of_state)


def cluster_plan(layer: Layer, batch: int, need: Need, has: Resources, largest: int) -> Plan | None:
    """Return the plan for clusters of 8, or of 16 blocks, or None if the weights do not fit.

    ``largest`` is how many the GPU allows. 16 are taken if 8 are too few for the weights; or if
    they spare blocks a second tile of units, and all clusters run at once.
    """
    slices = blocks(batch, GROUP)
    spared = layer.size > 8 * TILES[True][0] and slices * 16 <= has.multiprocessors
    for cluster in (16, 8) if spared else (8, 16):
        units, of_state = blocks(layer.size, cluster), blocks(layer.state, cluster)
        needed = shared_bytes(True, layer, units, of_state, need)
        if cluster <= largest and needed <= has.shared:
            variant = RESIDENT[cluster, layer.dtype].with_shared(needed)
            return Plan(variant, Grid(slices * cluster), units, of_state)
    return None


def clusters_of(array: Array) -> int:
    """Return how many blocks a cluster may have on the GPU of ``array``; 0 if there are none."""
    major = capability(array)[0]
    return 0 if major < 9 else 16 if major < 12 else 8


Planner = Callable[[Array, int, Need], Plan | None]


def plan_of_grid(weight: Array, batch: int, need: Need) -> Plan | None:
    """Return `grid_plan` on the GPU of ``weight``, U."""
    return grid_plan(Layer.of(weight, need), batch, need, resources(weight))


def plan_of_clusters(weight: Array, batch: int, need: Need) -> Plan | None:
    """Return `cluster_plan` on the GPU of ``weight``, U."""
    has, largest = resources(weight), clusters_of(weight)
    return cluster_plan(Layer.of(weight, need), batch, need, has, largest)


def pays(kind: str, entry: str, weight: Array, batch: int) -> bool:
    """Return whether a layer is to run in one launch, in "grid" or "cluster", on its GPU.

    If it fits, and either all clusters run at once, or no block of the grid has more than two tiles
    of the batch one after the other. ``weight`` is U.
    """
    need, on_clusters = NEEDS[entry], kind == "cluster"
    planned = plan_of_clusters if on_clusters else plan_of_grid
    plan = planned(weight, batch, need)
    if plan is None:
        return False
    if on_clusters:
        return plan.grid.x <= resources(weight).multiprocessors
    slices = plan.grid.x // blocks(Layer.of(weight, need).size, plan.units)
    return batch <= 2 * TILES[False][1] * slices


@dataclass(frozen=True)
class Resident:
    """The layers whose weights stay in shared memory, as a planner cuts them into blocks.

    Parameters
    ----------
    name : str
        As errors name it.
    plan : function
        Of U, batch, and what a unit needs: a `Plan`, or None.
    """

    name: str
    plan: Planner

    def _run(
        self, entry: str, weight: Array, sizes: Ints, reverse: bool, batch: int,
        *arguments: Array | int | None, projection: Array | None = None,
    ) -> None:  # fmt: skip
        """Launch all steps of an entry point, with what it takes after U, a projection last."""
        sizes = tuple(n for n in sizes if n)  # those at the end have no rows
        xp, need = array_module(weight), NEEDS[entry]
        layer, plan = Layer.of(weight, need), self.plan(weight, batch, need)
        if plan is None:
            has, (major, minor) = resources(weight), capability(weight)
            raise ValueError(
                f"recurrent.{entry}: weight_hh {weight.shape} for a batch of {batch} is not for "
                f"cuda:{self.name} on this GPU, expected what fits into {has.shared} bytes of "
                f"shared memory on each of {has.multiprocessors} multiprocessors of "
                f"sm_{major}{minor}; use 'cuda', which takes any size"
            )
        exchanged = counter = None
        if plan.variant.cooperative:
            columns = blocks(batch, TILES[False][1]) * TILES[False][1]
            numbers = need.exchanged * max(layer.size, layer.state)
            exchanged = empty((2, numbers, columns), weight.dtype, weight)
            counter = xp.zeros(1, np.uint32)
        if projection is not None:
            arguments = (*arguments, *flat(projection), layer.state, plan.units_of_state)
        if sizes:
            launch(
                plan.variant, plan.grid, first_rows(sizes, weight), len(sizes), batch, layer.size,
                plan.units, reverse, exchanged, counter, *flat(weight), *arguments, entry=entry,
            )  # fmt: skip

    def rnn_forward(
        self,
        x: Array,
        h0: Array,
        weight_ih: Array,
        weight_hh: Array,
        bias_ih: Array | None,
        bias_hh: Array | None,
        sizes: Ints,
        reverse: bool,
        nonlinearity: str,
    ) -> tuple[Array, Array]:
        """h_t = f(W x_t + U h_{t-1} + b)."""
        sums, h = input_product(x, weight_ih, bias_ih), own(h0)
        output, (h0, bias_hh) = stored(sums, x), flat(h0, bias_hh)
        self._run("rnn_forward", weight_hh, sizes, reverse, len(h), h0, sums, bias_hh, h, output,
                  nonlinearity == "tanh")  # fmt: skip
        return output, h

    def rnn_backward(
        self,
        grad_output: Array | None,
        grad_h: Array,
        output: Array,
        weight_hh: Array,
        sizes: Ints,
        reverse: bool,
        nonlinearity: str,
    ) -> tuple[Array, Array]:
        """dL/ds_t = f'(s_t) dL/dh_t;  dL/dh_{t-1} = U^T dL/ds_t."""
        grad_sums, dh = empty(output.shape, output.dtype, output), carried(grad_h)
        self._run("rnn_backward", weight_hh, sizes, reverse, len(dh), *flat(grad_output), dh,
                  *flat(output), grad_sums, nonlinearity == "tanh")  # fmt: skip
        return grad_sums, rounded(dh, output.dtype)

    def lstm_forward(
        self,
        x: Array,
        h0: Array,
        c0: Array,
        weight_ih: Array,
        weight_hh: Array,
        bias_ih: Array | None,
        bias_hh: Array | None,
        weight_hr: Array | None,
        peepholes: Array | None,
        sizes: Ints,
        reverse: bool,
        training: bool,
    ) -> tuple[Array, Array, Array, Array | None, Array | None]:
        """c_t = f c_{t-1} + i g,  h_t = o tanh(c_t), or R (o tanh(c_t))."""
        sums, h, c = input_product(x, weight_ih, bias_ih), own(h0), carried(c0)
        output = empty((len(x), h.shape[1]), x.dtype, x)
        cells = empty((len(x), c.shape[1]), x.dtype, x) if training else None
        gates = stored(sums, x) if training else None
        h0, bias_hh, peepholes = flat(h0, bias_hh, peepholes)
        entry = "lstm_forward" if weight_hr is None else "lstm_projected_forward"
        self._run(entry, weight_hh, sizes, reverse, len(h), h0, sums, bias_hh, peepholes, c, h,
                  output, gates, cells, projection=weight_hr)  # fmt: skip
        return output, h, rounded(c, x.dtype), gates, cells

    def lstm_backward(
        self,
        grad_output: Array | None,
        grad_h: Array,
        grad_c: Array,
        gates: Array,
        cells: Array,
        weight_hh: Array,
        weight_hr: Array | None,
        peepholes: Array | None,
        sizes: Ints,
        reverse: bool,
    ) -> tuple[Array, Array | None, Array, Array]:
        """Each line of `lstm_forward`, the last first."""
        grad_sums = empty(gates.shape, gates.dtype, gates)
        dh, dc = carried(grad_h), carried(grad_c)
        given = len(dh), *flat(grad_output), dh, *flat(peepholes, gates, cells), dc, grad_sums
        hidden = None
        if weight_hr is None:
            self._run("lstm_backward", weight_hh, sizes, reverse, *given)
        else:
            hidden = empty((len(gates), dh.shape[1]), gates.dtype, gates)
            self._run("lstm_projected_backward", weight_hh, sizes, reverse, *given, hidden,
                      projection=weight_hr)  # fmt: skip
        return grad_sums, hidden, rounded(dh, gates.dtype), rounded(dc, gates.dtype)

    def gru_forward(
        self,
        x: Array,
        h0: Array,
        weight_ih: Array,
        weight_hh: Array,
        bias_ih: Array | None,
        bias_hh: Array | None,
        sizes: Ints,
        reverse: bool,
        reset_after: bool,
        training: bool,
    ) -> tuple[Array, Array, Array | None, Array | None]:
        """h_t = (1 - z) n + z h_{t-1}, the reset gate of n after the product with U, or before."""
        sums, state = input_product(x, weight_ih, bias_ih), carried(h0)
        output, gates = empty((len(x), h0.shape[1]), x.dtype, x), stored(sums, x)
        kept = training and reset_after
        candidates = empty(output.shape, x.dtype, x) if kept else None
        (h0, bias_hh), h = flat(h0, bias_hh), for_product(state, h0)
        to = state, None if h is state else h, output
        given = weight_hh, sizes, reverse, len(h), h0, sums, bias_hh, *to
        if reset_after:
            self._run("gru_forward", *given, gates, candidates)
        else:
            beside = None if gates is sums else gates
            self._run("gru_reset_before_forward", *given, beside)
        return output, h, gates if training else None, candidates

    def gru_backward(
        self,
        grad_output: Array | None,
        grad_h: Array,
        gates: Array,
        candidates: Array | None,
        before: Array,
        weight_hh: Array,
        sizes: Ints,
        reverse: bool,
    ) -> tuple[Array, Array, Array]:
        """Each line of `gru_forward`, the last first; ``candidates`` if the reset came after."""
        grad_sums, dh = empty(gates.shape, gates.dtype, gates), carried(grad_h)
        given = weight_hh, sizes, reverse, len(dh), *flat(grad_output), dh
        if candidates is None:
            kept = flat(gates, before)
            self._run("gru_reset_before_backward", *given, *kept, grad_sums)
            return grad_sums, grad_sums, rounded(dh, gates.dtype)
        of_state = empty(gates.shape, gates.dtype, gates)
        kept = flat(gates, candidates, before)
        self._run("gru_backward", *given, *kept, grad_sums, of_state)
        return grad_sums, of_state, rounded(dh, gates.dtype)
