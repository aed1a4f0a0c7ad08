"""The page: tables in Markdown, pictures in SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.errors import BenchmarkError
from benchmarks.figures import FIGURES
from benchmarks.measures.catalog import all_measures
from benchmarks.report import page
from benchmarks.report.bars import Bar, Bars, draw
from benchmarks.report.tables import Comparison, details, main_table, table
from benchmarks.results import Results, Sample
from benchmarks.servers.catalog import FLOORS

SVG = "{http://www.w3.org/2000/svg}"
COMPARED = Comparison(["verdaccio", "bare-gunicorn", "nproxy-mw-gunicorn"], "verdaccio", FLOORS)


def sample(server, number=0, case="small", group="hot", headlines=("cpu_us",), **values):
    return Sample(case, headlines, values, group, server, number)


@pytest.fixture
def results():
    """Two rounds of one case, and another case that one server alone has."""
    return Results(
        [
            sample("verdaccio", cpu_us=9000.0, rate=100.0),
            sample("nproxy-mw-gunicorn", cpu_us=290.0, rate=4000.0),
            sample("bare-gunicorn", cpu_us=250.0),
            sample("verdaccio", 1, cpu_us=11000.0, rate=120.0),
            sample("nproxy-mw-gunicorn", 1, cpu_us=310.0, rate=4000.0),
            sample(
                "nproxy-mw-gunicorn",
                case="publish",
                group="publish",
                headlines=("cpu_ms", "rate"),
                cpu_ms=3.0,
                rate=500.0,
            ),
        ],
        ["nginx was left out."],
    )


def test_the_main_table_compares(results):
    """Medians, the advantage over the reference, and what is added to the floor."""
    assert main_table(results, COMPARED).splitlines()[2:] == [
        "| hot: small | server CPU per request, µs | 10,000 | 250 (40×) | 300 (33.3×, +50) |",
        "| publish: publish | server CPU per publish, ms | - | - | 3 |",
        "| publish: publish | rate, /s | - | - | 500 |",
    ]


def test_details_show_how_far_rounds_differ(results):
    """Each figure has its smallest and largest value, unless they are the same."""
    assert details(results, "hot").splitlines()[2:] == [
        "| small | verdaccio | 10,000 (9,000 to 11,000) | 110 (100 to 120) |",
        "| small | nproxy-mw-gunicorn | 300 (290 to 310) | 4,000 |",
        "| small | bare-gunicorn | 250 | - |",
    ]


@given(st.lists(st.lists(st.text(st.characters(blacklist_categories=["C", "Z"])), min_size=2, max_size=2)))
def test_tables_keep_their_columns(rows):
    """A cell with a bar does not become two."""
    for line in table(["a", "b"], rows).splitlines():
        assert line.replace("\\|", "").count("|") == 3


@given(
    st.lists(
        st.tuples(st.text("abc <&>\"'", min_size=1), st.floats(0, 1e9)),
        max_size=8,
    )
)
def test_pictures_are_well_formed(bars):
    """Any label and any value make an SVG whose text alternative has them all."""
    groups = [Bars("a <heading>", [Bar(label, value, f"{value} µs") for label, value in bars])]
    root = ET.fromstring(draw("A & title", groups))  # noqa: S314 - our own
    assert (root.get("role"), root.find(f"{SVG}title").text) == ("img", "A & title")
    described = root.find(f"{SVG}desc").text
    assert all(f"{label} {value} µs" in described for label, value in bars)
    widths = [float(one.get("width")) for one in root.findall(f"{SVG}rect")][1:]
    assert len(widths) == len(bars)
    assert all(1 <= width <= 470.05 for width in widths)


@pytest.mark.parametrize(
    ("values", "scale"), [((1, 10), "linear scale"), ((1, 10_000), "logarithmic scale"), ((), "linear scale")]
)
def test_scales_fit(values, scale):
    """Values of very different size get a logarithmic scale, which the picture names; longer means more on both."""
    root = ET.fromstring(draw("title", [Bars("heading", [Bar("x", value, "") for value in values])]))  # noqa: S314
    widths = [float(one.get("width")) for one in root.findall(f"{SVG}rect")][1:]
    assert widths == sorted(widths)
    assert scale in [one.text for one in root.findall(f"{SVG}text")]


def test_a_page_is_written_and_written_again(tmp_path, results):
    """The page shows every picture, with words for who cannot see it; its data make the same page once more."""
    stored = Results(file=tmp_path / page.FOLDER / page.SAMPLES)
    stored.file.parent.mkdir()
    for one in results.samples:
        stored.add(one)
    stored.remark(results.remarks[0])
    about = page.About({"Date": "2026-01-01T00:00Z"}, {"verdaccio": "Verdaccio 6", "nproxy-mw-gunicorn": "0.1"})
    text = page.write(tmp_path, stored, about).read_text()
    assert "- nginx was left out." in text
    assert "| verdaccio | nproxy-mw-gunicorn |" in text
    for picture in ("hot-cpu-us.svg", "publish-cpu-ms.svg", "publish-rate.svg"):
        assert (tmp_path / page.FOLDER / picture).exists()
        assert f"for each server. The table of results has the same figures.](benchmarks/{picture})" in text
    assert page.write(tmp_path, *page.read(tmp_path)).read_text() == text


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{}",
        '{"case": "a"}',
        '{"case":"a","headlines":["x"],"values":{"x":1},"group":"g","server":"s","round":0}',
    ],
)
def test_samples_of_another_version_are_refused(tmp_path, line):
    """A page is never made of what is not understood."""
    (tmp_path / "samples.jsonl").write_text(line + "\n")
    with pytest.raises(BenchmarkError, match=r"not a sample|another version"):
        Results.load(tmp_path / "samples.jsonl")


def test_remarks_are_kept_once():
    """A sentence that comes every round stands once."""
    results = Results()
    assert [results.remark("a"), results.remark("a"), results.remark("b")] == [True, False, True]
    assert results.remarks == ["a", "b"]


def test_every_group_has_a_title():
    """The page can name all that is measured."""
    assert {measure.group for measure in all_measures()} <= page.TITLES.keys()


def test_every_figure_has_a_unit_or_counts():
    """A number without a unit is a count."""
    counts = {"connections", "fetches", "bad", "refused", "lost"}
    assert {key for key, figure in FIGURES.items() if not figure.unit} == counts
