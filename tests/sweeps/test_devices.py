"""One plan on 1, 2, 4 and 8 devices, which the host pretends to have: the same bits."""

import json

import pytest
import sweep_driver

DRIVER = """
import hashlib, json
import jax
import numpy as np
from ci_theory import enable_float64
from ci_theory.phenomena import load
from ci_theory.sweeps import Sweep, make_plan
from ci_theory.sweeps.program import Programs, memory_budget

enable_float64()
devices = jax.devices("cpu")
told = {"devices": len(devices), "bits": {}, "shared": {}, "batch": {}}
sweep = Sweep(
    phenomenon="ridge_peak",
    axes={"n": (6, 8, 10), "ridge": (0.0, 0.1)},
    fixed={"p": 8, "noise": 0.5},
    replicates=16,
    seed=3,
)
plan = make_plan(sweep, device="cpu", most_runs=24)
chunk = plan.chunk(plan.chunks - 1)
for count in (1, 2, 4, 8):
    programs = Programs(load(sweep.phenomenon), devices[:count], plan.inner)
    shape = programs.fitted(chunk.bundle.shape, chunk.bundle.batch)
    found = programs.call(shape, sweep.seed, plan.arguments(chunk))
    assert all(np.isfinite(value).all() for value in found.values())
    text = b"".join(found[name].tobytes() for name in sorted(found))
    told["bits"][count] = hashlib.sha256(text).hexdigest()
    told["shared"][count] = programs.sharing(shape.chunk)
    told["batch"][count] = shape.batch
gram = Sweep(phenomenon="sweep_toys.gram", fixed={"n": 128}, replicates=512)
roomy = make_plan(gram, device="cpu")
tight = make_plan(gram, device="cpu", memory=1e6)
programs = Programs(load("sweep_toys.gram"), devices, {})
told["memory"] = programs.memory(tight.bundles[0].shape)
told["runs"] = [plan.bundles[0].batch for plan in (tight, roomy)]
told["budget"] = [memory_budget(devices[:count]) * count for count in (2, 4, 8)]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told():
    """Ask one process that has eight devices."""
    forced = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    with sweep_driver.python("-c", DRIVER, **forced) as process:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
    return json.loads(out)


def test_a_plan_has_the_same_bits_on_any_number_of_devices(told):
    assert told["devices"] == 8
    assert told["shared"] == {"1": 1, "2": 2, "4": 4, "8": 8}
    assert set(told["batch"].values()) == {2}
    assert len(told["bits"]) == 4
    assert len(set(told["bits"].values())) == 1


def test_each_device_keeps_to_its_share_of_memory(told):
    tight, roomy = told["runs"]
    assert tight < roomy
    assert told["memory"] <= 1e6
    assert max(told["budget"]) == pytest.approx(min(told["budget"]))
