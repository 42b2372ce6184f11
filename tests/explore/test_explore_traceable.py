"""Plain Python that JAX can trace: it says what Python says, and what it cannot read is refused."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ci_theory._record import record, traced
from ci_theory.explore import traceable

VALUES = (-1.0, 0.0, 0.5, 2.0, 3.0)


@record
class Params:
    a: float = traced(1.0, unit="", doc="a number")
    b: float = traced(1.0, unit="", doc="another")

    def share(self):
        return self.a / self.b if self.b > 0 else float("nan")


def _early(a, b):
    """Each way out is another number."""
    if a > 0 and b > 0:
        return float("nan")
    if a == 0 or not b:
        return 1.0
    elif a == 0.5:
        c = 7
    else:
        c = min(a, b, 0.25)
    return 2 * c + max(a, b)


def _nested(a, b):
    if a > 0:
        if b > 1:
            return 10.0
        c = a
    else:
        c = -a
        if b < 0:
            return c
    return c + 100 * b


def _several(a, b):
    low, high = (a, b) if a < b else (b, a)
    inside = 0 <= low < high <= 2
    return low - high if inside else 10 * _helper(low, sign=3)


def _helper(value, *, sign=1):
    if value < 0:
        return sign * value
    return value


def _known_values(a, b):
    if a in (0, 3) and b not in (2, 3):
        return math.exp(a) + math.lgamma(b + 3)
    return int(a * 1.9) + bool(b) + math.pi


def _unused(a, b):
    return a if a > 0 and math.isfinite(b) else b


def _of_a_list(a, b):
    return max([a, b, 0.25]) - min((a, b))


def _by_word(word):
    def inside(a, b):
        scale = {"flat": 2.0, "steep": 3.0}
        named = scale[word] * a if word in scale else b
        return named + (1.0 if word in "flatter" else 0.0) + (word not in ("steep", "round"))

    return inside


def _shifted(a, b, by=2.5, *, scale=3.0):
    return a + by if b > 0 else scale * b


def _one_or_the_other(a, b):
    """Numbers, of which `and` and `or` return one; and a truth value beside a number."""
    c = a or b or 2.5
    d = b and a
    e = a > 0 and b
    return c + 10 * d + 100 * e if a and not b else c - d + 1000 * (e or a < 0)


def _around(scale):
    def inside(a, b):
        return scale * a if b > 0 else float(scale)

    return inside


def _compiling(function):
    @functools.wraps(function)
    def run(*given):
        return float(jax.jit(function)(*map(np.asarray, given)))

    return run


@_compiling
def _compiled(a, b):
    return jnp.where(a > b, a, 2 * b)


def _calls_it(a, b):
    return sum(map(float, (a, b))) + float(_compiled(a, b))


@pytest.mark.parametrize(
    "function",
    [
        _early, _nested, _several, _known_values, _unused, _calls_it, _around(3.0),
        _one_or_the_other, _of_a_list, _shifted,
        _by_word("flat"), _by_word("steep"), _by_word("other"),
        lambda a, b: -b if a else b,
        lambda a, b: Params(a=a, b=b).share() if b else -1.0,
        lambda a, b: math.pow(2, a) + math.atan2(3.0, b) + math.hypot(b, 1) + math.sqrt(4),
    ],
)  # fmt: skip
def test_it_says_what_python_says(function):
    read = traceable.of(function)
    both = jax.jit(lambda a, b: jnp.asarray(read(a, b), float))
    for a, b in itertools.product(VALUES, VALUES):
        right = float(function(a, b))
        np.testing.assert_allclose(both(a, b), right, rtol=1e-15, err_msg=f"{a} {b}")
        np.testing.assert_allclose(float(read(a, b)), right, rtol=1e-15)  # nothing is traced


def _grows(a, b):
    found = []
    if a > 0:
        found.append(a)
    return min(found) if found else b


def _sets(a, b):
    held = {}
    if a > 0:
        held["b"] = b
    return held.get("b", a)


def _grows_otherwise(a, b):
    found = [a]
    if a > 0:
        b = 2 * b
    else:
        found.append(b)
    return sum(found)


class _Held:
    """Something with an attribute."""

    value = 0.0


def _marks(a, b):
    held = _Held()
    if a > 0:
        held.value = b
    return held.value


def _grows_after(a, b):
    found = []
    if a > 0:
        b = -b
    found.append(b)
    return sum(found)


@pytest.mark.parametrize("function", [_grows, _sets, _grows_after, _grows_otherwise, _marks])
def test_a_branch_that_changes_what_others_see_is_refused(function):
    """Both branches are traced: Python would have run one."""
    with pytest.raises(TypeError, match="changes what others see"):
        traceable.of(function)


def test_what_cannot_be_read_is_refused():
    two = (lambda a: a + 1, lambda a: a - 1)
    with pytest.raises(TypeError, match="2 functions begin in its line"):
        traceable.of(two[0])
    with pytest.raises(TypeError, match="no text in Python"):
        traceable.of(math.sqrt)
    made = {}
    exec("def made(a): return a", made)
    with pytest.raises(OSError, match="text of made cannot be had"):
        traceable.of(made["made"])


def test_a_loop_that_asks_is_left_as_it_is():
    def halved(a):
        while a > 1:
            a = a / 2
        return a

    read = traceable.of(halved)
    assert read(6.0) == 0.75
    with pytest.raises(jax.errors.ConcretizationTypeError):
        jax.jit(read)(6.0)


def _whole(a, b):
    """A function whose name is that of a counterpart of ``int``."""
    return a + 3 * b


def _of_a_name_of_ours(a, b):
    return _whole(a, b) if int(a) > 1 else float("nan")


def _not_to_be_traced(function):
    @functools.wraps(function)
    def run(*args):
        return np.asarray(function(*map(np.asarray, args)))

    return run


@_not_to_be_traced
def _decorated(a, b):
    return a * b if b > 0 else 1.0


def _inside_a_generator(a, b):
    return sum(float(_decorated(a, c)) for c in (b, 2.0))


@pytest.mark.parametrize(
    "function", [_of_a_name_of_ours, _decorated, _inside_a_generator], ids=lambda f: f.__name__
)
def test_names_decorators_and_generators_are_seen_through(function):
    """What a module calls as we call ours is the module's; what compiles or converts is not run."""
    program = jax.jit(traceable.of(function))
    for a, b in itertools.product((0.5, 2.0, 3.0), VALUES):
        np.testing.assert_array_equal(program(a, b), float(function(a, b)))
