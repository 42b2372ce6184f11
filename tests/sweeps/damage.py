"""Damage to a stored sweep, at random but seeded: bits, digits, types, whole files, strangers.

``damage(files, random)`` changes the files of a store, given and returned as bytes by name; what
happened is told in words. Parts and plans are sometimes signed anew, so that the checks behind
their checksums are reached; such a plan has another hash, and its parts then are not its own.
"""

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from ci_theory.sweeps.parts import _checksum
from ci_theory.sweeps.plan import digest

OTHERS = [None, True, -1, 0, 10**9, 10**30, 1e300, "", "x", [], {}, [1], float("nan")]


def signed(data):
    """Return the bytes of a plan whose checksum is that of its content."""
    content = {name: value for name, value in data.items() if name != "checksum"}
    return json.dumps({"checksum": digest(content), **content}).encode()


def edited(data, **changes):
    """Return the bytes of a plan with some of its values changed, and signed."""
    return signed({**json.loads(data), **changes})


def part(arrays, about, compression=zipfile.ZIP_STORED):
    """Return the bytes of a part with a good checksum, whatever is in it."""
    known = json.dumps({"content": _checksum(arrays, about), "about": about}, sort_keys=True)
    whole = {"about": np.frombuffer(known.encode(), np.uint8), **arrays}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, array in whole.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.asanyarray(array))
    return buffer.getvalue()


def unpacked(data):
    with np.load(io.BytesIO(data)) as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, json.loads(arrays.pop("about").tobytes())["about"]


def bit(files, random):
    name = random.choice(sorted(n for n in files if files[n]))
    data = bytearray(files[name])
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return f"bit of {name}", {**files, name: bytes(data)}


def digit(files, random):
    name = random.choice(sorted(n for n in files if n.endswith(".json")))
    data = bytearray(files[name])
    place = random.choice([i for i, c in enumerate(data) if c in b"0123456789"])
    data[place] = random.choice([c for c in b"0123456789" if c != data[place]])
    return f"digit {place} of {name}", {**files, name: bytes(data)}


def kind(files, random, sign=False):
    """Another type at a random place of a plan or a session."""
    name = random.choice(sorted(n for n in files if n.endswith(".json")))
    data = json.loads(files[name])
    places = list(_places(data))
    holder, key = random.choice(places)
    if random.random() < 0.2 and isinstance(holder, dict):
        del holder[key]
    else:
        holder[key] = random.choice(OTHERS)
    resign = sign and name.startswith("plan-") and isinstance(data, dict)
    text = signed(data) if resign else json.dumps(data).encode()
    return f"{key} of {name}{', signed' if resign else ''}", {**files, name: text}


def signed_kind(files, random):
    return kind(files, random, sign=True)


def _places(data):
    for key in data if isinstance(data, dict) else range(len(data)):
        yield data, key
        if isinstance(data[key], dict | list):
            yield from _places(data[key])


def content(files, random):
    """A part with a good checksum and other arrays than its plan says."""
    name = random.choice(sorted(n for n in files if n.endswith(".npz")))
    arrays, about = unpacked(files[name])
    measure = random.choice(sorted(arrays))
    value = arrays.pop(measure)
    changes = [
        {},
        {measure: value[:-1]},
        {measure: value.T},
        {measure: value.astype(np.float32)},
        {measure: value.astype("U8")},
        {measure: np.zeros((2000, 2000))},
        {f"{measure}2": value},
        {measure: value, "more": value},
    ]
    told = random.choice([about, about, {}, {**about, "plan": None}, {**about, "chunk": "0"}])
    chosen = random.choice(changes)
    packing = random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    new = part({**arrays, **chosen}, told, packing)
    return f"arrays of {name}: {list(chosen)}", {**files, name: new}


def length(files, random):
    name = random.choice(sorted(files))
    data = files[name]
    cut = random.randrange(len(data) + 1)
    new = random.choice([b"", data[:cut], data + b"x", data[cut:], b"\0" * len(data), data * 2])
    return f"length of {name}", {**files, name: new}


def delete(files, random):
    name = random.choice(sorted(files))
    return f"without {name}", {n: data for n, data in files.items() if n != name}


def copy(files, random):
    """A file under another name: of a sync tool, of the next in its row, or of another file."""
    name = random.choice(sorted(files))
    folder, _, file = name.rpartition("/")
    stem, dot, ending = file.partition(".")
    names = [
        f"{stem} (copy){dot}{ending}",
        f"{stem}-old{dot}{ending}",
        f"{file}.tmp",
        f"{file}.1-0a.tmp",
        file.replace("00", "01", 1),
        file.replace("0", "3", 1),
        "plan-002.json",
        "x.tmp",
    ]
    place = f"{random.choice([folder, '', 'parts', 'unfinished'])}/{random.choice(names)}"
    other = random.choice([place.removeprefix("/"), random.choice(sorted(files))])
    return f"{name} also as {other}", {**files, other: files[name]}


def rename(files, random):
    told, copied = copy(files, random)
    name = told.split(" also as ")[0]
    kept = {n: data for n, data in copied.items() if n != name}
    return told.replace("also", "now"), kept


def swap(files, random):
    one, other = random.sample(sorted(files), 2)
    return f"{one} and {other} swapped", {**files, one: files[other], other: files[one]}


def stranger(files, random):
    """A file or a folder that is none of ours, or where one of ours should be."""
    names = ["parts/x.tmp", "parts/.x", "x", "plan-.json", "plan-1.json", "session-x.json"]
    name = random.choice([*names, *sorted(files)])
    inside = random.choice(["", "/inside"])
    kept = {n: data for n, data in files.items() if n != name}
    return f"stranger {name}{inside}", {**kept, name + inside: b""}


KINDS = (bit, digit, kind, signed_kind, content, length, delete, copy, rename, swap, stranger)


def damage(files, random):
    """Return what was done, in words, and the files afterwards."""
    how = random.choice(KINDS)
    told, changed = how(files, random)
    told = f"{how.__name__}: {told}"
    for more in random.choice([(), (), (bit,), (delete, length), (rename, copy), (swap, stranger)]):
        words, changed = more(changed, random)
        told += f"; {more.__name__}: {words}"
    return told, changed


def write(files, folder):
    """Write a store's files; one that is in the way of another is left out."""
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    for name, data in sorted(files.items()):
        place = folder / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        except OSError:
            continue


def read(folder: Path):
    """Return the files of a store as bytes by name."""
    found = sorted(f for f in folder.rglob("*") if f.is_file())
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in found}
