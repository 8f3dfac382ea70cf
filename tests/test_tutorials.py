"""The tutorials, line by line as they stand, on a smaller world: each command ends well and prints what is shown."""

import re
from pathlib import Path

import pytest

from docs.site.blocks import typed_commands

ROOT = Path(__file__).resolve().parent.parent
SMALLER = {
    "train=120": "train=20",
    "val=30": "val=6",
    "test=90": "test=16",
    "epochs=5": "epochs=1",
    "size=96": "size=64",
}


@pytest.mark.slow
def test_the_tutorials_lead_from_nothing_to_a_dataset_scores_and_found_videos(cvr, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = {}
    for page in ("build", "bench", "search"):
        for words in typed_commands(ROOT / "docs" / f"tutorial-{page}.md"):
            more = ("-o", "workers=1") if words[:2] == ["import", "synthetic"] else ()
            outcome = cvr.done(*(SMALLER.get(word, word) for word in words), *more)
            printed.setdefault(words[0], outcome.out)
    assert "20 train, 6 val, 16 test videos" in printed["split"]
    assert re.search(r"combiner +\d+\.\d\d \[", printed["bench"])
    assert len(printed["search"].splitlines()) == 1 + 3
    assert Path("stats.html").is_file() and Path("report.html").is_file() and Path("mine-csv").is_dir()
    assert {path.name for path in Path("results").iterdir()} >= {"combiner-mine", "sum-again-mine"}
