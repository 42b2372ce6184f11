"""What a simulation reaches, read as if sources had been changed."""

from ci_theory.sweeps import reached as reading


def altered(monkeypatch, change):
    """Let every module be read through ``change(name, source) -> source``."""
    look = reading._source

    def read(name):
        found = look(name)
        return found and (change(name, found[0].decode()).encode(), found[1])

    monkeypatch.setattr(reading, "_source", read)
