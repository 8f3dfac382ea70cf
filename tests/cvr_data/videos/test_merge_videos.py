"""merge of videos tables: every row of each where its files are, and one line where an id is in two."""

import json

import pytest

from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.media.video import write_mp4
from tests.labelled_clips import scene


@pytest.fixture
def folders(cvr, tmp_path, monkeypatch):
    """Two imported folders of clips."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("one", "two")):
        folder = tmp_path / name
        folder.mkdir()
        write_mp4(folder / f"{name}.mp4", scene(number, frames=4, side=32))
        (folder / "captions.csv").write_text(f"file,caption\n{name}.mp4,a scene called {name}\n")
        cvr.done("import", "folder", name, "--out", f"videos-{name}")
    return tmp_path


def test_two_folders_become_one_table_that_is_embedded_and_traced(folders, cvr):
    made = cvr("merge", "videos-one", "videos-two")
    assert made.code == 0 and made.out.startswith("videos: 2 videos of 2 tables"), made.err
    rows = [row for name in ("one", "two") for row in open_artifact(f"videos-{name}").read().to_pylist()]
    assert open_artifact("videos").read().to_pylist() == rows
    assert not verify(folders / "videos")
    assert cvr("embed", "videos", "--encoder", "hash", "--out", "features").out.startswith(
        "features: 2 videos, 2 texts"
    )
    cvr.done("merge", "videos-one", "videos-two")  # finds it done
    traced = cvr("trace", "videos").out
    assert "videos-one" in traced and "videos-two" in traced


def test_an_id_in_two_tables_and_a_folder_without_videos_are_one_line(folders, one_line_error):
    assert "videos-one has ids that a table before it has: one.mp4;" in one_line_error("merge", *["videos-one"] * 2)
    assert "one" in one_line_error("merge", "videos-one", "one", "--out", "both")
    assert not (folders / "videos").exists() and not (folders / "both").exists()


def test_one_import_of_two_folders_is_their_merge_and_a_third_joins_them(folders, cvr, one_line_error):
    assert "all: 2 videos" in cvr.done("import", "folder", "one", "two", "--out", "all").out
    merged = cvr.done("merge", "videos-one", "videos-two") and open_artifact("videos").read()
    assert open_artifact("all").read().equals(merged)
    (folders / "three").mkdir()
    write_mp4(folders / "three" / "three.mp4", scene(2, frames=4, side=32))
    (folders / "three" / "captions.csv").write_text("file,caption\nthree.mp4,a scene called three\n")
    arguments = "import", "folder", "one", "two", "three", "--out", "all"
    assert "--overwrite" in one_line_error(*arguments)
    assert "all: 3 videos" in cvr.done(*arguments, "--overwrite").out
    assert open_artifact("all").read().slice(0, 2).equals(merged)
    assert json.loads(cvr.done(*arguments, "--json").out)["rows"] == 3
    assert "one place" in one_line_error("import", "triplets", "one", "two")
