"""What the shell or the notebook that starts a command leaves around it: variables and streams."""

import os
import subprocess
import sys
from importlib.metadata import version
from typing import Any

_PLATFORMS = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME")

_USUAL = {
    "jax_debug_nans": False,
    "jax_debug_infs": False,
    "jax_disable_jit": False,
    "jax_no_tracing": False,
    "jax_numpy_dtype_promotion": "standard",
}
"""Settings of JAX, for which there are variables, with which a command would stop."""


_QUICKLY = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
_KNOWING = "0.9."  # of jaxlib: XLA ends the process at a flag that it does not know


def start_jax(*, exits: bool, quickly: bool = False) -> None:
    """Prepare JAX for a command, which computes in float64 and to which NaN is an answer.

    Args:
        exits: whether the command answers by its exit code.
        quickly: whether to compile with few optimisations, in half of the time or less: what a
            process of one short command compiles, it runs once or twice.

    Raises:
        BadInput: one line that names the variable with which JAX does not start.
    """
    from ci_theory import _cache

    if exits and "jax" not in sys.modules:
        _check_flags()
    quickly = quickly and "jaxlib" not in sys.modules  # else it is not the command's own process
    if quickly and version("jaxlib").startswith(_KNOWING):
        os.environ["XLA_FLAGS"] = f"{_QUICKLY} {os.environ.get('XLA_FLAGS', '')}".strip()
    jax = _imported()

    from ci_theory._types import enable_float64

    enable_float64()
    _cache.keep_compiled()
    for name, usual in _USUAL.items():
        jax.config.update(name, usual)
    if quickly:
        jax.config.update("jax_disable_most_optimizations", True)
    _check_platforms()


def _imported() -> Any:
    """Import JAX, which reads its variables then."""
    from ci_theory._errors import BadInput

    try:
        import jax
    except ValueError as problem:
        given = [f"{k}={v}" for k, v in os.environ.items() if k.startswith("JAX_")]
        named = " ".join(one for one in given if one.partition("=")[2] in str(problem))
        raise BadInput(f"{named or 'JAX'}: JAX does not start ({problem})") from problem
    return jax


def _check_flags() -> None:
    """Try XLA_FLAGS in another process: XLA ends its own, with 1, at a flag that it does not know.

    The code 1 would say DISAGREES.
    """
    from ci_theory._errors import BadInput, printable

    flags = os.environ.get("XLA_FLAGS")
    if not flags:
        return
    command = [sys.executable, "-P", "-c", "import jax; jax.devices()"]  # not ./jax.py
    here = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        command, env=here, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        reason = printable(done.stderr.strip().rpartition("\n")[2])
        raise BadInput(f"XLA_FLAGS={flags}: JAX does not start ({reason})")


def _check_platforms() -> None:
    """Start JAX if a variable says on which devices: its own words for a wrong one may be none."""
    given = {name: os.environ[name] for name in _PLATFORMS if os.environ.get(name)}
    if not given:
        return
    import jax

    from ci_theory._errors import BadInput

    try:
        jax.devices()
        jax.devices("cpu")
    except Exception as problem:
        named = " ".join(f"{name}={value}" for name, value in given.items())
        reason = str(problem) or "no such devices here"
        raise BadInput(
            f"{named}: JAX does not start ({reason}): unset it, or name devices that are here, "
            "and cpu, on which theory runs: JAX_PLATFORMS=cuda,cpu"
        ) from problem


def open_streams() -> bool:
    """Say whether there is a standard output; closed ones of the others lead nowhere.

    The system gives the number of a closed stream to the next file that is opened, and what
    libraries write to the stream ends up in that file.
    """
    if sys.stdin is None:  # before stderr, so that each gets its own number
        sys.stdin = open(os.devnull)  # noqa: SIM115 - to the end of the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    return sys.stdout is not None
