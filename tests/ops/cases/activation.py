"""Cases of activations that are ops of their own; the others are made of these."""

import math

import numpy as np

from tests.ops.cases.case import any_, case, positive, strided

for op_name, settings in (
    ("LogSigmoid", ()),
    ("SiLU", ()),
    ("Mish", ()),
    ("GELU", ()),
    ("GELUTanh", ()),
    ("LeakyReLU", (0.2,)),
    ("ELU", ()),
    ("HardTanh", (-1.05, 0.95)),
    ("HardSigmoid", ()),
    ("HardSwish", ()),
    ("Softplus", (2.0, math.inf)),
):
    case(op_name, f"matrix {settings}", 2 * any_(2, 3), settings=settings)
    case(op_name, f"no axes {settings}", any_(), settings=settings)
    case(op_name, f"nothing {settings}", any_(0, 2), settings=settings)
    case(op_name, f"not contiguous {settings}", strided(2, 2), settings=settings)
for op_name in ("LogSigmoid", "SiLU", "Mish", "GELU", "GELUTanh"):
    case(op_name, "far out", np.array([-800.0, -30.0, 30.0, 800.0]))
case("LeakyReLU", "a negative slope", any_(4), settings=(-2.0,))
case("Softplus", "beyond its threshold", np.array([-3.0, 1.0, 1.4, 3.0]), settings=(3.0, 4.0))
case("Softplus", "a negative beta", any_(4), settings=(-1.5, 2.0))
case("ELU", "selu", any_(4), settings=(1.7, 1.05, 1.0))
case("ELU", "celu", any_(4), settings=(0.5, 1.0, 2.0))
case("ELU", "far out", np.array([-800.0, 800.0]))
case("HardSigmoid", "each piece", np.array([-4.0, -2.0, 2.5, 4.0]))
case("HardSwish", "each piece", np.array([-4.0, -2.0, 2.5, 4.0]))
case("PReLU", "one weight", any_(2, 3), positive(1))
case("PReLU", "a weight for each", any_(2, 3, 2), positive(3, 1))
case("PReLU", "no axes", -any_(), positive())
case("PReLU", "a number", strided(2, 3), 0.3)
case("PReLU", "nothing", any_(0, 3), positive(3))
