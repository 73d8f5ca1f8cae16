"""Fixtures that several test files use, and one seed for everything that the tests draw."""

from collections.abc import Iterator

import pytest

import tinymed as tm
from tinymed.autograd import Function

# Layers in parameter lists are built while the tests are collected, before any fixture runs.
tm.manual_seed(0)


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Each test draws the same numbers, alone or among others: a failure can be repeated."""
    tm.manual_seed(0)


@pytest.fixture
def leave_registry() -> Iterator[None]:
    """Forget the ops that a test defines, so that the registry holds the package's only."""
    before = dict(Function.registry)
    yield
    Function.registry.clear()
    Function.registry.update(before)
