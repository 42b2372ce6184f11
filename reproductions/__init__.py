"""Published results, recomputed: a short script a paper, judged from its numbers.

``python -m reproductions`` runs them all and writes ``kept.json`` and docs/reproductions.md. A
script defines ``PAPER``, ``COMPUTED`` (what was computed, a sentence or two) and ``measure(runs)``,
which returns findings (``_judge.py``); the listing of the folder is the registry.
"""
