"""Round tapering tubes: how much of each pixel they fill, and how vessels grow through a lung.

Tubes are rows of eight numbers: start x, y, z, end x, y, z, radius at either, in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tinymed.medical.imaging.slabs import Array, Integers, Points, Slab, directions, unit

__all__ = ["Tubes", "bent", "grow"]


@dataclass(frozen=True)
class Tubes:
    """Round tapering tubes, pieces (S, 8)."""

    pieces: Points

    @cached_property
    def _box(self) -> tuple[Array, Array]:
        """The lowest and highest x, y, z of each, (3, S)."""
        start, end = self.pieces[:, :3].T, self.pieces[:, 3:6].T
        reach = np.maximum(self.pieces[:, 6], self.pieces[:, 7])
        low, high = np.minimum(start, end) - reach, np.maximum(start, end) + reach
        return low.astype(np.float32), high.astype(np.float32)

    def near(self, slab: Slab) -> Points:
        """Return those whose box meets that of the slab; most of a tree is out of sight."""
        (low, high), (least, greatest) = self._box, slab.box
        least, greatest = least - slab.pixel, greatest + slab.pixel
        seen = np.flatnonzero((low[2] <= greatest[2]) & (high[2] >= least[2]))
        for axis in (1, 0):
            within = (low[axis, seen] <= greatest[axis]) & (high[axis, seen] >= least[axis])
            seen = seen[within]
        return self.pieces[seen]

    def coverage(self, slab: Slab) -> Array:
        """Return how much of each sample (P, H, W) their union fills.

        Notes
        -----
        Each tube is looked at in its own small box of each plane; the boxes of all tubes are laid
        end to end, so that the work is that of their pixels and there is no loop.
        """
        total = np.zeros(slab.shape, np.float32)
        pieces = self.near(slab)
        if not len(pieces):
            return total
        boxes = _boxes(slab, pieces)
        tube, plane, row, column = _pixels_of(boxes)
        start = pieces[:, :3].astype(np.float32)
        axis = (pieces[:, 3:6] - pieces[:, :3]).astype(np.float32)
        squared = (axis**2).sum(1) + np.float32(1e-9)
        radius = pieces[:, 6:].astype(np.float32)
        place = (slab.x.ravel()[column], slab.y.ravel()[row], slab.z.ravel()[plane])
        offset = [place[i] - start[tube, i] for i in range(3)]
        along = sum(offset[i] * axis[tube, i] for i in range(3))
        share = np.clip(along / squared[tube], 0, 1)  # nearest point of the axis, 0 at the start
        gap = sum(d * d for d in offset) + share * (share * squared[tube] - 2 * along)
        wide = radius[tube, 0] + share * (radius[tube, 1] - radius[tube, 0])
        inside = (wide - np.sqrt(np.maximum(gap, 0))) / np.float32(slab.pixel) + np.float32(0.5)
        # a tube thinner than a pixel never fills it
        filled = np.clip(inside, 0, np.minimum(1, 2 * wide / np.float32(slab.pixel)))
        _, height, width = slab.shape
        np.maximum.at(total.reshape(-1), (plane * height + row) * width + column, filled)
        return total


def _boxes(slab: Slab, pieces: Points) -> Integers:
    """Return tube, plane, first row, rows, first column, columns of each box, all above 0."""
    heights = slab.z.ravel().astype(float)
    rise = (pieces[:, 5] - pieces[:, 2])[:, None]
    reach = np.maximum(pieces[:, 6], pieces[:, 7])[:, None] + 0.5 * slab.pixel
    level = np.where(np.abs(rise) < 1e-9, 1e-9, rise)
    crossings = (heights - pieces[:, 2:3] + np.array([[[-1.0]], [[1.0]]]) * reach) / level
    first, last = np.clip(crossings.min(0), 0, 1), np.clip(crossings.max(0), 0, 1)  # (S, P)
    lowest = np.minimum(pieces[:, 2], pieces[:, 5])[:, None] - reach
    highest = np.maximum(pieces[:, 2], pieces[:, 5])[:, None] + reach
    tube, plane = np.nonzero((heights > lowest) & (heights < highest))
    columns = [tube, plane]
    for axis, ticks in ((1, slab.y.ravel()), (0, slab.x.ravel())):
        start = pieces[tube, axis]
        slope = pieces[tube, 3 + axis] - start
        ends = start + slope * np.stack([first[tube, plane], last[tube, plane]])
        low = (ends.min(0) - reach[tube, 0] - ticks[0]) / slab.pixel
        high = (ends.max(0) + reach[tube, 0] - ticks[0]) / slab.pixel
        begin = np.clip(np.ceil(low), 0, len(ticks)).astype(np.int64)
        stop = np.clip(np.floor(high) + 1, 0, len(ticks)).astype(np.int64)
        columns += [begin, stop - begin]
    boxes = np.stack(columns, 1)
    return boxes[(boxes[:, 3] > 0) & (boxes[:, 5] > 0)]


def _pixels_of(boxes: Integers) -> tuple[Integers, Integers, Integers, Integers]:
    """Return tube, plane, row and column of every pixel in every box."""
    sizes = boxes[:, 3] * boxes[:, 5]
    box = np.repeat(np.arange(len(boxes)), sizes)
    within = np.arange(len(box)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    row, column = np.divmod(within, boxes[box, 5])
    return boxes[box, 0], boxes[box, 1], boxes[box, 2] + row, boxes[box, 4] + column


def grow(
    points: Points,
    tree: Integers,
    roots: Points,
    leaf: Points,
    generator: np.random.Generator,
) -> tuple[Points, Integers]:
    """Grow one vessel from each root to all points of its tree, forking in two each time.

    A branch runs some way towards the centre of its points and splits them by a plane through that
    centre, which holds the branch and turns from fork to fork.

    Parameters
    ----------
    points : array (N, 3)
        What the trees are to reach, in mm.
    tree : array of int (N,)
        To which of the T trees each belongs.
    roots : array (T, 3)
    leaf : array (T,)
        Radius in mm of a branch that serves one point.

    Returns
    -------
    pieces : array (S, 8)
        Tubes. Murray's law r^3 = r_1^3 + r_2^3 holds at each fork.
    facts : array of int (S, 3)
        Of each tube its tree, how many points it serves, and the row of the tube it leaves (its own
        row for the trunk of a tree).

    References
    ----------
    Tawhai, Pullan, Hunter (2000), "Generation of an anatomically based three-dimensional model of
    the conducting airways", Annals of Biomedical Engineering 28. Murray (1926), PNAS 12.
    """
    starts, owner = roots.astype(float), np.arange(len(roots))
    parent, branch = np.arange(len(roots)), tree.astype(np.int64)
    normal = directions(generator, len(roots))
    coordinates = np.ascontiguousarray(points.T)
    made: list[Points] = []
    facts: list[Integers] = []
    rows = 0
    while branch.size:
        count = np.bincount(branch, minlength=len(starts))
        sums = [np.bincount(branch, axis, len(starts)) for axis in coordinates]
        centre = np.stack(sums, 1) / count[:, None]
        share = generator.uniform(0.3, 0.5, (len(starts), 1))
        share[count == 1] = 1.0
        ends = starts + share * (centre - starts)
        radius = leaf[owner] * np.cbrt(count)
        made.append(np.column_stack([starts, ends, radius, 0.94 * radius]))
        facts.append(np.stack([owner, count, parent], 1))
        wobble = 0.1 * generator.normal(size=normal.shape)
        normal = unit(unit(np.cross(ends - starts, normal)) + wobble)
        going = np.flatnonzero((count > 1)[branch])
        coordinates, branch = coordinates[:, going], branch[going]
        level = (normal * centre).sum(1)[branch]
        above = sum(axis * n[branch] for axis, n in zip(coordinates, normal.T, strict=True)) > level
        children = 2 * branch + above
        present = np.bincount(children, minlength=2 * len(count)) > 0
        branch = (np.cumsum(present) - 1)[children]
        up = np.flatnonzero(present) // 2
        starts, owner, parent, normal = ends[up], owner[up], rows + up, normal[up]
        rows += len(count)
    return np.concatenate(made), np.concatenate(facts)


def bent(pieces: Points, generator: np.random.Generator, amount: float = 0.08) -> Points:
    """Return each tube as two, with a bend in the middle of ``amount`` of its length (2 S, 8)."""
    start, end, radii = pieces[:, :3], pieces[:, 3:6], pieces[:, 6:]
    length = np.sqrt(((end - start) ** 2).sum(1, keepdims=True))
    middle = (start + end) / 2 + amount * length * generator.normal(size=start.shape)
    mean = radii.mean(1, keepdims=True)
    first = np.concatenate([start, middle, radii[:, :1], mean], 1)
    second = np.concatenate([middle, end, mean, radii[:, 1:]], 1)
    return np.stack([first, second], 1).reshape(-1, 8)
