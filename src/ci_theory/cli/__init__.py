"""The command line: ``ci-theory``. Nothing heavy is imported before a command runs."""

from ci_theory.cli import commands
from ci_theory.cli.app import main

__all__ = ["commands", "main"]
