"""evidence: what folders say of the queries of a dataset is on its card, its page and in `cvr stats`."""

import json

import pyarrow as pa
import pytest

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.errors import CvrError
from cvr_data.core.whole_files import parquet_bytes
from cvr_data.tables import DISTRACTORS
from cvr_data.triplets.card import Card, render_card
from cvr_data.triplets.evidence import triplet_evidence, triplet_evidence_rows
from cvr_data.triplets.statistics import triplet_statistics
from tests.triplet_tables import triplets

TABLE = triplets(("a", "make it blue", "b"), ("c", "make it red", "d"))
QUERIES = TABLE.column("query_id").to_pylist()


def write(folder, stage, rows, files=()):
    with ArtifactWriter(folder, stage=stage) as writer:
        if rows is not None:
            writer.write_part(0, rows)
        for name, content in files:
            writer.write_file(name, content)
        writer.finish(**({"rows": 2} if rows is None else {}))
    return folder


@pytest.fixture
def folders(tmp_path):
    summary = {"listed": 2, "found": {"caption": 3}, "unjudged": 1, "unfound": {"value": 4, "low": 1.2, "high": 9}}
    rows = pa.table({"query_id": QUERIES})
    kinds = [{"query_id": query, "video_id": f"v{n}", "reference_id": "a", "target_id": "b", "distractor_type": kind}
             for n, (query, kind) in enumerate([(QUERIES[0], "way_back"), (QUERIES[0], "way_back"),
                                                (QUERIES[1], "same_edit")])]  # fmt: skip
    missing = pa.table({"query_id": QUERIES, "distractor_type": ["half_change"] * 2, "reason": ["one_change"] * 2})
    metric = {"own": 50.0, "mean": 40.0, "worst": 10.0, "spread": 5.0}
    record = {"queries": 2, "kinds": {"paraphrase": {"texts": 7}, "vague": {"texts": 2}}, "metrics": {"R@1": metric},
              "ignores_text": 43.0}  # fmt: skip
    asked = ("robustness.parquet", parquet_bytes(rows)), ("robustness.json", json.dumps(record).encode())
    write(tmp_path / "sum-tiny" / "robustness", "robustness", None, asked)
    table = pa.Table.from_pylist(kinds, schema=DISTRACTORS)
    return [
        write(tmp_path / "positives", "find-positives", rows, [("summary.json", json.dumps(summary).encode())]),
        write(tmp_path / "distractors", "mine-distractors", table, [("missing-types.parquet", parquet_bytes(missing))]),
        tmp_path / "sum-tiny",
    ]


def test_rows_say_what_the_folders_say_and_what_nobody_looked_at_is_unknown(folders):
    rows = dict(triplet_evidence_rows(triplet_evidence(folders, TABLE)))
    assert rows["one input is enough"] == "unknown"
    assert rows["right answers"] == (
        "2 listed for 2 queries; found beside them: 3 by caption; about 4 not found yet (1 to 9)"
    )
    assert rows["typed distractors"].startswith("3 videos for 2 queries: way_back 2 for 1 queries; half_change ")
    assert "half_change none (without: 2 one_change); same_edit 1 for 1 queries" in rows["typed distractors"]
    assert rows["typed distractors"].endswith("; 0 of no proven type")
    assert rows["robustness set"] == (
        "other texts of 2 queries (paraphrase 7, vague 2); sum-tiny: R@1 own 50.0, mean 40.0, worst 10.0, spread 5.0; "
        "43 % of texts of something else ignored"
    )
    assert {told for _, told in triplet_evidence_rows({})} == {"unknown"}


def test_the_card_has_them(folders):
    about = {"name": "tiny", "triplets": TABLE, "numbers": triplet_statistics(TABLE), "funnel": [], "lineage": [],
             "sources": [], "configs": {"default": {}}}  # fmt: skip
    card = render_card(Card(**about, evidence=triplet_evidence(folders, TABLE)))
    assert "| right answers | 2 listed for 2 queries;" in card and "| typed distractors | 3 videos" in card
    assert "| robustness set | unknown |" in render_card(Card(**about))


def test_folders_of_other_queries_and_other_stages_are_refused(folders, tmp_path):
    with pytest.raises(CvrError, match="2 of its 2 queries are not among the triplets"):
        triplet_evidence(folders[:1], triplets(("x", "make it blue", "y")))
    other = write(tmp_path / "other", "embed", pa.table({"query_id": QUERIES}))
    with pytest.raises(CvrError, match="is of 'embed'; pass folders of find-positives"):
        triplet_evidence([other], TABLE)
