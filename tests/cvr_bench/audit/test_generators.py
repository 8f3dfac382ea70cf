"""A benchmark notices that what wrote its texts was trained on what it scores."""

import shutil

import pyarrow as pa
import pytest

import cli
from cvr_bench.audit.generators import leaks_to_generators
from cvr_bench.results.result import read_result
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.core.errors import CvrError
from cvr_data.media.video import Video
from cvr_data.modifications.training.examples import EXAMPLES
from tests.dataset_folders import write_artifact
from tests.feature_folders import embed_ids
from tests.triplet_tables import triplet, triplets

TEST = [triplet(f"r{number}", "make it blue", f"t{number}", split="test") for number in range(4)]


def write_generator(folder, *examples):
    """A generator that saw (reference_id, reference_caption, modification, target_id)."""
    rows = [
        {"example_id": str(number), "reference_id": reference, "target_id": target, "reference_caption": caption,
         "target_caption": "", "modification": text, "source": "mine.jsonl", "used_for": "training"}
        for number, (reference, caption, text, target) in enumerate(examples)
    ]  # fmt: skip
    return write_artifact(folder, "train-generator", rows, EXAMPLES)


def write_triplets(folder, generator):
    texts = write_artifact(folder / "mods", "generate-modifications", pa.table({"pair_id": ["1"]}), generator=generator)
    return write_artifact(folder / "triplets", "build-triplets", triplets(*TEST), modifications=texts)


def task(*, captions=False):
    gallery = [Item(name, Video(name)) for number in range(4) for name in (f"r{number}", f"t{number}")]
    queries = [
        Query(
            row["query_id"],
            Item(row["reference_id"], Video(row["reference_id"])),
            row["modification"],
            captions and row["reference_caption"],
        )
        for row in TEST
    ]
    targets = {row["query_id"]: frozenset({row["target_id"]}) for row in TEST}
    return Task(name="toy", queries=queries, gallery=gallery, targets=targets)


def test_a_generator_that_saw_other_videos_is_no_matter(tmp_path):
    generator = write_generator(tmp_path / "gen", ("x1", "a cat", "make it blue", "x2"))
    assert leaks_to_generators([write_triplets(tmp_path, generator)], task(captions=True)) == []


def test_videos_are_found_by_their_ids_and_queries_by_their_texts(tmp_path):
    generator = write_generator(
        tmp_path / "gen", ("x1", "A red ball, r3.", "Make it  blue", "x2"), ("t1", "a dog", "make it a cat", "x3")
    )
    (seen,) = leaks_to_generators([write_triplets(tmp_path, generator)], task(captions=True))
    assert (seen.videos, seen.queries) == (["t1"], [TEST[3]["query_id"]])
    (seen,) = leaks_to_generators([write_triplets(tmp_path / "again", generator)], task())
    assert (seen.videos, seen.queries) == (["t1"], [])


def test_a_generator_that_is_gone_cannot_be_vouched_for(tmp_path):
    folder = write_triplets(tmp_path, write_generator(tmp_path / "gen", ("x1", "a cat", "a dog", "x2")))
    shutil.rmtree(tmp_path / "gen")
    with pytest.raises(CvrError, match="gen, which is gone"):
        leaks_to_generators([folder], task())


def test_such_data_is_refused_unless_allowed_and_the_audit_says_so(tmp_path, monkeypatch, capsys):
    folder = write_triplets(tmp_path, write_generator(tmp_path / "gen", ("r2", "a cat", "a dog", "x2")))
    embeddings = embed_ids(tmp_path, {row[name] for row in TEST for name in ("reference_id", "target_id")})
    monkeypatch.chdir(tmp_path)
    bench = ["bench", "--model", "sum", "--no-audit", "-d", str(folder), "-e", str(embeddings)]
    assert cli.run(bench) == 2
    said = capsys.readouterr().err
    assert "was trained on what is scored (1 videos, 0 queries: videos r2)" in said
    assert cli.run([*bench, "--allow-trained-generator"]) == 0
    record = read_result(tmp_path / "results" / "sum-triplets").record
    assert record["generators"][0]["first_videos"] == ["r2"]
    assert cli.run(["audit", str(folder), "--embeddings", str(embeddings), "-O", "audited"]) == 0
    assert "was trained on 1 of the scored videos and 0 of the queries" in capsys.readouterr().out
