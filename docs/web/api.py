"""The pages of the library: one a layer, its public modules one after the other.

A name is described where it is defined; what a package takes from a private module is described in
the package. Nothing is written by hand: the folders are listed.
"""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import ci_theory
from web.words import heading

__all__ = ["LAYERS", "index", "modules", "public", "write"]

LAYERS = {
    "top": ("The top", ("ci_theory",)),
    "extend": ("What an author imports", ("ci_theory.extend", "ci_theory.testing")),
    "phenomena": ("Phenomena", ("ci_theory.phenomena",)),
    "sweeps": ("Sweeps", ("ci_theory.sweeps",)),
    "check": ("Checks", ("ci_theory.check",)),
    "locate": ("Break points", ("ci_theory.locate",)),
    "claimed": (
        "Claims and answers",
        ("ci_theory.claims", "ci_theory.answers", "ci_theory.claimed"),
    ),
    "own_data": ("Data of your own", ("ci_theory.own_data",)),
    "figures": ("Figures", ("ci_theory.figures",)),
    "tasks": ("Tasks", ("ci_theory.tasks",)),
    "biases": ("Biases", ("ci_theory.biases",)),
    "systems": ("Systems", ("ci_theory.systems",)),
    "training": ("Training", ("ci_theory.training",)),
    "measure": ("Measures", ("ci_theory.measure",)),
    "inherit": ("Inheritance, simulated", ("ci_theory.inherit",)),
    "theory": ("Theory", ("ci_theory.theory",)),
}
"""Pages from what a reader calls first to what it stands on; theory's rooms follow. The command
line has a page of its own, ``web.commands``."""

ALONE = {"ci_theory", "ci_theory.phenomena", "ci_theory.theory"}
"""Packages whose modules have other pages."""


def rooms() -> list[str]:
    """List theory's rooms."""
    package = import_module("ci_theory.theory")
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.ispkg)


def pages() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return every page: its title and its packages; what ``LAYERS`` does not place comes last."""
    inside = {f"theory_{r}": (f"Theory: {r}", (f"ci_theory.theory.{r}",)) for r in rooms()}
    placed = {one for _, packages in LAYERS.values() for one in packages}
    there = (m.name for m in pkgutil.iter_modules(ci_theory.__path__) if m.name[0] != "_")
    rest = (name for name in there if name != "cli" and f"ci_theory.{name}" not in placed)
    return LAYERS | inside | {name: (name, (f"ci_theory.{name}",)) for name in rest}


def modules(package: str) -> Iterator[str]:
    """List a package and its public modules."""
    yield package
    found = import_module(package)
    if package not in ALONE and hasattr(found, "__path__"):
        for one in pkgutil.iter_modules(found.__path__):
            if not one.name.startswith("_"):
                yield from modules(f"{package}.{one.name}")


def public(module: ModuleType) -> tuple[list[str], list[str]]:
    """List what is described in a module, by the order of its text, and what it only hands on.

    Described are the functions and classes that it defines, and those in its ``__all__`` that come
    from a private module; handed on is the rest of ``__all__``, each by its full path.
    """
    names = getattr(module, "__all__", None)
    described, passed = [], []
    for name in vars(module) if names is None else names:
        value = getattr(module, name)
        if name.startswith("_") or not (inspect.isfunction(value) or inspect.isclass(value)):
            continue
        home = value.__module__
        if home == module.__name__ or (names is not None and _is_private(home)):
            described.append(name)
        elif names is not None and home.startswith("ci_theory."):
            passed.append(f"{home}.{value.__qualname__}")
    there = list(vars(module))  # but for names that are imported on first use
    order = {name: place for place, name in enumerate(there)}
    return sorted(described, key=lambda name: order.get(name, len(there))), sorted(passed)


def _is_private(path: str) -> bool:
    return path.startswith("ci_theory.") and any(p.startswith("_") for p in path.split("."))


def write() -> dict[str, str]:
    """Return every page as reStructuredText; a name is described once, where it comes first."""
    homes: dict[int, str] = {}
    made = {}
    for name, (title, packages) in pages().items():
        parts = [heading(title, "=")]
        for path in (module for package in packages for module in modules(package)):
            parts += _module(path, homes)
        made[name] = "\n".join(parts)
    return made


def described() -> list[str]:
    """List every public function and class, each by the path under which it is described."""
    homes: dict[int, str] = {}
    for _, packages in pages().values():
        for path in (module for package in packages for module in modules(package)):
            _module(path, homes)
    return sorted(homes.values())


def _module(path: str, homes: dict[int, str]) -> list[str]:
    """Describe a module; ``homes`` says where objects have been described, and is filled in."""
    module = import_module(path)
    parts = [heading(path, "-"), f".. automodule:: {path}\n   :no-members:\n"]
    described, passed = public(module)
    for name in described:
        value = getattr(module, name)
        if id(value) in homes:
            passed.append(homes[id(value)])
            continue
        homes[id(value)] = f"{path}.{name}"
        kind, members = ("class", "\n   :members:") if inspect.isclass(value) else ("function", "")
        parts.append(f".. auto{kind}:: {path}.{name}{members}\n")
    if passed:
        parts.append(f"Also from here: {', '.join(f':py:obj:`~{one}`' for one in passed)}.\n")
    return parts


def index() -> str:
    """Return the page that lists the layers."""
    listed = "\n".join(f"   {name}" for name in pages())
    return (
        heading("Library", "=")
        + "\nBy layer, from what is called first to what it stands on; imports go one way "
        "(:doc:`/design`). ``import ci_theory`` imports no JAX; a module is imported on first "
        "use, and theory wants ``ci_theory.enable_float64()``.\n\n"
        f".. toctree::\n   :maxdepth: 1\n\n{listed}\n"
    )
