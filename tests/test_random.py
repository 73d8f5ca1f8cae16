"""Generators: the same seed gives the same draws, whoever asks and after any detour."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from tinymed import random


def test_the_default_generator_follows_its_seed_in_each_thread_alone():
    random.manual_seed(3)
    first = random.default_generator().random(4)
    random.manual_seed(3)
    thread = threading.Thread(
        target=lambda: random.manual_seed(3) or random.default_generator().random()
    )
    thread.start()
    thread.join()
    np.testing.assert_array_equal(random.default_generator().random(4), first)
    np.testing.assert_array_equal(np.random.default_rng(3).random(4), first)


def test_set_default_generator():
    generator = np.random.default_rng(1)
    random.set_default_generator(generator)
    assert random.default_generator() is generator


def test_children_depend_on_seed_and_key_alone():
    parent = np.random.default_rng(4)
    draws = {key: random.spawn(parent, *key).random() for key in [(), (0,), (1,), (0, 1), (1, 0)]}
    assert len(set(draws.values())) == len(draws)
    parent.random(100)
    assert all(random.spawn(parent, *key).random() == draw for key, draw in draws.items())
    grandchild = random.spawn(random.spawn(parent, 1), 0)
    assert grandchild.random() == draws[1, 0]


SEEDS = {
    "int": 5,
    "long": 2**200,
    "numpy int": np.int64(5),
    "list": [1, 2**70],
    "tuple": (1, 2),
    "array": np.array([1, 2, 3]),
    "uint64 array": np.array([2**40, 2**63], dtype=np.uint64),
    "none": None,
}


def continues(generator: np.random.Generator) -> None:
    """Assert that a generator comes back from JSON at its place, with the same children."""
    generator.random(7)
    text = json.dumps(random.generator_state(generator))
    copy = random.restore_generator(json.loads(text))
    assert copy.random(9).tobytes() == generator.random(9).tobytes()
    assert (
        copy.integers(9, size=5, dtype=np.uint8).tolist()
        == generator.integers(9, size=5, dtype=np.uint8).tolist()
    )
    assert random.spawn(copy, 1, 2).random() == random.spawn(generator, 1, 2).random()
    assert json.dumps(random.generator_state(copy)) == json.dumps(random.generator_state(generator))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_generator_comes_back_whatever_its_seed(seed):
    continues(np.random.default_rng(SEEDS[seed]))
    continues(random.spawn(np.random.default_rng(SEEDS[seed]), 3, np.int64(4)))


@pytest.mark.parametrize("kind", random.BIT_GENERATORS)
def test_every_kind_of_generator_comes_back(kind):
    continues(np.random.Generator(getattr(np.random, kind)(3)))


def test_a_generator_without_a_seed_and_an_unknown_kind():
    unseeded = type("Unseeded", (), {"bit_generator": type("Bits", (), {"seed_seq": None})})()
    for function in (random.generator_state, random.spawn):
        with pytest.raises(TypeError, match=f"{function.__name__}: the generator has no SeedSeq"):
            function(unseeded)
    state = random.generator_state(np.random.default_rng(0))
    state["position"]["bit_generator"] = "seed"
    with pytest.raises(ValueError, match="restore_generator: bit_generator is 'seed', PCG64"):
        random.restore_generator(state)
