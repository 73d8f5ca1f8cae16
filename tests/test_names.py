"""The names of the package: what PyTorch has in `torch` is found in `tinymed`."""

import pytest

import tinymed as tm
from tinymed import ops


def test_every_operation_is_found_under_its_name() -> None:
    """Also: none is hidden behind a module or function of another meaning."""
    for name in ops.__all__:
        assert getattr(tm, name) is getattr(ops, name), name


def test_an_operation_can_be_imported() -> None:
    from tinymed import gather

    assert gather is ops.gather


def test_completion_shows_all_names_once() -> None:
    shown = dir(tm)
    assert shown == sorted(set(shown))
    assert {"tensor", "rand", "gather", "exp", "nn", "Tensor"} <= set(shown)
    assert all(hasattr(tm, name) for name in shown)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'tinymed' has no attribute 'no_such_op'"):
        tm.no_such_op  # noqa: B018
    with pytest.raises(ImportError, match="no_such_op"):
        from tinymed import no_such_op  # noqa: F401
