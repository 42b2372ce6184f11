"""Speed and memory, as ratios against the obvious implementation in the same run.

``make bench`` runs every file here in a process of its own, pinned to one core. Results are
asserted equal before anything is timed; times are process CPU seconds, compilation apart.
"""
