"""Errors say which layer they happened in, in forward and in backward."""

from typing import Any

import numpy as np
import pytest

from tinymed import nn
from tinymed.anomaly import LAYERS, detect_anomaly
from tinymed.creation import ones, tensor, zeros
from tinymed.errors import AnomalyError


class Features(nn.Module):
    """A network whose layers have paths such as ``features.3``."""

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        self.features = nn.Sequential(*(nn.Identity() for _ in range(3)), *layers.values())
        self.head = nn.Linear(2, 1)

    def forward(self, x: Any) -> Any:
        return self.head(self.features(x))


class Broken(nn.Module):
    """Fails in a way that has nothing to do with shapes."""

    def forward(self, x: Any) -> Any:
        error = RuntimeError("broken")
        error.add_note("a note of its own")
        raise error


class Log(nn.Module):
    """y = log x."""

    def forward(self, x: Any) -> Any:
        return x.log()


class SquareRoot(nn.Module):
    """y = sqrt x: finite at 0, its derivative is not."""

    def forward(self, x: Any) -> Any:
        return x.sqrt()


def notes(run: Any) -> list[str]:
    with pytest.raises(Exception, match=r".") as caught:
        run()
    assert LAYERS.running == [], "the stack of running layers must be empty after an error"
    return list(caught.value.__notes__)


def test_the_innermost_layer_is_named_once() -> None:
    model = Features(conv=nn.Conv2d(3, 4, 3))
    assert notes(lambda: model(ones(1, 1, 5, 5))) == ["in layer features.3 (Conv2d)"]
    assert notes(lambda: nn.Sequential(model)(ones(1, 1, 5, 5))) == [
        "in layer 0.features.3 (Conv2d)"
    ]


def test_outside_of_any_other_layer() -> None:
    assert notes(lambda: nn.Linear(3, 2)(ones(1, 4))) == ["in layer Linear"]
    model = Features()
    model.forward = lambda x: x.reshape(7)  # type: ignore[method-assign]
    assert notes(lambda: model(ones(1, 2))) == ["in layer Features"]


def test_notes_of_others_stay() -> None:
    assert notes(lambda: Features(broken=Broken())(ones(1))) == [
        *("a note of its own", "in layer features.3 (Broken)"),
    ]


def test_an_error_that_was_handled_leaves_no_trace() -> None:
    class Tries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(3, 1)
            self.after = Broken()

        def forward(self, x: Any) -> Any:
            with pytest.raises(ValueError, match="features"):
                self.inner(x)
            return self.after(x)

    assert notes(lambda: Tries()(ones(1, 2)))[-1] == "in layer after (Broken)"


def test_anomaly_in_forward() -> None:
    model = Features(log=Log())
    with (
        detect_anomaly(),
        np.errstate(divide="ignore"),
        pytest.raises(AnomalyError, match=r"^Log: made -inf .*, in layer features\.3; called at "),
    ):
        model(zeros(1, 2))


def test_anomaly_in_backward() -> None:
    model = Features(root=SquareRoot())
    x = zeros(1, 2, requires_grad=True)
    with detect_anomaly():
        y = model(x)
        words = r"^\w+\.backward: made inf .*, in layer features\.3; called at .*test_layer_paths"
        with np.errstate(divide="ignore"), pytest.raises(AnomalyError, match=words):
            y.sum().backward()


def test_anomaly_in_a_layer_of_this_package() -> None:
    """Also where the op was called by a layer of tinymed: the line is the user's."""
    model = Features(first=nn.Linear(2, 2), second=nn.Linear(2, 2))
    model.features[4].weight.data[0, 0] = np.inf
    with (
        detect_anomaly(),
        pytest.raises(
            AnomalyError, match=r"in layer features\.4; called at .*test_layer_paths\.py"
        ),
    ):
        model(tensor([[1.0, 2.0]]))
