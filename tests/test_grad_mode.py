"""Recording can be switched for a block, for a function, and from now on."""

import threading

import pytest

import tinymed as tm


@pytest.fixture(autouse=True)
def recording():
    """Leave the thread as it was, whatever a test does."""
    before = tm.is_grad_enabled()
    yield
    tm.set_grad_enabled(before)


def recorded():
    return (tm.ones(2, requires_grad=True) * 2).requires_grad


def test_set_grad_enabled_as_a_statement_holds_from_then_on():
    tm.set_grad_enabled(False)
    assert not tm.is_grad_enabled()
    assert not recorded()
    tm.set_grad_enabled(True)
    assert tm.is_grad_enabled()
    assert recorded()


def test_after_a_block_holds_what_held_before_it():
    with tm.set_grad_enabled(False):
        assert not recorded()
        with tm.set_grad_enabled(True):
            assert recorded()
        assert not recorded()
    assert recorded()


def test_a_block_left_by_an_error_holds_no_longer():
    with pytest.raises(KeyError), tm.set_grad_enabled(False):
        raise KeyError
    assert recorded()


def test_a_decorated_function_alone_is_switched_in_every_call():
    silent = tm.set_grad_enabled(False)(recorded)
    assert recorded()
    assert not silent()
    assert not silent()
    assert recorded()
    assert silent.__name__ == "recorded"


def test_no_grad_and_enable_grad_do_nothing_until_they_are_entered():
    tm.no_grad()
    assert recorded()
    with tm.no_grad():
        tm.enable_grad()
        assert not recorded()


def test_other_threads_are_left_alone():
    tm.set_grad_enabled(False)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(recorded()))
    thread.start()
    thread.join()
    assert seen == [True]


def test_python_s_own_messages_name_the_tensor_s_method():
    with pytest.raises(TypeError, match=r"^Tensor\.sum\(\) got an unexpected keyword"):
        tm.ones(2).sum(axis_=0)


def test_an_axis_that_is_no_integer_is_named():
    with pytest.raises(TypeError, match=r"^softmax: dim=None is not an integer"):
        tm.nn.Softmax(None)(tm.ones(2, 3))


def test_inference_mode_records_nothing_or_again() -> None:
    x = tm.ones(2, requires_grad=True)
    with tm.inference_mode():
        assert not (x * 2).requires_grad
        with tm.inference_mode(False):
            assert (x * 2).requires_grad
        assert not tm.is_grad_enabled()

    @tm.inference_mode()
    def doubled(value):
        return value * 2

    assert not doubled(x).requires_grad
    assert (x * 2).requires_grad
