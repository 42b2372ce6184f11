"""Published results, recomputed: a short script a paper, judged from its numbers.

``python -m reproductions`` runs them all and writes ``kept.json`` and docs/reproductions.md. A
script defines ``measure(runs)``, which returns findings (``_judge.py``); ``papers.toml`` says where
its claims come from and what is computed. The listing of the folder is the registry.
"""
