"""lineage: inputs of a kind by their numbered names, the nearest of them, and what was made from what."""

import pyarrow as pa
import pytest

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import follow, input_names, input_paths, lineage, lineage_problems


def made(path, **inputs):
    named = {name.replace("_", "-"): source for name, source in inputs.items()}
    with ArtifactWriter(path, stage=path.name, config={"path": path.name}, inputs=named) as writer:
        writer.write_part(0, pa.table({"row": [1]}))
        return writer.finish()


@pytest.fixture
def world(tmp_path):
    """videos, clips -> pairs (of both) -> texts; embeddings of clips -> triplets of texts and embeddings."""
    videos, clips = (made(tmp_path / name) for name in ("videos", "clips"))
    pairs = made(tmp_path / "pairs", videos=videos.path, videos_2=clips.path)
    texts = made(tmp_path / "texts", pairs=pairs.path)
    embeddings = made(tmp_path / "embeddings", videos=clips.path)
    return made(tmp_path / "triplets", modifications=texts.path, embeddings=embeddings.path), pairs


def test_numbered_inputs_are_of_one_kind(world):
    _, pairs = world
    assert input_names(pairs, "videos") == ["videos", "videos-2"]
    assert [path.name for path in input_paths(pairs, "videos").values()] == ["videos", "clips"]
    assert input_names(pairs, "video", "embeddings") == []


def test_the_nearest_inputs_of_a_kind_are_found(world):
    triplets, pairs = world
    assert [path.name for path in follow(triplets.path, "pairs")] == ["pairs"]
    assert [path.name for path in follow(pairs.path, "videos")] == ["videos", "clips"]
    assert follow(triplets.path, "judgments") == ()
    # the embeddings are one step away, the pairs two
    assert [path.name for path in follow(triplets.path, "videos")] == ["clips"]


def test_each_artifact_comes_once_and_behind_what_it_was_made_from(world):
    triplets, _ = world
    names = [artifact.path.name for artifact in lineage([triplets.path])]
    assert sorted(names) == ["clips", "embeddings", "pairs", "texts", "triplets", "videos"]
    assert names.index("clips") < names.index("pairs") < names.index("texts") < names.index("triplets")


def test_an_input_that_was_made_again_is_refused(world, tmp_path):
    triplets, pairs = world
    with ArtifactWriter(pairs.path, stage="pairs", config={"path": "another"}, overwrite=True) as writer:
        writer.finish()
    with pytest.raises(CvrError, match="has changed since"):
        follow(triplets.path / ".." / "texts", "pairs")


def test_all_that_an_artifact_was_made_from_is_checked_by_its_hashes(tmp_path, cvr):
    (tmp_path / "list.txt").write_text("a")
    videos = made(tmp_path / "videos", list=tmp_path / "list.txt")
    pairs = made(tmp_path / "pairs", videos=videos.path)
    texts = made(tmp_path / "texts", pairs=pairs.path)
    assert lineage_problems(texts.path) == [] and cvr("verify", "--deep", texts.path).code == 0
    (tmp_path / "list.txt").write_text("b")
    part = tmp_path / "pairs" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    found = [
        f"{tmp_path / 'pairs'}: part-00000.parquet has changed since it was written",
        f"{tmp_path / 'list.txt'}: has changed since it was used",
    ]
    assert lineage_problems(texts.path) == found
    outcome = cvr("verify", "--deep", texts.path)
    assert outcome.code == 2 and all(problem in outcome.out for problem in found)
    cvr.done("verify", texts.path)
    (tmp_path / "list.txt").unlink()
    assert f"{tmp_path / 'list.txt'} does not exist." in lineage_problems(texts.path)
