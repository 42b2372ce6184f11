"""How many breaks: forms grow while a larger one gains more than chance lets it.

Three things end the climb. A form that holds the curve to rounding is the curve's formula. A form
that holds it within the resolution is enough: what is left of a curve without scatter is structure
of any kind, which a bootstrap would follow to the largest form. Else the bootstrap decides, and
then the search of the curve and of its resamples is the same, so that neither has better luck.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import fdtrc

from ci_theory.locate.broken import Form
from ci_theory.locate.chain import Alike, Chain, likelihood
from ci_theory.locate.least_squares import Minimum
from ci_theory.locate.profile import EXACT, Resampled, resampled
from ci_theory.locate.search import Search

RESOLUTION = 1e-3
"""Scatter of log y (relative, of y) below which no further structure is looked for."""

_ROUNDING = 1e-12  # scatter that no form but the curve's own leaves
_GAIN = 0.9  # a form that leaves a larger share of the scatter gains nothing
_IDLE = 3  # forms without a gain after which no formula is looked for
_AHEAD = 4  # steps up that are looked at for a gain beyond doubt
_LADDER = 0.05  # chance to add a break or a floor that is not there, each time it is tried
_CLEAR = 1e-3  # a bound on that chance below which nothing is drawn
_LEAST = 1e-12  # no scatter is so normal that smaller chances mean anything
_TRIES = 3200  # points of the finest grid
_PATIENCE = 2000  # steps of the search of a form that is looked at
_ROUNDS = 8  # rounds of random starts at most, until one finds nothing lower
_FIRST = 50  # resamples that are tried first;
_PLAIN = 0.2  # where this share of them gains as much, the others would change nothing


class Rung(NamedTuple):
    """One form fitted to the curve.

    Attributes:
        theta: parameters (p,); ``loss``: sum of squares of all measurements, whitened.
        scatter: standard deviation around the curve, degrees of freedom allowed for.
        converged: whether the search ended at a minimum below which none was found.
    """

    theta: np.ndarray
    loss: float
    scatter: float
    converged: bool


class Step(NamedTuple):
    """One test: ``smaller`` against ``larger``, with its p value.

    ``p`` is bootstrapped, from the first 50 resamples where it is large; where ``bound`` is
    true it is an upper bound without any.
    """

    smaller: Form
    larger: Form
    p: float
    bound: bool


class Rungs(dict[Form, Rung]):
    """Forms fitted to a curve as they are asked for, each also from the one below."""

    def __init__(self, search: Search, chain: Chain):
        super().__init__()
        self.search, self.chain, self.y = search, chain, chain.data.y

    def __missing__(self, form: Form) -> Rung:
        """Fit a form."""
        smaller = self[form.smaller].theta[None] if form.size > 2 else None
        found = self.search.best(form, self.y[None], smaller=smaller, tops=6)
        return self._keep(form, found, 1)

    def _keep(self, form: Form, found: Minimum, rounds: int) -> Rung:
        if form.size > 2 and found.loss[0] > len(self.y) * EXACT**2:
            found = self.search.stirred(form, self.y, found, rounds)
        theta = form.sorted(found.theta)[0]
        loss = float((self.chain.rest(form, theta) ** 2).sum())
        scatter = float(np.sqrt(loss / max(self.chain.size - form.size, 1)))
        self[form] = Rung(theta, loss, scatter, bool(found.converged[0]))
        return self[form]

    def exact(self, forms: list[Form]) -> int:
        """Return which form is the curve's own, 0 if none; three without a gain are enough."""
        best, idle = np.inf, 0
        for i, form in enumerate(forms):
            scatter = self[form].scatter
            if scatter <= _ROUNDING:
                return i
            idle = 0 if scatter < _GAIN * best else idle + 1
            if idle == _IDLE:
                break
            best = min(best, scatter)
        return 0

    def finish(self, form: Form) -> None:
        """Go on with a search that was given up."""
        if not self[form].converged:
            start = [self[form].theta[None]]
            found = self.search.polish(form, self.y[None], start, steps=_PATIENCE)
            self._keep(form, found, _ROUNDS)


def climb(
    rungs: Rungs,
    tried: list[Form],
    resamples: int,
    seed: int,
    resolution: float,
) -> tuple[Resampled[Form], tuple[Step, ...]]:
    """Choose a form for a curve; return it resampled, and the tests on the way.

    Two steps are looked ahead, the second at half the level; four for a gain beyond what scatter
    gives to any search, which needs no bootstrap.
    """
    search, chain = rungs.search, rungs.chain
    at, steps = rungs.exact(tried), list[Step]()
    while True:
        here, ahead = tried[at], tried[at + 1 : at + 1 + _AHEAD]
        enough = rungs[here].scatter <= max(resolution, EXACT)
        jump = 0 if enough or not ahead else _clear(rungs, here, ahead, resolution)
        if jump:
            chance = _bound(rungs, here, ahead[jump - 1])
            steps.append(Step(here, ahead[jump - 1], chance, True))
            at += jump
            continue
        rungs.finish(here)
        again = resampled(search, chain, here, rungs[here].theta, resamples, seed)
        chances = [] if enough else _chances(search, rungs.y, again, ahead[:2])
        steps += [Step(here, form, p, False) for form, p in zip(ahead, chances, strict=False)]
        taken = [i for i, p in enumerate(chances) if p < _LADDER / (i + 1)]
        if not taken:
            return again, tuple(steps)
        at += taken[0] + 1


def _clear(rungs: Rungs, here: Form, ahead: list[Form], resolution: float) -> int:
    """Return how many steps up are beyond doubt; more than one only if fewer would not do.

    A drop from one level to another gains next to nothing until there are two breaks or a floor,
    so that it is looked further ahead than the bootstrap does.
    """

    def above(steps: int) -> bool:
        below = [here, *ahead[: steps - 1]]
        return all(_bound(rungs, form, ahead[steps - 1]) < _CLEAR for form in below)

    if len(ahead) > 1 and rungs[ahead[0]].scatter > resolution and above(2):
        return 2
    return next((k for k in range(1, len(ahead) + 1) if above(k)), 0)


def _bound(rungs: Rungs, smaller: Form, larger: Form) -> float:
    """Bound the chance that normal scatter lets a larger form gain what it does.

    All its parameters count as if the smaller form had none, at every point of the finest grid
    (Bonferroni): F_{p, n-p}. Where a single measurement is half of the sum of squares, it may be
    what the larger form fits, and the bound is 1.
    """
    squares = rungs.chain.rest(smaller, rungs[smaller].theta) ** 2
    if squares.max() > squares.sum() / 2:
        return 1.0
    free = max(rungs.chain.size - larger.size, 1)
    gain = rungs[smaller].loss / max(rungs[larger].loss, 1e-300) - 1
    chance = _TRIES * fdtrc(larger.size, free, max(gain, 0.0) * free / larger.size)
    return float(np.clip(chance, _LEAST, 1.0))


def _chances(
    search: Search, y: np.ndarray, again: Resampled[Form], ahead: list[Form]
) -> list[float]:
    """Return how often, if a form is true, each larger one gains as much as it does here.

    Source: Besag and Clifford 1991 (Biometrika 78), for stopping early where it is often
    (cited from memory).
    """
    curves = np.concatenate([y[None], again.curves])
    losses = np.concatenate([[again.loss], again.losses])
    withins = np.concatenate([[again.within], again.withins])
    start = np.concatenate([again.theta[None], again.thetas])
    parts = [slice(0, 1 + _FIRST), slice(1 + _FIRST, len(curves))]
    thetas = {(0, i): start[part] for i, part in enumerate(parts)}

    def gains(k: int, i: int) -> np.ndarray:
        """Fit the form k steps up to a part of the curves, after those below."""
        if (k - 1, i) not in thetas:
            gains(k - 1, i)
        found = search.best(ahead[k - 1], curves[parts[i]], smaller=thetas[k - 1, i])
        thetas[k, i] = found.theta
        return losses[parts[i]] / (found.loss + withins[parts[i]]) - 1

    chances = []
    for k in range(1, 1 + len(ahead)):
        made = gains(k, 0)
        if np.mean(made >= made[0]) < _PLAIN:
            made = np.append(made, gains(k, 1))
        chances.append(float(np.mean(made >= made[0])))
    return chances


def alike(rungs: Rungs, tried: list[Form], resolution: float) -> Alike:
    """Return how alike neighbouring measurements are around the form that then tells them best.

    Of a larger form and a correlation, either can take the other's place: the form is chosen by
    Schwarz's criterion with the correlation at its best in each, until four gain nothing, or one
    that gains leaves neighbours independent. What lies within the resolution is structure, and not
    looked at.
    """
    none = Alike(np.inf, 0.0, np.zeros(1))
    best, idle, found = np.inf, 0, none
    for form in tried:
        if rungs[form].scatter <= max(resolution, EXACT):
            return none
        here = likelihood(rungs.chain, form, rungs[form].theta)
        told = here.told + np.log(rungs.chain.size) * (form.size + (here.rho > 0))
        idle = 0 if told < best else idle + 1
        if told < best:
            best, found = told, here
        if idle == _AHEAD or (idle == 0 and not here.rho):
            break
    return found


def correlation(rest: np.ndarray, first: np.ndarray) -> float:
    """Return the correlation of neighbours in residuals (n,), 0 where there are none.

    ``first`` says which begin a run (n,).
    """
    centred = rest - rest.mean()
    square = float((centred**2).sum())
    pairs = (centred[1:] * centred[:-1])[~first[1:]]
    return float(pairs.sum()) / square if square > 0 else 0.0
