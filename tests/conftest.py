"""Fixtures that several test files use."""

from collections.abc import Iterator

import pytest

from tinymed.autograd import Function


@pytest.fixture
def leave_registry() -> Iterator[None]:
    """Forget the ops that a test defines, so that the registry holds the package's only."""
    before = dict(Function.registry)
    yield
    Function.registry.clear()
    Function.registry.update(before)
