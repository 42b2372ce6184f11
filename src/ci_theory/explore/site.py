"""The pages without a server: a folder of files, each whole in itself, for a site or a disk.

A page carries its style, its scripts, what can be moved, and the curves of its presets with every
decoy; where the theory can be translated it carries that too, and then its knobs move. Curves that
the page can work out itself may be left out: to evaluate them takes far longer than to translate.
Its policy allows these scripts by their digests, and no request at all.
"""

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ci_theory._errors import BadInput
from ci_theory.explore import controls, curve, scripts
from ci_theory.explore.address import Shown, read
from ci_theory.explore.server import PAGE
from ci_theory.phenomena import Phenomenon, statics

_SCRIPT = re.compile(r'<script src="page/([\w.]+)" defer></script>\n')
_STYLE = re.compile(r'<link rel="stylesheet" href="page/([\w.]+)">\n')
_ICON = re.compile(r'<link rel="icon" href="page/[\w.]+">\n')


def write(
    folder: Path,
    shown: Sequence[tuple[str, Phenomenon]],
    say: Callable[[str], None],
    *,
    every_curve: bool = True,
) -> list[Path]:
    """Write the pages of some phenomena and the list of them.

    Args:
        folder: made if it is not there.
        shown: their names and themselves.
        say: told the name of each as it is begun.
        every_curve: whether to carry all that takes long to evaluate: the curve of a preset that
            its page can work out itself, where it is there at once and breaks are located in it,
            and all presets and decoys of a phenomenon without a translation, not its first only.

    Returns:
        The files.

    Raises:
        BadInput: the folder cannot be written to, or a phenomenon has nothing to draw.
    """
    listed: list[dict[str, str]] = []
    files = [
        _put(folder, "index.html", _list(listed))
    ]  # a folder that cannot be written is told at once
    for name, phenomenon in shown:
        say(name)
        files.append(_put(folder, f"{name}.html", _page(name, phenomenon, every_curve)))
        title, question = phenomenon.title, phenomenon.question
        listed.append({"name": name, "title": title, "question": question})
        _put(folder, "index.html", _list(listed))
    return [*files[1:], files[0]]


def _list(listed: list[dict[str, str]]) -> str:
    return _whole("index.html", f"window.catalogue = {_script_json(listed)};\n")


def _put(folder: Path, name: str, text: str) -> Path:
    """Write a page: each as it is made, so that who stops has those before."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    except OSError as problem:
        raise BadInput(f"{folder}: cannot be written: {problem.strerror or problem}") from None
    return folder / name


def _page(name: str, phenomenon: Phenomenon, every_curve: bool) -> str:
    about = controls.document(phenomenon, name)
    first, *others = _statics(phenomenon, about)
    made = [scripts.of(phenomenon, first)]
    if made[0].text:  # a primitive without a translation is in the theory at all values
        made += [scripts.of(phenomenon, other) for other in others]
    elif not every_curve:
        about = {**about, "presets": about["presets"][:1], "decoys": []}
    data = {"controls": about, "curves": carried(phenomenon, about, every_curve)}
    theory = "".join(dict.fromkeys(script.text for script in made))
    runtime = (PAGE / "runtime.js").read_text(encoding="utf-8") if theory else ""
    return _whole("page.html", runtime + theory, data)


def _statics(phenomenon: Phenomenon, about: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the static values of all presets, and of all words at the first of them."""
    wanted = []
    for address in [about["first"], *(preset["address"] for preset in about["presets"])]:
        asked = curve.grid(phenomenon, read(address, phenomenon).words)
        wanted.append(statics(phenomenon, phenomenon.point(asked.first)))
    words = {k: a.choices for k, a in phenomenon.axes.items() if a.type is str and a.choices}
    for chosen in itertools.product(*words.values()):
        wanted.append({**wanted[0], **dict(zip(words, chosen, strict=True))})
    return wanted


def carried(phenomenon: Phenomenon, about: dict[str, Any], every: bool = True) -> dict[str, Any]:
    """Return what is drawn at every preset, with every decoy, by the words of its address.

    Unless ``every`` those that the page can work out are left out.
    """
    decoys = ";".join(decoy["name"] for decoy in about["decoys"])
    found = {}
    for address in {about["first"], *(preset["address"] for preset in about["presets"])}:
        shown = read(address + (f"&@decoys={decoys}" if decoys else ""), phenomenon)
        if not every and _worked_out(phenomenon, shown):
            continue
        words = "&".join(part for part in address.split("&") if not part.startswith("@"))
        found[words] = curve.drawn(phenomenon, shown)
    return found


def _worked_out(phenomenon: Phenomenon, shown: Shown) -> bool:
    """Say whether there is a script for the curve of an address."""
    along, asked = curve.line(phenomenon, shown)
    script = scripts.of(phenomenon, statics(phenomenon, phenomenon.point(asked.first)))
    return bool(script.text) and along not in script.fixed


def _whole(file: str, before: str, data: Any = None) -> str:
    """Put everything that a page names into it."""
    text = _ICON.sub("", (PAGE / file).read_text(encoding="utf-8"))
    text = text.replace('href="./"', 'href="index.html"')  # no server picks the list of a folder
    (style,) = _STYLE.findall(text)
    css = (PAGE / style).read_text(encoding="utf-8")
    names = _SCRIPT.findall(text)
    js = before + "".join((PAGE / name).read_text(encoding="utf-8") for name in names)
    text = _SCRIPT.sub("", _STYLE.sub("", text))
    policy = (
        f"default-src 'none'; script-src '{_digest(js)}'; style-src '{_digest(css)}'; "
        "img-src blob: data:; base-uri 'none'; form-action 'none'"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{css}</style>\n'
    text = text.replace('<meta charset="utf-8">\n', f'<meta charset="utf-8">\n{head}', 1)
    held = f'<script type="application/json" id="carried">{_script_json(data)}</script>\n'
    held = held if data is not None else ""
    return text.replace("</body>", f"{held}<script>{js}</script>\n</body>", 1)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _script_json(data: Any) -> str:
    """Write JSON that can stand in a script: nothing in it ends one."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
