"""docs/search.md: its commands, line by line as they stand there, against a search that is served."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.search_world import Search

pytestmark = pytest.mark.engine
DOC = Path(__file__).resolve().parents[3] / "docs" / "search.md"
SERVED = "http://127.0.0.1:8766/"


def shown(word):
    return re.findall(rf"^    \$ ({word} .+)$", DOC.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_the_commands_of_the_page_do_what_it_says(cvr, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    videos = tmp_path / "videos"  # processes that decode may have begun in another folder
    assert cvr("import", "synthetic", "--out", videos, "-o", "train=6", "-o", "val=0", "-o", "test=0").code == 0
    assert cvr("embed", videos, "--encoder", "hash").code == 0
    clip = next(Path("videos").rglob("*.mp4"))
    shutil.copy(clip, "clip.mp4")
    commands = {words[1]: words for line in shown("cvr") if "combiner" not in line for words in [shlex.split(line)]}
    assert list(commands) == ["search", "serve", "export-judgments", "build-triplets"]
    assert len(cvr(*commands["search"][1:]).out.splitlines()) == 4
    running = Search(*commands["serve"][2:])
    try:
        assert "6 videos loaded" in running.process.stdout.readline()
        link = running.link.partition("?")
        answers = []
        for line in shown("curl"):
            here = [word.replace(SERVED, link[0]) for word in shlex.split(line)]
            if link[2]:
                here = [
                    f"{word}{'&' if '?' in word else '?'}{link[2]}" if word.startswith("http") else word
                    for word in here
                ]
            answers.append(json.loads(subprocess.run(here, check=True, stdout=subprocess.PIPE).stdout))
    finally:
        running.stop()
    status, videos, found, why, marks, brought = answers
    assert status["ready"] and status["videos"] == 6
    assert all("red" in video["caption"] for video in videos["videos"])
    assert len(found["results"]) == 2 and found["can_mark"]
    assert why["texts"][0]["text"] == "make it red" and why["frames_by_video"]
    assert marks["marks"] == {"right": 1, "wrong": 0}
    assert brought["video"].startswith("upload-")
    told = cvr(*commands["export-judgments"][1:])
    assert told.out.splitlines() == [
        "judgments: 1 judgments",
        "modifications/searched: 1 texts; run: cvr build-triplets modifications/searched --judgments judgments",
    ]
    built = cvr(*commands["build-triplets"][1:])
    assert built.code == 0 and "annotations/searched: 1 triplets" in built.out
