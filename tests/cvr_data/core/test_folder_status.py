"""What `cvr status` says of a working folder."""

import json
import shlex

import pyarrow as pa

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.command_line import command
from cvr_data.core.folder_status import artifact_folder_status
from tests.cvr_data.core.test_next_steps import made


def test_inputs_come_before_what_was_made_from_them_and_the_last_has_a_next_step(tmp_path):
    videos = made(tmp_path / "videos", "import-table", rows=3)
    pairs = made(tmp_path / "a-pairs", "mine-pairs", rows=2, videos=videos)
    made(tmp_path / "results" / "sum" / "audit", "audit")
    found = artifact_folder_status(tmp_path)
    assert [each["path"] for each in found] == [str(videos), str(pairs)]
    assert found[0]["next"] is None
    assert found[1]["next"] == f"cvr generate-modifications {pairs} --style short"
    assert found[1]["told"].startswith("mine-pairs: 2 rows from videos, 20")


def test_an_input_that_has_changed_is_told(tmp_path):
    videos = made(tmp_path / "videos", "import-table")
    made(tmp_path / "pairs", "mine-pairs", videos=videos)
    with ArtifactWriter(videos, stage="import-other", overwrite=True) as writer:
        writer.write_part(0, pa.table({"x": [7]}))
        writer.finish()
    assert ["has changed since" in problem for problem in artifact_folder_status(tmp_path)[1]["problems"]] == [True]


def test_what_is_unfinished_is_told(tmp_path):
    with ArtifactWriter(tmp_path / "pairs", stage="mine-pairs") as writer:
        writer.write_part(0, pa.table({"x": [1]}))
    [found] = artifact_folder_status(tmp_path)
    assert found["stage"] is None
    assert "run its command again" in found["told"]


def test_the_command_prints_it(cvr, tmp_path, one_line_error):
    assert "holds no artifact; begin with `cvr quickstart`" in cvr("status", tmp_path).out
    made(tmp_path / "videos", "import-table")
    assert cvr("status", tmp_path).out.splitlines()[-1] == f"next: cvr embed {tmp_path}/videos"
    assert json.loads(cvr("status", tmp_path, "--json").out)[0]["stage"] == "import-table"
    assert "does not exist" in one_line_error("status", tmp_path / "nowhere")


def test_a_command_that_was_run_here_is_not_what_comes_next(tmp_path):
    videos = made(tmp_path / "videos", "split", rows=3)
    embeddings = made(tmp_path / "embeddings", "embed", rows=3, videos=videos)
    made(tmp_path / "embeddings" / "heads", "fit-heads", embeddings=embeddings, videos=videos)
    [heads] = [each for each in artifact_folder_status(tmp_path) if each["stage"] == "fit-heads"]
    assert heads["next"] == f"cvr mine-pairs {videos} --embeddings {embeddings}"
    with command(shlex.split(heads["next"])[1:]):
        made(tmp_path / "pairs", "mine-pairs", rows=2, videos=videos, embeddings=embeddings)
    assert [each["next"] for each in artifact_folder_status(tmp_path) if each["stage"] == "fit-heads"] == [None]
