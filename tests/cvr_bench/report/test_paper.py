"""report_rows: ours with intervals, published ones marked and sourced, and LaTeX that compiles."""

import re

import pytest

from cvr_bench.data.sources import sample_data_folder
from cvr_bench.report.page import build_report, report_html, report_latex, report_markdown
from cvr_bench.report.paper import escaped_latex, paper_table
from cvr_bench.results.published import published_results_for
from cvr_bench.results.result import read_result
from cvr_data.core.errors import CvrError
from tests.feature_folders import embed_videos


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two models on the sample of WebVid-CoVR, with features that mean nothing."""
    import cli

    folder = tmp_path_factory.mktemp("paper-rows")
    embed_videos(folder, sample_data_folder() / "samples" / "webvid-covr" / "webvid8m-covr_test.csv")
    words = [
        "-d",
        "webvid-covr",
        "-D",
        f"annotations={sample_data_folder() / 'samples' / 'webvid-covr'}",
        "-D",
        "counts=any",
    ]
    code = cli.run(
        ["bench", "-m", "sum", "-m", "constant", *words, "-e", f"{folder / 'emb'}", "-O", f"{folder / 'results'}"]
    )
    assert code == 0
    return sorted((folder / "results").iterdir())


@pytest.fixture(scope="module")
def table(results):
    return paper_table([(path.name, read_result(path)) for path in results])


def test_ours_have_intervals_and_published_rows_a_mark_and_a_source(table):
    assert len(table.ours) == 2 and not any(row.is_published for row in table.ours)
    assert all(cell.interval for row in table.ours for cell in row.cells[: table.metrics.index("MdR")])
    known = [row for row in published_results_for("webvid-covr-test").rows if row.standing != "recalled"]
    assert [row.method for row in table.published] == [row.method for row in known]
    assert all(row.is_published and not any(cell.interval for cell in row.cells) for row in table.published)
    notes = dict(table.notes)
    assert all(notes[row.mark].split(": ", 1)[1].startswith(known[n].source) for n, row in enumerate(table.published))


def test_a_sample_is_not_passed_off_as_the_whole_benchmark(table):
    assert any("queries" in caution and "2556 as published" in caution for caution in table.cautions)


def test_every_row_of_the_latex_table_has_as_many_cells_and_braces_match(results):
    tex = report_latex(build_report(results))
    tables = tex.split(r"\end{table}")[:-1]
    assert len(tables) == 2  # the metrics, and what stands beside them
    for each in tables:
        rows = [line for line in each.splitlines() if line.endswith(r" \\")]
        assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
    assert "target beats reference" in tables[1]
    plain = re.sub(r"\\[{}]", "", tex)
    assert plain.count("{") == plain.count("}")
    assert r"CoVR-BLIP$^{\dag a}$" in tex and tex.count(r"\midrule") == 3
    body = "\n".join(line for line in tex.splitlines() if not line.startswith("%"))
    assert not re.search(r"(?<!\\)[%#_~]", body), "an unescaped sign"


def test_text_is_escaped_for_latex():
    assert escaped_latex("a_b & 5 % of {x} ~ ^ \\ # $ <|>") == (
        r"a\_b \& 5 \% of \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{} \# \$ "
        r"\textless{}\textbar{}\textgreater{}"
    )


def test_markdown_and_html_show_the_published_rows_as_such(results):
    report = build_report(results)
    markdown, page = report_markdown(report), report_html(report)
    assert "| ReTrack †d | trained | 63.85 | 87.05 |" in markdown
    assert "† Published, not measured here. Measured differently: queries" in markdown
    assert "Beside published results" in page and "<sup>† a</sup>" in page
    block = markdown[markdown.index("rows for a paper") :]
    rows = [line for line in block[: block.index("- a: ")].splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1


def test_tex_is_written_by_its_ending_and_needs_results(cvr, results, tmp_path):
    assert cvr("report", *results, "-O", tmp_path / "rows.tex").code == 0
    assert (tmp_path / "rows.tex").read_text().startswith("% ")
    with pytest.raises(CvrError, match="LaTeX tables are of results"):
        report_latex(build_report([], triplets=sample_data_folder() / "synthetic"))
