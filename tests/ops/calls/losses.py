"""Calls of the losses: classes, values, distributions, margins."""

from typing import Any

import numpy as np

from tests.ops.calls.call import (
    EMPTY,
    RANDOM,
    SPECIAL,
    Constant,
    compare,
    deviates,
    inf,
    nan,
    normal,
    whole,
)

REDUCTIONS = ("mean", "sum", "none")


def probabilities(*shape: int) -> np.ndarray:
    return RANDOM.uniform(0.05, 0.95, shape)


def signs(*shape: int) -> np.ndarray:
    return Constant(np.where(RANDOM.random(shape) < 0.5, -1.0, 1.0))


def every_reduction(name: str, loss: str, *inputs: Any, **settings: Any) -> None:
    """Compare the loss with all reductions; ``settings`` are further arguments."""
    for reduction in REDUCTIONS:
        compare(
            f"{loss} {name} {reduction}",
            lambda m, *x, r=reduction: getattr(m, loss)(*x, reduction=r, **settings),
            *inputs,
        )


def once(name: str, loss: str, *inputs: Any, **settings: Any) -> None:
    compare(f"{loss} {name}", lambda m, *x: getattr(m, loss)(*x, **settings), *inputs)


# ---------------------------------------------------------------------------------------- classes

LOGITS, IMAGES = normal(4, 3), normal(2, 3, 2, 2)
CLASSES = np.array([0, 2, 1, 2])
PIXELS = np.array([[[0, 1], [2, -100]], [[1, 1], [-100, 0]]])
WEIGHT = Constant(np.array([0.2, 1.0, 3.0]))
SHARES = probabilities(4, 3)
SHARES /= SHARES.sum(1, keepdims=True)
for name, x, t in (
    ("rows", LOGITS, CLASSES),
    ("images", IMAGES, PIXELS),
    ("one row", normal(3), np.array(1)),
    ("no rows", EMPTY, np.zeros(0, np.int64)),
    ("inf", np.array([[inf, 0.0, -inf], [nan, 1.0, 0.0]]), np.array([1, 1])),
    ("all ignored", normal(2, 3), np.array([-100, -100])),
):
    every_reduction(name, "nll_loss", x, t)
    every_reduction(f"weights {name}", "nll_loss", x, t, weight=None)
    every_reduction(f"smoothed {name}", "cross_entropy", x, t, label_smoothing=0.1)
    for loss in ("nll_loss", "cross_entropy"):
        for reduction in REDUCTIONS:
            smoothing = {"label_smoothing": 0.3} if loss == "cross_entropy" else {}
            compare(
                f"{loss} weighted and smoothed {name} {reduction}",
                lambda m, x, t, w, f=loss, r=reduction, s=smoothing: getattr(m, f)(
                    x, t, w, ignore_index=2 if len(t.shape) == 1 else -100, reduction=r, **s
                ),
                x,
                t,
                WEIGHT,
            )
for name, x, t in (
    ("rows", LOGITS, SHARES),
    ("any numbers", LOGITS, probabilities(4, 3)),
    ("images", IMAGES, probabilities(2, 3, 2, 2)),
    ("one row", normal(3), probabilities(3)),
    ("no rows", EMPTY, EMPTY),
):
    every_reduction(f"probabilities {name}", "cross_entropy", x, t)
    every_reduction(f"probabilities smoothed {name}", "cross_entropy", x, t, label_smoothing=0.2)
    for reduction in REDUCTIONS:
        compare(
            f"cross_entropy probabilities weighted {name} {reduction}",
            lambda m, x, t, w, r=reduction: m.cross_entropy(
                x, t, w, reduction=r, label_smoothing=0.1
            ),
            x,
            t,
            WEIGHT,
        )
for smoothing in (-0.1, 1.1, 1.0, nan):
    once(f"smoothing {smoothing}", "cross_entropy", LOGITS, CLASSES, label_smoothing=smoothing)
    once(
        f"smoothing {smoothing}, probabilities", "cross_entropy", LOGITS, SHARES,
        label_smoothing=smoothing,
    )  # fmt: skip
once("probabilities, integers", "cross_entropy", LOGITS, np.ones((4, 3), np.int64))
once("probabilities, ignored", "cross_entropy", LOGITS, SHARES, ignore_index=1)
once("probabilities, shapes", "cross_entropy", LOGITS, SHARES[:2])
once("probabilities, negative", "cross_entropy", LOGITS, -SHARES)
once("probabilities, nan", "cross_entropy", LOGITS, SHARES * nan)
once("probabilities float32", "cross_entropy", LOGITS.astype("f4"), SHARES.astype("f4"))
once("smoothed float32", "cross_entropy", LOGITS.astype("f4"), CLASSES, label_smoothing=0.1)
for name, x, t in (
    ("out of range", LOGITS, np.array([0, 3, 0, 0])),
    ("negative", LOGITS, np.array([0, -1, 0, 0])),
    ("shapes", LOGITS, np.array([0, 1])),
    ("floats as classes", LOGITS, normal(4)),
    ("bools", LOGITS, np.array([True, False, True, True])),
    ("integers", whole(4, 3), CLASSES),
    ("no axes", normal(), np.array(0)),
    ("uint8", LOGITS, CLASSES.astype(np.uint8)),
    ("float32", LOGITS.astype("f4"), CLASSES),
    ("no classes", np.zeros((2, 0)), np.array([0, 0])),
):
    once(name, "nll_loss", x, t)
once("reduction", "nll_loss", LOGITS, CLASSES, reduction="avg")
compare("nll_loss weight of wrong size", lambda m, x, t, w: m.nll_loss(x, t, w), LOGITS, CLASSES,
        Constant(np.ones(2)))  # fmt: skip

for name, x, t in (
    ("rows", probabilities(3, 2), probabilities(3, 2)),
    ("0 and 1", np.array([0.0, 1.0, 0.0, 1.0, 0.5]), Constant(np.array([0.0, 1.0, 1.0, 0.0, 0.3]))),
    ("no axes", np.array(0.3), np.array(0.8)),
    ("empty", EMPTY, EMPTY),
    ("float32", probabilities(4).astype("f4"), probabilities(4).astype("f4")),
    ("nearly 0", np.array([1e-14, 1 - 1e-14, 1e-300]), probabilities(3)),
):
    every_reduction(name, "binary_cross_entropy", x, t)
for name, weight in (("same", (3, 2)), ("row", (2,)), ("column", (3, 1)), ("none", ())):
    compare(
        f"binary_cross_entropy weight {name}",
        lambda m, x, t, w: m.binary_cross_entropy(x, t, w),
        probabilities(3, 2),
        probabilities(3, 2),
        Constant(probabilities(*weight)),
    )
compare("binary_cross_entropy weight too large", lambda m, x, t, w: m.binary_cross_entropy(x, t, w),
        probabilities(3), probabilities(3), Constant(probabilities(2, 3)))  # fmt: skip
compare("binary_cross_entropy_with_logits weight too large",
        lambda m, x, t, w: m.binary_cross_entropy_with_logits(x, t, w),
        probabilities(3), probabilities(3), Constant(probabilities(2, 3)))  # fmt: skip
HALVES = np.array([0.5, 0.5])
for loss in ("binary_cross_entropy", "binary_cross_entropy_with_logits"):
    once("target above 1", loss, HALVES, np.array([0.0, 1.5]))
    once("target below 0", loss, HALVES, np.array([0.0, -0.5]))
    once("target nan", loss, HALVES, np.array([0.0, nan]))
    once("shapes", loss, HALVES, np.ones((2, 1)))
    once("integers", loss, np.array([0, 1]), HALVES)
    once("integer target", loss, HALVES, np.array([0, 1]))
once("logits", "binary_cross_entropy", np.array([0.5, 1.5]), HALVES)
once("nan", "binary_cross_entropy", np.array([0.5, nan]), HALVES)
once("reduction", "binary_cross_entropy", HALVES, HALVES, reduction="avg")

# ------------------------------------------------------------------------ values, distributions

DISTANCES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
NEAR_AND_FAR = np.array([0.0, 0.3, -0.3, 1.0, -1.0, 2.5, -2.5, 0.5, -0.5])
for loss in DISTANCES:
    every_reduction("rows", loss, normal(3, 2), normal(3, 2))
    every_reduction("near and far", loss, NEAR_AND_FAR, np.zeros(9))
    every_reduction("special", loss, SPECIAL[SPECIAL == SPECIAL], normal(12))
    every_reduction("nan", loss, np.array([nan, 1.0]), np.array([0.0, nan]))
    every_reduction("no axes", loss, normal(), normal())
    every_reduction("empty", loss, EMPTY, EMPTY)
    every_reduction("float32", loss, normal(4).astype("f4"), normal(4).astype("f4"))
    once("float16", loss, normal(4).astype("f2"), normal(4).astype("f2"), reduction="none")
    once("integer target", loss, normal(4), whole(4))
    once("two integers", loss, whole(4), whole(4))
    once("shapes", loss, normal(3), normal(3, 1))
    once("reduction", loss, normal(3), normal(3), reduction="avg")
once("integers none", "l1_loss", whole(4), whole(4), reduction="none")
once("integers none", "mse_loss", whole(4), whole(4), reduction="none")
for loss in ("mse_loss", "l1_loss", "huber_loss"):
    for reduction in REDUCTIONS:
        compare(
            f"{loss} weight {reduction}",
            lambda m, x, t, w, f=loss, r=reduction: getattr(m, f)(x, t, weight=w, reduction=r),
            normal(3, 2), normal(3, 2), probabilities(3, 2),
        )  # fmt: skip
    compare(f"{loss} weight of wrong shape", lambda m, x, t, w, f=loss: getattr(m, f)(
        x, t, weight=w), normal(3, 2), normal(3, 2), probabilities(2))  # fmt: skip
    compare(f"{loss} weights empty", lambda m, x, t, w, f=loss: getattr(m, f)(
        x, t, weight=w), EMPTY, EMPTY, EMPTY)  # fmt: skip
for delta in (0.5, 2.0, inf, 0.0, -1.0, nan):
    every_reduction(f"delta {delta}", "huber_loss", NEAR_AND_FAR, np.zeros(9), delta=delta)
for beta in (0.5, 2.0, 0.0, -1.0):
    every_reduction(f"beta {beta}", "smooth_l1_loss", NEAR_AND_FAR, np.zeros(9), beta=beta)

LOG = np.log(SHARES)
CERTAIN = Constant(np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]))
for reduction in (*REDUCTIONS, "batchmean"):
    once(f"rows {reduction}", "kl_div", LOG[::-1].copy(), SHARES, reduction=reduction)
    once(
        f"logarithms {reduction}", "kl_div", LOG[::-1].copy(), LOG, reduction=reduction,
        log_target=True,
    )  # fmt: skip
    once(f"certain {reduction}", "kl_div", normal(2, 3), CERTAIN, reduction=reduction)
    once(f"no axes {reduction}", "kl_div", normal(), probabilities(), reduction=reduction)
once("inf", "kl_div", np.array([-inf, -inf, 0.0]), Constant(np.array([0.0, 0.5, 1.0])))
once("float32", "kl_div", LOG[::-1].astype("f4"), SHARES.astype("f4"))
once("empty", "kl_div", EMPTY, EMPTY)
once("integers", "kl_div", whole(3), probabilities(3))
once("integer target", "kl_div", normal(3), np.array([0, 1, 0]))
once("shapes", "kl_div", normal(3), probabilities(3, 1))
once("reduction", "kl_div", normal(3), probabilities(3), reduction="avg")
once("target of 0", "kl_div", normal(2), np.array([0.0, 1.0]))
once("nan target", "kl_div", normal(2), Constant(np.array([nan, 1.0])))
once("negative target", "kl_div", normal(2), Constant(np.array([-0.5, 1.0])))

COUNTS = np.array([[0.0, 1.0, 2.0], [5.0, 0.5, 1.5]])
for full in (False, True):
    every_reduction(f"full {full}", "poisson_nll_loss", normal(2, 3), Constant(COUNTS), full=full)
    every_reduction(
        f"rates full {full}", "poisson_nll_loss", probabilities(2, 3), Constant(COUNTS), full=full,
        log_input=False,
    )  # fmt: skip
once("gradient of counts", "poisson_nll_loss", normal(2), np.array([2.0, 3.5]), full=True)
once("rate 0", "poisson_nll_loss", np.zeros(2), Constant(COUNTS[0, :2]), log_input=False)
once("eps", "poisson_nll_loss", np.zeros(2), Constant(COUNTS[0, :2]), log_input=False, eps=1e-3)
once("integer counts", "poisson_nll_loss", normal(3), np.array([0, 1, 4]), full=True)
once("special", "poisson_nll_loss", SPECIAL, Constant(normal(13)), reduction="none")
once("nan counts", "poisson_nll_loss", normal(2), Constant(np.array([nan, 1.0])), full=True)
once("empty", "poisson_nll_loss", EMPTY, EMPTY)
once("shapes", "poisson_nll_loss", normal(3), normal(3, 1))
once("reduction", "poisson_nll_loss", normal(3), normal(3), reduction="avg")

for name, var in (
    ("same", probabilities(2, 3)),
    ("column", probabilities(2, 1)),
    ("row", probabilities(1, 3)),
    ("rows", probabilities(2)),
    ("small", np.array([[1e-9, 0.0, 1e-6], [1.0, 2.0, 1e-7]])),
    ("nan", np.array([[nan], [1.0]])),
    ("wrong", probabilities(3)),
    ("wrong too", probabilities(1, 1)),
    ("negative", -probabilities(2, 3)),
):
    every_reduction(f"var {name}", "gaussian_nll_loss", normal(2, 3), normal(2, 3), var)
    once(f"full var {name}", "gaussian_nll_loss", normal(2, 3), normal(2, 3), var, full=True)
once("var number", "gaussian_nll_loss", normal(2, 3), normal(2, 3), var=0.3)
once("var number negative", "gaussian_nll_loss", normal(2, 3), normal(2, 3), var=-0.3)
once("eps", "gaussian_nll_loss", normal(2), normal(2), np.zeros(2), eps=0.1)
once("no axes", "gaussian_nll_loss", normal(), normal(), probabilities())
once("empty", "gaussian_nll_loss", EMPTY, EMPTY, EMPTY)
once("shapes", "gaussian_nll_loss", normal(3), normal(3, 1), probabilities(3))
once("reduction", "gaussian_nll_loss", normal(3), normal(3), probabilities(3), reduction="avg")

# ---------------------------------------------------------------------------------------- margins

KINKS = np.array([1.0, -1.0, 0.0, 2.0, 0.5])
for loss in ("soft_margin_loss", "hinge_embedding_loss"):
    every_reduction("rows", loss, normal(3, 4), signs(3, 4))
    every_reduction("kinks", loss, KINKS, Constant(np.array([1.0, -1.0, -1.0, 1.0, -1.0])))
    every_reduction("nan", loss, np.array([nan, nan]), Constant(np.array([1.0, -1.0])))
    every_reduction("empty", loss, EMPTY, Constant(EMPTY))
    once("integers", loss, normal(3), np.array([1, -1, -1]))
    once("float32", loss, normal(3).astype("f4"), signs(3).astype("f4"))
    once("no axes", loss, normal(), signs())
    once("shapes", loss, normal(3), signs(3, 1))
    once("labels 0 and 1", loss, normal(3), Constant(np.array([0.0, 1.0, 1.0])))
    once("reduction", loss, normal(3), signs(3), reduction="avg")
once("far", "soft_margin_loss", np.array([800.0, -800.0]), Constant(np.array([-1.0, -1.0])))
once("margin", "hinge_embedding_loss", normal(4), signs(4), margin=0.3)
every_reduction("rows", "margin_ranking_loss", normal(5), normal(5), signs(5))
every_reduction("margin", "margin_ranking_loss", normal(5, 2), normal(5, 2), signs(5, 2), margin=1)
every_reduction("kinks", "margin_ranking_loss", KINKS, np.zeros(5), Constant(np.ones(5)), margin=1)
once("shapes", "margin_ranking_loss", normal(3), normal(1), signs(3))
once("axes", "margin_ranking_loss", normal(3), normal(3), signs(3, 1))
once("labels 0 and 1", "margin_ranking_loss", normal(2), normal(2), Constant(np.array([0.0, 1.0])))
for margin in (0.0, -0.5, 0.5):
    every_reduction(
        f"margin {margin}", "cosine_embedding_loss", normal(4, 3), normal(4, 3),
        Constant(np.array([1.0, -1.0, 1.0, -1.0])), margin=margin,
    )  # fmt: skip
once("zeros", "cosine_embedding_loss", np.zeros((2, 3)), normal(2, 3), signs(2))
once("one", "cosine_embedding_loss", normal(3), normal(3), signs())
once("one, target with an axis", "cosine_embedding_loss", normal(3), normal(3), signs(1))
once("lengths", "cosine_embedding_loss", normal(2, 3), normal(2, 4), signs(2))
once("target shape", "cosine_embedding_loss", normal(2, 3), normal(2, 3), signs(3))
once("target of two axes", "cosine_embedding_loss", normal(2, 3), normal(2, 3), signs(2, 1))
once("empty", "cosine_embedding_loss", EMPTY, EMPTY, np.zeros(0))
once("labels 0 and 1", "cosine_embedding_loss", normal(2, 3), normal(2, 3), np.array([0, 1]))
for p in (1, 2):
    every_reduction(f"p {p}", "multi_margin_loss", normal(4, 3), CLASSES, p=p)
    every_reduction(f"margin p {p}", "multi_margin_loss", normal(4, 3), CLASSES, p=p, margin=0.3)
    for reduction in REDUCTIONS:
        compare(
            f"multi_margin_loss weight {p} {reduction}",
            lambda m, x, t, w, p=p, r=reduction: m.multi_margin_loss(
                x, t, p=p, weight=w, reduction=r
            ),
            normal(4, 3), CLASSES, WEIGHT,
        )  # fmt: skip
once("kinks", "multi_margin_loss", np.array([[1.0, 0.0, 0.0]]), np.array([0]))
once("one row", "multi_margin_loss", normal(3), np.array(1))
once("p 3", "multi_margin_loss", normal(4, 3), CLASSES, p=3)
once("out of range", "multi_margin_loss", normal(4, 3), CLASSES + 1)
once("negative", "multi_margin_loss", normal(4, 3), CLASSES - 1)
once("shapes", "multi_margin_loss", normal(4, 3), CLASSES[:2])
once("axes", "multi_margin_loss", normal(4, 3, 2), CLASSES)
once("floats", "multi_margin_loss", normal(4, 3), normal(4))
compare("multi_margin_loss weight of wrong size", lambda m, x, t, w: m.multi_margin_loss(
    x, t, weight=w), normal(4, 3), CLASSES, Constant(np.ones(2)))  # fmt: skip
LABELS = np.array([[3, 0, -1, 1], [-1, 1, 2, 3], [0, 1, 2, 3], [2, 2, -1, -1]])
every_reduction("rows", "multilabel_margin_loss", normal(4, 4), LABELS)
every_reduction("kinks", "multilabel_margin_loss", np.eye(4), LABELS)
once("one row", "multilabel_margin_loss", normal(4), LABELS[0])
once("out of range", "multilabel_margin_loss", normal(4, 4), LABELS + 1)
once("below -1", "multilabel_margin_loss", normal(4, 4), LABELS - 1)
once("shapes", "multilabel_margin_loss", normal(4, 4), LABELS[:, :3])
once("floats", "multilabel_margin_loss", normal(4, 4), normal(4, 4))
once("no rows", "multilabel_margin_loss", EMPTY, np.zeros((0, 3), np.int64))
every_reduction("rows", "multilabel_soft_margin_loss", normal(4, 3), probabilities(4, 3))
every_reduction("axes", "multilabel_soft_margin_loss", normal(2, 2, 3), probabilities(2, 2, 3))
for reduction in REDUCTIONS:
    compare(
        f"multilabel_soft_margin_loss weight {reduction}",
        lambda m, x, t, w, r=reduction: m.multilabel_soft_margin_loss(x, t, w, reduction=r),
        normal(4, 3), probabilities(4, 3), WEIGHT,
    )  # fmt: skip
once("one row", "multilabel_soft_margin_loss", normal(3), probabilities(3))
once("no axes", "multilabel_soft_margin_loss", normal(), probabilities())
once("empty", "multilabel_soft_margin_loss", EMPTY, EMPTY)
once("shapes", "multilabel_soft_margin_loss", normal(3), probabilities(3, 1))

for p in (1.0, 2.0, 3.0, inf, 0.5, 0.0):
    for swap in (False, True):
        every_reduction(
            f"p {p} swap {swap}", "triplet_margin_loss", normal(4, 3), normal(4, 3), normal(4, 3),
            p=p, swap=swap,
        )  # fmt: skip
    for keepdim in (False, True):
        once(f"{p} {keepdim}", "pairwise_distance", normal(4, 3), normal(4, 3), p=p,
             keepdim=keepdim)  # fmt: skip
    once(f"{p} equal", "pairwise_distance", KINKS, KINKS, p=p, eps=0.0)
once("broadcast", "pairwise_distance", normal(4, 3), normal(3))
once("one", "pairwise_distance", normal(3), normal(3))
once("shapes", "pairwise_distance", normal(4, 3), normal(4, 2))
once("one", "triplet_margin_loss", normal(3), normal(3), normal(3))
once("margin", "triplet_margin_loss", normal(2, 3), normal(2, 3), normal(2, 3), margin=5, eps=0.1)
once("margin 0", "triplet_margin_loss", normal(3), normal(3), normal(3), margin=0)
once("axes", "triplet_margin_loss", normal(2, 3), normal(2, 3), normal(3))
once("shapes", "triplet_margin_loss", normal(2, 3), normal(2, 3), normal(1, 3))
once("reduction", "triplet_margin_loss", normal(3), normal(3), normal(3), reduction="avg")
for swap in (False, True):
    every_reduction(
        f"default swap {swap}", "triplet_margin_with_distance_loss", normal(4, 3), normal(4, 3),
        normal(4, 3), swap=swap,
    )  # fmt: skip
    every_reduction(
        f"own swap {swap}", "triplet_margin_with_distance_loss", normal(4, 3), normal(4, 3),
        normal(4, 3), swap=swap, margin=0.5, distance_function=lambda a, b: ((a - b) ** 2).sum(-1),
    )  # fmt: skip
once("margin 0", "triplet_margin_with_distance_loss", normal(3), normal(3), normal(3), margin=0)

deviates("cross_entropy smoothing -0.1*", "refused; PyTorch takes it for 0, or smooths by it")
deviates("cross_entropy smoothing nan*", "refused")
deviates("cross_entropy probabilities, n*", "negative probabilities and NaN are refused")
deviates("binary_cross_entropy_with_logits target *", "what is no probability is refused")
deviates("kl_div n* target", "negative probabilities and NaN are refused")
for named in ("binary_cross_entropy*", "huber_loss"):
    deviates(f"{named} integer target", "taken; PyTorch wants floats, or fails in backward")
deviates("poisson_nll_loss integer counts", "in the dtype of x; PyTorch adds up in float32")
deviates("kl_div target of 0", "a finite gradient, without log 0; PyTorch's is NaN")
deviates("soft_margin_loss far", "finite; PyTorch overflows")
for named in ("mse", "l1", "smooth_l1", "huber", "poisson_nll", "gaussian_nll"):
    deviates(f"{named}_loss shapes", "no loss broadcasts")
for named in ("hinge_embedding", "margin_ranking", "triplet_margin"):
    deviates(f"{named}_loss shapes", "no loss broadcasts")
deviates("kl_div shapes", "no loss broadcasts")
deviates("multilabel_soft_margin_loss shapes", "no loss broadcasts")
deviates("*labels 0 and 1", "refused; PyTorch takes any number for 1 or -1")
