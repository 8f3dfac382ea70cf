"""Behind each number of an audit stand the queries that it counts or averages, and so many of them."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from cvr_bench.report.page import build_report, report_html, report_markdown
from cvr_bench.results.result import MEAN, read_result
from cvr_bench.scoring.metrics import recall_values
from cvr_data.core.reading import read_text
from cvr_data.core.whole_files import write_bytes
from tests.cvr_bench.audit.test_audit_command import leak_a_video

pytestmark = pytest.mark.slow


@pytest.fixture
def path(cvr, world, tmp_path, monkeypatch):
    """The audited result of a trained model, of whose videos one leaked, as all texts did."""
    shutil.copytree(world.folder, tmp_path / "world")
    leak_a_video(tmp_path / "world")
    monkeypatch.chdir(tmp_path / "world")
    options = "-o projection=4 -o hidden=4 -t epochs=1 -t batch_size=16".split()
    assert cvr("bench", "--model", "combiner", *options).code == 0
    return tmp_path / "world/results/combiner-tiny"


@pytest.fixture
def report(path):
    return build_report([path])


@pytest.fixture
def links(report):
    return report.groups[0].audit.links["combiner"]


@pytest.fixture
def parts(report):
    """Anchor -> title -> how many queries stand behind a number."""
    return {one.anchor: {part.title: part.count for part in one.parts} for one in report.lists}


def audited(path):
    return json.loads(read_text(path / "audit/audit.json"))


def ranks_of(path, name, way):
    return pq.read_table(path / "audit" / name).column(f"{way}_rank").to_numpy()


def test_labels_lead_to_so_many_queries(path, report, links, parts):
    counted = {f"{label.replace('_', ' ')} @{one}": count
               for one in {"1", str(report.groups[0].audit.k)}
               for label, count in audited(path)["composition"]["labels_at"][one].items()}  # fmt: skip
    assert sum(count > 0 for count in counted.values()) > 1
    assert {name: parts[links[name]][""] if links[name] else 0 for name in counted} == counted


def test_a_mean_with_one_input_or_other_frames_leads_to_all_queries_best_and_worst(path, report, links, parts):
    lists = {one.anchor: one for one in report.lists}
    ways = {"text only (masked)": ("composition.parquet", "text_only_masked"),
            "visual only (baseline)": ("composition.parquet", "visual_only_baseline"),
            "middle": ("temporal.parquet", "middle")}  # fmt: skip
    for name, (file, column) in ways.items():
        ranks = ranks_of(path, file, column)
        assert parts[links[name]] == {"Best": len(ranks), "Worst": len(ranks)}
        told = [[card.facts[-1].rpartition(" ")[2] for card in part.cards] for part in lists[links[name]].parts]
        assert told[0] == [str(rank) for rank in np.sort(ranks)[:6]]
        assert told[1] == [str(rank) for rank in np.sort(ranks)[::-1][:6]]


@pytest.mark.parametrize("metric", ["R@1", MEAN])
def test_a_gap_leads_to_the_queries_that_one_of_both_does_better(path, links, parts, metric):
    gap, ks = audited(path)["composition"]["gap"][metric], [1] if metric == "R@1" else read_result(path).ks
    best = gap["best"].translate(str.maketrans("- ", "__", "()"))
    own = read_result(path).ranks.column("rank").to_numpy()
    both = [recall_values(ranks, ks) for ranks in (own, ranks_of(path, "composition.parquet", best))]
    expected = [int((both[0] > both[1]).sum()), int((both[0] < both[1]).sum())]
    assert list(parts[links[f"gap {metric}"]].values()) == [count for count in expected if count]
    assert gap["value"] == pytest.approx((both[0] - both[1]).mean())


def test_leaks_lead_to_the_queries_about_what_leaked(path, report, links, parts):
    leaks = audited(path)["leaks"]
    about = leaks["queries"]["about_leaked_videos"]
    assert 0 < about < leaks["queries"]["all"]
    assert links["videos"] == links["about"]
    assert parts[links["about"]] == {"": about}
    cards = [card for one in report.lists if one.anchor == links["about"] for card in one.parts[0].cards]
    rows = {row["query_id"]: row for row in read_result(path).ranks.to_pylist()}
    assert cards and all("test01" in (card.reference_id, *rows[card.triplet_id]["target_ids"]) for card in cards)
    said = set(read_result(path).ranks.column("modification").to_pylist())
    assert leaks["modifications"]["leaked"] == len(said)
    assert parts[links["modifications"]] == {"": leaks["queries"]["all"]}
    page = report_html(report)
    assert f'<a class="number" href="#{links["about"]}">{about}</a> of <a' in page
    assert f"{leaks['videos']['leaked']} of {leaks['videos']['test']} videos have" in report_markdown(report)


def test_every_counted_number_of_the_audit_is_a_link(report):
    page = report_html(report)
    section = page.partition('id="audit-1"')[2].partition("</section>")[0]
    rows = [row for row in section.split("<tr") if 'scope="row"' in row and not row.startswith(' class="chance-row"')]
    cells = [cell for row in rows for cell in row.split("<td")[1:]]
    plain = [cell for cell in cells if 'class="number"' not in cell]
    assert len(cells) > 10
    assert all(cell.partition(">")[2].startswith(("0<", "–", "+0.0")) for cell in plain), plain


def test_an_audit_of_other_queries_is_refused_in_one_line(one_line_error, path):
    file = path / "audit/temporal.parquet"
    table = pq.read_table(file)
    pq.write_table(table.take([1, 0, *range(2, table.num_rows)]), file)
    manifest = json.loads(read_text(file.with_name("manifest.json")))
    manifest["bytes"][file.name] = file.stat().st_size
    write_bytes(file.with_name("manifest.json"), json.dumps(manifest).encode())
    assert f"{file} is not of the result's queries" in one_line_error("report", path)
