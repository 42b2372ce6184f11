"""Where results come from: package version, formula, precision, libraries, device, revision."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

import ci_theory
from ci_theory._keys import key_for, point_hash
from ci_theory.phenomena import Phenomenon
from ci_theory.sweeps.reached import reached

# Settings known to change last bits or speed.
_VARIABLES = ("XLA_FLAGS", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "OMP_NUM_THREADS")


def identity_of(phenomenon: Phenomenon) -> dict[str, Any]:
    """Return what must agree before results may share a store."""
    return {
        "version": ci_theory.__version__,
        "formula": formula_hash(phenomenon),
        "dtype": jax.dtypes.canonicalize_dtype(float).name,
        "generator": str(jax.eval_shape(lambda: jax.random.key(0)).dtype),
        "partitionable": jax.config.values["jax_threefry_partitionable"],
    }


def formula_hash(phenomenon: Phenomenon) -> str:
    """Hash what the simulation reaches: parameters, measures, stages, and how keys are made.

    Theory, decoys, slack, statements and wording are outside: they may change under a store.
    """
    stages = phenomenon.stages
    steps = [stages.begin, stages.advance, stages.finish] if stages else []
    parts = [phenomenon.simulate, *steps, phenomenon.params, phenomenon.measures]
    text = json.dumps(sorted(map(list, _texts([*parts, key_for, point_hash]))))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _texts(parts: Sequence[Any]) -> list[tuple[str, str, str]]:
    found = reached(parts)
    return [(place.module, place.name or "", text) for place, text in found.items()]


def session_of(devices: Sequence[Any]) -> dict[str, Any]:
    """Describe the surroundings of a run: what may change last bits, and how to find the code."""
    return {
        "jax": version("jax"),
        "jaxlib": version("jaxlib"),
        "numpy": version("numpy"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": devices[0].device_kind,
        "platform": devices[0].platform,
        "devices": len(devices),
        "settings": {k: os.environ[k] for k in _VARIABLES if k in os.environ},
        "revision": _revision(Path(ci_theory.__file__).parent),
    }


def session_hash(session: Mapping[str, Any]) -> str:
    """Hash a session's description."""
    return hashlib.sha256(json.dumps(session, sort_keys=True).encode()).hexdigest()[:12]


def _revision(folder: Path) -> str:
    """Return the git revision of the package's own checkout ('+' if edited), or ''."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=True
        ).stdout

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # the package is what is versioned here
        edited = git("status", "--porcelain", "--untracked-files=no", "--", ".").strip()
        return git("rev-parse", "HEAD").strip() + ("+" if edited else "")
    except (OSError, subprocess.SubprocessError):
        return ""
