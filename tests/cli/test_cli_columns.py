"""Columns of a person's own file: read as they are meant, refused in one line, or told."""

import bz2
import csv
import gzip
import io
import lzma
import math
import os
import random
import re
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ci_theory import BadInput
from ci_theory.cli.columns import examples, read


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def columns(content, *names, **more):
    raw = content if isinstance(content, bytes) else content.encode()
    Path("curve.csv").write_bytes(raw)
    return read(Path("curve.csv"), *names, **more)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("x,y\n1,3\n2,4\n", "x y"),
        ("x;y\r\n1;3\r\n2;4\r\n", "x y"),
        ("x\ty\r1\t3\r2\t4", "x y"),
        ("x   y\n 1   3 \n 2\t4\n", "x y"),
        ("x, y\n1, 3\n2, 4\n", "x y"),
        ('"x" "y"\n"1" "3"\n2 4\n', "x y"),
        ("\ufeffx,y\n1,3\n2,4\n", "x y"),
        ("x,y\n1,3\n2,4\n".encode("utf-16"), "x y"),
        ("x,y\n1,3\n2,4\n".encode("utf-16-be").join([b"\xfe\xff", b""]), "x y"),
        ("x,y,\n1,3,\n2,4,\n", "x y"),
        ("x,y\n1,3,\n2,4,,\n", "x y"),
        ("\n,,\nx,y\n\n1,3\n,,,\n2,4\n,\n", "x y"),
        ("# made by hand\n\nx,y\n1,3\n2,4\n", "x y"),
        ('"#x",y\n1,3\n2,4\n', "#x y"),
        ("x,y # of them\n1,3\n2,4\n", "x|y # of them"),
        ("loss; train,loss; test\n1,3\n2,4\n", "loss; train|loss; test"),
        ('"a, b";y\n1;3\n2;4\n', "a, b|y"),
        ("x,y,tags\n1,3,a;b\n2,4,c;d\n", "x y"),
        ("x;y;note\n1;3;one, two\n2;4;,\n", "x y"),
        ("x,x\n1,3\n2,4\n", "x x"),
        ("x,6enc_6dec\n1,3\n2,4\n", "x 6enc_6dec"),
        ("1,3\n2,4\n", "column 1|column 2"),
        ("1e0 +3.\n2.0E+00 4\n", "column 1|column 2"),
        (gzip.compress(b"x,y\n1,3\n2,4\n", mtime=0), "x y"),
        (bz2.compress(b"x,y\n1,3\n2,4\n"), "x y"),
        (lzma.compress(b"x,y\n1,3\n2,4\n"), "x y"),
    ],
)
def test_what_can_only_mean_one_thing_is_read_without_a_word(content, names):
    made = columns(content)
    assert made.x.tolist() == [1.0, 2.0]
    assert made.y.tolist() == [[3.0], [4.0]]
    assert (made.x_name, *made.y_names) == tuple(
        re.split(r"\|", names) if "|" in names else names.split()
    )
    assert made.warnings == ()


@pytest.mark.parametrize(
    ("content", "names", "says"),
    [
        ("# C loss\n1 3\n2 4\n", ["C", "loss"], "names are those of a comment: C, loss"),
        ("# C loss\n1,3\n2,4\n", ["C", "loss"], "names are those of a comment: C, loss"),
        ("#C,loss\n1,3\n2,4\n", ["#C", "loss"], "names are those of a comment: C, loss"),
        ("# seen\n# C, loss\n#\n1,3\n2,4\n", ["C", "loss"], "those of a comment: C, loss"),
        ('"C\n(FLOP)","loss"\n1,3\n2,4\n', ["C (FLOP)"], "line 1 begins a quoted cell of several"),
        ('"C\n# FLOP",y\n1,3\n2,4\n', ["C # FLOP"], "line 1 begins a quoted cell of several"),
        ('x,y,note\n1,3,"a\nb"\n2,4,c\n', [], "quoted cell of several lines (a quote missing?): 1"),
        ("x,y\n1,3\n#5,5\n2,4\n # 6,6\n", [], "lines with # among the numbers, passed over: 2"),
        ("x,y,z\n1,3\n2,4\n", [], "rows with fewer cells than names, taken as empty: 2"),
        ("step,0,1\n1,3,5\n2,4,6\n", ["step", "0"], "line 1 is taken for names, though some look"),
        ("5_0,3x\n1,3\n2,4\n", [], "line 1 is taken for names, though some look like numbers"),
        ("Gr\xf6\xdfe,y\n1,3\n2,4\n".encode("latin-1"), ["Größe"], "not UTF-8: read as Latin-1"),
    ],
)
def test_what_could_mean_more_is_told(content, names, says):
    made = columns(content, x=names[0] if names else None, y=names[1:])
    assert made.x.tolist() == [1.0, 2.0]
    assert made.y.tolist() == [[3.0], [4.0]]
    assert [says in told for told in made.warnings] == [True]


def test_an_index_without_a_name_is_called_so_and_told():
    text = ",C,loss\n0,1,3\n1,2,4\n"
    made = columns(text)
    assert (made.x_name, made.y_names) == ("column 1", ("C",))
    assert "x is column 1, which has no name: if it only counts rows, say --x" in made.warnings[0]
    assert "(there are: column 1, C, loss)" in made.warnings[0]
    named = columns(text, "C")
    assert (named.x_name, named.y_names, named.warnings) == ("C", ("loss",), ())
    assert columns(text, "1").warnings == ()  # asked for
    commented = columns("#,C,loss\n1,1,3\n2,2,4\n")
    assert (commented.x_name, commented.y_names) == ("column 1", ("C",))
    assert "x is column 1" in commented.warnings[1]
    assert "y is column 1" in columns(",loss\n1,3\n", "loss").warnings[0]


def test_an_index_that_pandas_has_named_is_told_too():
    """Written with its index, read and written again: the header then says Unnamed: 0."""
    text = "Unnamed: 0,C,loss\n0,1,3\n1,2,4\n"
    made = columns(text)
    assert (made.x_name, made.y_names) == ("Unnamed: 0", ("C",))
    assert "x is Unnamed: 0, which has no name: if it only counts rows, say --x" in made.warnings[0]
    assert columns(text, "C").warnings == ()


@pytest.mark.parametrize("head", ["", "Unnamed: 0", "id"])
@pytest.mark.parametrize("first", [0, 1])
def test_a_column_of_features_that_counts_the_rows_is_told(head, first):
    """Of rows in the order of their classes, an index foretells the label."""
    rows = [f"{i + first},{x},{i > 2}" for i, x in enumerate([0.5, 0.1, 0.3, 0.2])]
    Path("rows.csv").write_text("\n".join([f"{head},a,y", *rows]) + "\n")
    name = head or "column 1"
    told = f"{name!r} counts the rows: if it is an index and no feature, say --drop 1"
    assert told in examples(Path("rows.csv"), "y").warnings
    assert examples(Path("rows.csv"), "y", ["1"]).warnings == ()
    Path("rows.csv").write_text("\n".join([f"{head},a,y", *rows[::-1]]) + "\n")
    assert examples(Path("rows.csv"), "y").warnings == ()


def test_what_is_missing_is_nan_and_no_name():
    made = columns("1,\nNA,3\n2,n/a\nnull,NaN\ninf,-Infinity\n")
    assert np.isnan(made.x).tolist() == [False, True, False, True, False]
    assert np.isnan(made.y[:, 0]).tolist() == [True, False, True, True, False]
    assert (made.x[4], made.y[4, 0]) == (np.inf, -np.inf)


def test_columns_by_name_and_number():
    text = "t,a,2,w,s\n0,3,1,5,7\n0,4,2,6,8\n"
    made = columns(text, "2", ["a", "1"], "w", "5")
    assert made.x.tolist() == [1.0, 2.0]  # of the column called 2, not of the second
    assert made.y.tolist() == [[3.0, 0.0], [4.0, 0.0]]
    assert made.y_names == ("a", "t")
    assert (made.weights.tolist(), made.sd.tolist()) == ([5.0, 6.0], [7.0, 8.0])
    assert columns(text, "0" * 5000 + "4").x_name == "w"


def test_defaults_pass_over_what_is_asked_for():
    text = "w,x,y\n5,1,3\n6,2,4\n"
    made = columns(text, weights="w")
    assert (made.x_name, made.y_names) == ("x", ("y",))
    made = columns(text, y=["w"])
    assert (made.x_name, made.y_names) == ("x", ("w",))
    made = columns(text, "x", weights="w")
    assert made.y_names == ("y",)


@pytest.mark.parametrize(
    ("content", "asked", "says"),
    [
        (b"", {}, "curve.csv: empty"),
        (b"# a\n\n#b c\n", {}, "curve.csv: empty"),
        (b"\xff\xfe\x00", {}, "not a text file"),
        (b"a\0b,c\n", {}, "not a text file"),
        (b"\x89PNG\r\n\x1a\n\0\0", {}, "not a text file"),
        ("x,y\n1,2\n".encode("utf-16-le"), {}, "not a text file"),
        (b"\xff\xfe<\x01=\x011", {}, "not a text file"),  # half a character at the end
        (b"\x1f\x8bnothing of the kind", {}, "damaged gzip file"),
        (gzip.compress(b"x,y\n1,3\n" * 99, mtime=0)[:-20], {}, "damaged gzip file"),
        (b"BZh9 no", {}, "damaged bz2 file"),
        (b"\xfd7zXZ\0 no", {}, "damaged lzma file"),
        (b"a\n1\n2\n", {}, "one column, expected at least two"),
        (b"Table 3\nx,y\n1,2\n", {}, "one column, expected at least two"),
        (b"a,b\n", {}, "no numbers below the names (a, b)"),
        (b"a,b\n1,2\n", {"x": "c"}, "no column 'c' (there are: a, b)"),
        (b"1 2\n", {"x": "C"}, "no column 'C' (there are: column 1, column 2)"),
        (b"a,b\n1,2\n", {"x": "0"}, "no column '0'"),
        (b"a,b\n1,2\n", {"x": "9" * 5000}, "no column '999"),
        (b"a,b\n1,2\n", {"x": "0000000015"}, "no column '0000000015'"),
        (b"a,b\n1,2\n", {"x": "0" * 5000 + "3"}, "no column '000"),
        (b"a,b\n1,2\n", {"x": "1000000001"}, "no column '1000000001'"),
        (b"a,b\n1,2\n", {"x": ""}, "no column ''"),
        (b"a,b\n1,2\n", {"x": "\u0661"}, "no column '\u0661'"),
        (b"a,a\n1,2\n", {"x": "a"}, "two columns are called 'a'"),
        (b"a,b\n1,2\n", {"x": "b", "y": ["b"]}, "column 'b' is asked for twice"),
        (b"a,b,c\n1,2,3\n", {"y": ["b", "2"]}, "column 'b' is asked for twice"),
        (b"a,b\n1,2\n", {"weights": "b"}, "no column is left for y"),
        (b"a,b\n1,2\n", {"y": ["a", "b"]}, "no column is left for x"),
        (b"a,b\n1,2\nx,3\n", {}, "curve.csv, line 3: a = 'x' is not a number"),
        (b"a,b\nm,s\n1,2\n", {}, "curve.csv, line 2: a = 'm' is not a number"),
        (b"a,b\n1,2,\n2,3,4\n", {}, "curve.csv, line 3: 3 cells, expected 2"),
        (b"\n# c\na,b\n\n1,2\n1,2,3\n", {}, "line 6: 3 cells, expected 2"),
        (b"x y z\n1 2 3\n1 3\n", {}, "line 3: 2 cells, expected 3"),
        (b"a;b\n1,5;2\n", {}, "a = '1,5' is not a number (write 1234.5"),
        (b"1,5;2,5\n2,5;3,5\n", {}, "'2,5' is not a number (write 1234.5"),
        (b"0,5;1,25\n0,7;1,5\n", {"x": "1", "y": ["2"]}, "'0,7' is not a number (write"),
        (b'a,b\n"1,000",2\n', {}, "a = '1,000' is not a number (write 1234.5"),
        (b"a,b\n1,000,2\n", {}, "line 2: 3 cells, expected 2"),
        ("a;b\n1\xa0000;2\n".encode(), {}, "is not a number"),
        ("a b\n1\xa0000 2\n".encode(), {}, "is not a number"),
        ("a,b\n１,2\n".encode(), {}, "is not a number"),
        (b"a,b\n1_000,2\n", {}, "is not a number"),
        (b'a,b\n1,"2\n2,3\n', {}, "curve.csv, line 2: "),
        (b'a,b,note\n1,2,"c\n2,3,d\n', {}, "curve.csv, line 2: "),
        (b'a,b,note\n1,2,"c"d\n2,3,d\n', {}, "curve.csv, line 2: "),
        (b'a,b\n1,2" x\n', {}, "b = '2\" x' is not a number"),
        (b"sep=;\nx;y\n1;2\n", {}, "is not a number"),
    ],
)
def test_what_cannot_be_meant_is_refused(content, asked, says):
    with pytest.raises(BadInput) as refused:
        columns(content, **asked)
    assert says in str(refused.value)
    assert str(refused.value).startswith("curve.csv")


def test_what_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("ci_theory.cli.text_file.MOST_BYTES", 40_000)
    for content in (b"1,2\n" * 10_001, gzip.compress(b"1,2\n" * 10_001, mtime=0)):
        with pytest.raises(BadInput, match="larger than 0 MB"):
            columns(content)
    assert len(columns(b"1,2\n" * 10_000).x) == 10_000


def test_files_that_cannot_be_read():
    Path("folder").mkdir()
    for name, says in (
        ("folder", "folder: a folder, expected a file"),
        ("none.csv", "none.csv: no such file"),
        ("folder/none/x.csv", "no such file"),
        ("a" * 5000, "cannot be read: File name too long"),
        ("a\0b", "cannot be read: embedded null"),
        ("/proc/self/mem", "cannot be read: Input/output error"),
    ):
        if name.startswith("/") and not Path(name).exists():
            continue
        with pytest.raises(BadInput) as refused:
            read(Path(name))
        assert says in str(refused.value)


def test_standard_input(monkeypatch):
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(b"1,3\n2,4\n", mtime=0)))
    )
    assert read(Path("-")).y.tolist() == [[3.0], [4.0]]
    with pytest.raises(BadInput, match="standard input: empty"):  # it has been read
        read(Path("-"))
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(BadInput, match="standard input: closed"):
        read(Path("-"))


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no /dev/fd")
def test_a_pipe_is_read_once():
    ours, theirs = os.pipe()
    os.write(theirs, b"x,y\n1,3\n2,4\n")
    os.close(theirs)
    try:
        assert read(Path(f"/dev/fd/{ours}")).y.tolist() == [[3.0], [4.0]]
    finally:
        os.close(ours)


def test_long_files_take_seconds():
    text = "".join(f"{i},{1 / i!r},a,b\n" for i in range(1, 100_001))
    before = time.process_time()
    made = columns(text)
    assert time.process_time() - before < 3  # 0.2 s where nothing else runs
    assert made.x[-1] == 100_000
    assert made.y[-1, 0] == 1e-5


# A fuzz: tables that are written in every way, and then damaged.

NAMES = [
    "x",
    "loss",
    "C (FLOP)",
    "a, b",
    "a; b",
    "a\tb",
    'say "x"',
    "#n",
    "größe",
    "x#2",
    "$\\bm{L}$",
]
SHAPES = [str, "{:.6g}".format, "{:e}".format, "{:+.3f}".format]


def written(rng, most=6):
    """Return a table of at most so many rows: (bytes, values (rows, columns), names or None)."""
    width, height = rng.randint(2, 4), rng.randint(1, most)
    cut = rng.choice(",;\t ")
    allowed = [name for name in NAMES if cut != " " or "\t" not in name]  # both are blanks
    names = rng.sample(allowed, width) if rng.random() < 0.7 else None
    shape = rng.choice(SHAPES)
    empty = 0.1 if cut != " " else 0
    cells = [
        ["" if rng.random() < empty else shape(rng.lognormvariate(0, 9)) for _ in range(width)]
        for _ in range(height)
    ]
    cells = [row if any(row) else ["1"] * width for row in cells]
    paper = io.StringIO()
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.writer(paper, delimiter=cut, quoting=quoting, lineterminator="\n")
    trailing = cut != " " and rng.random() < 0.2
    if names:
        if (
            rng.random() < 0.2
            and not trailing
            and not any(set(name) & set(' ,;\t"#') for name in names)
        ):
            paper.write("# " + cut.join(names) + "\n")
        else:
            hidden = names[0].startswith("#") and quoting == csv.QUOTE_MINIMAL
            names = ["x" if hidden else names[0], *names[1:]]
            writer.writerow(names)
    for row in cells:
        writer.writerow([*row, ""] if trailing else row)
        if rng.random() < 0.1:
            paper.write(rng.choice(["\n", "  \n", cut * 2 + "\n", "# 7\n", '#"\n']))
    text = "# of 2026\n" * rng.randint(0, 1) + paper.getvalue()
    text = text if rng.random() < 0.8 else text.removesuffix("\n")
    text = text.replace("\n", rng.choice(["\n", "\n", "\r\n", "\r"]))
    raw = text.encode(rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    raw = rng.choice([bytes, bytes, bytes, gzip.compress])(raw)
    return raw, [[float(cell or "nan") for cell in row] for row in cells], names


def test_fuzz_numbers_are_read_as_they_were_written():
    rng = random.Random(2026)
    for _ in range(400):
        raw, values, names = written(rng)
        x, y = rng.sample(range(len(values[0])), 2)
        made = columns(raw, str(x + 1), [str(y + 1)])
        np.testing.assert_array_equal(made.x, [row[x] for row in values], err_msg=repr(raw))
        np.testing.assert_array_equal(made.y[:, 0], [row[y] for row in values], err_msg=repr(raw))
        if names and "#" not in "".join(names):
            clean = [" ".join(name.split()) for name in names]
            assert [made.x_name, *made.y_names] == [clean[x], clean[y]], raw


def damaged(raw, rng):
    """Return a file with one to three pieces cut out, or others put in."""
    junk = [b"", b"", b",", b";", b"\t", b" ", b"\n", b'"', b"#", b"5", b"e", b"\0", b"\xff"]
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(raw) + 1)
        much = rng.choice([0, 0, 0, 1, 1, 2, 9])
        raw = raw[:at] + rng.choice(junk) + raw[at + much :]
    return raw


def first_cells(rows):
    """Return the cells of the first row, cut by what cuts the next one into as many.

    Empty ones at the end of a row are none.
    """
    cells = re.split("[,;\t]", rows[0]) if set(",;\t") & set(rows[0]) else rows[0].split()
    for cut in "\t;, ":
        found = [
            next(csv.reader([row.rstrip(cut)], delimiter=cut, skipinitialspace=True), [])
            for row in rows[:2]
        ]
        if len(found[0]) == len(found[-1]) > 1:
            return found[0]
    return cells


def assert_nothing_is_silent(raw, made):
    """Every line that holds something is a row, the names, a comment, or is told of."""
    text = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    text = text.decode("utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1")
    text = text.removeprefix("\ufeff").removeprefix("ï»¿")  # the mark that some programs begin with
    lines = [(line.strip(' ,;\t"'), line) for line in re.split(r"\r\n|\r|\n", text)]
    rows = [line for bare, line in lines if bare and not bare.startswith("#")]
    told = " ".join(made.warnings)
    if "several lines" not in told:
        assert len(made.x) in (len(rows), len(rows) - 1), (raw, made)
        if len(made.x) < len(rows) and "for names" not in told:
            bare = [cell.strip(' "') for cell in first_cells(rows)]  # a name may hold a number
            assert not any(re.fullmatch(r"[-+]?\.?\d[^a-df-z]*", cell) for cell in bare), raw
    numbers = {float(word) for word in re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", text)}
    found = [value for value in np.r_[made.x, made.y[:, 0]] if math.isfinite(value)]
    assert numbers.issuperset(found), (raw, made)


def test_fuzz_damage_is_refused_or_told():
    rng = random.Random(2027)
    refused = 0
    for _ in range(600):
        raw = damaged(written(rng)[0], rng)
        try:
            assert_nothing_is_silent(raw, columns(raw))
        except BadInput:
            refused += 1
    assert 0.1 < refused / 600 < 0.9


def test_a_name_may_hold_what_cuts_other_files():
    """The check of the fuzz cuts a line as the file is cut: here by blanks."""
    raw = b'"say ""x""" x#2 "a, b" #n;.00\n390147 0.06 9416 0.005\n0.03 0.02 0.01 3.8\n'
    assert_nothing_is_silent(raw, columns(raw))
    longer = b'"say ""x""",$L$;6e-02,\r\n1.794,1.4e-04\r\n1.58e-3,9.4e-02\r\n,,\r\n'
    assert_nothing_is_silent(longer, columns(longer))
    alone = b"\xef\xbb\xbf\n# of 2026\na\tb\n1\t2\n3\t4\n"  # a mark that is a line
    assert_nothing_is_silent(alone, columns(alone))


def test_no_more_is_unpacked_than_is_allowed(monkeypatch):
    packed = gzip.compress(b"1,2\n" * 5_000_000, mtime=0)
    monkeypatch.setattr("ci_theory.cli.text_file.MOST_BYTES", 40_000)
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match="larger than 0 MB"):
            columns(packed)
        assert tracemalloc.get_traced_memory()[1] < 2e6  # of 20 MB
    finally:
        tracemalloc.stop()
