"""mine-pairs by strategy: the parts of the videos do not matter, rows add up, and why-not knows every pair."""

import pyarrow as pa
import pytest

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.tables import PAIRS, VIDEOS

CAPTIONS = {
    "v1": "A red ball rolls on the grass", "v2": "a blue ball rolls on the grass.", "v3": "a dog rolls on the grass",
    "v4": "a red ball lies in a box", "v5": "something else entirely here", "v6": "a red ball rolls on a long road",
}  # fmt: skip
STRATEGIES = {
    "one-word": (),
    "one-phrase": ("-o", "phrases=any"),
    "neighbors": ("-o", "text_encoder=hash", "-o", "low=-1", "-o", "k=2"),
}


def write_videos(folder, size):
    rows = [{"video_id": key, "captions": [text], "source": "test"} for key, text in CAPTIONS.items()]
    table = check_columns(pa.Table.from_pylist(rows), VIDEOS, "test")
    with ArtifactWriter(folder, stage="import-test") as writer:
        for index, start in enumerate(range(0, len(rows), size)):
            writer.write_part(index, table.slice(start, size))
        writer.finish()
    return folder


@pytest.fixture(params=STRATEGIES)
def mine(request, cvr, tmp_path):
    def run(size):
        out = tmp_path / f"pairs-{size}"
        words = ("mine-pairs", write_videos(tmp_path / f"videos-{size}", size), "-O", out, "--strategy", request.param)
        outcome = cvr(*words, *STRATEGIES[request.param], "--filter", "min-words", "--filter", "caption-pair-cap")
        assert outcome.code == 0, outcome.err
        return open_artifact(out)

    return run


@pytest.mark.engine
def test_parts_of_the_videos_do_not_matter(mine):
    one, other = mine(1), mine(4)
    assert one.read().equals(other.read())
    assert one.read().num_rows > 0
    assert one.read().column_names[: len(PAIRS)] == PAIRS.names
    assert one.manifest["dropped"] == other.manifest["dropped"]


@pytest.mark.engine
def test_why_not_knows_every_two_videos(mine, cvr):
    made = mine(4)
    kept = {(row["reference_id"], row["target_id"]) for row in made.read().to_pylist()}
    for reference in CAPTIONS:
        for target in CAPTIONS:
            outcome = cvr("why-not", reference, target, "--in", made.path)
            assert outcome.code == 0, outcome.err
            assert outcome.out.startswith("kept: ") == ((reference, target) in kept)
