"""What tests of launches share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernels.fake_gpu import Fake, Hopper
from tinymed.kernels.cuda import LAUNCHER


def launching(fake: Fake) -> Iterator[Fake]:
    """Have a GPU asked for every launch, until the test is over."""
    token = LAUNCHER.set(fake)
    yield fake
    LAUNCHER.reset(token)


@pytest.fixture
def gpu() -> Iterator[Fake]:
    """A GPU that writes down what it is asked."""
    yield from launching(Fake())


@pytest.fixture
def hopper() -> Iterator[Fake]:
    """A GPU for 16 bits that writes down what it is asked."""
    yield from launching(Hopper())
