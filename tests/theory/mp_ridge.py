"""Ridge theory in 60 digits, straight from the defining equations: the oracle of the tests.

Nothing is rearranged: df1, df2 and 1 - df2/n are formed as they are written. A root counts only
once the defining equation is seen to change sign within 1e-35 of it.
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 60


def many(values):
    return [mp.mpf(float(v)) for v in values]


class Modes:
    """A finite list of modes with multiplicities, and an infinitesimal tail."""

    def __init__(self, eigenvalues, multiplicity, power, tail_trace=0, tail_power=0):
        self.eigenvalues, self.multiplicity = many(eigenvalues), many(multiplicity)
        self.power = many(power)
        self.tail_trace, self.tail_power = mp.mpf(float(tail_trace)), mp.mpf(float(tail_power))

    @classmethod
    def of(cls, spectrum):
        s = spectrum
        return cls(s.eigenvalues, s.multiplicity, s.power, s.tail_trace, s.tail_power)

    @property
    def rank(self):
        pairs = zip(self.eigenvalues, self.multiplicity, strict=True)
        return mp.inf if self.tail_trace > 0 else mp.fsum(m for v, m in pairs if v > 0)

    def df1(self, kappa):
        pairs = zip(self.eigenvalues, self.multiplicity, strict=True)
        return mp.fsum(m * v / (v + kappa) for v, m in pairs) + self.tail_trace / kappa

    def df2(self, kappa):
        pairs = zip(self.eigenvalues, self.multiplicity, strict=True)
        return mp.fsum(m * (v / (v + kappa)) ** 2 for v, m in pairs)

    def bias(self, kappa):
        pairs = zip(self.eigenvalues, self.power, strict=True)
        return mp.fsum(b * (kappa / (v + kappa)) ** 2 for v, b in pairs) + self.tail_power

    def kappa(self, n, ridge):
        """Newton on the convex n kappa - kappa df1 - ridge from the far side, then the check."""
        n, ridge = mp.mpf(n), mp.mpf(ridge)
        pairs = list(zip(self.eigenvalues, self.multiplicity, strict=True))
        whole = self.tail_trace + ridge
        kappa = (mp.fsum(m * v for v, m in pairs) + whole) / n
        for _ in range(400):
            value = n * kappa - mp.fsum(m * v * kappa / (v + kappa) for v, m in pairs) - whole
            slope = n - mp.fsum(m * (v / (v + kappa)) ** 2 for v, m in pairs)
            step = value / slope
            kappa -= step
            if abs(step) < kappa * mp.mpf("1e-45"):
                break
        return certified(lambda k: self.df1(k) + ridge / k - n, kappa)


def certified(function, root, within="1e-35"):
    """Return the root if the decreasing function changes sign around it."""
    assert function(root * (1 - mp.mpf(within))) > 0 > function(root * (1 + mp.mpf(within)))
    return root


def risk(modes, n, ridge, noise):
    """Every field of a ``RidgeRisk`` that is a number, as a dictionary."""
    n, ridge, noise = mp.mpf(n), mp.mpf(ridge), mp.mpf(noise)
    if ridge == 0 and n >= modes.rank:  # least squares: the limit kappa -> 0
        kappa, gamma, fit, bias = mp.mpf(0), modes.rank / n, 1 - modes.rank / n, modes.tail_power
    else:
        kappa = modes.kappa(n, ridge)
        gamma, fit, bias = modes.df2(kappa) / n, ridge / (n * kappa), modes.bias(kappa)
    test = (bias + noise) / (1 - gamma)
    return {
        "kappa": kappa,
        "test_error": test,
        "excess_risk": test - noise,
        "train_error": fit**2 * test,
        "bias": bias,
        "noise_variance": noise * gamma / (1 - gamma),
        "signal_variance": bias * gamma / (1 - gamma),
        "gamma": gamma,
        "fit": fit,
    }


class LongPowerLaw(Modes):
    """p modes k^-alpha with power k^-decay, p up to millions, by Euler-Maclaurin."""

    def __init__(self, p, alpha, decay, tail_trace=0, tail_power=0, first=150):
        super().__init__([], [], [], tail_trace, tail_power)
        self.p, self.alpha, self.decay = mp.mpf(p), mp.mpf(alpha), mp.mpf(decay)
        self.first = first

    @property
    def rank(self):
        return mp.inf if self.tail_trace > 0 else self.p

    def _sum(self, kappa, c, q):
        """Sum k^(c-1) / (1 + kappa k^alpha)^q over k = 1..p by Euler-Maclaurin.

        A direct start, the integral as a hypergeometric function, and the end corrections.
        """

        def term(k):
            return k ** (c - 1) / (1 + kappa * k**self.alpha) ** q

        def integral(k):
            b = c / self.alpha
            return k**c / c * mp.hyp2f1(q, b, b + 1, -kappa * k**self.alpha)

        start, stop = mp.mpf(self.first), self.p
        total = mp.fsum(term(mp.mpf(k)) for k in range(1, self.first))
        total += integral(stop) - integral(start) + (term(start) + term(stop)) / 2
        low, high = mp.taylor(term, start, 15), mp.taylor(term, stop, 15)
        for j in range(1, 9):
            total += mp.bernoulli(2 * j) / (2 * j) * (high[2 * j - 1] - low[2 * j - 1])
        return total

    def df1(self, kappa):
        return self._sum(kappa, mp.mpf(1), 1) + self.tail_trace / kappa

    def df2(self, kappa):
        return self._sum(kappa, mp.mpf(1), 2)

    def bias(self, kappa):
        # k^-decay (kappa / (k^-alpha + kappa))^2
        return kappa**2 * self._sum(kappa, 2 * self.alpha - self.decay + 1, 2) + self.tail_power

    def kappa(self, n, ridge):
        """Newton in log kappa from where a coarse float sum changes sign, then the check."""
        n, ridge = mp.mpf(n), mp.mpf(ridge)
        root = mp.mpf(self._rough(float(n), float(ridge + self.tail_trace)))
        for _ in range(8):
            df1 = self.df1(root) + ridge / root
            step = (df1 - n) / (df1 - self.df2(root))
            root *= mp.exp(step)
            if abs(step) < mp.mpf("1e-14"):
                break
        return certified(lambda k: self.df1(k) + ridge / k - n, root, within="1e-25")

    def _rough(self, n, whole):
        k = np.unique(np.geomspace(1, float(self.p), 4000).round())
        weight = np.diff(np.append(k, float(self.p) + 1))
        grid = np.geomspace(1e-25, 1e6, 4000)
        at = lambda x: np.sum(weight / (1 + x * k ** float(self.alpha))) + whole / x  # noqa: E731
        low, high = 0, len(grid) - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if at(grid[middle]) > n else (low, middle)
        return grid[low]
