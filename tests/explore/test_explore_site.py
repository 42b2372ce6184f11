"""Pages that stand alone: whole in themselves, with the curves of their presets and a theory."""

import base64
import hashlib
import json
import re

import pytest

from ci_theory import BadInput, Status, phenomena
from ci_theory._record import Kind
from ci_theory.cli import explore as exploring
from ci_theory.cli import main
from ci_theory.explore import curve, scripts, site
from ci_theory.explore.address import read
from ci_theory.phenomena import load


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("site") / "new"
    said = []
    files = site.write(made, [("zipf_learning", load("zipf_learning"))], said.append)
    assert said == ["zipf_learning"]
    assert [file.name for file in files] == ["zipf_learning.html", "index.html"]
    return made


def test_a_page_names_nothing_outside_itself(folder):
    for file in folder.iterdir():
        text = file.read_text()
        assert not re.findall(r"<(?:script|link|img)[^>]* (?:src|href)=", text)
        assert "default-src 'none'" in text


def test_the_policy_allows_its_own_scripts_and_no_other(folder):
    text = (folder / "zipf_learning.html").read_text()
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    for content, rule in ((style, "style-src"), (script, "script-src")):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}';" in text
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert re.sub(r"'sha256-[^']*'", "OURS", policy) == (
        "default-src 'none'; script-src OURS; style-src OURS; img-src blob: data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_it_carries_the_curves_of_its_presets(folder):
    phenomenon = load("zipf_learning")
    text = (folder / "zipf_learning.html").read_text()
    (held,) = re.findall(r'<script type="application/json" id="carried">(.*?)</script>', text, re.S)
    data = json.loads(held)
    for preset in data["controls"]["presets"]:
        words = preset["address"].split("&@")[0]
        every = ";".join(d["name"] for d in data["controls"]["decoys"])
        wanted = curve.drawn(phenomenon, read(f"{words}&@decoys={every}", phenomenon))
        assert data["curves"][words] == wanted
        assert all(wanted["decoys"].values())


def test_no_text_of_anybody_ends_a_script():
    words = {"</script><script>alert(1)": "<!--\u2028b\u2029"}
    made = site._script_json(words)
    assert not set("<\u2028\u2029") & set(made)
    assert json.loads(made) == words


def test_a_folder_that_cannot_be_written_is_told_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="file: cannot be written"):
        site.write(tmp_path / "file", [("zipf_learning", load("zipf_learning"))], pytest.fail)


def test_who_stops_has_the_pages_before_and_their_list(tmp_path, monkeypatch):
    def page(name, *_):
        if name == "zipf_learning":
            raise KeyboardInterrupt
        return f"the page of {name}"

    monkeypatch.setattr(site, "_page", page)
    shown = [(name, load(name)) for name in ("ridge_peak", "repeated_data", "zipf_learning")]
    with pytest.raises(KeyboardInterrupt):
        site.write(tmp_path, shown, lambda _: None)
    assert (tmp_path / "repeated_data.html").read_text() == "the page of repeated_data"
    listed = re.findall(r'"name": "(\w+)"', (tmp_path / "index.html").read_text())
    assert listed == ["ridge_peak", "repeated_data"]


def test_a_script_says_for_which_values_it_was_made(monkeypatch):
    peak = load("ridge_peak")
    statics = {"p": 30, "spectrum": "isotropic"}
    script = scripts.of(peak, statics)
    made = script.text
    fixed = json.loads(re.search(r"fixed: (\{.*?\}),", made)[1])
    assert fixed == dict(script.fixed)
    assert fixed["spectrum"] == "isotropic"
    assert json.loads(re.search(r"status: (\[.*?\]),", made)[1]) == [one.name for one in Status]
    assert [int(one) for one in Status] == list(range(len(Status)))  # the theory tells numbers
    assert '"prediction:test_error"' in made
    assert scripts.of(load("modular_grokking"), {}).text == ""  # nothing is predicted
    monkeypatch.setattr(scripts.rules, "translated", lambda *_: None)
    assert scripts.of(load("zipf_learning"), {"vocabulary": 70}).text == ""


def test_a_script_serves_all_values_that_are_not_built_in(monkeypatch):
    """What is built in may depend on what is: here alpha, with the spectrum."""
    scripts._made.cache_clear()
    translated = []
    theory = scripts.javascript.theory
    monkeypatch.setattr(
        scripts.javascript, "theory", lambda *given: translated.append(given) or theory(*given)
    )
    peak = load("ridge_peak")
    plain = scripts.of(peak, {"p": 30})
    assert dict(plain.fixed) == {"p": 30, "spectrum": "isotropic"}
    assert scripts.of(peak, {"p": 30, "alpha": 2.0}) is plain
    law = scripts.of(peak, {"p": 30, "alpha": 2.0, "spectrum": "power_law"})
    assert dict(law.fixed) == {"p": 30, "alpha": 2.0, "spectrum": "power_law"}
    assert scripts.of(peak, {"p": 30, "alpha": 1.0, "spectrum": "power_law"}) is not law
    assert scripts.of(peak, {"p": 30, "alpha": 2.0, "spectrum": "power_law"}) is law
    assert scripts.of(peak, {"p": 30}) is plain
    assert len(translated) == 3


def test_curves_that_a_page_works_out_may_be_left_out(monkeypatch):
    """Not those along what is built in, nor those of a point without a translation."""
    zipf = load("zipf_learning")
    words = ["n=60,90", "exponent=1,1.5&n=70", "vocabulary=100,200", "n=60,90&repeats=2"]
    about = {"first": words[0], "presets": [{"address": one} for one in words], "decoys": []}
    monkeypatch.setattr(curve, "drawn", lambda phenomenon, shown: shown.text)
    assert set(site.carried(zipf, about)) == set(words)
    assert set(site.carried(zipf, about, every=False)) == {"vocabulary=100,200"}
    monkeypatch.setattr(scripts, "of", lambda *_: scripts.Script("", {}))
    assert set(site.carried(zipf, about, every=False)) == set(words)
    # a page without a translation, that is not to carry all: its first preset, without decoys
    peak = load("ridge_peak")
    monkeypatch.setattr(curve, "drawn", lambda phenomenon, shown: shown.decoys)
    held = [
        json.loads(re.search(r'id="carried">(.*?)</script>', text, re.S)[1])
        for text in (site._page("ridge_peak", peak, every) for every in (False, True))
    ]
    assert [len(one["controls"]["presets"]) > 1 for one in held] == [False, True]
    assert list(held[0]["curves"].values()) == [[]]
    assert [len(decoys) for decoys in held[1]["curves"].values()] == [len(peak.mistakes)] * len(
        held[1]["controls"]["presets"]
    )


# ---- the command -----------------------------------------------------------------------------


def test_the_command_writes_every_page_that_can_be_loaded(tmp_path, monkeypatch, capsys):
    written = []

    def write(folder, shown, say, **_):
        written.append((folder, [name for name, _ in shown]))
        return [folder / f"{name}.html" for name, _ in shown] + [folder / "index.html"]

    def load_or_not(name, **_):
        if name == "broken":
            raise BadInput("phenomenon 'broken': is not well")
        return load(name)

    monkeypatch.setattr(exploring.site, "write", write)
    monkeypatch.setattr(phenomena, "names", lambda: ["broken", "group_gap", "ridge_peak"])
    monkeypatch.setattr(exploring.phenomena, "load", load_or_not)
    assert main(["explore", "--static", str(tmp_path / "s")]) == 0
    assert written == [(tmp_path / "s", ["group_gap", "ridge_peak"])]
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == [
        "phenomenon 'broken': is not well", f"{tmp_path / 's' / 'index.html'} and 2 pages",
    ]  # fmt: skip
    assert main(["explore", "ridge_peak", "--static", str(tmp_path / "t")]) == 0
    assert written[1] == (tmp_path / "t", ["ridge_peak"])
    assert capsys.readouterr().out == f"{tmp_path / 't' / 'index.html'} and 1 page\n"


@pytest.mark.parametrize(
    ("words", "port", "opened", "loaded"),
    [
        (["explore"], 0, [""], []),
        (["explore", "ridge_peak"], 0, ["ridge_peak"], ["ridge_peak"]),
        (["explore", "ridge_peak", "--port", "8123", "--no-browser"], 8123, [], ["ridge_peak"]),
    ],
)
def test_the_command_serves_until_it_is_stopped(words, port, opened, loaded, monkeypatch, capsys):
    seen, browser = [], []

    class Server:
        def __init__(self, *given):
            seen.append(given)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            seen.append("closed")

        def url(self, name):
            return f"http://here/{name}"

        def serve_forever(self, **_):
            raise KeyboardInterrupt

    monkeypatch.setattr(exploring, "Explorer", Server)
    monkeypatch.setattr(exploring.webbrowser, "open", browser.append)
    assert main(words) == 0
    ((at, found, explain), closed) = seen
    assert (at, list(found), closed) == (port, loaded, "closed")
    assert explain is exploring.explained
    assert browser == [f"http://here/{name}" for name in opened]
    assert capsys.readouterr().out.startswith(f"http://here/{loaded[0] if loaded else ''}  (Ctrl-C")


def test_what_goes_wrong_is_told_as_by_a_command():
    assert exploring.explained(BadInput("n = 0: must be >= 1")) == "n = 0: must be >= 1"
    assert "internal error (ZeroDivisionError" in exploring.explained(ZeroDivisionError("lost"))
    assert "out of memory" in exploring.explained(MemoryError())


def test_theory_is_carried_for_every_combination_of_words():
    digits = load("digits_ridge")
    address = "n=10,20&label=zero&@dots=0"
    about = {"first": "n=10,20", "presets": [{"address": address}]}
    made = site._statics(digits, about)
    words = [(one["features"], one["label"]) for one in made]
    first, second = (digits.axes[name].choices for name in ("features", "label"))
    assert words[:2] == [("gaussian", "parity"), ("gaussian", "zero")]
    assert set(words[2:]) == {(a, b) for a in first for b in second}
    assert {tuple(one) for one in made} == {tuple(digits.names(Kind.STATIC))}


def test_the_list_has_the_title_above_the_question(folder):
    phenomenon = load("zipf_learning")
    (listed,) = re.findall(r"window.catalogue = (\[.*?\]);", (folder / "index.html").read_text())
    (entry,) = json.loads(listed)
    assert 'href="index.html"' in (folder / "zipf_learning.html").read_text()
    assert entry["name"] == "zipf_learning"
    assert (entry["title"], entry["question"]) == (phenomenon.title, phenomenon.question)


def test_a_script_that_serves_several_presets_is_carried_once(monkeypatch):
    monkeypatch.setattr(scripts, "of", lambda *_: scripts.Script("one_script();", {}))
    monkeypatch.setattr(site, "carried", lambda *_: {})
    assert site._page("zipf_learning", load("zipf_learning"), True).count("one_script();") == 1


def test_a_script_that_is_too_long_is_none(monkeypatch):
    zipf = load("zipf_learning")
    whole = scripts._translated(zipf, {}).text
    monkeypatch.setattr(scripts, "MOST_TEXT", len(whole) // 2)
    assert scripts._translated(zipf, {}).text == ""


def test_of_too_many_scripts_the_first_goes(monkeypatch):
    scripts._made.cache_clear()
    monkeypatch.setattr(scripts, "_KEPT", 2)
    monkeypatch.setattr(
        scripts, "_translated", lambda _, statics: scripts.Script("x", dict(statics))
    )
    peak = load("ridge_peak")
    for p in (1, 2, 3, 2):
        scripts.of(peak, {"p": p})
    assert [one.fixed for one in scripts._made(peak)] == [{"p": 2}, {"p": 3}]
    scripts._made.cache_clear()
