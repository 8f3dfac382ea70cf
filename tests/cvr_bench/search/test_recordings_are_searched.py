"""From a recording, of which some clips have words, to an answer, with the default encoder, through the CLI."""

import numpy as np
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.media.video import write_mp4

pytestmark = [pytest.mark.slow, pytest.mark.engine]

COLOURS = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 230), "white": (240, 240, 240),
           "yellow": (230, 220, 20), "grey": (99, 99, 99)}  # fmt: skip
CAPTIONED = 4
FPS = 8


@pytest.fixture
def lectures(tmp_path, monkeypatch):
    """A recording of walls, of which the first four are spoken of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lectures").mkdir()
    film = [np.full((2 * FPS, 64, 64, 3), colour, np.uint8) for colour in COLOURS.values()]
    write_mp4(tmp_path / "lectures" / "Città 1.mp4", np.concatenate(film), FPS)
    lines = [
        f"00:0{2 * number}.200 --> 00:0{2 * number + 1}.800\na {name} wall\n" for number, name in enumerate(COLOURS)
    ]
    (tmp_path / "lectures" / "Città 1.vtt").write_text("WEBVTT\n\n" + "\n".join(lines[:CAPTIONED]))


def test_an_answer_by_clip_comes_at_once_and_by_text_when_there_is_one_space(lectures, cvr, one_line_error):
    assert cvr("import", "recordings", "lectures").code == 0
    assert "import-recordings: 6 rows from lectures," in cvr("status").out
    assert cvr("embed", "videos", "-o", "size=32").code == 0
    clip = "Città 1.mp4_0.000_2.000"
    assert len(cvr("search", "videos", "--like", clip).out.splitlines()) == 6
    error = one_line_error("search", "videos", "--like", clip, "--text", "a green wall")
    assert "two spaces" in error and "cvr fit-heads embeddings --videos videos-split" in error
    assert "--videos videos-split" in one_line_error("fit-heads", "embeddings")
    assert cvr("split", "videos", "--embeddings", "embeddings").code == 0
    assert cvr("status").out.splitlines()[-1] == "next: cvr fit-heads embeddings --videos videos-split"
    fitted = cvr("fit-heads", "embeddings", "--videos", "videos-split", "-o", "epochs=40")
    assert "fitted on 4 train videos" in fitted.out and "not measured" in fitted.out, fitted.err
    assert open_artifact("embeddings/heads").manifest["report"]["queries"] == 0
    found = cvr("search", "videos", "--text", "a green wall", "-n", 1).out
    assert found.splitlines()[1].endswith("a green wall")
