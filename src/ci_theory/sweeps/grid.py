"""What a sweep is: a phenomenon, axes, fixed values, replicates and a seed; read from TOML.

A sweep file::

    phenomenon = "ridge_peak"
    replicates = 8
    seed = 0
    paired = ["noise"]                      # axes that share their random numbers

    [axes]
    n = {geom = [20, 500, 12]}              # or lin, log (exponents of 10), or a list
    ridge = [1e-3, 1e-2, 0.1]

    [fixed]
    p = 100

Everything is checked on the host before anything compiles; a mistake is one ``BadInput`` line.
"""

import dataclasses
import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ci_theory._errors import BadInput, unknown
from ci_theory._record import Axis, Kind
from ci_theory.phenomena import Phenomenon, load
from ci_theory.sweeps.values import Range, one_line, parse_value, range_from_table, values_for

__all__ = ["Range", "Sweep", "parse_value", "read_sweep", "values_for"]

MOST_CELLS = 10**8  # numbers a measure, replicates included: 0.8 GB in memory
MOST_RUNS = 10**7
MOST_RULED = 200_000  # cells on which the phenomenon's own rule is evaluated one by one
LAST_SEED = 2**32 - 1

_TOP = ("phenomenon", "replicates", "seed", "name", "title", "paired", "axes", "fixed")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
    """A declared sweep: the product of its axes, each cell simulated ``replicates`` times.

    Attributes:
        phenomenon: registry name, entry point or dotted module path.
        axes: dotted parameter name -> its values, in the order of the result's dimensions.
        fixed: dotted parameter name -> value; what is in neither has its default.
        replicates: independent runs per cell.
        seed: 0 to 2^32 - 1.
        paired: parameters left out of the hash that addresses the random numbers, so that
            their values share them (common random numbers).
        name: short name; ``title``: one line for people. Neither changes a result.
        source: the file or store that declares it, for messages; it may name a phenomenon
            that is registered, but the path of a module only if that is imported already.
    """

    phenomenon: str
    axes: Mapping[str, tuple] = dataclasses.field(default_factory=dict)
    fixed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    replicates: int = 1
    seed: int = 0
    paired: tuple[str, ...] = ()
    name: str = ""
    title: str = ""
    source: str = dataclasses.field(default="", compare=False)

    @property
    def where(self) -> str:
        """The place that messages name."""
        return self.source or f"sweep of {self.phenomenon}"

    @property
    def cells(self) -> int:
        """Cells of the grid."""
        return math.prod(len(v) for v in self.axes.values())

    def validated(self) -> "Sweep":
        """Return the sweep with every value checked and in its field's type.

        Raises:
            BadInput: one line that names the place, the offending key and what would be right.
        """
        try:
            return self._validated()
        except BadInput as problem:
            raise BadInput(one_line(f"{self.where}: {problem}")) from None

    def _validated(self) -> "Sweep":
        phenomenon = _load(self.phenomenon, trusted=not self.source)
        known = phenomenon.axes
        for table, names in (("axis", self.axes), ("fixed value", self.fixed)):
            for name in names:
                if name not in known:
                    raise unknown(table, name, known, where=phenomenon.name)
        for name in self.axes:
            if name in self.fixed:
                raise BadInput(f"{name} is both an axis and a fixed value: keep one of them")
        axes = {name: values_for(known[name], values) for name, values in self.axes.items()}
        fixed = {}
        for name, value in self.fixed.items():
            if isinstance(value, (list, tuple, np.ndarray)):
                raise BadInput(f"fixed value {name}: expected one value; several make an axis")
            fixed[name] = values_for(known[name], (value,))[0]
        made = dataclasses.replace(
            self,
            axes=axes,
            fixed=fixed,
            replicates=_whole("replicates", self.replicates, 1, MOST_RUNS),
            seed=_whole("seed", self.seed, 0, LAST_SEED),
            paired=_paired(self.paired, known),
            name=_text("name", self.name),
            title=_text("title", self.title),
        )
        _check_size(made, phenomenon)
        _check_rule(made.completed(), phenomenon)
        return made

    def completed(self) -> "Sweep":
        """Return the sweep with the defaults of the phenomenon written out in ``fixed``."""
        known = _load(self.phenomenon, trusted=not self.source).axes
        fixed = {k: self.fixed.get(k, a.default) for k, a in known.items() if k not in self.axes}
        return dataclasses.replace(self, fixed={k: known[k].type(v) for k, v in fixed.items()})


def _load(name: Any, *, trusted: bool) -> Phenomenon:
    if not isinstance(name, str):
        raise BadInput(f"phenomenon = {name!r}: must be a string")
    if not all(part.isidentifier() for part in name.split(".")):
        raise BadInput(f"phenomenon = {name!r}: must be a name or a dotted module path")
    return load(name, trusted=trusted)


def _whole(name: str, value: Any, low: int, high: int) -> int:
    good = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not good or not low <= value <= high:
        raise BadInput(f"{name} = {value!r}: must be a whole number in {low}..{high}")
    return int(value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{name} = {value!r}: must be a string")
    return value


def _paired(names: Any, known: Mapping[str, Axis]) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, (list, tuple)):
        raise BadInput(f"paired = {names!r}: must be a list of axis names")
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise unknown("axis", str(name), known, where="paired")
    if len(set(names)) < len(names):
        raise BadInput(f"paired = {list(names)}: an axis is named twice")
    return tuple(names)


def _check_size(sweep: Sweep, phenomenon: Phenomenon) -> None:
    numbers = sweep.cells * sweep.replicates
    own = math.prod(len(v) for k, v in sweep.axes.items() if k in _outer(phenomenon))
    if numbers > MOST_CELLS:
        size = 8e-9 * numbers * len(phenomenon.measure_info)
        raise BadInput(
            f"{sweep.cells:.3g} cells x {sweep.replicates} replicates x "
            f"{len(phenomenon.measure_info)} measures = {size:.3g} GB of results; "
            f"at most {MOST_CELLS:.0e} cells x replicates"
        )
    if own * sweep.replicates > MOST_RUNS:
        raise BadInput(
            f"{own:.3g} cells x {sweep.replicates} replicates = "
            f"{own * sweep.replicates:.3g} runs; at most {MOST_RUNS:.0e}"
        )


def _outer(phenomenon: Phenomenon) -> list[str]:
    return phenomenon.names(Kind.STATIC, Kind.TRACED, Kind.SIZED)


def _check_rule(sweep: Sweep, phenomenon: Phenomenon) -> None:
    """Hold the phenomenon's cross-field rule against the cells.

    Each value has been checked on its own; a huge grid is ruled on the ends of its inner axes.
    """
    if not phenomenon.ruled:
        return
    axes = dict(sweep.axes)
    if sweep.cells > MOST_RULED:
        inner = [k for k in axes if k in phenomenon.names(Kind.INNER)]
        axes |= {k: (min(axes[k]), max(axes[k])) for k in inner}
    make = _builder(phenomenon.params)
    for row in itertools.product(*axes.values()):
        here = dict(zip(axes, row, strict=True))
        problem = phenomenon.problem(make({**sweep.fixed, **here}))
        if problem:
            at = ", ".join(f"{k} = {v}" for k, v in here.items())
            raise BadInput(f"{problem}" + (f" (at {at})" if at else ""))


def _builder(cls: type) -> Any:
    """Return ``build(cls, values)`` with the type hints looked up once, not per point."""
    parts = {}
    for f in dataclasses.fields(cls):
        if f.default_factory is not dataclasses.MISSING and "kind" not in f.metadata:
            parts[f.name] = _builder(type(f.default_factory()))
    own = [f.name for f in dataclasses.fields(cls) if f.name not in parts]

    def make(values: Mapping[str, Any], prefix: str = "") -> Any:
        given = {name: values[prefix + name] for name in own}
        inside = {name: make_part(values, f"{prefix}{name}.") for name, make_part in parts.items()}
        return cls(**given, **inside)

    return make


def read_sweep(path: str | Path, overrides: Mapping[str, str] | None = None) -> Sweep:
    """Read and check a sweep file.

    Args:
        path: a TOML file.
        overrides: ``key -> text`` as on a command line: a parameter (a list or range makes it an
            axis, one value fixes it) or one of phenomenon, replicates, seed, name, title, paired.
            A module path as phenomenon is imported from here; from the file, only if it has
            been imported before.

    Returns:
        The validated sweep.

    Raises:
        BadInput: anything wrong with the file, its values or the overrides.
    """
    where = str(path)
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")  # some editors begin with a mark
        table = tomllib.loads(text)
    except OSError as problem:
        raise BadInput(f"{where}: cannot be read: {problem.strerror or problem}") from None
    except (UnicodeDecodeError, ValueError, RecursionError) as problem:
        reason = "not UTF-8 text" if isinstance(problem, UnicodeDecodeError) else str(problem)
        raise BadInput(one_line(f"{where}: not valid TOML: {reason}")) from None
    try:
        made = _from_table(table, overrides or {}, Path(path))
    except BadInput as problem:
        raise BadInput(one_line(f"{where}: {problem}")) from None
    return made.validated()


def _from_table(table: dict[str, Any], overrides: Mapping[str, str], path: Path) -> Sweep:
    if "phenomenon" in overrides:
        table = {**table, "phenomenon": overrides["phenomenon"]}
    if "phenomenon" not in table:
        raise BadInput("the key 'phenomenon' is missing: expected the name of a phenomenon")
    known = _load(table["phenomenon"], trusted="phenomenon" in overrides).axes
    for key in table:
        if key not in _TOP and key in known:
            raise BadInput(f"key '{key}' is a parameter: it belongs in [fixed] or [axes]")
        if key not in _TOP:
            raise unknown("key", key, _TOP)
    for key in ("axes", "fixed"):
        if not isinstance(table.get(key, {}), dict):
            raise BadInput(f"{key} = {table[key]!r}: must be a table, [{key}]")
    axes = dict(_leaves("axes", table.get("axes", {}), known))
    fixed = dict(_leaves("fixed", table.get("fixed", {}), known))
    top = {k: v for k, v in table.items() if k not in ("axes", "fixed")}
    for key, text in overrides.items():
        _override(key, text, top, axes, fixed, known)
    return Sweep(**{"name": path.stem, **top}, axes=axes, fixed=fixed, source=str(path))


def _leaves(
    where: str, table: Mapping[str, Any], known: Mapping[str, Axis], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Flatten nested tables (``up.noise = ...``) to dotted names; make ranges of range tables."""
    seen = set()
    for key, value in table.items():
        name = prefix + key
        if isinstance(value, dict) and name not in known:
            if not any(k.startswith(name + ".") for k in known):
                raise unknown("axis" if where == "axes" else "fixed value", name, known)
            found = list(_leaves(where, value, known, name + "."))
        elif isinstance(value, dict) and where == "axes":
            found = [(name, range_from_table(name, value))]
        elif where == "axes" and not isinstance(value, list):
            raise BadInput(f"axis {name} = {value!r}: expected a list or a range like geom = [...]")
        else:
            found = [(name, value)]
        for leaf in found:
            if leaf[0] in seen:
                raise BadInput(f"[{where}] names {leaf[0]} twice")
            seen.add(leaf[0])
            yield leaf


def _override(
    key: str,
    text: str,
    top: dict[str, Any],
    axes: dict[str, Any],
    fixed: dict[str, Any],
    known: Mapping[str, Axis],
) -> None:
    if key in known:
        value = parse_value(text, known[key])
        if isinstance(value, tuple):
            fixed.pop(key, None)
            axes[key] = value
        else:
            axes.pop(key, None)
            fixed[key] = value
    elif key == "paired":
        top["paired"] = tuple(name for name in text.split(",") if name)
    elif key in ("phenomenon", "name", "title"):
        top[key] = text
    elif key in ("replicates", "seed"):
        top[key] = parse_value(text)
    else:
        raise unknown("key", key, [*known, *_TOP[:-2]])
