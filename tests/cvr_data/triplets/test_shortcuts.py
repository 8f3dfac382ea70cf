"""shortcuts: what the card says of an audit, by a model or by plain scorers."""

import json

import pyarrow as pa

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.whole_files import parquet_bytes
from cvr_data.triplets.shortcuts import triplet_shortcuts


def written(folder, rows, record):
    with ArtifactWriter(folder, stage="audit") as writer:
        writer.write_file("audit.json", json.dumps(record).encode())
        writer.write_file("composition.parquet", parquet_bytes(pa.Table.from_pylist(rows)))
        writer.finish()
    return folder


def test_of_plain_scorers_any_that_finds_a_target_counts(tmp_path):
    rows = [
        {"query_id": "q1", "text_video_rank": 1, "text_caption_rank": 9, "text_rank": 1, "visual_rank": 9,
         "label": "text_shortcut"},
        {"query_id": "q2", "text_video_rank": 9, "text_caption_rank": 1, "text_rank": 1, "visual_rank": 9,
         "label": "needs_both"},
    ]  # fmt: skip
    record = {"model": None, "composition": {"k": 2, "pool_version": 2, "chance_at": {"2": {"needs_both": 0.25}}}}
    found = triplet_shortcuts(written(tmp_path / "pool", rows, record), pa.table({"query_id": ["q1", "q2"]}))
    assert (found.text_only, found.visual_only, found.model) == (100.0, 0.0, "plain scorers")
    assert found.both_text == "50.0 % (by chance 12.5 %)"


def test_of_a_model_the_way_that_finds_most_counts(tmp_path):
    rows = [
        {"query_id": "q1", "text_only_masked_rank": 1, "text_only_baseline_rank": 9, "visual_only_baseline_rank": 3},
        {"query_id": "q2", "text_only_masked_rank": 9, "text_only_baseline_rank": 1, "visual_only_baseline_rank": 1},
    ]
    record = {"model": "sum", "composition": {"k": 2}}
    found = triplet_shortcuts(written(tmp_path / "model", rows, record), pa.table({"query_id": ["q1", "q2"]}))
    assert (found.text_only, found.visual_only, found.model) == (50.0, 50.0, "sum")
    assert found.both_text == "unknown"  # of audits without labels
