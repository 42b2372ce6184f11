"""Addressed randomness: a key is a function of where it is used, never of what ran before.

>>> point_hash({"n": 100, "p": 50}) == point_hash({"p": 50, "n": 100})
True
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

import jax

from ci_theory._types import Key


def point_hash(point: Mapping[str, Any]) -> tuple[int, int]:
    """Hash the values that address a point to two unsigned 32-bit halves.

    Leave inner fields out (they share one run) and the axes that a sweep pairs (common random
    numbers). Whole numbers hash alike whether written 3 or 3.0.
    """
    plain = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in point.items()}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:], "big")


def key_for(seed: Any, high: Any, low: Any, replicate: Any) -> Key:
    """Return the key of one run; every argument may be traced (uint32)."""
    key = jax.random.fold_in(jax.random.key(seed), high)
    return jax.random.fold_in(jax.random.fold_in(key, low), replicate)


def stream(key: Key, name: str) -> Key:
    """Return the named stream of a run ("design", "noise", ...): independent, order-free."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
