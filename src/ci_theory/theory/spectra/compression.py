"""Many modes as few quadrature nodes: a spectrum of 10^6 modes at the cost of 200."""

import dataclasses

import numpy as np

from ci_theory._types import needs_float64
from ci_theory.theory.spectra.quadrature import exact_total, lagrange
from ci_theory.theory.spectra.spectrum import Spectrum

__all__ = ["binned", "compress", "merge"]


@needs_float64
def merge(spectrum: Spectrum) -> Spectrum:
    """Join nodes of equal eigenvalue, largest first, and drop empty ones: nothing else changes.

    >>> from ci_theory.theory.spectra.spectrum import explicit
    >>> merge(explicit([1.0, 0.1, 1.0], [1.0, 1.0, 3.0])).power
    array([4. , 0.1])
    """
    values, counts, power = (
        np.asarray(leaf, dtype=float)
        for leaf in (spectrum.eigenvalues, spectrum.multiplicity, spectrum.power)
    )
    used = (counts != 0) | (power != 0)
    values, group = np.unique(-values[used], return_inverse=True)
    return Spectrum(
        eigenvalues=-values,
        multiplicity=np.bincount(group, counts[used], len(values)),
        power=np.bincount(group, power[used], len(values)),
        tail_trace=np.asarray(float(spectrum.tail_trace)),
        tail_power=np.asarray(float(spectrum.tail_power)),
    )


@needs_float64
def binned(listed: Spectrum, most: int = 256) -> Spectrum:
    """Join small modes that differ by some percent; trace, rank and power stay what they are.

    For what takes no quadrature nodes, whose multiplicities may be negative: a recursion, say. The
    first ``most``/2 modes stay as they are, the others are joined from rank to rank in the same
    ratio; up to ``most`` of them nothing is joined.

    Args:
        listed: single modes, largest first.
        most: of the nodes, about.

    >>> from ci_theory.theory.spectra.spectrum import explicit
    >>> made = binned(explicit(np.arange(1.0, 1001) ** -2, np.ones(1000)))
    >>> print(len(made.eigenvalues), made.multiplicity.sum(), f"{made.power.sum():.6f}")
    256 1000.0 1.643935
    """
    count = len(listed.eigenvalues)
    if count <= most:
        return listed
    edges = np.unique(np.geomspace(most // 2, count, most // 2 + 1).astype(int))
    starts = np.concatenate([np.arange(edges[0]), edges[:-1]])
    joined = np.diff(np.append(starts, count)).astype(float)
    return dataclasses.replace(
        listed,
        eigenvalues=np.add.reduceat(listed.eigenvalues, starts) / joined,
        multiplicity=joined,
        power=np.add.reduceat(listed.power, starts),
    )


@needs_float64
def compress(
    spectrum: Spectrum,
    nodes_per_panel: int = 18,
    width: float = 2.0,
    pad_to: int | None = None,
) -> Spectrum:
    """Replace many modes by few quadrature nodes with the same sums at every kappa.

    Panels of equal width in log lambda; on each, the sums over modes of any function smooth in
    log lambda are carried by Chebyshev nodes whose weights are the summed Lagrange polynomials.
    The functions of these formulas are logistic in log lambda, with poles at distance pi from
    the real axis, so 18 nodes on a panel of width 2 leave a relative error near 1e-13. A panel
    with few distinct modes keeps them as they are. Multiplicities of a panel add up exactly.

    Args:
        spectrum: any spectrum; modes of variance 0 go to ``tail_power``.
        nodes_per_panel: Chebyshev nodes on each panel.
        width: panel width in log lambda.
        pad_to: pad to a multiple of this length, for few compiled shapes; None leaves it.

    >>> from ci_theory.theory.spectra.spectrum import power_law, rank
    >>> small = compress(power_law(100_000, 1.5, tail=True))
    >>> len(small.eigenvalues), float(rank(compress(power_law(100_000, 1.5, tail=False))))
    (140, 100000.0)
    """
    merged = merge(spectrum)
    values, counts, power = merged.eigenvalues, merged.multiplicity, merged.power
    lost = float(np.sum(power[values <= 0])) + float(merged.tail_power)
    values, counts, power = (leaf[values > 0] for leaf in (values, counts, power))
    nodes: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    if len(values):
        depth = np.log(values[0] / values)  # >= 0, increasing
        edges = np.arange(1, int(depth[-1] // width) + 1) * width
        cuts = np.searchsorted(depth, edges, side="left")
        for low, high in zip([0, *cuts], [*cuts, len(values)], strict=True):
            panel = slice(low, high)
            if high - low > nodes_per_panel:
                middle = (np.floor(depth[low] / width) + 0.5) * width
                grid, basis = lagrange((depth[panel] - middle) * (2 / width), nodes_per_panel)
                at = values[0] * np.exp(-(middle + grid * (width / 2)))
                weight = exact_total((basis * counts[panel]).sum(axis=1), counts[panel].sum())
                nodes.append((at, weight, (basis * power[panel]).sum(axis=1)))
            elif high > low:
                nodes.append((values[panel], counts[panel], power[panel]))
    joined = [np.concatenate(parts) for parts in zip(*nodes, strict=True)] if nodes else None
    values, counts, power = joined or (np.ones(0), np.zeros(0), np.zeros(0))
    pad = -len(values) % pad_to if pad_to else 0
    return Spectrum(
        eigenvalues=np.pad(values, (0, pad), constant_values=1.0),
        multiplicity=np.pad(counts, (0, pad)),
        power=np.pad(power, (0, pad)),
        tail_trace=merged.tail_trace,
        tail_power=np.asarray(lost),
    )
