"""Notes of the surroundings under which parts were made: ``session-<hash>.json`` in a store.

A note is only a note: results do not depend on it, and one that is torn or altered, which its
hash shows, is left out.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ci_theory._errors import BadInput
from ci_theory.sweeps.parts import Damaged, read_whole, set_aside, write_whole
from ci_theory.sweeps.provenance import session_hash

_MOST_BYTES = 10**6


def read_sessions(folder: Path) -> tuple[list[dict[str, Any]], list[Path]]:
    """Return the notes in a folder, and the files that are not what was written."""
    notes, torn = [], []
    for file in sorted(folder.glob("session-*.json")):
        try:
            note = json.loads(read_whole(file, _MOST_BYTES))
            session = {name: value for name, value in note.items() if name != "began"}
            good = isinstance(note["began"], str) and file.name == _name(session_hash(session))
        except FileNotFoundError:  # another process has just set it aside
            continue
        except (Damaged, BadInput, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            good = False
        if good:
            notes.append(note)
        else:
            torn.append(file)
    return notes, torn


def write_session(folder: Path, session: Mapping[str, Any]) -> list[Path]:
    """Note a session, unless it is noted; return the torn notes that were set aside for it.

    Call it under the lock ``PLAN``.

    Raises:
        BadInput: the note cannot be written.
    """
    aside = [set_aside(file) for file in read_sessions(folder)[1]]
    began = datetime.now(UTC).isoformat(timespec="seconds")  # of the first such session
    text = json.dumps({**session, "began": began}, indent=1, sort_keys=True)
    write_whole(folder / _name(session_hash(session)), text.encode(), keep=True)
    return [file for file in aside if file]


def _name(hashed: str) -> str:
    return f"session-{hashed}.json"
