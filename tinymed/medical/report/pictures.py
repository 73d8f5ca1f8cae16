"""Pictures of a result, each a PNG: curves, a confusion matrix, a montage of cases.

Each is written to a path, or to a file that is open for bytes.

Nothing is measured here: the functions take what `tinymed.metrics` returns. They draw on figures of
their own, without pyplot, so they need no display and leave the user's plots alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "draw_agreement",
    "draw_confusion_matrix",
    "draw_montage",
    "draw_precision_recall",
    "draw_reliability",
    "draw_roc",
    "draw_training",
]

_Path = str | os.PathLike[str] | IO[bytes]
_Band = tuple[ArrayLike, ArrayLike, ArrayLike]  # places, lower and upper edge

# Okabe and Ito's colours, told apart by colour-blind readers too.
_BLUE, _RED, _GREEN, _GREY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"
_DPI = 120


def draw_roc(
    path: _Path,
    fpr: ArrayLike,
    tpr: ArrayLike,
    *,
    auc: float,
    interval: tuple[float, float] | None = None,
    band: _Band | None = None,
    operating_point: tuple[float, float] | None = None,
) -> None:
    """Draw the ROC curve, with the point at which the model is used.

    Parameters
    ----------
    path : path or binary file
        The PNG to write.
    fpr, tpr : array (T,), in [0, 1]
        As `tinymed.metrics.roc_curve` gives them.
    auc : float
        Area under the curve.
    interval : (float, float), optional
        Its 95 % interval.
    band : (array (G,), array (G,), array (G,)), optional
        False positive rates, and the 95 % interval of the recall at each.
    operating_point : (float, float), optional
        False and true positive rate, 1 - specificity and recall, at the chosen threshold.
    """
    x, y = _rates("draw_roc", fpr=fpr, tpr=tpr)
    figure, axes = _square_axes("draw_roc")
    label = f"AUC {auc:.3f}" + _interval_text(interval)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle=":", label="chance")
    axes.plot(x, y, color=_BLUE, linewidth=2, label=label)
    if band is None:
        axes.fill_between(x, y, color=_BLUE, alpha=0.08, linewidth=0)
    else:
        _shade("draw_roc", axes, band)
    if operating_point is not None:
        rate, recall = operating_point
        text = f"threshold: recall {recall:.3f}, specificity {1 - rate:.3f}"
        axes.plot(rate, recall, "o", color=_RED, markersize=8, label=text)
    axes.set(xlabel="1 - specificity (false positive rate)", ylabel="recall (true positive rate)")
    axes.legend(loc="lower right", frameon=False)
    _save(figure, path)


def draw_precision_recall(
    path: _Path,
    precision: ArrayLike,
    recall: ArrayLike,
    *,
    average_precision: float,
    prevalence: float,
    interval: tuple[float, float] | None = None,
    band: _Band | None = None,
    operating_point: tuple[float, float] | None = None,
) -> None:
    """Draw precision against recall.

    Parameters
    ----------
    precision, recall : array (T,), in [0, 1]
        As `tinymed.metrics.precision_recall_curve` gives them.
    average_precision : float
        The area under the steps.
    prevalence : float
        Share of positive cases: the precision of guessing.
    interval : (float, float), optional
        The 95 % interval of the average precision.
    band : (array (G,), array (G,), array (G,)), optional
        Recalls, and the 95 % interval of the precision at each.
    operating_point : (float, float), optional
        Recall and precision at the chosen threshold.
    """
    y, x = _rates("draw_precision_recall", precision=precision, recall=recall)
    figure, axes = _square_axes("draw_precision_recall")
    guess = f"chance: {prevalence:.3f} of the cases are positive"
    axes.axhline(prevalence, color=_GREY, linewidth=1, linestyle=":", label=guess)
    label = f"average precision {average_precision:.3f}" + _interval_text(interval)
    axes.step(x, y, where="post", color=_BLUE, linewidth=2, label=label)
    if band is None:
        axes.fill_between(x, y, step="post", color=_BLUE, alpha=0.08, linewidth=0)
    else:
        _shade("draw_precision_recall", axes, band)
    if operating_point is not None:
        text = f"threshold: recall {operating_point[0]:.3f}, precision {operating_point[1]:.3f}"
        axes.plot(*operating_point, "o", color=_RED, markersize=8, label=text)
    axes.set(xlabel="recall", ylabel="precision")
    axes.legend(loc="lower left", frameon=False)
    _save(figure, path)


def draw_confusion_matrix(path: _Path, matrix: ArrayLike, *, classes: Sequence[str]) -> None:
    """Draw counts and shares of each true class.

    Parameters
    ----------
    matrix : array of int (K, K)
        Row = true class, column = predicted class.
    classes : sequence of K str
        Their names.
    """
    counts = np.asarray(matrix)
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(
            f"draw_confusion_matrix: matrix {counts.shape} for {len(classes)} classes, "
            f"({len(classes)}, {len(classes)}) expected"
        )
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = max(4.2, 1.6 + 1.1 * len(classes))
    figure = _figure("draw_confusion_matrix", side, side)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        ink = "white" if share > 0.55 else "black"
        text = f"{counts[row, column]}\n{share:.1%}"
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=12)
    axes.set_xticks(range(len(classes)), classes, parse_math=False)
    axes.set_yticks(range(len(classes)), classes, parse_math=False, rotation=90, va="center")
    axes.set(xlabel="predicted", ylabel="true")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    _save(figure, path)


def draw_reliability(
    path: _Path,
    fraction_positive: ArrayLike,
    mean_predicted: ArrayLike,
    support: ArrayLike,
    *,
    error: float | None = None,
) -> None:
    """Draw what was predicted against what happened, and how many cases say so.

    Parameters
    ----------
    fraction_positive, mean_predicted, support : array (B,)
        As `tinymed.metrics.reliability_curve` gives them.
    error : float, optional
        Expected calibration error, written beside the curve.

    Notes
    -----
    The bars are 95 % Wilson score intervals: few cases prove little.

    References
    ----------
    Wilson (1927), "Probable inference, the law of succession, and statistical inference", J. Am.
    Stat. Assoc. 22.
    """
    y, x = _rates("draw_reliability", fraction_positive=fraction_positive, predicted=mean_predicted)
    n = np.asarray(support, np.float64)
    if n.shape != x.shape or not (n > 0).all():
        raise ValueError(f"draw_reliability: support {n.tolist()}, {len(x)} counts > 0 expected")
    z = 1.96
    middle = (y + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(y * (1 - y) / n + z**2 / (4 * n**2))
    figure = _figure("draw_reliability", 5.2, 6.2)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle=":", label="perfect")
    axes.vlines(x, middle - half, middle + half, color=_BLUE, linewidth=1.5, alpha=0.5)
    label = "model" if error is None else f"model (calibration error {error:.3f})"
    axes.plot(x, y, "o-", color=_BLUE, linewidth=2, markersize=5, label=label)
    axes.set(ylabel="share that was positive", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="upper left", frameon=False)
    below.bar(x, n, width=0.04, color=_BLUE)
    below.set(xlabel="predicted probability", ylabel="cases", yscale="log", ylim=(0.8, None))
    below.minorticks_off()
    _plain(axes, below)
    _save(figure, path)


def draw_agreement(path: _Path, truth: ArrayLike, found: ArrayLike, *, quantity: str) -> None:
    """Draw predicted against true numbers.

    Parameters
    ----------
    truth, found : array (n,), finite
    quantity : str
        What they are, for the axes.
    """
    x, y = np.asarray(truth, np.float64), np.asarray(found, np.float64)
    if x.shape != y.shape or x.ndim != 1 or not x.size or not np.isfinite([x, y]).all():
        raise ValueError(
            f"draw_agreement: truth {x.shape}, found {y.shape}; finite and of one length expected"
        )
    figure = _figure("draw_agreement", 5.2, 5.2)
    axes = figure.add_subplot()
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    axes.plot(ends, ends, color=_GREY, linewidth=1, linestyle=":", label="perfect")
    axes.plot(x, y, ".", color=_BLUE, markersize=4, alpha=0.5)
    axes.set_xlabel(f"true {quantity}", parse_math=False)
    axes.set_ylabel(f"predicted {quantity}", parse_math=False)
    axes.legend(loc="upper left", frameon=False)
    _plain(axes)
    _save(figure, path)


def draw_training(
    path: _Path, log: Sequence[Mapping[str, Any]], *, best_epoch: int | None = None
) -> None:
    """Draw every number that was logged, epoch by epoch.

    Parameters
    ----------
    log : sequence of dict
        One for each epoch. ``train_loss`` and ``val_loss`` share a panel, so do all names that
        differ in ``train_`` or ``val_`` only; a missing number leaves a gap. ``epoch`` counts
        from 1 where it is not given; values that are not numbers are not drawn.
    best_epoch : int, optional
        The epoch whose weights were kept.
    """
    panels: dict[str, dict[str, str]] = {}  # panel -> series -> key
    for key in dict.fromkeys(key for row in log for key in row if _is_number(row[key])):
        side, _, rest = key.partition("_")
        panel, series = (rest, side) if rest and side in ("train", "val") else (key, "")
        if panel != "epoch":
            panels.setdefault(panel, {})[series] = key
    if not panels:
        raise ValueError(
            f"draw_training: {len(log)} epochs without a number, at least one expected"
        )
    epochs = [row.get("epoch", i + 1) for i, row in enumerate(log)]
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = _figure("draw_training", 4.4 * columns, 3.3 * rows)
    for index, (panel, keys) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, index + 1)
        for name, key in keys.items():
            values = [row[key] if _is_number(row.get(key)) else np.nan for row in log]
            colour = _RED if name == "val" else _BLUE
            axes.plot(epochs, values, ".-", color=colour, markersize=4, label=name or None)
        if best_epoch is not None:
            axes.axvline(best_epoch, color=_GREEN, linewidth=1, linestyle="--", label="kept")
        axes.set(xlabel="epoch")
        axes.set_title(panel.replace("_", " "), parse_math=False)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if axes.get_legend_handles_labels()[1]:
            axes.legend(frameon=False)
        _plain(axes)
    _save(figure, path)


def draw_montage(
    path: _Path,
    images: ArrayLike,
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    threshold: float = 0.5,
    classes: tuple[str, str] = ("negative", "positive"),
    count: int = 24,
) -> None:
    """Draw the cases the model is most wrong about, each with its true class and its score.

    Parameters
    ----------
    images : array (n, H, W), (n, H, W, C) or (n, D, H, W)
        Grey values on one scale; of volumes the middle slice is drawn.
    labels : array (n,), 0 or 1
        True classes.
    scores : array (n,), in [0, 1]
        Probability of class 1. The first drawn is the one furthest from its label.
    threshold : float
        Scores from here on count as positive; wrong cases are framed in red.
    classes : (str, str)
        Names of class 0 and 1.
    count : int >= 1
        How many are drawn at most.
    """
    pictures, truth = np.asarray(images), np.asarray(labels).reshape(-1)
    score = np.asarray(scores, np.float64).reshape(-1)
    if not len(pictures) == len(truth) == len(score) or count < 1 or not len(score):
        raise ValueError(
            f"draw_montage: {len(pictures)} images, {len(truth)} labels, {len(score)} scores, "
            f"count {count}; equal numbers of at least one expected"
        )
    if pictures.ndim not in (3, 4) or not np.isin(truth, (0, 1)).all() or np.isnan(score).any():
        raise ValueError(
            f"draw_montage: images {pictures.shape} with labels {np.unique(truth)[:5]} and "
            f"{np.isnan(score).sum()} NaN scores; (n, H, W) or 4 axes, labels 0 and 1 expected"
        )
    order = np.argsort(-np.abs(score - truth), kind="stable")[:count]
    shown = _flat_pictures(pictures[order])
    low, high = (0, 255) if shown.dtype == np.uint8 else (shown.min(), shown.max())
    columns = min(8, len(order))
    rows = -(-len(order) // columns)
    figure = _figure("draw_montage", 1.45 * columns, 1.85 * rows)
    for position, (picture, case) in enumerate(zip(shown, order, strict=True)):
        axes = figure.add_subplot(rows, columns, position + 1)
        axes.imshow(picture, cmap="gray", vmin=low, vmax=high)
        wrong = (score[case] >= threshold) != (truth[case] == 1)
        axes.spines[:].set(color=_RED if wrong else _GREEN, linewidth=2.5)
        title = f"true: {classes[int(truth[case])]}\nscore {score[case]:.2f}"
        axes.set_title(title, fontsize=8, color=_RED if wrong else "black", parse_math=False)
        axes.set(xticks=[], yticks=[])
    _save(figure, path)


def _flat_pictures(pictures: NDArray[Any]) -> NDArray[Any]:
    """Return pictures (n, H, W) or, in colour, (n, H, W, 3 or 4)."""
    if pictures.ndim == 3 or pictures.shape[-1] in (3, 4):
        return pictures
    return pictures[..., 0] if pictures.shape[-1] == 1 else pictures[:, pictures.shape[1] // 2]


def _interval_text(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return ""
    return f" (95 % interval {interval[0]:.3f} to {interval[1]:.3f})"


def _shade(function: str, axes: Any, band: _Band) -> None:
    places, low, high = _rates(function, places=band[0], low=band[1], high=band[2])
    axes.fill_between(places, low, high, color=_BLUE, alpha=0.15, linewidth=0)


def _rates(function: str, **arrays: ArrayLike) -> list[NDArray[np.float64]]:
    """Return arrays of equal length with values in [0, 1], or raise `ValueError`."""
    rates = [np.asarray(array, np.float64) for array in arrays.values()]
    shapes = {name: rate.shape for name, rate in zip(arrays, rates, strict=True)}
    if len(set(shapes.values())) > 1 or rates[0].ndim != 1 or not rates[0].size:
        raise ValueError(f"{function}: shapes {shapes}, one-dimensional and equal expected")
    for name, rate in zip(arrays, rates, strict=True):
        if not ((rate >= 0) & (rate <= 1)).all():
            raise ValueError(f"{function}: {name} {rate[:5]} .., numbers in [0, 1] expected")
    return rates


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _figure(function: str, width: float, height: float) -> Any:
    """Return a figure of that size in inches, drawn by Agg."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"{function}: needs matplotlib; pip install tinymed[report]") from error
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _square_axes(function: str) -> tuple[Any, Any]:
    figure = _figure(function, 5.2, 5.2)
    axes = figure.add_subplot()
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    _plain(axes)
    return figure, axes


def _plain(*many: Any) -> None:
    for axes in many:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.set_axisbelow(True)


def _save(figure: Any, path: _Path) -> None:
    figure.savefig(path, format="png")
