"""What a network made of wrong answers among its training answers: five phases.

The names are those of Doshi, Das, He, Gromov 2023 (arXiv:2310.13061), and so is the accuracy of
90 %; collapse is what they call forgetting or confusion, and the limits of inversion are ours.

>>> phase(train_accuracy=1.0, test_accuracy=0.99, inverted=0.0)
<Phase.COEXISTENCE: 2>
"""

from enum import IntEnum
from typing import Any

import numpy as np

KNOWN = 0.9
"""Accuracy from which answers count as known."""

FEW, MOST = 0.1, 0.9
"""Shares of the wrong answers that are overruled: below it is none, above it is all."""


class Phase(IntEnum):
    """Phases, from too much weight decay to the right amount of it."""

    COLLAPSE = 0
    MEMORISATION = 1
    COEXISTENCE = 2
    PARTIAL_INVERSION = 3
    FULL_INVERSION = 4


MEANING = {
    Phase.COLLAPSE: "neither the training answers nor the rule",
    Phase.MEMORISATION: "the training answers, wrong ones too; not the rule",
    Phase.COEXISTENCE: "the rule, and the wrong answers as exceptions",
    Phase.PARTIAL_INVERSION: "the rule, which overrules some of the wrong answers",
    Phase.FULL_INVERSION: "the rule, which overrules the wrong answers",
}


def phases(train_accuracy: Any, test_accuracy: Any, inverted: Any) -> np.ndarray:
    """Return the phase of each of many networks.

    Args:
        train_accuracy: training questions answered as taught.
        test_accuracy: other questions answered rightly.
        inverted: of the questions taught wrongly, those answered rightly; 0 if there are none.

    Returns:
        ``Phase`` codes in the common shape; -1 where a number is not finite.
    """
    train, test, over = np.broadcast_arrays(train_accuracy, test_accuracy, inverted)
    rule = np.where(over > MOST, Phase.FULL_INVERSION, Phase.PARTIAL_INVERSION)
    rule = np.where(over < FEW, Phase.COEXISTENCE, rule)
    heart = np.where(train >= KNOWN, Phase.MEMORISATION, Phase.COLLAPSE)
    made = np.where(test >= KNOWN, rule, heart)
    finite = np.isfinite(train) & np.isfinite(test) & np.isfinite(over)
    return np.where(finite, made, -1)


def phase(train_accuracy: float, test_accuracy: float, inverted: float) -> Phase:
    """Return the phase of one network; see ``phases``."""
    return Phase(int(phases(train_accuracy, test_accuracy, inverted)))
