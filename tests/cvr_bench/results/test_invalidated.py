"""invalidated: a result holds for the next version as long as what it was measured on is as it was."""

import dataclasses

import numpy as np
import pytest

from cvr_bench.results.invalidated import find_results, result_standings
from cvr_bench.results.result import STAGE, write_result
from cvr_bench.scoring.evaluate import Ranks
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.errors import CvrError
from cvr_data.media.video import Video
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.dataset import open_triplet_dataset
from cvr_data.triplets.join import Config
from tests.dataset_folders import write_texts
from tests.triplet_tables import triplet, triplets

TEST = triplet("r", "make it blue", "b", split="test")
TRAIN = triplet("s", "make it red", "t", split="train")


@pytest.fixture
def before(tmp_path):
    build_triplets(find_triplet_parts([write_texts(tmp_path)]), tmp_path / "tiny", Config(), name="tiny")
    return dataclasses.replace(open_triplet_dataset(tmp_path / "tiny"), triplets=triplets(TEST, TRAIN), videos=None)


def version(before, *rows):
    return dataclasses.replace(before, triplets=triplets(*rows))


@pytest.fixture
def results(before, tmp_path):
    """A result of a model without training, one of a trained one, and one on other data."""
    about = {"model": "sum", "split": "test", "seed": 0, "training": None}
    write(tmp_path / "results" / "plain", about, triplets=before.artifact.path)
    write(tmp_path / "results" / "trained", {**about, "model": "fdca", "training": {"epochs": 1}},
          triplets=before.artifact.path)  # fmt: skip
    write(tmp_path / "results" / "other", about, triplets=tmp_path / "pairs")
    return find_results([tmp_path / "results"])


def write(folder, about, **inputs):
    items = [Item(name, Video(name)) for name in "rb"]
    task = Task(name="toy", queries=[Query("q", items[0], "x")], gallery=items, targets={"q": frozenset({"b"})},
                protocol=Protocol())  # fmt: skip
    ranks = Ranks(query_ids=["q"], rank=np.array([1]), ties=np.array([0]), allowed=np.array([1]), target_ids=[["b"]],
                  target_ranks=[[1]], top=[["b"]], top_scores=[[1.0]])  # fmt: skip
    with ArtifactWriter(folder, stage=STAGE, config=about, inputs=inputs) as writer:
        write_result(writer, task, ranks, 0, about)


def reasons(results, before, *rows):
    return {one.path.name: one.reasons for one in result_standings(results, before, version(before, *rows))}


def test_results_on_other_data_are_left_out(results, before):
    assert reasons(results, before, TEST, TRAIN) == {"plain": [], "trained": []}


def test_a_new_training_triplet_touches_only_what_was_trained(results, before):
    new = triplet("u", "make it dark", "v", split="train")
    assert reasons(results, before, TEST, TRAIN, new) == {"plain": [], "trained": ["1 training triplets are new"]}


def test_a_reworded_query_is_one_gone_and_one_new(results, before):
    found = reasons(results, before, triplet("r", "turn it blue", "b", split="test"), TRAIN)
    assert found["plain"] == ["1 queries are gone", "1 queries are new"]


def test_a_further_target_changes_the_query_and_the_gallery(results, before):
    found = reasons(results, before, TEST, triplet("r", "make it blue", "z", split="test"), TRAIN)
    assert found["plain"] == ["1 queries have other targets", "1 videos joined the gallery"]


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(CvrError, match="there is no result of cvr bench in it"):
        find_results([tmp_path])
