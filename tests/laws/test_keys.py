"""Addresses of random numbers: they stay what they are, and no two streams are alike."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

import ci_theory
from ci_theory._keys import key_for, point_hash, stream

DRAWS = 4096
SOURCE = Path(ci_theory.__file__).parent
NAMES = sorted(
    {
        name
        for f in SOURCE.rglob("*.py")
        for name in re.findall(r'stream\(\w+, "(.+?)"', f.read_text())
    }
)


def data(key):
    return tuple(jax.random.key_data(key).tolist())


def test_the_hash_of_a_point_stays_what_it_is():
    """Stored results are found and continued by it: it must not change between versions."""
    assert point_hash({}) == (0x01E7B720, 0xFF566D53)
    point = {"n": 100, "noise": 0.25, "spectrum": "isotropic", "shared": True}
    assert point_hash(point) == (0xFEF05A68, 0x37DA4B91)


def test_both_halves_tell_points_apart():
    high, low = np.array([point_hash({"n": n}) for n in range(2000)]).T
    assert len(set(high)) == len(set(low)) == 2000  # one chance in 2000 for 32 bits each
    assert np.all(high != low)
    assert np.corrcoef(high, low)[0, 1] < 0.1


def test_values_that_differ_in_their_last_bit_have_numbers_of_their_own():
    values = [0.0, 5e-324, 1e-9, 2e-9, 0.1, 0.3, 1.0, 1e15, 1e15 + 0.5, 1e22, 1e300]
    values += [np.nextafter(v, np.inf).item() for v in values]
    values += [-v for v in values if v]
    assert len({point_hash({"noise": v}) for v in values}) == len(set(values))


def test_streams_are_found():
    assert len(NAMES) >= 15


def test_named_streams_are_independent():
    """Over all names of the package: what two of them draw is not alike."""
    key = key_for(0, 1, 2, 3)
    draw = jax.jit(lambda own: jax.random.normal(own, (DRAWS,)))
    drawn = np.array([draw(stream(key, name)) for name in NAMES])
    alike = np.abs(np.corrcoef(drawn)[np.triu_indices(len(NAMES), 1)])
    assert alike.max() < 5 / DRAWS**0.5


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_belongs_to_its_run(name):
    one, other = key_for(0, 1, 2, 3), key_for(0, 1, 2, 4)
    assert data(stream(one, name)) == data(stream(one, name)) != data(stream(other, name))
    assert data(stream(one, name)) != data(one)
