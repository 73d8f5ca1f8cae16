"""Cases of the losses. Those of the first layers (cross-entropy, MSE) are in `basics` too."""

from typing import Any

from tests.torch_results.layers.case import Drawn, case, only_here

PROBABLE, SIGNS = Drawn("probability", (4, 3)), Drawn("sign", (4, 3), constant=True)
POSITIVE, FIRST = Drawn("positive", (4, 3)), Drawn("classes", (4,), 3)
SOME = Drawn("classes", (4,), 3, ignored=-100)
for reduction in ("mean", "sum", "none"):
    given: dict[str, Any] = {"reduction": reduction}
    weighted = {**given, "weight": Drawn("positive", (3,))}
    for name, settings in (("", given), (", weighted", weighted)):
        case(f"NLLLoss: {reduction}{name}", (4, 3), SOME, **settings)
        case(
            f"NLLLoss: {reduction}{name}, images",
            (2, 3, 2, 2),
            Drawn("classes", (2, 2, 2), 3, ignored=2),
            **settings,
            ignore_index=2,
        )
        case(f"MultiMarginLoss: {reduction}{name}", (4, 3), FIRST, **settings)
        case(f"MultiMarginLoss: {reduction}{name}, p 2", (4, 3), FIRST, **settings, p=2, margin=2.0)
        case(f"MultiLabelSoftMarginLoss: {reduction}{name}", (4, 3), PROBABLE, **settings)
        certain = Drawn("probability", (4, 3), constant=True)  # the gradient is inf at 0 and 1
        case(f"BCELoss: {reduction}{name}", PROBABLE, certain, **settings)
        case(
            f"CrossEntropyLoss: {reduction}{name}, smoothed",
            (4, 3),
            SOME,
            **settings,
            label_smoothing=0.1,
        )
        case(
            f"CrossEntropyLoss: {reduction}{name}, probabilities, smoothed",
            (2, 3, 2),
            Drawn("probability", (2, 3, 2)),
            **settings,
            label_smoothing=0.2,
        )
        case(f"CrossEntropyLoss: {reduction}{name}, probabilities", (4, 3), PROBABLE, **settings)
    case(f"L1Loss: {reduction}", (4, 3), (4, 3), **given)
    case(f"SmoothL1Loss: {reduction}", (4, 3), (4, 3), **given)
    case(f"SmoothL1Loss: {reduction}, beta", (4, 3), (4, 3), **given, beta=0.5)
    case(f"SmoothL1Loss: {reduction}, beta 0", (4, 3), (4, 3), **given, beta=0.0)
    case(f"HuberLoss: {reduction}", (4, 3), (4, 3), **given)
    case(f"HuberLoss: {reduction}, delta", (4, 3), (4, 3), **given, delta=0.5)
    logarithms = Drawn("log", (4, 3))
    case(f"KLDivLoss: {reduction}", (4, 3), POSITIVE, **given)
    case(f"KLDivLoss: {reduction}, logarithms", (4, 3), logarithms, **given, log_target=True)
    case(f"PoissonNLLLoss: {reduction}", (4, 3), POSITIVE, **given)
    case(f"PoissonNLLLoss: {reduction}, full", (4, 3), POSITIVE, **given, full=True)
    case(f"PoissonNLLLoss: {reduction}, rates", POSITIVE, POSITIVE, **given, log_input=False)
    case(f"GaussianNLLLoss: {reduction}", (4, 3), (4, 3), POSITIVE, **given)
    case(
        f"GaussianNLLLoss: {reduction}, full, one variance a row",
        (4, 3),
        (4, 3),
        Drawn("positive", (4, 1)),
        **given,
        full=True,
        eps=0.7,
    )
    case(f"SoftMarginLoss: {reduction}", (4, 3), SIGNS, **given)
    case(f"HingeEmbeddingLoss: {reduction}", (4, 3), SIGNS, **given)
    case(f"HingeEmbeddingLoss: {reduction}, margin", (4, 3), SIGNS, **given, margin=0.4)
    case(f"MarginRankingLoss: {reduction}", (4, 3), (4, 3), SIGNS, **given)
    case(f"MarginRankingLoss: {reduction}, margin", (4, 3), (4, 3), SIGNS, **given, margin=0.5)
    one_each = Drawn("sign", (4,), constant=True)
    case(f"CosineEmbeddingLoss: {reduction}", (4, 3), (4, 3), one_each, **given)
    case(f"CosineEmbeddingLoss: {reduction}, margin", (4, 3), (4, 3), one_each, **given, margin=0.3)
    labels = Drawn("classes", (3, 4), 4, ignored=-1)
    case(f"MultiLabelMarginLoss: {reduction}", (3, 4), labels, **given)
    triplet = ((4, 3),) * 3
    case(f"TripletMarginLoss: {reduction}", *triplet, **given)
    case(f"TripletMarginLoss: {reduction}, p 1, swap", *triplet, **given, p=1.0, swap=True)
    case(f"TripletMarginLoss: {reduction}, margin, eps", *triplet, **given, margin=2.0, eps=0.1)
    case(f"TripletMarginWithDistanceLoss: {reduction}", *triplet, **given)
    case(
        f"TripletMarginWithDistanceLoss: {reduction}, swap",
        *triplet,
        **given,
        swap=True,
        margin=0.5,
    )
    case(
        f"CTCLoss: {reduction}",
        Drawn("log", (6, 3, 4)),
        Drawn("classes", (3, 2), 3),
        call={"input_lengths": (6, 4, 5), "target_lengths": (2, 2, 0)},
        **given,
        blank=3,
    )
    case(
        f"CTCLoss: {reduction}, too few steps",
        Drawn("log", (4, 3, 4)),
        Drawn("classes", (7,), 3),
        call={"input_lengths": (4, 4, 2), "target_lengths": (2, 2, 3)},
        **given,
        blank=3,
        zero_infinity=True,
    )
case("KLDivLoss: batchmean", (4, 3), POSITIVE, reduction="batchmean")

for layer in (
    "DiceLoss", "FocalLoss", "GeneralizedCrossEntropyLoss", "HingeLoss",
    "SymmetricCrossEntropyLoss", "TverskyLoss",
):  # fmt: skip
    only_here(layer, "tests/nn/test_losses.py")
