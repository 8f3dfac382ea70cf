"""The audit part of the report says what audit.json says, and is absent where nothing was audited."""

import json
import shutil

import pytest

from cvr_bench.report.page import build_report, report_html, report_markdown

pytestmark = pytest.mark.slow


@pytest.fixture
def results(cvr, world, tmp_path, monkeypatch):
    shutil.copytree(world.folder, tmp_path / "world")
    monkeypatch.chdir(tmp_path / "world")
    cvr.done("bench", "--model", "sum", "--model", "visual-only")
    return [tmp_path / "world/results" / name for name in ("sum-tiny", "visual-only-tiny")]


def test_the_report_shows_what_the_audit_of_the_composed_model_found(results):
    report = build_report(results)
    part = report.groups[0].audit
    audit = json.loads((results[0] / "audit/audit.json").read_text(encoding="utf-8"))
    assert [row.entry.label for row in part.composition] == [row.entry.label for row in part.time] == ["sum"]
    row = part.composition[0]
    assert row.gaps[1].value == audit["composition"]["gap"]["mean"]["value"]
    assert [count for count, _ in row.labels] == [
        audit["composition"]["labels"][name] for name in ("composition_required", "shortcut", "unresolved")
    ]
    assert sum(share for _, share in row.labels) == pytest.approx(100)
    assert f"| sum | {row.composed:.1f} |" in report_markdown(report)
    page = report_html(report)
    assert '<section id="audit-1"' in page
    assert '<a href="#audit-1">' in page


def test_a_report_of_results_without_audits_has_no_such_part(results):
    for result in results:
        shutil.rmtree(result / "audit")
    report = build_report(results)
    assert report.groups[0].audit is None
    assert "audit-1" not in report_html(report)
    assert "Audit" not in report_markdown(report)


def test_audits_that_went_by_another_k_are_shown_by_the_usual_one(cvr, results):
    cvr.done("bench", "--model", "combiner", "-o", "projection=4", "-o", "hidden=4", "-t", "epochs=1")
    combiner = results[0].with_name("combiner-tiny")
    cvr.done("audit", results[0], "-k", "2", "--overwrite")
    part = build_report([*results, combiner]).groups[0].audit
    audit = json.loads((results[0] / "audit/audit.json").read_text(encoding="utf-8"))
    assert (part.k, audit["composition"]["k"]) == (10, 2)
    shown = {row.entry.label: [count for count, _ in row.labels] for row in part.composition}
    assert sorted(shown) == ["combiner", "sum"]
    assert shown["sum"] == [audit["composition"]["labels_at"][at][name] for at in ("1", "10") for name in
                            ("composition_required", "shortcut", "unresolved")]  # fmt: skip
