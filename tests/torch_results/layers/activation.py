"""Cases of activation layers."""

from typing import Any

from tests.torch_results.layers.case import Drawn, case

PLAIN = (
    "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "LeakyReLU", "ReLU6", "Softsign", "Hardtanh",
    "Hardsigmoid", "Hardswish", "LogSigmoid", "Tanhshrink", "Softshrink", "Hardshrink", "PReLU",
    "RReLU",
)  # fmt: skip
for layer in PLAIN:
    case(f"{layer}: default", (2, 3, 4))
    case(f"{layer}: no axes", ())
    case(f"{layer}: zero batch", (0, 3))
    case(f"{layer}: large", Drawn("large", (12,)))
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "ELU": [{"alpha": 2.5}, {"alpha": -0.5}],
    "CELU": [{"alpha": 0.25}, {"alpha": 3.0}],
    "GELU": [{"approximate": "tanh"}],
    "LeakyReLU": [{"negative_slope": 0.3}, {"negative_slope": 0.0}, {"negative_slope": -1.0}],
    "Hardtanh": [{"min_val": 0.0, "max_val": 0.5}],
    "Softplus": [{"beta": 2.0}, {"beta": 0.5, "threshold": 0.2}],
    "Softshrink": [{"lambd": 0.0}, {"lambd": 1.0}],
    "Hardshrink": [{"lambd": 0.0}, {"lambd": 1.0}],
    "PReLU": [{"num_parameters": 3}, {"init": -0.5}],
    "RReLU": [
        {"lower": 0.1, "upper": 0.9},
        {"lower": 0.25, "upper": 0.25, "training": True},
    ],
    "Threshold": [
        {"threshold": 0.1, "value": 20.0},
        {"threshold": 0.0, "value": 0.0},
        {"threshold": -0.5, "value": -3.0},
    ],
}
for layer, several in SETTINGS.items():
    for settings in several:
        case(f"{layer}: {settings}", (2, 3, 4), **settings)
case("PReLU: one for each of two axes", (4, 3), num_parameters=3)
case("PReLU: images", (2, 3, 2, 2), num_parameters=3)
case("GLU: default", (3, 4))
case("GLU: first", (4, 3), dim=0)
case("GLU: channels", (2, 6, 2, 2), dim=1)
case("GLU: zero batch", (0, 4))
case("GLU: large", Drawn("large", (3, 4)))
case("Softmin: classes", (3, 4), dim=1)
case("Softmin: last of three", (2, 3, 4), dim=-1)
case("Softmin: large", Drawn("large", (3, 5)), dim=1)
case("Softmin: zero batch", (0, 3), dim=1)
case("Softmax2d: images", (2, 3, 2, 2))
case("Softmax2d: one image", (3, 2, 2))
case("Softmax2d: large", Drawn("large", (1, 4, 2, 1)))
