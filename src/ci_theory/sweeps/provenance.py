"""Where results come from: package version, formula, precision, libraries, device, revision."""

import ast
import hashlib
import importlib.util
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
from ci_theory.phenomena import Phenomenon

# Modules below the package that cannot change what a simulation returns.
_NOT_SIMULATION = ("theory", "locate", "check", "sweeps", "figures", "cli")
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
    """Hash the simulation's source.

    Hashed are the source files of the module that defines ``simulate`` and of every module of
    its package (and of ci_theory) that it imports, directly or not; theory, locators and
    everything after a simulation are left out.
    """
    home = phenomenon.simulate.__module__
    roots = {home.partition(".")[0], "ci_theory"}
    found: dict[str, str] = {}
    todo = [home]
    while todo:
        name = todo.pop()
        parts = name.split(".")
        if name in found or parts[0] not in roots:
            continue
        if parts[0] == "ci_theory" and parts[1:2] and parts[1] in _NOT_SIMULATION:
            continue
        source = _source(name)
        if source is not None:
            found[name] = hashlib.sha256(source[0]).hexdigest()
            todo += _imported(source[0], package=source[1])
    text = json.dumps(sorted(found.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _source(name: str) -> tuple[bytes, str] | None:
    """Return a module's source and the package it lives in; None if there is no such module."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # the attribute of a module, not a module
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    return Path(spec.origin).read_bytes(), package


def _imported(source: bytes, package: str) -> list[str]:
    """List what a source imports: modules, and names that may be modules."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            home = importlib.util.resolve_name(base, package)
            found += [home, *(f"{home}.{alias.name}" for alias in node.names)]
    return found


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
