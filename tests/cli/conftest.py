"""The toys are imported here, so that sweep files may name them without ``--allow``."""

import toys.mean
import toys.wrong  # noqa: F401
