"""artifacts: whole or absent, resumable, verifiable, and never somebody else's folder."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.core.errors import CvrError
from cvr_data.core.whole_files import write_parquet
from tests.dataset_folders import write_artifact


def write(path: Path, rows: int = 3, *, stage: str = "made", config: dict | None = None, overwrite: bool = False):
    with ArtifactWriter(path, stage=stage, config=config or {"rows": rows}, overwrite=overwrite) as writer:
        dropped = pa.table({"x": [-1], "drop_reason": ["negative"]})
        writer.write_part(0, pa.table({"x": list(range(rows))}), dropped=dropped, arrays={"vectors": np.eye(rows)})
        return writer.finish()


def test_a_finished_artifact_is_read_back_with_its_counts(tmp_path):
    artifact = write(tmp_path / "a")
    assert artifact.read().column("x").to_pylist() == [0, 1, 2]
    assert artifact.manifest["rows"] == 3
    assert artifact.manifest["dropped"] == {"negative": 1}
    assert artifact.dropped().to_pylist() == [{"x": -1, "drop_reason": "negative"}]
    assert verify(tmp_path / "a") == []


def test_pandas_reads_the_folder_without_our_help(tmp_path):
    write(tmp_path / "a")
    import pandas

    assert pandas.read_parquet(next((tmp_path / "a").glob("part-*.parquet")))["x"].tolist() == [0, 1, 2]


def test_verify_names_a_changed_and_a_missing_file(tmp_path):
    write(tmp_path / "a")
    (tmp_path / "a" / "vectors-00000.npy").write_bytes(b"other")
    (tmp_path / "a" / "dropped-00000.parquet").unlink()
    assert verify(tmp_path / "a") == [
        "dropped-00000.parquet is missing",
        "vectors-00000.npy has changed since it was written",
    ]


def test_verify_sees_an_edited_manifest(tmp_path):
    write(tmp_path / "a")
    manifest = tmp_path / "a" / "manifest.json"
    content = json.loads(manifest.read_text())
    content["config"]["rows"] = 4
    manifest.write_text(json.dumps(content))
    assert verify(tmp_path / "a") == ["manifest.json: the key does not belong to its stage, config and inputs"]


def test_another_artifact_in_the_folder_is_refused_with_what_differs(tmp_path):
    write(tmp_path / "a", 3)
    with pytest.raises(CvrError, match=r"holds another artifact \(rows = 3, not 4\); use --overwrite"):
        write(tmp_path / "a", 4)
    with pytest.raises(CvrError, match=r"holds another artifact \(stage 'made', not 'other'\)"):
        write(tmp_path / "a", 3, stage="other")
    assert open_artifact(tmp_path / "a").manifest["rows"] == 3
    assert write(tmp_path / "a", 4, overwrite=True).manifest["rows"] == 4


def test_a_folder_of_something_else_is_never_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(CvrError, match=r"is not empty and holds no artifact"):
            write(tmp_path, overwrite=overwrite)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("is_finished", [True, False])
def test_replacing_removes_what_runs_wrote_and_no_other_file(tmp_path, is_finished):
    out = tmp_path / "a"
    write(out, 1)
    write(out / "heads", stage="inside")
    write(out / "nested", stage="beside")
    (out / "notes.txt").write_text("mine")
    if not is_finished:
        with ArtifactWriter(out, stage="begun", overwrite=True) as writer:
            writer.write_part(7, pa.table({"x": [1]}))
            writer.write_file("inner/left.json", b"{}")
        (out / ".part-00008.parquet.99.tmp").write_bytes(b"cut")
    again = write(out, 2, overwrite=True)
    assert (out / "notes.txt").read_text() == "mine"
    assert sorted(again.manifest["files"]) == ["dropped-00000.parquet", "part-00000.parquet", "vectors-00000.npy"]
    assert sorted(path.name for path in out.iterdir()) == [
        "dropped-00000.parquet", "manifest.json", "nested", "notes.txt", "part-00000.parquet", "vectors-00000.npy",
    ]  # fmt: skip
    assert verify(out) == verify(out / "nested") == []


@pytest.mark.parametrize("given", ["a", "a/sources/x.csv"])
def test_replacing_what_an_artifact_is_made_from_is_refused(tmp_path, given):
    write(tmp_path / "a")
    (tmp_path / "a" / "sources").mkdir()
    (tmp_path / "a" / "sources" / "x.csv").write_text("x")
    writer = ArtifactWriter(tmp_path / "a", stage="next", inputs={"table": tmp_path / given}, overwrite=True)
    with pytest.raises(CvrError, match=r"a (is|holds .*x\.csv,) what this is made from, so it is not replaced"), writer:
        pass
    assert verify(tmp_path / "a") == []


def test_a_file_where_a_folder_is_needed_is_one_line(tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(CvrError, match=r"is a file; an artifact needs a folder"):
        write(tmp_path / "a")


def test_an_unfinished_artifact_says_how_to_go_on(tmp_path):
    with ArtifactWriter(tmp_path / "a", stage="made") as writer:
        writer.write_part(0, pa.table({"x": [1]}))
    with pytest.raises(CvrError, match=r"is unfinished; run its command again to resume"):
        open_artifact(tmp_path / "a")
    with ArtifactWriter(tmp_path / "a", stage="made") as writer:
        assert writer.finish().read().to_pylist() == [{"x": 1}]


def test_an_input_that_changed_afterwards_is_refused(tmp_path):
    write(tmp_path / "in")
    with ArtifactWriter(tmp_path / "out", stage="next", inputs={"videos": tmp_path / "in"}) as writer:
        writer.write_part(0, pa.table({"x": [1]}))
        out = writer.finish()
    assert out.input_path("videos") == tmp_path / "in"
    write(tmp_path / "in", 5, overwrite=True)
    with pytest.raises(CvrError, match=r"has changed since .*out was made from it; rebuild, or pass --videos"):
        out.input_path("videos")
    with pytest.raises(CvrError, match=r"was not made from 'pairs' \(its inputs: videos\)"):
        out.input_path("pairs")


def test_a_folder_can_be_moved_with_its_inputs(tmp_path):
    write(tmp_path / "work" / "in")
    write_artifact(tmp_path / "work" / "out", "next", pa.table({"x": [1]}), videos=tmp_path / "work" / "in")
    (tmp_path / "work").rename(tmp_path / "moved")
    assert open_artifact(tmp_path / "moved" / "out").input_path("videos") == tmp_path / "moved" / "in"


def test_a_full_disk_is_one_line_and_leaves_nothing_where_nothing_was_done(tmp_path):
    with (
        pytest.raises(CvrError, match=r"The disk is full, .*cannot write"),
        ArtifactWriter(tmp_path / "a", stage="made"),
    ):
        raise OSError(28, "No space left on device")
    assert not (tmp_path / "a").exists()


def test_a_file_that_is_gone_or_was_changed_is_refused_with_what_makes_it_again(tmp_path):
    write(tmp_path / "a")
    (tmp_path / "a" / "vectors-00000.npy").write_bytes(b"other")
    with pytest.raises(CvrError, match=r"vectors-00000\.npy has changed .*; make it again: .* --overwrite"):
        open_artifact(tmp_path / "a")
    (tmp_path / "a" / "part-00000.parquet").unlink()
    with pytest.raises(CvrError, match=r"part-00000\.parquet is missing; make it again: .*--overwrite"):
        open_artifact(tmp_path / "a")
    with pytest.raises(CvrError, match="is missing"):
        ArtifactWriter(tmp_path / "a", stage="made", config={"rows": 3}).finished()
    assert open_artifact(write(tmp_path / "a", overwrite=True).path).manifest["rows"] == 3


def test_rows_are_counted_against_the_manifest_and_parts_that_it_does_not_list_are_not_read(tmp_path):
    artifact = write(tmp_path / "a")
    write_parquet(tmp_path / "a" / "part-00001.parquet", pa.table({"x": [9]}))
    assert artifact.read().column("x").to_pylist() == [0, 1, 2]
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    (tmp_path / "a" / "manifest.json").write_text(json.dumps({**manifest, "rows": 2}))
    with pytest.raises(CvrError, match=r"a has 3 rows, its manifest 2"):
        open_artifact(tmp_path / "a").read()


@pytest.mark.parametrize(
    ("key", "value"),
    [("rows", "3"), ("rows", True), ("config", []), ("files", None), ("inputs", {"a": 3}), ("dropped", {"a": "b"}),
     ("stage", "\ud800"), ("command", 1), ("bytes", {"a": "b"})],
)  # fmt: skip
def test_a_manifest_is_checked_key_by_key(tmp_path, key, value):
    write(tmp_path / "a")
    path = tmp_path / "a" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(CvrError, match=r"manifest\.json: (cannot be read as|not UTF-8)"):
        open_artifact(tmp_path / "a")


def test_an_overwrite_that_fails_leaves_what_stood_there_and_goes_on_when_it_runs_again(tmp_path):
    write(tmp_path / "a")
    with pytest.raises(RuntimeError), ArtifactWriter(tmp_path / "a", stage="other", overwrite=True) as writer:
        writer.write_part(0, pa.table({"x": [7]}))
        assert open_artifact(tmp_path / "a").read().column("x").to_pylist() == [0, 1, 2]
        raise RuntimeError
    assert verify(tmp_path / "a") == []
    with ArtifactWriter(tmp_path / "a", stage="other", overwrite=True) as writer:
        assert writer.finish().read().column("x").to_pylist() == [7]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["manifest.json", "part-00000.parquet"]
    with ArtifactWriter(tmp_path / "a", stage="third", overwrite=True) as writer:
        writer.write_part(0, pa.table({"x": [8]}))
    assert ArtifactWriter(tmp_path / "a", stage="other").finished() is not None
    assert not (tmp_path / "a" / ".new").exists()


def test_what_a_kill_left_half_in_place_goes_on(tmp_path):
    """The new one is whole and the old manifest has gone: the next run puts the rest into place."""
    write(tmp_path / "a")
    write(tmp_path / "new", 5)
    (tmp_path / "new").rename(tmp_path / "a" / ".new")
    (tmp_path / "a" / "manifest.json").rename(tmp_path / "a" / ".new" / ".old-manifest.json")
    (tmp_path / "a" / ".new" / "part-00000.parquet").replace(tmp_path / "a" / "part-00000.parquet")
    with pytest.raises(CvrError, match="is unfinished; run its command again"):
        open_artifact(tmp_path / "a")
    done = ArtifactWriter(tmp_path / "a", stage="made", config={"rows": 5}).finished()
    assert done is not None and done.read().num_rows == 5
    assert verify(tmp_path / "a") == [] and not (tmp_path / "a" / ".new").exists()


def test_a_run_that_finished_nothing_does_not_block_its_own_correction(tmp_path):
    with ArtifactWriter(tmp_path / "a", stage="made", config={"rows": 3}) as writer:
        (writer.path / ".work").mkdir()
    assert write(tmp_path / "a", 4).manifest["rows"] == 4


@pytest.mark.parametrize("stands", ["nothing", "an empty folder", "an artifact"])
def test_a_run_that_fails_before_it_made_anything_leaves_what_stood_there(tmp_path, stands):
    out = tmp_path / "a"
    if stands == "an artifact":
        write(out)
    elif stands != "nothing":
        out.mkdir()
    before = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    with pytest.raises(CvrError, match="no server"), ArtifactWriter(out, stage="other", overwrite=True) as writer:
        (writer.path / ".work" / "01-asked").mkdir(parents=True)
        raise CvrError("There is no server.")
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*")} == before
    assert stands != "an artifact" or verify(out) == []


def test_what_a_pass_left_is_kept_for_the_run_that_goes_on(tmp_path):
    with pytest.raises(RuntimeError), ArtifactWriter(tmp_path / "a", stage="made") as writer:
        (writer.path / ".work").mkdir()
        (writer.path / ".work" / "00000.parquet").write_bytes(b"rows")
        raise RuntimeError
    assert (tmp_path / "a/.work/00000.parquet").exists()


def test_a_run_that_finished_a_part_is_not_thrown_away_unasked(tmp_path):
    with ArtifactWriter(tmp_path / "a", stage="made", config={"rows": 3}) as writer:
        writer.write_part(0, pa.table({"x": [1]}))
    with pytest.raises(CvrError, match="holds another artifact"):
        write(tmp_path / "a", 4)
