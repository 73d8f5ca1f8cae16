"""U-Net: outlines what it sees, in planes or volumes."""

from __future__ import annotations

import itertools
import math
from typing import Any

import tinymed as tm
from tinymed import nn

__all__ = ["UNet"]


class UNet(nn.Module):
    """Convolutions at ever lower resolutions and back, with a shortcut at each of them.

    Down: [conv, norm, relu] twice per width, at half the resolution of the width before. Up: what
    comes from below, reduced to this width and repeated twice along each axis, beside what this
    resolution held on the way down, through [conv, norm, relu] twice. Each resolution keeps what
    lies over an odd edge: it is halved upwards, and what comes back is cropped to what it was, so
    that every voxel keeps its place whatever the size.

    Batch norm, although few volumes fit into a batch: a norm of each volume by itself (instance,
    group) forgets how bright it is, which in CT says what it is made of.

    Parameters
    ----------
    dimensions : 2 or 3
        Planes (N, C, H, W) or volumes (N, C, D, H, W).
    in_channels, out_channels : int
    widths : sequence of int
        Channels at each resolution, the finest first.
    prior : float in (0, 1)
        What share of the voxels is expected to be 1: the first logits say so, instead of a half.

    Raises
    ------
    ValueError
        Other dimensions, or no widths.

    References
    ----------
    Ronneberger, Fischer, Brox (2015), U-Net; Cicek et al. (2016), 3D U-Net; Lin et
    al. (2017), section 4.1, the prior.

    Examples
    --------
    >>> import tinymed as tm
    >>> UNet(dimensions=3)(tm.zeros(1, 1, 9, 10, 11)).shape
    (1, 1, 9, 10, 11)
    """

    def __init__(
        self,
        dimensions: int = 2,
        in_channels: int = 1,
        out_channels: int = 1,
        widths: tuple[int, ...] = (8, 16, 32, 64),
        prior: float = 0.03,
    ) -> None:
        super().__init__()
        if dimensions not in (2, 3):
            raise ValueError(f"UNet: dimensions={dimensions!r}, 2 or 3 expected")
        if not widths:
            raise ValueError("UNet: no widths, the channels of at least one resolution expected")
        if not 0 < prior < 1:
            raise ValueError(f"UNet: prior={prior}, a share between 0 and 1 expected")
        self.conv = nn.Conv2d if dimensions == 2 else nn.Conv3d
        self.norm = nn.BatchNorm2d if dimensions == 2 else nn.BatchNorm3d
        pool = nn.MaxPool2d if dimensions == 2 else nn.MaxPool3d
        self.down = nn.ModuleList(
            [self.pair(*two) for two in itertools.pairwise((in_channels, *widths))]
        )
        self.halve = pool(2, ceil_mode=True)
        steps = list(itertools.pairwise(widths))
        self.reduce = nn.ModuleList([self.conv(coarse, fine, 1) for fine, coarse in steps])
        self.up = nn.ModuleList([self.pair(2 * fine, fine) for fine, _ in steps])
        self.enlarge = nn.Upsample(scale_factor=2)
        self.head = self.conv(widths[0], out_channels, 1)
        if self.head.bias is not None:  # it has one: for the checker of types
            nn.init.constant_(self.head.bias, math.log(prior / (1 - prior)))

    def pair(self, before: int, width: int) -> nn.Sequential:
        """Return two convolutions, each with its norm."""
        layers: list[nn.Module] = []
        for channels in (before, width):
            layers += [
                self.conv(channels, width, 3, padding=1, bias=False),  # the norm has a bias
                self.norm(width),
                nn.ReLU(),
            ]
        return nn.Sequential(*layers)

    def forward(self, x: Any) -> Any:
        """Return logits, (N, C, ...) -> (N, out_channels, ...) of the same size."""
        shortcuts = []
        for depth, pair in enumerate(self.down):
            x = pair(self.halve(x) if depth else x)
            shortcuts.append(x)
        for depth in reversed(range(len(self.up))):
            shortcut = shortcuts[depth]
            x = self.enlarge(self.reduce[depth](x))
            x = x[(..., *(slice(size) for size in shortcut.shape[2:]))]
            x = self.up[depth](tm.cat([shortcut, x], dim=1))
        return self.head(x)
