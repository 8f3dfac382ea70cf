"""FiftyOne's folder: every field that a sample has is declared, and what FiftyOne exports again is read."""

import json
import re

import pyarrow as pa
import pytest

from cvr_data.core.errors import CvrError
from cvr_data.formats import FORMATS
from cvr_data.tables import VIDEOS
from tests.dataset_folders import table_of
from tests.triplet_tables import triplet, triplets

MODULE = FORMATS.get("fiftyone")
KEYS = {"name", "ftype", "embedded_doc_type", "subfield", "fields", "db_field", "description", "info", "read_only"}
"""Of a field in the metadata.json that FiftyOne 1.22.1 exports, but for created_at, which its importer sets."""
EXPORTED = (
    '{"_id": {"$oid": "6b0b7e506906ec0c78b02f50"}, "filepath": "a.mp4", "tags": ["train"], "_media_type": "video", '
    '"_rand": 0.99, "group": {"_id": {"$oid": "6b0b7e506906ec0c78b02f4f"}, "_cls": "Group", "name": "%s"}, '
    '"video_id": "%s", "modification": "make it red", "style": "short", "split": "train", "slots": ["object"], '
    '"triplet_id": "%s", "query_id": "%s", "text_similarity": 0.5, '
    '"_dataset_id": {"$oid": "6b0b7e4f6906ec0c78b02f4e"}, '
    '"created_at": {"$date": "2026-11-29T01:22:24.555Z"}, "last_modified_at": {"$date": "2026-11-29T01:22:24.555Z"}}'
)
"""A sample as FiftyOne 1.22.1 writes it."""


@pytest.fixture
def videos(tmp_path):
    rows = []
    for name in "rt":
        path = tmp_path / "media" / f"{name}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
        rows.append({"video_id": name, "captions": ["a clip"], "source": "test", "path": str(path)})
    return table_of(rows, VIDEOS)


def written(tmp_path, table, videos, **options):
    out = tmp_path / "out"
    MODULE.write(MODULE.Config(**options), table, out, videos)
    return out, *(json.loads((out / name).read_text()) for name in ("metadata.json", "samples.json"))


def test_a_triplet_is_a_group_of_two_slices(tmp_path, videos):
    row = triplet("r", "make it blue", "t", split="val", text_similarity=0.25)
    _, metadata, samples = written(tmp_path, triplets(row), videos)
    reference, target = samples["samples"]
    assert [one["group"]["name"] for one in (reference, target)] == ["reference", "target"]
    assert reference["group"]["_id"] == target["group"]["_id"] != reference["_id"] != target["_id"]
    ids = [one["_id"]["$oid"] for one in (reference, target)] + [target["group"]["_id"]["$oid"]]
    assert all(re.fullmatch("[0-9a-f]{24}", each) for each in ids)
    assert (reference["video_id"], target["video_id"]) == ("r", "t")
    assert reference["filepath"] == str(tmp_path / "media" / "r.mp4")
    assert target["tags"] == ["val"] and target["modification"] == "make it blue" and target["text_similarity"] == 0.25
    assert target["slots"] == sorted({change["slot"] for change in row["changes"]})
    assert metadata["group_media_types"] == {"reference": "video", "target": "video"}
    assert metadata["default_group_slice"] == "target"


def test_every_field_is_declared_with_its_type(tmp_path, videos):
    _, metadata, samples = written(tmp_path, triplets(triplet("r", "go", "t", frame_scores=[0.5], extra=3)), videos)
    fields = {field["db_field"]: field for field in metadata["sample_fields"]}
    assert all(set(field) == KEYS for field in metadata["sample_fields"])
    assert {name for sample in samples["samples"] for name in sample} <= set(fields)
    kinds = {
        name: (field["ftype"].split(".")[-1], (field["subfield"] or "").split(".")[-1])
        for name, field in fields.items()
    }
    assert kinds["changes"] == ("ListField", "DictField")
    assert kinds["frame_scores"] == ("ListField", "FloatField")
    assert kinds["extra"] == ("IntField", "") and kinds["modification"] == ("StringField", "")
    assert kinds["group"] == ("EmbeddedDocumentField", "")


def test_copied_clips_lie_in_the_folder_once(tmp_path, videos):
    table = triplets(triplet("r", "go", "t"), triplet("t", "go back", "r"))
    out, _, samples = written(tmp_path, table, videos, copy=True)
    places = [sample["filepath"] for sample in samples["samples"]]
    assert len(places) == 4 and len(set(places)) == 2 and all(place.startswith("data/") for place in places)
    assert [(out / place).read_bytes() for place in places] == [b"r", b"t", b"t", b"r"]


def test_a_video_without_a_file_is_told(tmp_path, videos, capsys):
    _, _, samples = written(tmp_path, triplets(triplet("r", "go", "x")), videos, copy=True)
    assert "fiftyone: 1 videos have no file, so their samples show none: x." in capsys.readouterr().err
    assert samples["samples"][1]["filepath"].startswith("missing/")


def test_a_clip_of_a_recording_is_refused_or_shown_whole_with_its_times(tmp_path, videos):
    times = {"start_s": pa.array([2.0, None]), "end_s": pa.array([4.5, None])}
    cut = videos
    for name, values in times.items():
        cut = cut.set_column(cut.column_names.index(name), name, values)
    with pytest.raises(CvrError, match=r"fiftyone: r are clips of longer files.*-o whole=true"):
        written(tmp_path, triplets(triplet("r", "go", "t")), cut)
    _, metadata, samples = written(tmp_path, triplets(triplet("r", "go", "t")), cut, whole=True)
    assert (samples["samples"][0]["start_s"], samples["samples"][0]["end_s"]) == (2.0, 4.5)
    assert "start_s" not in samples["samples"][1]
    assert {"start_s", "end_s"} <= {field["name"] for field in metadata["sample_fields"]}


def test_what_fiftyone_exports_again_is_read(tmp_path):
    row = triplet("r", "make it red", "t")
    ids = (row["triplet_id"], row["query_id"])
    samples = ",".join(EXPORTED % (end, name, *ids) for end, name in (("target", "t"), ("reference", "r")))
    (tmp_path / "samples.json").write_text('{"samples": [' + samples + "]}")
    [read] = MODULE.read(MODULE.Config(), tmp_path).to_pylist()
    assert (read["triplet_id"], read["reference_id"], read["target_id"]) == (row["triplet_id"], "r", "t")
    assert read["modification"] == "make it red" and read["text_similarity"] == 0.5


def test_phrases_of_changes_and_columns_of_ones_own_come_back(tmp_path, videos):
    phrase = {"start": 2, "end": 5, "head": "ball", "number": "singular", "determiner": "a"}
    change = {"kind": "static", "slot": "object", "before": "red", "after": "blue", "before_phrase": phrase}
    table = pa.Table.from_pylist([triplet("r", "go", "t", changes=[{**change, "after_phrase": None}], folder="rules")])
    out, _, _ = written(tmp_path, table, videos)
    [read] = MODULE.read(MODULE.Config(), out).to_pylist()
    assert read["changes"] == [{**change, "after_phrase": None}] and read["folder"] == "rules"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"samples": [{"group": {"name": "left"}}]}', "sample 0: 'group' is none of reference, target"),
        ('{"samples": [3]}', "sample 0: 'group' is none of"),
        ('{"samples": [%s]}' % (EXPORTED % ("target", "t", "x", "y")), "has no reference"),
    ],
)
def test_what_is_no_such_folder_is_told_in_one_line(tmp_path, content, said):
    (tmp_path / "samples.json").write_text(content)
    with pytest.raises(CvrError, match=re.escape(said)):
        MODULE.read(MODULE.Config(), tmp_path)
