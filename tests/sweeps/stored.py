"""A finished store as bytes, so that each test damages its own copy."""

from ci_theory.sweeps import Sweep, run

GRAM = Sweep(phenomenon="sweep_toys.gram", axes={"n": (5, 9, 12)}, replicates=4)


def finished(folder):
    """Run into a folder; return its files as bytes by their names."""
    run(GRAM, folder, most_runs=2)
    return {f.relative_to(folder): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def laid(files, folder):
    """Write the files of a store into a folder that is not there yet."""
    (folder / "parts").mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def part_bytes(folder):
    return {f.name: f.read_bytes() for f in (folder / "parts").iterdir()}
