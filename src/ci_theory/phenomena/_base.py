"""What a phenomenon is: parameters, a simulation, predictions with decoys, and break points."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
from numpy.typing import ArrayLike

from ci_theory._errors import BadInput, unknown
from ci_theory._record import Axis, Kind, asked, axes_of, build, problem
from ci_theory._types import Key
from ci_theory._views import hiding
from ci_theory.phenomena import _contract


class Estimate(NamedTuple):
    """A prediction at one point (scalars) or at many (arrays of one shape).

    Attributes:
        value: what the mean of the measure over runs should be.
        slack: bound on |true mean - value| from the formula's own finite-size error, of the
            order that the prediction states; 0 for an exact formula.
        valid: whether a mean with a normal error bar exists here and the formula covers it.
        status: a ``Status`` code of the solver behind it.
    """

    value: Any
    slack: Any
    valid: Any
    status: Any


class Bound(NamedTuple):
    """What a prediction is worth at finite size: its slack, and whether that is claimed here."""

    slack: Any
    valid: Any


def _everywhere(params: Any) -> bool:
    return True


def _anything(params: Any) -> None:
    return None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mistake:
    """A plausible wrong theory: what it predicts in place of some predictions are their decoys.

    A decoy is judged with the slack and the validity of the prediction that it shadows. At most one
    of ``params`` and ``world`` is given; ``forecast`` then reads the forecast that follows.

    Attributes:
        name: what is taken for what, in a few words.
        why: the mistake, in a line.
        against: names of the predictions that it spoils.
        params: ``params(params) -> {dotted name: value}``: the theory of another point.
        world: ``world(params, world) -> world``: the theory of another world.
        forecast: ``forecast(params, made)``: what it reads off otherwise, entries by their names;
            or a whole forecast.
    """

    name: str
    why: str
    against: tuple[str, ...]
    params: Callable[[Any], Mapping[str, Any]] | None = None
    world: Callable[[Any, Any], Any] | None = None
    forecast: Callable[[Any, Any], Any] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prediction:
    """A closed or fixed-point form for the mean of one measure: an entry of the forecast, told.

    Attributes:
        name: of the entry of the forecast that is the value.
        measure: the measure whose mean it is.
        statement: the formula in a line.
        scope: where it holds, in words.
        order: of the finite-size error; "exact" for a prediction without one.
        source: of the formula.
        where: ``where(params)``: whether the formula speaks at a point; elsewhere the prediction
            has no value and the status OUT_OF_SCOPE.
        closed: whether no solver stands behind it: then the status of the forecast is not its own.
        status: entry of the forecast that says how the solvers behind it ended.
        decoys: the mistakes of the phenomenon that it is told from; filled in by ``Phenomenon``.
    """

    name: str
    measure: str
    statement: str
    scope: str
    order: str
    source: str
    where: Callable[[Any], Any] = _everywhere
    closed: bool = False
    status: str = "status"
    decoys: tuple[Mistake, ...] = ()

    def words(self) -> dict[str, str]:
        """Return what it says of itself, as documents give it."""
        told = ("name", "measure", "statement", "scope", "order", "source")
        return {name: getattr(self, name) for name in told}


@runtime_checkable
class Locator(Protocol):
    """Finds the break of a curve: the same code for a simulated and a predicted one.

    A dataclass: with another ``confidence``, the coverage of its intervals, it judges at a level.
    """

    @property
    def confidence(self) -> float:
        """Coverage of the intervals."""

    @property
    def singly(self) -> bool:
        """Whether each run has a break of its own; one that diverges then never breaks."""

    def locate(self, x: ArrayLike, y: ArrayLike) -> Any:
        """Locate in y (t,) or, with an interval over replicates, y (r, t)."""

    def matching(self, found: Any) -> "Locator":
        """Return the locator for a formula, at the resolution that a measured curve was given."""

    def undivided(self, x: ArrayLike, y: ArrayLike) -> bool:
        """Say whether it looks on one side of a peak and none divides this curve."""


@dataclasses.dataclass(frozen=True)
class _Place:
    """A closed form of a place on an axis: it cannot read where on that axis it is asked."""

    name: str
    axis: str
    form: Callable[[Any], Any]

    def __call__(self, params: Any) -> float:
        told = f"break {self.name}: closed_form reads {self.axis}, the axis of which it is a place"
        return float(self.form(hiding(params, {self.axis: told})))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Break:
    """A break point: where to look (axis, measure), how, and its closed form if it has one.

    ``closed_form(params)`` gives the place on the axis from the other parameters (plain Python
    numbers), NaN where it says nothing; ``statement`` is that formula in a line. Of the axes in
    ``last`` only the last value is looked at: where training ended, say.

    Raises:
        BadInput: when evaluated, a closed form that reads the axis whose place it is to give.
    """

    name: str
    axis: str
    measure: str
    locator: Locator
    statement: str = ""
    closed_form: Callable[[Any], Any] | None = None
    last: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        form = self.closed_form
        if form is not None:
            bare = form.form if isinstance(form, _Place) else form  # of a break that was replaced
            object.__setattr__(self, "closed_form", _Place(self.name, self.axis, bare))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stages:
    """A long simulation that may stop after any number of steps and go on with the same bits.

    An engine keeps the state now and then, so that a kill loses a minute of a run and not all.

    Attributes:
        axis: the whole-number inner field that counts the steps; its largest value is the last.
        begin: ``begin(key, params, capacity) -> state``, a pytree of arrays.
        advance: ``advance(key, params, capacity, state, since, until) -> state``: the state at
            step ``since`` goes on to step ``until`` (both traced and the same for runs side by
            side), measuring on the way whatever was to be measured.
        finish: ``finish(key, params, capacity, state) -> measures``.
    """

    axis: str
    begin: Callable[[Key, Any, Mapping[str, int]], Any]
    advance: Callable[[Key, Any, Mapping[str, int], Any, Any, Any], Any]
    finish: Callable[[Key, Any, Mapping[str, int], Any], Any]

    def whole(self, key: Key, params: Any, capacity: Mapping[str, int]) -> Any:
        """Run from the first step to the last in one go."""
        state = self.begin(key, params, capacity)
        last = jnp.max(jnp.asarray(getattr(params, self.axis)))
        state = self.advance(key, params, capacity, state, 0, last)
        return self.finish(key, params, capacity, state)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phenomenon:
    """One unit of the package: see ``phenomena/ridge_peak.py`` for a small complete example.

    Attributes:
        simulate: ``simulate(key, params, capacity) -> measures``, one run: pure, jit- and
            vmap-able. Static fields of ``params`` are Python values, traced and sized ones
            scalars, inner ones vectors (m,). ``capacity[name]`` is the array length (int) for a
            sized field, at least its value. Every measure returned has shape (m,), or () if the
            phenomenon has no inner field.
        world: host-side (numpy) preparation for the predictions, from the static fields only
            (others refuse to be read); a pytree of arrays whose shapes take few values, or None.
        forecast: ``forecast(params, world)``: the theory at one point, a record that has an
            entry, one number, for every prediction, the ``status`` of the solvers behind them,
            and whatever bounds and mistakes need beside. Pure; every number in ``params`` is a
            traced float64 scalar (also n and p), strings are Python strings.
        predictions: what is told of the entries; ``predictions(Forecast, ...)`` reads them off.
        bounds: ``bounds(params, made)``: what the forecast is worth at finite size, a ``Bound``
            by the name of every prediction that is not exact.
        mistakes: what the predictions must be told from.
        rule: cross-field check of one point (plain numbers): a one-line problem, or None. What
            belongs to a bias is told by the record it mixes in, see ``_record.problem``.
        stages: the parts of which ``simulate`` is the whole, if a run may take minutes.

    Raises:
        BadInput: a declaration that does not hold together, see ``_contract``.
    """

    name: str
    title: str
    claims: tuple[int, ...]
    question: str
    model: str
    params: type
    measures: type
    simulate: Callable[[Key, Any, Mapping[str, int]], Any]
    predictions: tuple[Prediction, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    breaks: tuple[Break, ...] = ()
    world: Callable[[Any], Any] = lambda params: None
    forecast: Callable[[Any, Any], Any] | None = None
    bounds: Callable[[Any, Any], Mapping[str, Bound]] = lambda params, made: {}
    rule: Callable[[Any], str | None] = _anything
    stages: Stages | None = None

    def __post_init__(self) -> None:
        _contract.check(self)
        told = tuple(
            dataclasses.replace(p, decoys=tuple(m for m in self.mistakes if p.name in m.against))
            for p in self.predictions
        )
        object.__setattr__(self, "predictions", told)

    @property
    def axes(self) -> Mapping[str, Axis]:
        """Every parameter by its dotted name."""
        return axes_of(self.params)

    def names(self, *kinds: Kind) -> list[str]:
        """Names of the parameters of the given kinds, in declared order."""
        return [name for name, axis in self.axes.items() if axis.kind in kinds]

    @property
    def measure_info(self) -> dict[str, tuple[str, str]]:
        """Unit and meaning of every measure."""
        fields = dataclasses.fields(self.measures)
        return {f.name: (f.metadata["unit"], f.metadata["doc"]) for f in fields}

    def point(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Complete and check one point given by dotted names, on the host.

        Raises:
            BadInput: unknown name, wrong type, out of range, or against ``rule``.
        """
        axes = self.axes
        for name in values:
            if name not in axes:
                raise unknown("axis", name, axes, where=self.name)
        full = {name: axis.convert(values.get(name, axis.default)) for name, axis in axes.items()}
        told = self.problem(build(self.params, full))
        if told:
            raise BadInput(f"{self.name}: {told}")
        return full

    def problem(self, params: Any) -> str | None:
        """Say what is wrong with a point's values together: the record's own word, and the rule."""
        return problem(params) or self.rule(params)

    @property
    def ruled(self) -> bool:
        """Whether some points may be refused though each of their values is fine."""
        return self.rule is not _anything or bool(asked(self.params))

    def prepared(self, point: Mapping[str, Any]) -> Any:
        """Return the world of a complete point.

        Raises:
            BadInput: ``world`` reads a field that differs between the points that share it.
        """
        told = f"{self.name}: world reads {{}}, which is not static: points that share a world "
        told += "differ in it; read it in forecast, or declare it static"
        others = [name for name, axis in self.axes.items() if axis.kind is not Kind.STATIC]
        hidden = {name: told.format(name) for name in others}
        return self.world(hiding(build(self.params, point), hidden))


def measured(*, unit: str, doc: str) -> Any:
    """Declare a measure in a phenomenon's record of measures."""
    return dataclasses.field(metadata={"unit": unit, "doc": doc})


def loaded(given: Phenomenon) -> Phenomenon:
    """Return a phenomenon, which callers may take its name for.

    Raises:
        BadInput: anything else.
    """
    if isinstance(given, Phenomenon):
        return given
    name = repr(given) if isinstance(given, str) else "NAME"
    raise BadInput(
        f"expected a phenomenon, not {type(given).__name__}: ci_theory.load({name}) is one"
    )


def statics(phenomenon: Phenomenon, point: Mapping[str, Any]) -> dict[str, Any]:
    """Return the static part of a complete point: what ``world`` may depend on."""
    return {name: point[name] for name in phenomenon.names(Kind.STATIC)}
