"""A tiny sweep made without the sweep engine: predictions of ridge_peak plus known scatter."""

import json

import numpy as np
import pytest
import xarray

from ci_theory.phenomena import load, predict

N = (40, 70, 85, 100, 115, 150, 220)
NOISE = (0.1, 1.0)
RIDGE = (1.0, 30.0)
FIXED = {"p": 100, "spectrum": "isotropic", "alpha": 1.5, "signal": 1.0}


@pytest.fixture(scope="session")
def sweep():
    """Six replicates over n, noise and ridge; the mean is the prediction to about 1 %."""
    phenomenon = load("ridge_peak")
    grid = np.meshgrid(N, NOISE, RIDGE, indexing="ij")
    points = {name: list(g.ravel()) for name, g in zip(("n", "noise", "ridge"), grid, strict=True)}
    found = predict(phenomenon, {**FIXED, **points})["test_error"].estimate.value
    scatter = np.random.default_rng(0).normal(size=(*grid[0].shape, 6))
    values = found.reshape(grid[0].shape)[..., None] * (1 + 0.02 * scatter)
    dims = ("n", "noise", "ridge", "replicate")
    axes = phenomenon.axes
    coords = {
        name: (name, np.array(v), {"unit": axes[name].unit, "long_name": axes[name].doc})
        for name, v in (("n", N), ("noise", NOISE), ("ridge", RIDGE))
    }
    attributes = {"unit": "label²", "long_name": "mean squared error on fresh noisy labels"}
    return xarray.Dataset(
        {"test_error": (dims, values, attributes)},
        coords,
        {"phenomenon": "ridge_peak", "fixed": json.dumps(FIXED)},
    )
