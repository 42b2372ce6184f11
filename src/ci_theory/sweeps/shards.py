"""Shards: shares of a sweep's chunks for machines or jobs that know nothing of each other."""

import itertools
import math
import re
from collections.abc import Iterator, Sequence

import numpy as np

from ci_theory._errors import BadInput
from ci_theory.sweeps.bundles import Bundle
from ci_theory.sweeps.plan import Plan


def parse_shard(text: str) -> tuple[int, int]:
    """Read ``i/n``, the i-th of n shards, counted from 0.

    >>> parse_shard("0/4")
    (0, 4)

    Raises:
        BadInput: not of that form, or i is not below n.
    """
    match = re.fullmatch(r"\s*([0-9]{1,6})\s*/\s*([0-9]{1,6})\s*", text)
    if not match or not int(match[1]) < int(match[2]):
        raise BadInput(f"shard '{text}': expected i/n with 0 <= i < n, for example 0/4")
    return int(match[1]), int(match[2])


def chunks_of_shard(
    plans: Sequence[Plan], shard: tuple[int, int], replicates: float = math.inf
) -> Iterator[tuple[int, int]]:
    """Yield (plan, chunk) of shard i of n: neighbouring chunks of about equal work.

    Plans that begin after so many replicates are left out.
    """
    index, count = shard
    wanted = [(i, p) for i, p in enumerate(plans) if p.start < replicates]
    weights = [g.work * g.chunk for _, p in wanted for g in _bundle_per_chunk(p)]
    ends = np.cumsum(weights)
    middles = (ends - np.array(weights) / 2) / ends[-1]
    owner = np.minimum((middles * count).astype(int), count - 1)
    places = [(i, c) for i, p in wanted for c in range(p.chunks)]
    yield from (place for place, mine in zip(places, owner == index, strict=True) if mine)


def _bundle_per_chunk(plan: Plan) -> Iterator[Bundle]:
    first = 0
    for bundle, end in zip(plan.bundles, plan.ends, strict=True):
        yield from itertools.repeat(bundle, int(end) - first)
        first = int(end)
