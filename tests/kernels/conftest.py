"""What tests of launches share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernels.fake_gpu import Fake, Hopper
from tinymed.kernels.cuda import LAUNCHER


@pytest.fixture
def gpu() -> Iterator[Fake]:
    """A GPU that writes down what it is asked."""
    fake = Fake()
    token = LAUNCHER.set(fake)
    yield fake
    LAUNCHER.reset(token)


@pytest.fixture
def hopper() -> Iterator[Hopper]:
    """A GPU for 16 bits that writes down what it is asked."""
    one = Hopper()
    token = LAUNCHER.set(one)
    yield one
    LAUNCHER.reset(token)
