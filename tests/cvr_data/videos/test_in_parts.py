"""Import, split and embed in parts: the same whatever the rows are cut into and whoever works."""

import numpy as np
import pyarrow as pa
import pytest

from cvr_data.core import parts, runner
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import verify
from cvr_data.core.columns import check_columns
from cvr_data.core.engine import Engine
from cvr_data.core.jobs import use_engine
from cvr_data.features.embed import embed
from cvr_data.features.encoders import hash
from cvr_data.tables import VIDEOS
from cvr_data.videos import entries, import_videos, near_duplicates, repeated
from cvr_data.videos.corpora import CORPORA
from cvr_data.videos.split import split_video_artifact

pytestmark = pytest.mark.slow

CONFIG = hash.Config(dim=3, frames=1)
ROWS = 90


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".json"}


def write(folder, size, rows=ROWS):
    """Videos in parts of `size` rows: some of one recording, some with a split."""
    draw = np.random.default_rng(0)
    table = [
        {"video_id": f"v{number:03d}", "captions": [f"text {number % 40}", "b"], "source": "test",
         "recording_id": [None, f"r{number % 17}"][draw.integers(2)],
         "split": [None, None, "train", "test"][draw.integers(4)]}
        for number in range(ROWS)
    ]  # fmt: skip
    with ArtifactWriter(folder, stage="import-test") as writer:
        for index, start in enumerate(range(0, rows, size)):
            some = pa.Table.from_pylist(table[start : min(start + size, rows)], VIDEOS)
            writer.write_part(index, check_columns(some, VIDEOS, "test"))
        writer.finish()
    return folder


@pytest.mark.parametrize("policy", ["captions", "drop"])
@pytest.mark.parametrize(("slice_rows", "part_rows", "bucket"), [(1, 1, 5), (7, 20, 3), (50, 1, 200)])
def test_rows_of_one_id_are_found_in_any_part(policy, slice_rows, part_rows, bucket, tmp_path, monkeypatch):
    lines = [f"v{number * 7 % 31},text {number % 5}" for number in range(120)]
    (tmp_path / "t.csv").write_text("\n".join(["video_id,caption", *lines]))
    config = CORPORA.config("table", [f"path={tmp_path / 't.csv'}", f"repeated={policy}"])
    expected: dict[str, list[str]] = {}
    for line in lines:
        name, caption = line.split(",")
        known = expected.setdefault(name, [])
        known += [caption] if not known or (policy == "captions" and caption not in known) else []
    for module, name, value in (
        (entries, "SLICE", slice_rows), (import_videos, "PART_ROWS", part_rows), (repeated, "_BUCKET", bucket),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    made = import_videos.import_videos(CORPORA.get("table"), config, tmp_path / "videos")
    rows = made.read(["video_id", "captions"]).to_pylist()
    assert {row["video_id"]: row["captions"] for row in rows} == expected
    assert [row["video_id"] for row in rows] == list(expected)
    assert made.manifest["dropped"] == ({} if policy == "captions" else {"duplicate_id": 89})


def split(source, embeddings, out, keep):
    config = near_duplicates.Config(threshold=0.99, need_features=True)
    return split_video_artifact(source, embeddings, config, out, keep=keep)


def test_a_split_is_the_same_for_any_cut(tmp_path, monkeypatch):
    whole = write(tmp_path / "whole", ROWS)
    embed(write(tmp_path / "some", 30, ROWS - 6), "hash", CONFIG, tmp_path / "embeddings")
    earlier = split(write(tmp_path / "few", 30, 40), tmp_path / "embeddings", tmp_path / "earlier", None).path
    at_once = split(whole, tmp_path / "embeddings", tmp_path / "at-once", earlier)
    assert at_once.manifest["dropped"]["no_features"] > 0
    assert at_once.manifest["largest_group"] > 1
    monkeypatch.setattr(runner, "BUCKET_VALUES", 40)
    monkeypatch.setattr(parts, "PART_VALUES", 20)
    expected = split(whole, tmp_path / "embeddings", tmp_path / "expected", earlier)
    assert len(expected.part_paths) > 1
    for name in ("video_id", "split", "group_id"):
        sides = [each.read().sort_by("video_id").column(name).to_pylist() for each in (at_once, expected)]
        assert sides[0] == sides[1]
    for field in ("splits", "groups", "largest_group", "dropped"):
        assert at_once.manifest[field] == expected.manifest[field]
    split(write(tmp_path / "cut", 4), tmp_path / "embeddings", tmp_path / "out", earlier)
    assert files_of(tmp_path / "out") == files_of(expected.path)
    assert verify(tmp_path / "out") == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["import", "split", "embed"])
def test_two_processes_write_what_one_does(stage, tmp_path):
    source = write(tmp_path / "in", ROWS)
    STAGES[stage](source, tmp_path / "one")
    with use_engine(Engine("local", 2)):
        STAGES[stage](source, tmp_path / "two")
    assert files_of(tmp_path / "two") == files_of(tmp_path / "one")


def import_ids(source, out):
    """Import the ids and captions of an artifact's own files."""
    options = [f"path={source / 'part-00000.parquet'}", "caption=captions", "recording=recording_id"]
    import_videos.import_videos(CORPORA.get("table"), CORPORA.config("table", options), out)


STAGES = {
    "import": import_ids,
    "split": lambda source, out: split_video_artifact(source, None, near_duplicates.Config(), out),
    "embed": lambda source, out: embed(source, "hash", CONFIG, out),
}
