"""Cases of the first layers: products, convolution, pooling, normalisation, losses, networks."""

from typing import Any

from tests.torch_results.layers.case import Drawn, case

# ------------------------------------------------------------------------------------- products

case("Linear: default", (4, 3), in_features=3, out_features=2)
case("Linear: no bias", (4, 3), in_features=3, out_features=2, bias=False)
case("Linear: axes before the features", (2, 3, 2, 3), in_features=3, out_features=4)
case("Linear: unbatched", (3,), in_features=3, out_features=2)
case("Linear: zero batch", (0, 3), in_features=3, out_features=2)
case("Linear: one feature", (3, 1), in_features=1, out_features=1)

conv = {"in_channels": 2, "out_channels": 3, "kernel_size": 3}
case("Conv1d: default", (2, 2, 7), **conv)
case("Conv1d: the stride does not divide", (2, 2, 8), **conv, stride=2)
case("Conv1d: padding and dilation", (1, 2, 7), **conv, padding=2, dilation=2)
case("Conv1d: stride above the kernel", (2, 2, 9), **{**conv, "kernel_size": 1}, stride=4)
case("Conv1d: groups", (2, 4, 6), in_channels=4, out_channels=6, kernel_size=2, groups=2)
case("Conv1d: no bias", (2, 2, 5), **conv, bias=False)
case("Conv1d: valid", (2, 2, 6), **conv, padding="valid")
case("Conv1d: unbatched", (2, 6), **conv)
case("Conv1d: zero batch", (0, 2, 5), **conv)

case("Conv2d: default", (2, 2, 5, 4), **conv)
case(
    "Conv2d: each axis its own, strides that do not divide",
    (2, 2, 8, 9),
    **{**conv, "kernel_size": (3, 2)},
    stride=(2, 3),
    padding=(1, 0),
    dilation=(1, 2),
)
case("Conv2d: the stride does not divide", (1, 2, 6, 8), **conv, stride=(2, 3), padding=1)
case("Conv2d: an even kernel, padded", (1, 2, 4, 5), **{**conv, "kernel_size": 2}, padding=1)
case("Conv2d: one by one", (2, 2, 3, 4), **{**conv, "kernel_size": 1})
case("Conv2d: dilation", (1, 2, 8, 7), **conv, dilation=(3, 2), padding=(0, 1))
case("Conv2d: groups", (2, 4, 4, 5), in_channels=4, out_channels=6, kernel_size=3, groups=2)
case("Conv2d: depthwise", (2, 3, 5, 5), in_channels=3, out_channels=6, kernel_size=2, groups=3)
case("Conv2d: no bias", (2, 2, 4, 4), **conv, bias=False)
case("Conv2d: unbatched", (2, 5, 4), **conv, stride=2, padding=1)
case("Conv2d: zero batch", (0, 2, 5, 4), **conv)

case("Conv3d: default", (1, 2, 4, 3, 4), **conv)
case(
    "Conv3d: each axis its own, strides that do not divide",
    (1, 2, 4, 6, 5),
    **{**conv, "kernel_size": (1, 3, 2)},
    stride=(2, 2, 3),
    padding=(0, 1, 1),
    dilation=(1, 2, 1),
)
case("Conv3d: groups", (2, 4, 3, 2, 3), in_channels=4, out_channels=2, kernel_size=2, groups=2)
case("Conv3d: no bias", (1, 2, 3, 3, 4), **{**conv, "kernel_size": 2}, bias=False)
case("Conv3d: unbatched", (2, 3, 3, 3), **{**conv, "kernel_size": 2}, padding=1, stride=2)
case("Conv3d: zero batch", (0, 2, 3, 3, 3), **conv)

# -------------------------------------------------------------------------------------- pooling

for n, (small, large) in enumerate([((7,), (9,)), ((5, 6), (7, 6)), ((4, 3, 5), (5, 4, 6))], 1):
    pool = f"MaxPool{n}d"
    case(f"{pool}: default", (2, 2, *small), kernel_size=2)
    case(f"{pool}: overlapping, padded", (1, 2, *large), kernel_size=3, stride=2, padding=1)
    case(f"{pool}: dilation", (1, 2, *large), kernel_size=2, stride=1, dilation=2, padding=1)
    case(f"{pool}: ceil", (2, 1, *small), kernel_size=2, stride=2, ceil_mode=True)
    case(
        f"{pool}: ceil, padded, overlapping",
        (1, 2, *large),
        kernel_size=3,
        stride=2,
        padding=1,
        ceil_mode=True,
    )
    case(
        f"{pool}: a window may not begin in the padding",
        (1, 1, *[3] * n),
        **{"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
    )
    case(f"{pool}: unbatched", (2, *small), kernel_size=2)
    case(f"{pool}: zero batch", (0, 2, *small), kernel_size=2)

    pool = f"AvgPool{n}d"
    ceil = {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}
    case(f"{pool}: default", (2, 2, *small), kernel_size=2)
    case(f"{pool}: overlapping, padded", (1, 2, *large), kernel_size=3, stride=2, padding=1)
    case(
        f"{pool}: padding not counted",
        (1, 2, *large),
        **{**ceil, "ceil_mode": False, "count_include_pad": False},
    )
    case(f"{pool}: ceil, padded", (1, 2, *[n + 1 for n in large]), **ceil)
    case(
        f"{pool}: ceil, padding not counted",
        (1, 2, *[n + 1 for n in large]),
        **{**ceil, "count_include_pad": False},
    )
    case(f"{pool}: unbatched", (2, *small), kernel_size=2)
    case(f"{pool}: zero batch", (0, 2, *small), kernel_size=2)

    pool = f"AdaptiveAvgPool{n}d"
    case(f"{pool}: global", (2, 2, *small), output_size=1)
    case(f"{pool}: sizes that do not divide", (1, 2, *large), output_size=(3, 4, 5)[:n])
    case(f"{pool}: more than there are", (1, 1, *[3] * n), output_size=5)
    case(f"{pool}: unbatched", (2, *small), output_size=2)
    case(f"{pool}: zero batch", (0, 2, *small), output_size=2)

case(
    "MaxPool2d: each axis its own",
    (1, 2, 7, 8),
    **{"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 0), "dilation": (1, 2)},
)
case(
    "AvgPool2d: each axis its own", (1, 2, 7, 8), kernel_size=(3, 2), stride=(2, 3), padding=(1, 0)
)
case("AvgPool2d: divisor", (1, 2, 5, 6), kernel_size=2, divisor_override=3)
case(
    "AvgPool2d: divisor, ceil, padded",
    (1, 2, 6, 7),
    **{"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "divisor_override": 5},
)
case("AvgPool3d: divisor", (1, 1, 4, 3, 4), kernel_size=2, divisor_override=7)
case("AdaptiveAvgPool2d: one axis as it is", (1, 2, 4, 5), output_size=(None, 2))

# -------------------------------------------------------------------------------- normalisation

for layer, shape in (
    ("BatchNorm1d", (6, 3)),
    ("BatchNorm2d", (2, 3, 3, 2)),
    ("BatchNorm3d", (2, 3, 2, 2, 2)),
):
    for training in (True, False):
        when = "train" if training else "eval"
        case(f"{layer}: {when}", shape, num_features=3, training=training)
        case(f"{layer}: {when}, not affine", shape, num_features=3, affine=False, training=training)
        case(
            f"{layer}: {when}, no running statistics",
            shape,
            training=training,
            **{"num_features": 3, "track_running_stats": False},
        )
    case(
        f"{layer}: train, mean of all batches", shape, num_features=3, momentum=None, training=True
    )
    case(f"{layer}: zero batch", (0, *shape[1:]), num_features=3)
case("BatchNorm1d: train, with a length", (2, 3, 4), num_features=3, training=True)
case(
    "BatchNorm1d: train, eps and momentum",
    (5, 2),
    **{"num_features": 2, "eps": 0.3, "momentum": 0.7, "training": True},
)
case("BatchNorm2d: train, no bias", (2, 2, 2, 3), num_features=2, bias=False, training=True)

# ------------------------------------------------------------------------- element by element

case("Dropout: eval", (3, 4), p=0.5)
case("Dropout: train, none dropped", (3, 4), p=0.0, training=True)
case("Dropout: train, all dropped", (3, 4), p=1.0, training=True)
for layer in ("Identity", "ReLU", "Sigmoid", "Tanh", "Softplus"):
    case(f"{layer}: default", (2, 3, 4))
    case(f"{layer}: large", Drawn("large", (12,)))
    case(f"{layer}: no axes", ())
    case(f"{layer}: zero batch", (0, 3))
for layer in ("Softmax", "LogSoftmax"):
    case(f"{layer}: classes", (3, 4), dim=1)
    case(f"{layer}: last of three", (2, 3, 4), dim=-1)
    case(f"{layer}: first", (3, 2, 2), dim=0)
    case(f"{layer}: large", Drawn("large", (3, 5)), dim=1)
    case(f"{layer}: zero batch", (0, 3), dim=1)
case("Flatten: default", (2, 3, 2, 2))
case("Flatten: some axes", (2, 3, 2, 2), start_dim=1, end_dim=2)
case("Flatten: all axes", (2, 3, 2), start_dim=0)
case("Flatten: one axis", (3,), start_dim=0)
case("Flatten: zero batch", (0, 3, 2))

# ---------------------------------------------------------------------------------------- losses

classes = Drawn("classes", (5,), 3)
for reduction in ("mean", "sum", "none"):
    given: dict[str, Any] = {"reduction": reduction}
    weighted = {**given, "weight": Drawn("positive", (3,))}
    case(f"CrossEntropyLoss: {reduction}", (5, 3), classes, **given)
    case(f"CrossEntropyLoss: {reduction}, weighted", (5, 3), classes, **weighted)
    case(
        f"CrossEntropyLoss: {reduction}, some ignored",
        (5, 3),
        Drawn("classes", (5,), 3, ignored=-100),
        **given,
    )
    case(
        f"CrossEntropyLoss: {reduction}, images, weighted, a class ignored",
        (2, 3, 2, 3),
        Drawn("classes", (2, 2, 3), 3, ignored=2),
        **weighted,
        ignore_index=2,
    )
    case(
        f"CrossEntropyLoss: {reduction}, sequences", (2, 3, 4), Drawn("classes", (2, 4), 3), **given
    )
    case(f"CrossEntropyLoss: {reduction}, unbatched", (3,), Drawn("classes", (), 3), **weighted)
    yes = Drawn("probability", (4, 3))
    case(f"BCEWithLogitsLoss: {reduction}", (4, 3), yes, **given)
    case(
        f"BCEWithLogitsLoss: {reduction}, weighted",
        (4, 3),
        yes,
        **{**given, "weight": Drawn("positive", (4, 1))},
    )
    case(
        f"BCEWithLogitsLoss: {reduction}, positives weighted",
        (4, 3),
        yes,
        **{**given, "pos_weight": Drawn("positive", (3,))},
    )
    case(
        f"BCEWithLogitsLoss: {reduction}, both weighted",
        (4, 3),
        yes,
        **{**given, "weight": Drawn("positive", (3,)), "pos_weight": Drawn("positive", (3,))},
    )
    case(f"MSELoss: {reduction}", (4, 3), (4, 3), **given)
    case(f"MSELoss: {reduction}, no axes", (), (), **given)
for reduction in ("mean", "sum", "none"):  # the mean of nothing is not a number
    given = {"reduction": reduction}
    none = Drawn("classes", (0,), 3)
    case(f"CrossEntropyLoss: {reduction}, zero batch", (0, 3), none, **given)
    case(
        f"BCEWithLogitsLoss: {reduction}, zero batch", (0, 3), Drawn("probability", (0, 3)), **given
    )
    case(f"MSELoss: {reduction}, zero batch", (0, 3), (0, 3), **given)
    case(
        f"CrossEntropyLoss: {reduction}, all ignored",
        (2, 3),
        Drawn("classes", (2,), 1),
        **given,
        ignore_index=0,
    )
case("CrossEntropyLoss: large", Drawn("large", (5, 3)), classes)
case("BCEWithLogitsLoss: large", Drawn("large", (4, 3)), Drawn("probability", (4, 3)))

# ---------------------------------------------------------------------------------------- networks

LAYERS_2D = [
    ("Conv2d", {"in_channels": 1, "out_channels": 3, "kernel_size": 3, "padding": 1}),
    ("BatchNorm2d", {"num_features": 3}),
    ("ReLU", {}),
    ("MaxPool2d", {"kernel_size": 2}),
    ("Conv2d", {"in_channels": 3, "out_channels": 4, "kernel_size": 2, "bias": False}),
    ("Tanh", {}),
    ("AdaptiveAvgPool2d", {"output_size": 1}),
    ("Flatten", {}),
    ("Linear", {"in_features": 4, "out_features": 2}),
]
LAYERS_3D = [
    ("Conv3d", {"in_channels": 1, "out_channels": 2, "kernel_size": 2, "stride": 2}),
    ("BatchNorm3d", {"num_features": 2}),
    ("Softplus", {}),
    ("AvgPool3d", {"kernel_size": 2, "stride": 1}),
    ("Flatten", {}),
    ("Dropout", {"p": 0.5}),
    ("Linear", {"in_features": 4, "out_features": 3}),
    ("LogSoftmax", {"dim": 1}),
]
case("Sequential: images, train", (2, 1, 6, 5), layers=LAYERS_2D, training=True)
case("Sequential: images, eval", (2, 1, 6, 5), layers=LAYERS_2D)
case("Sequential: volumes, eval", (2, 1, 4, 4, 6), layers=LAYERS_3D)
