"""The README's way from one's own clips to triplets, line by line as it stands there."""

import csv
import re
import shlex
from pathlib import Path

import pytest

from cvr_data.core.artifacts import open_artifact

README = Path(__file__).resolve().parent.parent / "README.md"
ANOTHER_SOURCE = ("import webvid", "import folder")
"""What begins with other files; `import table` begins here."""


def own_videos_commands() -> list[list[str]]:
    section = README.read_text(encoding="utf-8").partition("## Your own videos")[2].partition("\n\nReaders")[0]
    lines = re.findall(r"^    \$ (.+)$", section, re.MULTILINE)
    commands = [shlex.split(line, comments=True)[1:] for each in lines for line in each.split("&&")]
    return [words for words in commands if " ".join(words[:2]) not in ANOTHER_SOURCE]


@pytest.mark.slow
def test_ones_own_videos_become_triplets(cvr, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cvr.done("import", "synthetic", "--out", "world", "-o", "train=24", "-o", "val=0", "-o", "test=0")
    with Path("clips.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["clip", "text", "file"])
        for row in open_artifact("world").read().to_pylist():
            rows.writerow([row["video_id"], row["captions"][0], f"world/{row['path']}"])
    commands = own_videos_commands()
    assert [words[0] for words in commands] == [
        "import", "embed", "split", "fit-heads", "mine-pairs", "generate-modifications", "build-triplets",
    ]  # fmt: skip
    for words in commands:
        model = next((place for place, word in enumerate(words) if word.startswith("model=")), None)
        here = words if model is None else [*words[: model - 1], *words[model + 1 :]]  # the model that is packaged
        cvr.done(*here)
    assert open_artifact("annotations/mine").manifest["rows"] > 0
