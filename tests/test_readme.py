"""The README's way from one's own clips to triplets, line by line as it stands there."""

import csv
import re
import shlex
import shutil
from pathlib import Path

import pytest

from cvr_data.core.artifacts import open_artifact

README = Path(__file__).resolve().parent.parent / "README.md"


def own_videos_commands() -> list[list[str]]:
    section = README.read_text(encoding="utf-8").partition("## Your own videos")[2].partition("\n\nReaders")[0]
    lines = re.findall(r"^    \$ (.+)$", section, re.MULTILINE)
    return [shlex.split(line, comments=True)[1:] for each in lines for line in each.split("&&")]


def write_other_sources(paths: list[str]) -> None:
    """WebVid's list, a folder of clips with captions, and one of a recording, as the README calls them."""
    webvid = (
        "videoid,contentUrl,duration,page_dir,name\n7,https://example.org/7.mp4,PT00H00M09S,000001_000050,A dog runs\n"
    )
    Path("results_2M_train.csv").write_text(webvid, encoding="utf-8")
    for folder, files in (("clips", paths), ("lectures", paths[:1])):
        Path(folder).mkdir()
        for path in files:
            shutil.copy(path, folder)
    names = [Path(path).name for path in paths]
    Path("clips/captions.csv").write_text(
        "file,caption\n" + "".join(f"{name},a scene\n" for name in names), encoding="utf-8"
    )


@pytest.mark.slow
def test_ones_own_videos_become_triplets(cvr, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cvr.done("import", "synthetic", "--out", "world", "-o", "train=24", "-o", "val=0", "-o", "test=0")
    write_other_sources([f"world/{row['path']}" for row in open_artifact("world").read().to_pylist()[:3]])
    with Path("clips.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["clip", "text", "file"])
        for row in open_artifact("world").read().to_pylist():
            rows.writerow([row["video_id"], row["captions"][0], f"world/{row['path']}"])
    commands = own_videos_commands()
    assert [words[1] for words in commands if words[0] == "import"] == ["table", "webvid", "folder", "recordings"]
    assert [words[0] for words in commands if words[0] != "import"] == [
        "embed", "split", "fit-heads", "mine-pairs", "generate-modifications", "build-triplets",
    ]  # fmt: skip
    for words in commands:
        model = next((place for place, word in enumerate(words) if word.startswith("model=")), None)
        here = words if model is None else [*words[: model - 1], *words[model + 1 :]]  # the model that is packaged
        if words[0] == "import" and words[1] != "table":  # the other ways to begin
            here = [*words[: words.index("--out")], "--out", f"videos-of-{words[1]}"]
        cvr.done(*here)
    assert open_artifact("annotations/mine").manifest["rows"] > 0
