"""Simulation against prediction: verdicts and break points."""

from ci_theory.check.breaks import Breaks, locate_breaks
from ci_theory.check.report import Report, check
from ci_theory.check.verdict import Verdict

__all__ = ["Breaks", "Report", "Verdict", "check", "locate_breaks"]
