"""A person's own features and labels: their learning curve, predicted and measured."""

from ci_theory.own_data.curve import LearningCurve, learning_curve

__all__ = ["LearningCurve", "learning_curve"]
