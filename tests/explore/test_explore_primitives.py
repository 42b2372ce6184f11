"""Every operation that translated theory is made of, in JavaScript and in JAX."""

import types

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax import lax
from jax.scipy import special

from ci_theory.explore import calls, structure
from ci_theory.explore.elementwise import NoTranslationError
from ci_theory.explore.javascript import translate
from engine import engine, results, written

RNG = np.random.default_rng(5)
X = np.array([-np.inf, -3.5, -2.5, -1.0, -0.5, -0.0, 0.0, 1e-9, 0.5, 1.0, 1.5, 2.5, 40.0, np.inf])
X = np.append(X, np.nan)
Y = np.roll(X, 4)
POSITIVE = np.array([1e-300, 1e-9, 0.3, 0.5, 1.0, 2.0, 2.7, 11.9, 12.1, 170.3, 1e5])
WHOLE = np.array([-7, -2, 0, 1, 3, 2**40])
Z = np.array([1 + 2j, -0.3 + 1e-9j, 1e-3 - 4j, -2.0 + 0j, 3 - 1j])
A = RNG.normal(size=(2, 3, 4))
SQUARE = RNG.normal(size=(2, 4, 4))
SYMMETRIC = SQUARE + np.swapaxes(SQUARE, 1, 2)
POSITIVE_DEFINITE = SQUARE @ np.swapaxes(SQUARE, 1, 2) + np.eye(4)
TRIANGLE = np.tril(SQUARE) + 3 * np.eye(4)
BESIDE = RNG.normal(size=(2, 4, 3))
STRIDES = A.transpose(0, 2, 1)
T = np.arange(6.0)


def _solves(name):
    """List triangular solves: from the left and the right, both triangles, both ways."""
    flags = [(a, b, c, d) for a in (0, 1) for b in (0, 1) for c in (0, 1) for d in (0, 1)]
    for left, lower, transpose, unit in flags:
        matrix = TRIANGLE if lower else np.swapaxes(TRIANGLE, 1, 2)
        beside = BESIDE if left else np.swapaxes(BESIDE, 1, 2)

        def solve(a, b, left=left, lower=lower, transpose=transpose, unit=unit):
            return lax.linalg.triangular_solve(
                a,
                b,
                left_side=bool(left),
                lower=bool(lower),
                transpose_a=bool(transpose),
                unit_diagonal=bool(unit),
            )

        yield f"{name} {left}{lower}{transpose}{unit}", solve, (matrix, beside)


def _lanes(x):
    """Lanes that stop at different steps: those that have ended must stay."""
    return jax.vmap(lambda a: lax.while_loop(lambda c: c[0] < a, _step, (0.0, 1.0, a)))(x)


def _lanes_of_arrays(x, start):
    """Each lane carries an array, all of which stays when the lane has ended."""

    first = (0.0, start)

    def lane(end):
        return lax.while_loop(lambda c: c[0] < end, lambda c: (c[0] + 1, c[1] * 2 + end), first)

    return jax.vmap(lane)(x)


def _step(state):
    count, other, end = state
    return count + 1, other * 2 + count, end


def _swapping(x):
    return lax.fori_loop(0, 3, lambda k, c: (c[1], c[0], c[2] + k), (x, x * 10, x))


def _scanned(x, reverse=False):
    return lax.scan(lambda c, a: (c * 0.5 + a.sum(), (c, a * c)), 1.0, x, reverse=reverse)


def _branch(x):
    return lax.switch(x.astype(int), [lambda y: y + 1, lambda y: y * 5, lambda y: -y], x * 2)


def _either(x):
    return lax.cond(x > 0, lambda y: (y, y + 1), lambda y: (y * 2, y * 3), x)


def _shared(x):
    many = jax.jit(lambda a: sum(jnp.sin(a * k) for k in range(9)))
    return many(x) + many(x + 1)


def _tables(x):
    return x * np.arange(3.0) + np.array([0.1, -0.2, np.inf]), np.array([1j, 2.0, 3.0]) * x


CASES = [
    ("arithmetic", lambda x, y: (x + y, x - y, x * y, x / y, -x), (X, Y)),
    ("comparisons", lambda x, y: (x < y, x <= y, x > y, x >= y, x == y, x != y), (X, Y)),
    ("extremes", lambda x, y: (jnp.maximum(x, y), jnp.minimum(x, y)), (X, Y)),
    ("extremes of what is negative", lambda a: (jnp.max(a, 1), jnp.min(-a, 0)), (-1 - A**2,)),
    ("clip", lambda x: (lax.clamp(-1.0, x, 2.0), lax.clamp(2.0, x, -1.0)), (X,)),
    ("numbers without end", lambda x: (jnp.where(x > 0, -jnp.inf, x), x - -jnp.inf), (X,)),
    ("sizes", lambda x: (abs(x), jnp.sign(x), jnp.isfinite(x), jnp.isnan(x)), (X,)),
    ("rounding", lambda x: (jnp.round(x), lax.round(x), jnp.floor(x), jnp.ceil(x)), (X,)),
    ("whole", lambda x: (x.astype(int), x.astype(bool), x.astype(int) // 2), (X[1:-2],)),
    ("whole numbers", lambda k: (k // 3, k % 3, lax.div(k, 3), lax.rem(k, 3), k * 1.0), (WHOLE,)),
    ("bits", lambda k: (k[1:5] & 1, k[1:5] | 2, k[1:5] ^ 3, ~k, k >> 1), (WHOLE,)),
    ("signbit", jnp.signbit, (X,)),
    (
        "truth",
        lambda x, y: ((x > 0) & (y > 0), (x > 0) | (y > 0), (x > 0) ^ (y > 0), ~(x > 0)),
        (X, Y),
    ),
    ("sums of truth", lambda x: (jnp.sum(x > 0), jnp.all(x > -9), jnp.any(x > 99)), (X,)),
    ("powers", lambda x: [x**k for k in (-3, -2, -1, 0, 1, 2, 3, 7)], (X,)),
    ("real powers", lambda x, y: (jnp.power(x, y), jnp.power(1.0, y), jnp.power(-1.0, y)), (X, Y)),
    ("roots", lambda x: (jnp.sqrt(x), lax.rsqrt(x), jnp.cbrt(x)), (X,)),
    ("exponentials", lambda x: (jnp.exp(x), jnp.expm1(x), jnp.exp2(x), jnp.tanh(x)), (X,)),
    ("logarithms", lambda x: (jnp.log(x), jnp.log1p(x), lax.logistic(x)), (X,)),
    ("turns", lambda x, y: (jnp.sin(x), jnp.cos(x), jnp.tan(x), jnp.arctan2(x, y)), (X, Y)),
    ("inverse turns", lambda x: (jnp.arcsin(x), jnp.arccos(x), jnp.arctan(x)), (X,)),
    ("hyperbolic", lambda x: (jnp.sinh(x), jnp.cosh(x), jnp.arcsinh(x), jnp.arccosh(x)), (X,)),
    ("inverse hyperbolic tangents", jnp.arctanh, (X,)),
    ("remainder", lambda x, y: lax.rem(x, y), (X, Y)),
    ("next", lambda x, y: jnp.nextafter(x, y), (X[5:], Y[5:])),
    ("erf", lambda x: (lax.erf(x), lax.erfc(x)), (np.append(X, np.linspace(-7, 20, 60)),)),
    ("erf of numbers not far", lambda x: 1 - lax.erfc(x), (np.linspace(-0.6, 0.6, 25),)),
    ("lgamma", lax.lgamma, (np.concatenate([POSITIVE, -POSITIVE[1:3], [np.nan]]),)),
    ("lgamma far", lax.lgamma, (np.array([np.inf, 0.0, -1.0, 1e9, -0.1, 30.5]),)),
    (
        "igamma",
        lambda a, x: (special.gammainc(a, x), special.gammaincc(a, x)),
        (POSITIVE[2:-2], POSITIVE[::-1][2:-2]),
    ),
    (
        "igamma near",
        lambda a: (special.gammainc(a, a), special.gammaincc(a, a * 1.1)),
        (POSITIVE[2:-2],),
    ),
    (
        "select",
        lambda x, y: (jnp.where(x > y, x, y), lax.select_n(x.astype(int) % 3, x, y, x * y)),
        (X[1:-2], X[1:-2][::-1].copy()),
    ),
    (
        "complex comparisons",
        lambda z, w: (z == w, z != w, z.real + 1j == w, jnp.isfinite(z * np.inf)),
        (np.array([1 + 2j, 1 - 2j, 3 + 2j, 0j]), np.array([1 + 2j, 1 + 2j, 1 + 2j, 0j])),
    ),
    (
        "complex derivatives",
        lambda z: jax.grad(lambda w: jnp.sum(abs(w * w + 3 * w - 1) ** 2))(z),
        (Z,),
    ),
    ("complex squares", lambda z: (z**2, lax.square(z), lax.integer_pow(z, 2)), (Z,)),
    ("complex", lambda z: (z + z.conj(), z * z, z / z[::-1], -z, abs(z), z.real, z.imag), (Z,)),
    (
        "complex functions",
        lambda z: (jnp.exp(z), jnp.log(z), jnp.sqrt(z), jnp.expm1(z), z**3, z**-2),
        (Z,),
    ),
    (
        "complex arrays",
        lambda z, x: (jnp.sum(z), z @ z, jnp.where(x > 0, z, 1j), lax.complex(x, -x), z == z),
        (Z, RNG.normal(size=5)),
    ),
    (
        "views",
        lambda a: (a.T, a[1, ::-1, 1:3], a.reshape(6, 4), a[:, None], a[..., 2], a[::2, 1:, ::3]),
        (A,),
    ),
    (
        "axes of one among others, of a view that is turned",
        lambda a: (a.T.reshape(1, 4, 3, 2), a.T.reshape(4, 1, 3, 2, 1), a[:, :1].T.reshape(4, 2)),
        (A,),
    ),
    (
        "as many axes of other lengths",
        lambda a: (
            a.reshape(4, 3, 2),
            a[0].reshape(4, 3),
            a[0].T.reshape(3, 4),
            a.T.reshape(2, 3, 4),
        ),
        (A,),
    ),
    (
        "views of views",
        lambda a: (a.T[1].T.reshape(-1), a[:, ::-1].transpose(1, 0, 2)[1:].sum(0)),
        (A,),
    ),
    (
        "broadcast",
        lambda a: (jnp.broadcast_to(a[:, :1], (2, 3, 4)) + a, jnp.ones((2, 2)) * a[0, 0, 0]),
        (A,),
    ),
    (
        "joined",
        lambda a: (
            jnp.concatenate([a, a[:, :1] * 2], 1),
            jnp.stack([a[0, 0, 0], 2.0]),
            jnp.concatenate([a, a]),
        ),
        (A,),
    ),
    ("padded", lambda a: (jnp.pad(a, 1), lax.pad(a, 7.0, [(1, 0, 0), (0, 2, 1), (0, 0, 2)])), (A,)),
    (
        "counted",
        lambda a: (jnp.arange(4.0) + a, lax.broadcasted_iota(float, (2, 3), 1), jnp.eye(3)),
        (A,),
    ),
    ("split", lambda a: jnp.split(a, [1, 2], axis=1), (A,)),
    ("tiled", lambda a: (jnp.tile(a[:, :1], (1, 5, 1)), jnp.repeat(a, 2, axis=1)), (A,)),
    ("sums", lambda a: (a.sum(), a.sum(1), a.sum((0, 2)), a.prod(0), a.mean(2)), (A,)),
    (
        "extremes of arrays",
        lambda a: (a.max(), a.min(1), a.argmax(1), a.argmin(2), a[0, 0].argmax()),
        (A,),
    ),
    ("extremes with NaN", lambda x: (x.max(), x.min(), x.argmax(), x[:-1].argmax()), (X,)),
    (
        "running",
        lambda a: (
            jnp.cumsum(a, 1),
            jnp.cumprod(a, 2),
            lax.cummax(a, 1, reverse=True),
            lax.cummin(a, 0),
        ),
        (A,),
    ),
    (
        "products",
        lambda a, b: (a @ b, a[0] @ b[1], jnp.einsum("aij,aik->jk", a, a), a[0, 0] @ a[1, 1]),
        (A, BESIDE),
    ),
    ("outer", lambda a: (jnp.outer(a[0, 0], a[1, 1]), jnp.einsum("ij,ij->i", a[0], a[1])), (A,)),
    (
        "taken",
        lambda a, k: (a[:, k], a[k % 2, k], jnp.take(a, k, axis=2, mode="clip"), a[k[0] % 2]),
        (A, np.array([2, 0, 1])),
    ),
    ("taken outside", lambda a, k: jnp.take(a, k, axis=1, mode="fill"), (A, np.array([2, 7, -9]))),
    (
        "put",
        lambda a, k: (
            a.at[:, k].set(1.0),
            a.at[0, k, 1].add(5.0),
            a.at[k[0] % 2].set(2.0),
            a.at[:, k + 2].set(3.0),
        ),
        (A, np.array([2, 0, 1])),
    ),
    (
        "slices that move",
        lambda a, k: (
            lax.dynamic_slice(a, (k[0], 1, 1), (1, 2, 3)),
            lax.dynamic_update_slice(a, a[:, :1] * 2, (0, k[1], 0)),
        ),
        (A, np.array([9, 1])),
    ),
    (
        "slices that move beyond",
        lambda a, k: (
            lax.dynamic_slice(a, (0, k[0], k[1]), (1, 2, 3)),
            lax.dynamic_slice(a, (k[1], k[0], k[0]), (2, 1, 2)),
            lax.dynamic_slice(
                a, (k[2], k[2], k[2]), (1, 2, 3)
            ),  # before the first, also from the end
            lax.dynamic_update_slice(a, -a[:, 1:, 2:], (k[1], k[0], k[0])),
            lax.dynamic_update_slice(a, -a[:, 1:, 2:], (k[1], k[1], k[1])) + a,
        ),
        (A, np.array([9, -3, -9])),
    ),
    (
        "what is at the front of more",
        lambda a, x: (
            a[0],
            lax.sort(a[0]),
            lax.top_k(a[:1], 2),
            jnp.linalg.cholesky(SYMMETRIC @ SYMMETRIC + jnp.eye(4))[:1],
            lax.linalg.lu(a[0])[0],
            jax.vmap(lambda e: lax.while_loop(lambda c: c[0] < e, _step, (0.0, 1.0, e)))(x[:2]),
        ),
        (A, np.array([1.0, 3.0, 9.0])),
    ),
    (
        "put beyond",
        lambda a, k: (
            a.at[:, k].set(-1.0, mode="clip"),
            a.at[:, k].add(-1.0, mode="drop"),
            lax.scatter(
                a[0],
                k[:, None],
                jnp.ones((2, 2, 4)),
                lax.ScatterDimensionNumbers((1, 2), (), (0,)),
                mode="clip",
            ),
        ),
        (A, np.array([7, 1])),
    ),
    (
        "NaN among numbers",
        lambda x: (x.argmax(1), x.argmin(1), x.max(1), jnp.sort(x, 1), lax.cummax(x, 1)),
        (np.array([[1.0, np.nan, 3.0], [np.nan, 2.0, 1.0], [2.0, 3.0, np.nan], [2.0, 2.0, 1.0]]),),
    ),
    (
        "cumulative in reverse",
        lambda a: (lax.cumsum(a, 1, reverse=True), lax.cumprod(a, 2, reverse=True)),
        (A,),
    ),
    (
        "sorted",
        lambda a, x: (jnp.sort(a, 1), jnp.argsort(a, 2), jnp.sort(x), lax.top_k(a, 2)),
        (A, X),
    ),
    ("lu", lambda a: lax.linalg.lu(a), (SQUARE,)),
    ("cholesky", lambda a: (jnp.linalg.cholesky(a), jnp.linalg.cholesky(-a)), (POSITIVE_DEFINITE,)),
    ("eigenvalues", lambda a: jnp.linalg.eigh(a)[0], (SYMMETRIC,)),
    (
        "eigenvectors",
        lambda a: (lambda w, v: v @ (w[..., None] * jnp.swapaxes(v, 1, 2)))(*jnp.linalg.eigh(a)),
        (SYMMETRIC,),
    ),
    ("equal eigenvalues", lambda a: jnp.linalg.eigh(a)[0], (np.eye(3) + np.ones((3, 3)) * 1e-9,)),
    (
        "solved",
        lambda a, b: (jnp.linalg.solve(a, b), jnp.linalg.inv(a), jnp.linalg.det(a)),
        (SQUARE, BESIDE),
    ),
    (
        "solved backwards",
        lambda a, b: jax.grad(lambda c: jnp.sum(jnp.linalg.solve(a, c) ** 2))(b),
        (SQUARE, BESIDE),
    ),
    *_solves("triangle"),
    ("lanes", _lanes, (np.array([0.0, 3.0, 1.0, 5.0]),)),
    ("lanes of arrays", _lanes_of_arrays, (np.array([2.0, 0.0, 3.0, 1.0]), A[0, 0])),
    ("one lane", lambda x: lax.while_loop(lambda c: c[0] < x, _step, (0.0, 1.0, x)), (4.0,)),
    ("swapping", _swapping, (np.array([1.0, 2.0]),)),
    ("scan", _scanned, (A[0],)),
    ("scan back", lambda x: _scanned(x, reverse=True), (A[0],)),
    ("scan of numbers", lambda x: lax.scan(lambda c, a: (c + a, c * a), 0.0, x), (A[0, 0],)),
    ("scan of one", lambda x: lax.scan(lambda c, a: (c + a, c * a), 2.0, x), (A[0, 0, :1],)),
    ("complex scan", lambda z: lax.scan(lambda c, a: (c * a, c + a), 1j, z), (Z,)),
    ("switch", lambda x: [_branch(x + k) for k in (-3, 0, 1, 2, 9)], (0.0,)),
    ("either", lambda x: (_either(x), _either(-x)), (3.0,)),
    ("shared", _shared, (A[0],)),
    ("shared number", _shared, (0.3,)),
    ("tables", _tables, (2.0,)),
    (
        "tables of the same numbers",
        lambda x: (x + T.reshape(2, 3), x + T.reshape(3, 2), x + T.astype(int), x + T[:, None]),
        (np.float64(0.5),),
    ),
    ("derivatives", lambda x: jax.grad(lambda y: jnp.sum(jnp.exp(-(y**2)) * y))(x), (A[0, 0],)),
    ("nothing used", lambda x: (x, jnp.zeros(3), jnp.zeros((0,)).sum(), True), (1.0,)),
    ("large numbers", lambda x: (x * 2.0**53, x + 1e308, x * 1e308 * 10), (np.array([1.0, -1.0]),)),
]


@pytest.fixture(scope="module")
def right():
    """What JAX makes of all cases, by one program."""
    functions = [function for _, function, _ in CASES]
    with jax.numpy_rank_promotion("allow"):
        made = jax.jit(lambda given: [f(*a) for f, a in zip(functions, given, strict=True)])(
            [arguments for _, _, arguments in CASES]
        )
    return {name: jax.tree.leaves(one) for (name, _, _), one in zip(CASES, made, strict=True)}


@pytest.fixture(scope="module")
def one_engine():
    return engine()


@pytest.mark.parametrize(("name", "function", "arguments"), CASES, ids=[c[0] for c in CASES])
def test_javascript_computes_what_jax_computes(name, function, arguments, right, one_engine):
    with jax.numpy_rank_promotion("allow"):
        jaxpr = jax.make_jaxpr(lambda *a: jax.tree.leaves(function(*a)))(*arguments)
    source = translate(jaxpr, "made")
    given = ", ".join(text for value in arguments for text in written(value))
    call = f"(() => {{ {source}\n const made_ = made({given}); "
    call += "return Array.isArray(made_) ? made_ : [made_]; })()"
    got = iter(results(one_engine, call))
    for want in right[name]:
        parts = (want.real, want.imag) if np.iscomplexobj(want) else (want,)
        for part in parts:
            part = np.asarray(part, float).ravel()
            finite = part[np.isfinite(part)]
            scale = np.max(np.abs(finite), initial=0)
            tolerance = 1e-14 * (scale if np.size(part) < len(X) else 0)
            np.testing.assert_allclose(next(got), part, rtol=5e-14, atol=tolerance, err_msg=name)
    assert not list(got)


@pytest.mark.parametrize(("a", "x"), [(170.3, 170.3), (1e5, 1e5), (1e5, 1.01e5), (300, 100)])
def test_the_incomplete_gamma_function_is_right_where_jax_rounds(a, x, one_engine):
    """JAX is right to 1e-10 here: it takes the difference of large logarithms."""
    with mpmath.workdps(40):
        right = [mpmath.gammainc(a, *ends, regularized=True) for ends in ((0, x), (x,))]
    got = results(one_engine, f"[igamma({a}, {x}), igammac({a}, {x})]")
    np.testing.assert_allclose([one[0] for one in got], np.array(right, float), rtol=2e-13)


def test_the_tail_of_the_error_function_ends_where_numbers_do(one_engine):
    """JAX, which counts no number below 1e-308, is 0 from 26.6 on."""
    at = np.linspace(0.4, 27.4, 109)
    (got,) = results(one_engine, f"[Float64Array.from({at.tolist()}.map(erfc))]")
    with mpmath.workdps(30):
        right = np.array([float(mpmath.erfc(x)) for x in at])
    np.testing.assert_allclose(got, right, rtol=5e-14, atol=1e-320)
    assert got[-1] == 0 < got[-3]


NONE, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("call", "right"),
    [
        ("nextafter(0, -1)", [-5e-324]),
        ("nextafter(0, 1)", [5e-324]),
        ("toWhole(NaN)", [0]),
        ("igamma(2, Infinity)", [1]),
        ("igammac(2, Infinity)", [0]),
        ("lgamma(-Infinity)", [INFINITE]),
        ("roundAway(-2.5)", [-3]),
        ("complexSqrt(0, 0, 1)", [0]),
        ("complexExp(800, 0, 1)", [0]),
        ("complexIntegerPow(1, 1, -2, 1)", [-0.5]),
        ("integerPow(2, -3)", [0.125]),
        ("pow(-1, -Infinity)", [1]),
        ("along(Float64Array.of(1, NaN, 3, NaN), [4], 0, 'argmax', false)", [1]),
        ("along(Float64Array.of(1, NaN, 0, NaN), [4], 0, 'argmin', false)", [1]),
        ("topK(Float64Array.of(2, 3, 3, 1, 3), 5, 2)[1]", [1, 2]),
        ("cholesky(Float64Array.of(4, -1, 9), 1)", [2, NONE, 3]),
    ],
)
def test_the_runtime_at_its_ends(call, right, one_engine):
    """Of equal numbers the first is taken, no number is the largest, and an infinity is one."""
    (got,) = results(one_engine, f"[{call}]")
    np.testing.assert_array_equal(got, right)


def test_values_of_a_nearly_diagonal_matrix_have_all_digits(one_engine):
    """What is left beside the diagonal moves its values by the square of it over their distance."""
    with mpmath.workdps(40):
        small, near = mpmath.mpf(1e-10), mpmath.mpf(1) + mpmath.mpf(2) ** -30
        middle, half = (1 + near) / 2, mpmath.hypot((near - 1) / 2, small)
        right = [float(middle - half), float(middle + half)]
    given = f"Float64Array.of(1, 1e-10, 1e-10, {1 + 2.0**-30!r})"
    (got,) = results(one_engine, f"[eigh({given}, 2)[1]]")
    np.testing.assert_allclose(got, right, rtol=4e-16)


def test_the_logarithm_of_a_complex_number_near_one_has_all_digits(one_engine):
    for a, b in ((1.0, 1e-5), (1e-5, -1.0), (1.9, 0.1), (0.9, 0.2)):
        (got,) = results(one_engine, f"[complexLog({a!r}, {b!r}, 0)]")
        with mpmath.workdps(40):
            right = float(mpmath.log(mpmath.hypot(mpmath.mpf(a), mpmath.mpf(b))))
        np.testing.assert_allclose(got, right, rtol=1e-14)


@pytest.mark.parametrize(
    ("function", "arguments", "reason"),
    [
        (lambda x: jax.pure_callback(np.sin, x, x), (1.0,), "pure_callback"),
        (lambda x: x.astype(jnp.float32), (1.0,), "float32"),
        (lambda x: lax.pad(x, 0.0, [(-1, 0, 0)]), (np.ones(3),), "negative padding"),
        (lambda z: jnp.linalg.eigh(z)[0], (np.eye(2) * 1j,), "complex"),
        (lambda x: lax.digamma(x), (1.0,), "digamma"),
        (lambda z: jnp.linalg.cholesky(z), (np.eye(2) * (1 + 0j),), "cholesky of complex"),
        (lambda z: lax.linalg.lu(z)[0], (np.eye(2) * 1j,), "lu of complex"),
        (lambda x: lax.linalg.eigh(x, subset_by_index=(0, 1))[1], (np.eye(3),), "some eigenvalues"),
        (lambda x: lax.bitcast_convert_type(x, jnp.uint64), (1.0,), "bits of a number as uint64"),
        (lambda x: lax.reduce_max(x > 0, (0,)), (np.ones(3),), "extremes of truth values"),
        (lambda z: jnp.prod(z), (Z,), "reduce_prod of these numbers"),
        (lambda k: lax.reduce_and(k, (0,)), (WHOLE,), "reduce_and of these numbers"),
        (lambda k: lax.reduce_or(k, (0,)), (WHOLE,), "reduce_or of these numbers"),
        (lambda z: lax.cumsum(z), (Z,), "cumsum of complex numbers"),
        (lambda z: lax.cumprod(z), (Z,), "cumprod of complex numbers"),
        (lambda z: lax.sort(z), (Z,), "sort of complex numbers"),
    ],
)
def test_what_has_no_translation_is_said(function, arguments, reason):
    with pytest.raises(NoTranslationError, match=reason):
        translate(jax.make_jaxpr(function)(*arguments), "made")


def test_what_has_no_rule_is_refused_and_not_written_wrongly():
    def atom(*shape):
        return types.SimpleNamespace(aval=types.SimpleNamespace(shape=shape, ndim=len(shape)))

    top = types.SimpleNamespace(invars=[atom(3, 4)], params={"axis": 0, "k": 2})
    with pytest.raises(NoTranslationError, match="another axis than the last"):
        calls._top_k(None, top)
    tiled = types.SimpleNamespace(invars=[atom(2, 1)], outvars=[atom(4, 3)])
    with pytest.raises(NoTranslationError, match="tiles of more than one element"):
        structure._tile(None, tiled)


def test_what_is_called_again_and_again_is_written_once():
    """Each function calls the one before it twice: written where they are called they double."""

    def twice(inner):
        def outer(x):
            for _ in range(13):
                x = jnp.sin(x)
            return inner(x) + inner(x + 1)

        return jax.jit(outer)

    deep = jnp.exp
    for _ in range(8):
        deep = twice(deep)
    assert len(translate(jax.make_jaxpr(deep)(0.5), "made")) < 20_000


def test_what_is_squared_is_written_once():
    """A square writes its argument twice, so that squares of squares would double."""

    def deep(x):
        for _ in range(12):
            x = jnp.square(x + 1.5)
        return x

    for start in (0.5, np.array([0.5, 0.25])):
        assert len(translate(jax.make_jaxpr(deep)(start), "made")) < 5_000
