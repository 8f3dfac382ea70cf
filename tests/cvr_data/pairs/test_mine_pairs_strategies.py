"""mine-pairs by strategy: why-not knows every pair."""

import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.tables import PAIRS, VIDEOS
from tests.dataset_folders import write_artifact

CAPTIONS = {
    "v1": "A red ball rolls on the grass", "v2": "a blue ball rolls on the grass.", "v3": "a dog rolls on the grass",
    "v4": "a red ball lies in a box", "v5": "something else entirely here", "v6": "a red ball rolls on a long road",
}  # fmt: skip
STRATEGIES = {
    "one-word": (),
    "one-phrase": ("-o", "phrases=any"),
    "neighbors": ("-o", "text_encoder=hash", "-o", "low=-1", "-o", "k=2"),
}


@pytest.mark.engine
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_why_not_knows_every_two_videos(strategy, cvr, tmp_path):
    rows = [{"video_id": key, "captions": [text], "source": "test"} for key, text in CAPTIONS.items()]
    words = ("mine-pairs", write_artifact(tmp_path / "videos", "import-test", rows, VIDEOS), "-O", tmp_path / "pairs")
    words += ("--strategy", strategy, *STRATEGIES[strategy], "--filter", "min-words", "--filter", "caption-pair-cap")
    cvr.done(*words)
    made = open_artifact(tmp_path / "pairs")
    assert made.read().num_rows > 0
    assert made.read().column_names[: len(PAIRS)] == PAIRS.names
    kept = {(row["reference_id"], row["target_id"]) for row in made.read().to_pylist()}
    for reference in CAPTIONS:
        for target in CAPTIONS:
            outcome = cvr.done("why-not", reference, target, "--in", made.path)
            assert outcome.out.startswith("kept: ") == ((reference, target) in kept)
