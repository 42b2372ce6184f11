"""Statements of what is known by heart: facts in an associative memory, a pool of chains."""

import sympy as sp

from ci_theory.theory.statements.statement import (
    Limit,
    Statement,
    answered,
    beyond,
    bits,
    chains,
    chance,
    cost_o,
    dirichlet,
    entropy,
    facts,
    falls,
    harm_k,
    mixed,
    outputs,
    overlap,
    own,
    patterns,
    power,
    rank,
    saved_k,
    square,
    squares,
    states,
    steps,
    tolerated,
    weakest,
    width,
    wrong_bits,
    zipf,
)

__all__ = ["MEMORY"]

_FACTS, _CHAINS = ("fact_memory",), ("markov_icl",)


def _facts() -> tuple[Statement, ...]:
    return (
        Statement(
            name="memory.weakest_recalled",
            title="storage weight from which a fact is recalled",
            equation=sp.Eq(weakest, sp.sqrt(2 * sp.log(outputs) * squares) / width),
            regime="a wide memory, each answer of one fact",
            source="derived here (docs/discrete/fact_memory.md)",
            implementation="discrete.associative_memory.weakest_recalled",
            phenomena=_FACTS,
            limits=(Limit(words="a single answer", symbol=outputs, point=1, value=0),),
        ),
        Statement(
            name="memory.mixed_up",
            title="chance of a right answer where some are stored with each other's",
            equation=sp.Eq(answered, (1 - mixed) * chance + mixed * (1 - chance) / (facts - 1)),
            regime="exact, given the chance of recall",
            source="derived here (docs/discrete/fact_memory.md)",
            implementation="discrete.stored_facts.mixed_up",
            phenomena=_FACTS,
            predictions=tuple(f"fact_memory.{name}" for name in ("recalled", "error", "known")),
            limits=(
                Limit(words="nobody is mixed up", symbol=mixed, point=0, value=chance),
                Limit(
                    words="a guess stays a guess",
                    symbol=chance,
                    point=1 / facts,
                    value=1 / facts,
                ),
            ),
        ),
        Statement(
            name="memory.zipf_beyond",
            title="error of who knows the most frequent facts",
            equation=sp.Eq(beyond, sp.zeta(zipf, rank + 1) / sp.zeta(zipf)),
            regime="exact, endless facts",
            source="Hurwitz's zeta function",
            implementation="discrete.memory_limits.zipf_beyond",
            phenomena=_FACTS,
            limits=(
                Limit(
                    words="who knows one of squares",
                    symbol=rank,
                    point=1,
                    value=1 - 6 / sp.pi**2,
                    given={zipf: 2},
                ),
            ),
        ),
        Statement(
            name="memory.error_exponent",
            title="exponent with which the error falls with the width",
            equation=sp.Eq(falls, (zipf - 1) / (2 * zipf * power)),
            regime="width -> infinity, endless facts",
            source="Cabannes, Dohmatob, Bietti, arXiv:2310.02984; docs/discrete/fact_memory.md",
            implementation="discrete.memory_limits.error_exponent",
            phenomena=_FACTS,
            limits=(Limit(words="no tail to forget", symbol=zipf, point=1, value=0),),
        ),
        Statement(
            name="memory.hopfield_error",
            title="wrong bits after one step from a stored pattern",
            equation=sp.Eq(wrong_bits, sp.erfc(sp.sqrt(bits / (2 * (patterns - 1)))) / 2),
            regime="leading order in 1/bits",
            source="Hopfield 1982; central limit theorem",
            implementation="discrete.memory_limits.hopfield_error",
            limits=(
                Limit(
                    words="three patterns of endless bits",
                    symbol=bits,
                    point=sp.oo,
                    value=0,
                    given={patterns: 3},
                ),
                Limit(
                    words="endless patterns: a coin",
                    symbol=patterns,
                    point=sp.oo,
                    value=sp.Rational(1, 2),
                ),
            ),
        ),
    )


def _chains() -> tuple[Statement, ...]:
    volume = sp.pi ** (states / 2) / sp.gamma(states / 2)
    saved = own - square / 2
    return (
        Statement(
            name="chains.endless_loss",
            title="mean entropy of a row of a chain",
            equation=sp.Eq(entropy, sp.digamma(states * dirichlet + 1) - sp.digamma(dirichlet + 1)),
            regime="exact",
            source="the Dirichlet law",
            implementation="sequences.dirichlet.endless_loss",
            phenomena=_CHAINS,
            limits=(
                Limit(words="rows that tell the next state", symbol=dirichlet, point=0, value=0),
                Limit(
                    words="one prior chance each, two states: 1/2",
                    symbol=dirichlet,
                    point=1,
                    value=sp.Rational(1, 2),
                    given={states: 2},
                ),
            ),
        ),
        Statement(
            name="chains.overlap_law",
            title="overlap of two rows that made the same steps",
            equation=sp.Eq(overlap, (steps / (4 * sp.pi)) ** ((states - 1) / 2) * volume),
            regime="many steps, relative corrections of order 1/steps",
            source="derived here (docs/sequences/markov_icl.md)",
            implementation="sequences.dirichlet.overlap_law",
            phenomena=_CHAINS,
            limits=(
                Limit(
                    words="three states: half of the steps",
                    symbol=steps,
                    point=400,
                    value=200,
                    given={states: 3},
                ),
            ),
        ),
        Statement(
            name="chains.pool_gain",
            title="what knowing a pool saves on its own chains",
            equation=sp.Eq(saved_k, saved / chains - cost_o),
            regime="many chains, leading order",
            source="derived here (docs/sequences/markov_icl.md)",
            implementation="sequences.pool_order.first_order",
            phenomena=_CHAINS,
            predictions=("markov_icl.ordered_gain",),
            limits=(Limit(words="endless chains", symbol=chains, point=sp.oo, value=-cost_o),),
        ),
        Statement(
            name="chains.pool_harm",
            title="what knowing a pool costs on new chains",
            equation=sp.Eq(harm_k, cost_o + square / (2 * chains)),
            regime="many chains, leading order",
            source="derived here (docs/sequences/markov_icl.md)",
            implementation="sequences.pool_order.first_order",
            phenomena=_CHAINS,
            predictions=("markov_icl.ordered_harm",),
            limits=(Limit(words="endless chains", symbol=chains, point=sp.oo, value=cost_o),),
        ),
        Statement(
            name="chains.winning_pool",
            title="chains from which on counting beats a pool that was learnt with noise",
            equation=sp.Eq(chains, saved / cost_o),
            regime="many more chains than the overlap",
            source="derived here (docs/sequences/markov_icl.md)",
            implementation="sequences.pool_order.winning_pool",
            phenomena=_CHAINS,
            limits=(Limit(words="noise that costs all", symbol=cost_o, point=sp.oo, value=0),),
        ),
        Statement(
            name="chains.harmless_pool",
            title="chains from which on new ones lose less than a level",
            equation=sp.Eq(chains, square / (2 * (tolerated - cost_o))),
            regime="many more chains than the overlap",
            source="derived here (docs/sequences/markov_icl.md)",
            implementation="sequences.pool_order.harmless_pool",
            phenomena=_CHAINS,
            limits=(
                Limit(words="everything is tolerated", symbol=tolerated, point=sp.oo, value=0),
            ),
        ),
    )


MEMORY: tuple[Statement, ...] = (*_facts(), *_chains())
