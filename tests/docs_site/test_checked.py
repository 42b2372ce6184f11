"""What is wrong with a built site is found: each fault by itself, and none in a good one."""

import json

import pytest

from web.checked import faults

GOOD = (
    "<html><head><link rel='stylesheet' href='a.css'><link rel='canonical' href='https://x'></head>"
    "<body><h1 id='top'>T</h1><a href='other.html#there'>o</a><a href='#top'>t</a>"
    "<a href='https://elsewhere'>e</a><p>p <code>$x$</code> "
    "<span class='math'>\\(x_i\\)</span><br>q</p><img src='a.png'></body></html>"
)
INDEX = {"alltitles": {"toy": []}, "objects": {"m": [[0, 0, 1, "", "f"]], "": [[0, 0, 1, "", "m"]]}}


def site(tmp_path, page=GOOD, index=INDEX):
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    (tmp_path / "other.html").write_text("<p id='there'>x</p>", encoding="utf-8")
    for name in ("a.css", "a.png"):
        (tmp_path / name).write_text("")
    (tmp_path / "searchindex.js").write_text(f"Search.setIndex({json.dumps(index)})", "utf-8")
    return faults(tmp_path, ["toy"], ["m", "m.f"])


def test_a_good_site_has_no_faults(tmp_path):
    assert site(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a.css", "https://cdn/a.css", "loads https://cdn/a.css"),
        ("'a.png'", "'//cdn/a.png'", "loads //cdn/a.png"),
        ("q</p>", "costs $x$</p>", "raw maths: costs $x$"),
        ("q</p>", "\\frac ab</p>", "raw maths: \\frac ab"),
        ("other.html#there", "gone.html", "gone.html: no such page"),
        ("<img src='a.png'>", "<iframe src='gone/toy.html'></iframe>", "gone/toy.html: no such"),
        ("other.html#there", "other.html#gone", "no such place in other.html"),
        ("#top'>t", "#gone'>t", "no such place in index.html"),
    ],
)
def test_each_fault_is_told(tmp_path, old, new, said):
    assert old in GOOD
    (found,) = site(tmp_path, GOOD.replace(old, new))
    assert found.startswith("index.html: ")
    assert said in found


def test_a_name_that_search_does_not_know_is_told(tmp_path):
    assert site(tmp_path, index={**INDEX, "alltitles": {}}) == ["search does not find toy"]
    assert site(tmp_path, index={**INDEX, "objects": {}}) == [
        "search does not find m",
        "search does not find m.f",
    ]
