"""What the shell or the notebook that starts a command leaves around it: variables and streams."""

import os
import sys

_PLATFORMS = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME")


def check_platforms() -> None:
    """Start JAX where a variable says on which devices, since not every value lets it start.

    Raises:
        BadInput: one line that names the variable; JAX's own words may be none.
    """
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
    """Say whether there is a standard output; a standard error that is closed goes nowhere.

    The system gives the number of a closed stream to the next file that is opened, and what
    libraries write to the stream ends up in that file: so the numbers are taken first.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(handle)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - to the end of the process
    return sys.stdout is not None
