"""Long logs whose scatter is alike from row to row: false breaks, and what the intervals hold.

Curves have 5 % scatter that is an autoregressive chain along the rows, which lie evenly in log x
(geo) or in x (lin), over three decades; the slope is -0.4, and -0.9 beyond 30 where there is a
break. Told are the mean of the estimated correlation; the share of fits whose intervals are called
interpretable, that have more or fewer breaks, or a floor; the coverage of the first slope, of the
place and of the band in the middle, among fits of the true form; and seconds of CPU a fit.

    python -m benchmarks.break_chains [CURVES] [ROWS,...] [CORRELATION,...]
"""

import sys
import time

import numpy as np
from scipy.signal import lfilter

from ci_theory.locate.breaks import fit
from ci_theory.locate.broken import Form

CURVES, ROWS, CORRELATIONS = 24, (100, 400, 20_000), (0.0, 0.5, 0.9)
SCATTER, PLACE, BEND, WIDTH = 0.05, 30.0, 0.5, 0.3


def curve(
    rows: int, rho: float, even: str, broken: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x (m,), y (m,) and the true log y (m,)."""
    x = np.geomspace(1, 1e3, rows) if even == "geo" else np.linspace(1, 1e3, rows)
    before = 2000  # rows after which a chain has forgotten its start
    errors = np.sqrt(1 - rho**2) * rng.standard_normal(rows + before)
    noise = lfilter([1.0], [1.0, -rho], errors)[before:]
    mean = -0.4 * np.log(x)
    if broken:
        mean -= BEND * WIDTH * np.logaddexp(0, np.log(x / PLACE) / WIDTH)
    return x, np.exp(mean + SCATTER * noise), mean


def study(rows: int, rho: float, even: str, broken: bool, curves: int) -> str:
    """Return one line."""
    rng = np.random.default_rng([rows, int(100 * rho), even == "geo", broken])
    true, laws, held = Form(int(broken), False), [], {"slope": [], "place": [], "band": []}
    start = time.process_time()
    for _ in range(curves):
        x, y, mean = curve(rows, rho, even, broken, rng)
        law = fit(x, y, resamples=60)
        laws.append(law)
        if law.form != true:
            continue
        middle = rows // 2
        low, high = law.band(x[[middle]])
        held["slope"].append(law.slope_first.low <= -0.4 <= law.slope_first.high)
        held["band"].append(low[0] <= np.exp(mean[middle]) <= high[0])
        if broken:
            held["place"].append(law.breaks[0].place.low <= PLACE <= law.breaks[0].place.high)
    spent = (time.process_time() - start) / curves
    told = [
        np.mean([law.correlation for law in laws]),
        np.mean([law.interpretable for law in laws]),
        np.mean([law.form.breaks > true.breaks for law in laws]),
        np.mean([law.form.breaks < true.breaks for law in laws]),
        np.mean([law.form.floor for law in laws]),
        *(np.mean(one) if one else np.nan for one in held.values()),
        spent,
    ]
    return f"{even} {broken!s:6}{rows:7}{rho:6.2f}" + "".join(f"{one:8.2f}" for one in told)


def main() -> None:
    """Print a line for every setting."""
    curves = int(sys.argv[1]) if len(sys.argv) > 1 else CURVES
    sizes = [int(v) for v in sys.argv[2].split(",")] if len(sys.argv) > 2 else ROWS
    rhos = [float(v) for v in sys.argv[3].split(",")] if len(sys.argv) > 3 else CORRELATIONS
    heads = ("alike", "interp.", "more", "fewer", "floor", "slope", "place", "band", "s")
    print("x   broken   rows   rho" + "".join(f"{head:>8}" for head in heads))
    for even in ("geo", "lin"):
        for broken in (False, True):
            for rows in sizes:
                for rho in rhos:
                    print(study(rows, rho, even, broken, curves), flush=True)


if __name__ == "__main__":
    main()
