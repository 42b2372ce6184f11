"""The claims answered in words: each in parts, each part looked at in kept results.

``parts`` declares what is looked at, ``looks`` and ``region`` how, ``words`` says what it comes to:
supported, supported only when ..., contradicted, or not yet. No word is written down anywhere.
"""

from ci_theory.claimed.words import Answered, Said, Word, answered, said

__all__ = ["Answered", "Said", "Word", "answered", "said"]
