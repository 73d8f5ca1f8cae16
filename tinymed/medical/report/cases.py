"""Single cases of a page: those the model is most wrong about, and some drawn at random.

The worst show how it fails; the random ones how it usually does, so that nobody judges by the
worst alone.
"""

from __future__ import annotations

from collections.abc import Sized
from io import BytesIO
from typing import Any

import numpy as np

from tinymed import nn
from tinymed.interpret import grad_cam, log_odds
from tinymed.medical.report.evidence import Evidence
from tinymed.medical.report.page import Picture, Section, Table

__all__ = ["case_tables", "galleries", "heat_maps", "random_cases", "worst_cases"]

Array = np.ndarray[Any, Any]
SHOWN = 12  # of the worst, and as many at random
LONGEST = 160  # characters of a case's name
SEEN = 0.55  # opacity of a heat-map where it is strongest


def worst_cases(evidence: Evidence) -> Array:
    """Return the cases furthest from their truth, the worst first."""
    order: Array = np.argsort(-evidence.error, kind="stable")[:SHOWN]
    return order


def random_cases(evidence: Sized) -> Array:
    """Return cases drawn without looking, in their order; the same for the same number of them."""
    count = min(SHOWN, len(evidence))
    return np.sort(np.random.default_rng(0).permutation(len(evidence))[:count])


def case_tables(evidence: Evidence) -> Section:
    """Return worst and random cases as text."""
    columns = ("case", *(() if evidence.names is None else ("input",)), "true", "said", "score")
    tables = [
        Table(columns, [_row(evidence, int(case)) for case in chosen], title)
        for title, chosen in (
            ("Worst mistakes", worst_cases(evidence)),
            ("Drawn at random", random_cases(evidence)),
        )
    ]
    return Section("Cases", (CAUTION,), tables)


CAUTION = (
    "These are cases of the data: pass this page on only where the data may go. Cases count from "
    "0, in the order in which they were read."
)


def galleries(evidence: Evidence, images: Array, maps: Array | None) -> list[Section]:
    """Return worst and random cases as pictures.

    Parameters
    ----------
    evidence : Evidence
        Of two classes.
    images : array (n, H, W)
        All cases, on one scale.
    maps : array (m, H, W), m the worst and then the random cases, or None
        `heat_maps` of these, laid over a second copy of the image.
    """
    chosen = np.concatenate([worst_cases(evidence), random_cases(evidence)])
    low, high = float(images.min()), float(images.max())
    shown = []
    for position, case in enumerate(chosen.tolist()):
        grey = (images[case] - low) / max(high - low, 1e-12)
        panels = [np.repeat(grey[..., None], 3, axis=2)]
        if maps is not None:
            panels.append(overlaid(panels[0], maps[position]))
        truth, said = (evidence.classes[c[case]] for c in (evidence.truth, evidence.decided))
        text = f"case {case}: true {truth}, said {said}, score {evidence.found[case]:.3f}"
        alt = text + (", beside it its heat-map" if maps is not None else "")
        shown.append(Picture(png(panels), alt, text, marked=truth != said))
    count = len(worst_cases(evidence))
    if maps is None:
        note = "No heat-maps: the network has no convolution of planes."
    else:
        note = (
            f"Beside each image its Grad-CAM: red speaks for {evidence.classes[1]}, blue against "
            "it, at the last convolution, for the image as it stands. It shows where the network "
            "looked, not that it was right to look there."
        )
    return [
        Section("Worst mistakes", (note, CAUTION), pictures=shown[:count], gallery=True),
        Section("Drawn at random", pictures=shown[count:], gallery=True),
    ]


def heat_maps(network: nn.Module, planes: Array) -> Array | None:
    """Return the signed Grad-CAM (n, H, W) of class 1, from planes (n, C, H, W).

    None for a network without a convolution of planes.
    """
    if not any(isinstance(module, nn.Conv2d) for module in network.modules()):
        return None
    maps: Array = grad_cam(network, planes, log_odds(1), signed=True)
    return maps[:, 0]


def overlaid(picture: Array, heat: Array) -> Array:
    """Return a picture (H, W, 3) in [0, 1] with a map (H, W): red for, blue against."""
    strength = heat / max(float(np.abs(heat).max()), 1e-12)  # of each image on its own
    colour = np.where(strength[..., None] > 0, (0.84, 0.15, 0.0), (0.0, 0.35, 0.85))
    opacity = SEEN * np.abs(strength)[..., None]
    blended: Array = picture * (1 - opacity) + colour * opacity
    return blended


def png(panels: list[Array]) -> bytes:
    """Return pictures (H, W, 3) in [0, 1] side by side, a white line between, as PNG."""
    try:
        from matplotlib.image import imsave
    except ImportError as error:
        raise ImportError("png: needs matplotlib; pip install tinymed[report]") from error
    line = np.ones((panels[0].shape[0], 1, 3))
    parts = [part for panel in panels for part in (line, panel)][1:]
    file = BytesIO()
    imsave(file, np.rint(np.concatenate(parts, axis=1) * 255).astype(np.uint8), format="png")
    return file.getvalue()


def _row(evidence: Evidence, case: int) -> tuple[Any, ...]:
    named: tuple[str, ...] = ()
    if evidence.names is not None:
        name = str(evidence.names[case])
        named = (name if len(name) <= LONGEST else f"{name[:LONGEST]} ...",)
    truth, said = evidence.truth[case], evidence.decided[case]
    if evidence.kind == "numbers":
        return (case, *named, float(truth), float(said), f"off by {abs(said - truth):.3g}")
    score = evidence.found[case]
    shown = float(score) if evidence.kind == "binary" else float(score[said])
    return (case, *named, evidence.classes[int(truth)], evidence.classes[int(said)], shown)
