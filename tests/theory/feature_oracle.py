"""Random-feature theory from its defining equations and published forms, at 60 digits."""

import dataclasses

import mpmath as mp
import numpy as np

DIGITS = 60
NODES = 64


def padded(spectrum):
    """Give every spectrum one length, so that each formula compiles once for all of them."""
    free = NODES - len(spectrum.eigenvalues)
    fill = {"eigenvalues": 1.0, "multiplicity": 0.0, "power": 0.0}
    leaves = {
        k: np.pad(np.asarray(getattr(spectrum, k), float), (0, free), constant_values=v)
        for k, v in fill.items()
    }
    tails = {k: np.asarray(getattr(spectrum, k), float) for k in ("tail_trace", "tail_power")}
    return dataclasses.replace(spectrum, **leaves, **tails)


def exact(number):
    return mp.mpf(float(number))


class Oracle:
    """Defining equations and published forms at 60 digits, nothing rearranged."""

    def __init__(self, spectrum):
        leaves = spectrum.eigenvalues, spectrum.multiplicity, spectrum.power
        rows = zip(*(np.asarray(leaf) for leaf in leaves), strict=True)
        self.nodes = [tuple(map(exact, row)) for row in rows if row[1] > 0]
        self.tail, self.lost = exact(spectrum.tail_trace), exact(spectrum.tail_power)

    def df1(self, gamma):
        return sum(m * v / (v + gamma) for v, m, _ in self.nodes) + self.tail / gamma

    def df2(self, gamma):
        return sum(m * (v / (v + gamma)) ** 2 for v, m, _ in self.nodes)

    def power(self, weight):
        """Sum of weight(lambda) v^2; the tail has lambda = 0."""
        return sum(w * weight(v) for v, _, w in self.nodes) + self.lost * weight(mp.mpf(0))

    def root(self, function, low, high):
        """Bisection in log gamma to 18 digits, then the secant method to the rest."""
        low, high = mp.log(low), mp.log(high)
        sign = mp.sign(function(mp.exp(low)))
        while high - low > mp.mpf(10) ** -18:
            middle = (low + high) / 2
            if mp.sign(function(mp.exp(middle))) == sign:
                low = middle
            else:
                high = middle
        for _ in range(8):
            at_low, at_high = function(mp.exp(low)), function(mp.exp(high))
            if at_low == at_high:
                break
            low, high = high, high - at_high * (high - low) / (at_high - at_low)
        return mp.exp(high)

    def gamma(self, n, p, ridge):
        def surplus(gamma):
            z = self.df1(gamma)
            if z >= min(n, p):
                return mp.mpf(1)
            return p * ridge / (gamma * (n - z) * (p - z)) - 1

        return self.root(surplus, mp.mpf(10) ** -30, mp.mpf(10) ** 8)

    def risk(self, n, p, ridge, noise):
        """Simon et al.; the noise and approximation terms by Defilippis et al."""
        gamma = self.gamma(n, p, ridge)
        z, q = self.df1(gamma), self.df2(gamma)
        kappa = ridge / (n - z)
        scale = 1 - (q * (p - 2 * z) + z**2) / (n * (p - q))
        fit = self.power(lambda v: gamma / (v + gamma) - kappa * v / (v + gamma) ** 2 * p / (p - q))
        test = (fit + noise) / scale
        upsilon = mp.mpf(p) / n * ((1 - kappa / gamma) ** 2 + (kappa / gamma) ** 2 * q / (p - q))
        chi_numerator = self.chi(gamma) / (p - q)
        approximation = gamma**2 * self.power(lambda v: (1 + chi_numerator * v) / (v + gamma) ** 2)
        return {
            "gamma": gamma,
            "kappa": kappa,
            "test_error": test,
            "excess_risk": test - noise,
            "train_error": ((n - z) / n) ** 2 * test,
            "noise_error": noise * upsilon / (1 - upsilon),
            "approximation": approximation,
        }

    def chi(self, gamma):
        trace = sum(m * v / (v + gamma) ** 2 for v, m, _ in self.nodes)
        return trace + self.tail / gamma**2


def relative(ours, reference):
    return float(abs((exact(ours) - reference) / reference))
