"""card: it is valid Markdown and YAML whatever the data says, and draws the same examples every time."""

import yaml

from cvr_data.core.lineage import FunnelStep
from cvr_data.triplets.card import Card, SourceOfVideos, card_cell, card_examples, card_sources, render_card
from cvr_data.triplets.statistics import triplet_statistics
from tests.dataset_folders import VIDEOS
from tests.triplet_tables import triplet, triplets

HOSTILE = "a | b\n\n# not a title <script>alert(1)</script> [x](y) `z` $$"


def card_of(table, **fields):
    known = {"name": "tiny", "triplets": table, "numbers": triplet_statistics(table), "funnel": [], "lineage": [],
             "sources": [], "configs": {"default": {"train": "data/*/train-*.parquet"}}}  # fmt: skip
    return render_card(Card(**{**known, **fields}))


def front_matter_of(text):
    _, block, body = text.split("---\n", 2)
    return yaml.safe_load(block), body


def test_the_front_matter_is_what_the_hub_reads():
    source = SourceOfVideos(source="x", licence="cc-by-4.0", videos=2, is_redistributable=True)
    found, _ = front_matter_of(card_of(triplets(("a", "x", "b")), sources=[source]))
    assert found["license"] == "cc-by-4.0"
    assert found["size_categories"] == ["n<1K"]
    assert found["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "data/*/train-*.parquet"}],
         "default": True},
    ]  # fmt: skip


def test_hostile_text_stays_in_its_cell():
    table = triplets(triplet("a", HOSTILE, "b", reference_caption=HOSTILE, style=HOSTILE))
    text = card_of(table, name=HOSTILE, funnel=[FunnelStep(stage="s", step=HOSTILE, rows_in=1, rows_out=1)])
    _, body = front_matter_of(text)
    assert "<script" not in body.replace("\\<script", "")
    assert not [line for line in body.splitlines() if line.startswith("# not a title")]
    [row] = [line for line in body.splitlines() if line.startswith("| train | a \\| b")]
    assert row.replace("\\|", "").count("|") == 7


def test_unknown_says_unknown():
    _, body = front_matter_of(card_of(triplets(("a", "x", "b"))))
    assert "| seconds per video | unknown |" in body
    assert "| near-duplicate clusters | unknown |" in body
    assert card_cell(None) == "unknown"


def test_twenty_examples_in_turn_from_each_split_and_style():
    kinds = [("train", "short"), ("test", "short"), ("test", "dense")]
    rows = [triplet(f"r{n}", "x", f"t{n}", split=split, style=style) for n in range(30) for split, style in kinds]
    drawn = card_examples(triplets(*rows))
    assert len(drawn) == 20
    assert {(row["split"], row["style"]) for row in drawn[:3]} == set(kinds)
    assert drawn == card_examples(triplets(*reversed(rows)))


def test_sources_count_each_used_video_once():
    import pyarrow as pa

    rows = [{"video_id": "a", "captions": [], "source": "s", "licence": "MIT"},
            {"video_id": "b", "captions": [], "source": "s", "licence": None},
            {"video_id": "unused", "captions": [], "source": "s", "licence": "MIT"}]  # fmt: skip
    found = card_sources(pa.Table.from_pylist(rows, schema=VIDEOS), {"a", "b", "gone"})
    assert [(one.source, one.licence, one.videos, one.is_redistributable) for one in found] == [
        ("s", "mit", 1, True), ("s", "unknown", 1, False), ("unknown", "unknown", 1, False),
    ]  # fmt: skip


def test_a_local_card_makes_load_dataset_work_on_the_folder(tmp_path, monkeypatch):
    from datasets import load_dataset

    from cvr_data.triplets.build import build_triplets, find_triplet_parts
    from cvr_data.triplets.join import Config
    from tests.dataset_folders import write_texts

    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    build_triplets(find_triplet_parts([write_texts(tmp_path)]), tmp_path / "out", Config(), name="tiny")
    found = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: rows.num_rows for split, rows in found.items()} == {"train": 2, "test": 1}
