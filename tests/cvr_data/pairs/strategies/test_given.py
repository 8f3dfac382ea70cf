"""given: every row of the file is a pair or dropped with a reason, whatever the kind of file."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.stages import stage_rows_by_drop_reason
from cvr_data.pairs.strategies import given
from cvr_data.pairs.strategies.given import Config
from cvr_data.tables import PAIRS, pair_id
from tests.dataset_folders import write_artifact
from tests.mined_pairs import captioned, mined

CAPTIONS = {"v1": ["A red ball", "a ball"], "v2": ["a blue ball"], "v3": ["two red cubes fall"], "v4": []}
ROWS = [
    {"reference_id": "v2", "target_id": "v1"},
    {"reference_id": "v1", "target_id": "v2"},
    {"reference_id": "v1", "target_id": "v3", "reference_caption": "a ball"},
    {"reference_id": "v1", "target_id": "v2"},
    {"reference_id": "v9", "target_id": "v1"},
    {"reference_id": "v1", "target_id": "v8"},
    {"reference_id": "v1", "target_id": ""},
    {"reference_id": "v1", "target_id": "v1"},
    {"reference_id": "v1", "target_id": "v4"},
]
NAMES = ("reference_id", "target_id", "reference_caption")


@pytest.fixture
def videos():
    return captioned(CAPTIONS)


@pytest.fixture(params=["csv", "tsv", "jsonl", "parquet"])
def file(request, tmp_path):
    return write(tmp_path / f"pairs.{request.param}", ROWS)


def write(path, rows, names=NAMES):
    full = [{name: row.get(name) or "" for name in names} for row in rows]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(full), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in full), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.DictWriter(lines, names, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(full)
    return path


def test_rows_are_checked_against_the_videos(file, videos):
    kept, dropped = stage_rows_by_drop_reason(
        mined(given, Config(path=file, reference_caption="reference_caption"), videos)
    )
    found = [
        (row["reference_id"], row["target_id"], row["reference_caption"], row["target_caption"])
        for row in kept.to_pylist()
    ]
    assert found == [
        ("v1", "v2", "A red ball", "a blue ball"),
        ("v1", "v3", "a ball", "two red cubes fall"),
        ("v2", "v1", "a blue ball", "A red ball"),
    ]
    assert [row["pair_id"] for row in kept.to_pylist()] == [pair_id(*row) for row in found]
    reasons = {row["detail"]: row["drop_reason"] for row in dropped.to_pylist()}
    unit, first = {".parquet": ("row", 0), ".jsonl": ("line", 0)}.get(file.suffix, ("line", 1))

    def where(number):
        return f"{unit} {number + first}"

    assert reasons == {
        f"{where(4)}: an earlier row is the same pair": "repeated_pair",
        f"{where(5)}: no video 'v9'": "unknown_reference",
        f"{where(6)}: no video 'v8'": "unknown_target",
        f"{where(7)}: no value in the column of target ids": "no_target",
        f"{where(8)}: 'v1' is reference and target": "same_video",
        f"{where(9)}: neither the file nor the video 'v4' has a caption": "no_caption",
    }


def test_changes_are_the_words_that_differ_unless_the_file_tells_them(tmp_path, videos):
    told = [{"before": "ball", "after": "cubes", "kind": "static", "slot": "object"}, {"after": "fall"}]
    rows = [
        {"reference_id": "v1", "target_id": "v2"},
        {"reference_id": "v1", "target_id": "v3", "changes": json.dumps(told)},
        {"reference_id": "v2", "target_id": "v1", "changes": "[not json"},
        {"reference_id": "v2", "target_id": "v3", "changes": '[{"to": "x"}]'},
        {"reference_id": "v3", "target_id": "v1", "changes": "[{}]"},
    ]
    file = write(tmp_path / "pairs.csv", rows, (*NAMES[:2], "changes"))
    kept, dropped = stage_rows_by_drop_reason(mined(given, Config(path=file, changes="changes"), videos))
    empty = {"kind": None, "slot": None}
    assert [row["changes"] for row in kept.to_pylist()] == [
        [{**empty, "before": "red", "after": "blue"}],
        [told[0], {**empty, "before": None, "after": "fall"}],
    ]
    assert dropped.column("drop_reason").to_pylist() == ["bad_changes"] * 3


@pytest.fixture
def folder(tmp_path, videos):
    return write_artifact(tmp_path / "videos", "import-test", videos)


def test_a_missing_column_or_file_is_one_line(folder, tmp_path, one_line_error):
    file = write(tmp_path / "pairs.csv", ROWS, ("reference_id", "target"))
    words = ("mine-pairs", folder, "-O", tmp_path / "pairs", "--strategy", "given")
    assert "target_id" in one_line_error(*words, "-o", f"path={file}")
    assert "no such file" in one_line_error(*words, "-o", "path=none.csv")
    assert "option path is required" in one_line_error(*words)
    assert not (tmp_path / "pairs").exists()


@pytest.mark.engine
def test_the_command_types_the_changes_counts_the_rows_and_explains(folder, tmp_path, cvr):
    file = write(tmp_path / "pairs.csv", ROWS)
    words = ("mine-pairs", folder, "-O", tmp_path / "pairs", "--strategy", "given", "-o", f"path={file}")
    cvr.done(*words, "--filter", "min-words")
    made = open_artifact(tmp_path / "pairs")
    assert made.read().column_names[: len(PAIRS)] == PAIRS.names
    assert made.manifest["funnel"][0]["dropped"]["unknown_target"] == 1
    assert made.manifest["rows"] + sum(made.manifest["dropped"].values()) == len(ROWS)
    change = made.read().to_pylist()[0]["changes"][0]
    change = {name: value for name, value in change.items() if not name.endswith("_phrase")}
    assert change == {"kind": "static", "slot": "attribute", "before": "red", "after": "blue"}
    assert "does not have it" in cvr("why-not", "v3", "v2", "--in", tmp_path / "pairs").out
    assert "repeated_pair" in cvr("why-not", "v1", "v2", "--in", tmp_path / "pairs").out
    file.write_text("reference_id,target_id\nv1,v2\n", encoding="utf-8")
    assert cvr(*words).code == 2  # another file is another artifact


def test_texts_of_the_file_are_stored_as_imported_ones_are(videos, tmp_path):
    changes = json.dumps([{"before": "ball\u200b", "after": "cafe\u0301"}])
    row = {"reference_id": "v1", "target_id": "v2", "reference_caption": "a ball\0", "changes": changes}
    file = write(tmp_path / "pairs.jsonl", [row], (*NAMES, "changes"))
    config = Config(path=file, reference_caption="reference_caption", changes="changes")
    [pair] = mined(given, config, videos).to_pylist()
    assert pair["reference_caption"] == "a ball"
    assert (pair["changes"][0]["before"], pair["changes"][0]["after"]) == ("ball", "café")


def test_phrases_of_changes_are_kept_and_what_is_none_is_dropped(tmp_path, videos):
    phrase = {"start": 2, "end": 5, "head": "ball", "number": "singular", "determiner": "a"}
    change = {"before": "red", "after": "blue", "before_phrase": phrase}
    wrong = [{"start": "two"}, {"begin": 2}, "a ball", {"head": 3}]
    rows = [[change], *([{**change, "before_phrase": each}] for each in wrong)]
    lines = [{"reference_id": "v1", "target_id": f"v{2 + number % 2}", "c": row} for number, row in enumerate(rows)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    kept, dropped = stage_rows_by_drop_reason(mined(given, Config(path=path, changes="c"), videos))
    [found] = kept["changes"].to_pylist()
    assert found == [{"kind": None, "slot": None, "before": "red", "after": "blue", "before_phrase": phrase,
                      "after_phrase": None}]  # fmt: skip
    assert dropped["drop_reason"].to_pylist() == ["bad_changes"] * 4
    assert check_columns(kept, PAIRS, "test")["changes"].to_pylist() == [found]
