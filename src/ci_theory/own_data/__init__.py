"""A person's own features and labels: their learning curve, predicted and measured."""

from ci_theory.own_data.curve import learning_curve
from ci_theory.own_data.findings import LearningCurve

__all__ = ["LearningCurve", "learning_curve"]
