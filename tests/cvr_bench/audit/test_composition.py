"""The unimodal audit, on tasks whose answer is known by construction."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from cvr_bench.audit import composition
from cvr_bench.audit.altered import AlteredFeatures
from cvr_bench.models import MODELS
from cvr_bench.models.parts.retriever import DenseRetriever
from cvr_bench.results.result import result_ranks_table
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.tasks.task import task_modifications, task_references
from cvr_data.features.encoders import ENCODERS

pytestmark = pytest.mark.slow

OBJECTS, COLOURS = ("dog", "cat"), ("red", "blue")
AXES = {word: row for word, row in zip((*OBJECTS, *COLOURS), torch.eye(4), strict=True)}


def audit(retriever, encoder, task, k=1):
    ranks = result_ranks_table(task, evaluate(retriever, task))
    unimodals = composition.audited_unimodal_ranks(retriever, encoder, task, ranks.column("rank").to_numpy())
    table = composition.audit_composition_table(ranks, unimodals, k)
    return composition.composition_record(ranks, unimodals, task.ks, k), table


def load(name, encoder):
    component = MODELS.get(name)
    return component.load(component.TINY, encoder)


@pytest.fixture
def grid(make_encoder, make_task):
    """Four videos, each an object and a colour; a text names what changes, so that either half fits two videos."""
    frames = {f"{thing} {colour}": (AXES[thing] + AXES[colour])[None] for thing in OBJECTS for colour in COLOURS}
    other = dict(zip((*OBJECTS, *COLOURS), (*OBJECTS[::-1], *COLOURS[::-1]), strict=True))
    rows = []
    for video in frames:
        thing, colour = video.split()
        rows += [(video, other[thing], f"{other[thing]} {colour}"), (video, other[colour], f"{thing} {other[colour]}")]
    return make_encoder(frames, AXES), make_task(list(frames), rows)


def test_a_task_that_needs_both_inputs_is_said_to_require_composition(grid):
    summary, table = audit(load("sum", grid[0]), *grid)
    assert summary["recalls"]["composed"]["R@1"] == 100.0
    assert summary["recalls"]["text-only (masked)"]["R@1"] == 0.0
    assert summary["recalls"]["visual-only (masked)"]["R@1"] == 0.0
    assert summary["gap"]["R@1"]["value"] == 100.0
    # of four videos, that all agree could be by chance
    assert summary["gap"]["R@1"]["low"] == pytest.approx(100 * (2 * 0.025 ** (1 / 4) - 1))
    assert summary["labels"] == {"composition_required": 8, "shortcut": 0, "unresolved": 0}
    assert summary["reads"] == ["reference", "text"]
    # either input alone ties two videos, and ties count against the model
    assert table.column("text_only_masked_rank").to_pylist() == [2] * 8
    assert table.column("visual_only_masked_rank").to_pylist() == [2] * 8


def test_within_the_two_best_the_same_queries_have_a_shortcut(grid):
    summary, table = audit(load("sum", grid[0]), *grid, k=2)
    assert summary["labels"] == summary["labels_at"]["2"] == {"composition_required": 0, "shortcut": 8, "unresolved": 0}
    assert set(table.column("label").to_pylist()) == {"shortcut"}
    assert summary["gap"]["R@2"] == {"best": "text-only (masked)", "value": 0.0, "low": 0.0, "high": 0.0}


def test_a_text_that_describes_the_target_is_a_shortcut_and_a_wrong_one_leaves_a_query_unresolved(
    make_encoder, make_task
):
    videos = {name: row[None] for name, row in zip("abcd", torch.eye(4), strict=True)}
    texts = {"like b": torch.eye(4)[1], "like d": torch.eye(4)[3]}
    encoder = make_encoder(videos, texts)
    task = make_task("abcd", [("a", "like b", "b"), ("a", "like d", "c")])
    summary, table = audit(load("sum", encoder), encoder, task)
    assert table.column("label").to_pylist() == ["shortcut", "unresolved"]
    assert table.column("text_only_masked_rank").to_pylist() == [1, 3]
    assert table.column("composed_rank").to_pylist() == [1, 3]
    assert summary["gap"]["R@1"]["best"] == "text-only (masked)"
    assert summary["gap"]["R@1"]["value"] == 0.0
    assert summary["recalls"]["text-only (masked)"]["R@1"] == 50.0


def test_masking_sum_gives_the_plain_baselines(grid):
    encoder, task = grid
    unimodals = {found.modality: found.rank_Q for found in composition.audited_unimodal_ranks(
        load("sum", encoder), encoder, task, evaluate(load("sum", encoder), task).rank)}  # fmt: skip
    for name in ("text-only", "visual-only"):
        np.testing.assert_array_equal(unimodals[name], evaluate(load(name, encoder), task).rank)


def test_a_unimodal_model_gains_nothing_by_composing(grid):
    for name, read in (("text-only", "text"), ("visual-only", "reference")):
        summary, _ = audit(load(name, grid[0]), *grid, k=2)
        assert summary["reads"] == [read]
        assert summary["gap"]["mean"] == {"best": f"{name} (masked)", "value": 0.0, "low": 0.0, "high": 0.0}
        assert summary["labels"]["composition_required"] == 0


def test_a_model_with_weights_is_held_against_the_baselines_too(grid):
    names = [found.name for found in composition.audited_unimodal_ranks(
        load("combiner", grid[0]), *grid, evaluate(load("combiner", grid[0]), grid[1]).rank)]  # fmt: skip
    assert set(names) >= {"visual-only (baseline)", "text-only (baseline)", "text-only (masked)"}


def test_a_model_that_does_not_read_these_features_is_held_against_the_baselines(grid):
    summary, table = audit(load("random", grid[0]), *grid)
    assert set(summary["recalls"]) == {"composed", "visual-only (baseline)", "text-only (baseline)"}
    assert summary["reads"] == []
    assert "text_only_masked_rank" not in table.column_names


def test_a_model_that_divides_by_a_length_of_zero_is_not_asked_without_that_input(grid):
    encoder, task = grid

    def encode_queries(queries):
        video_BD = encoder.encode_videos(task_references(queries)).frames_BTD[:, 0]
        text_BD = encoder.encode_texts(task_modifications(queries)).pooled_BD
        return video_BD / video_BD.norm(dim=-1, keepdim=True) + text_BD

    retriever = DenseRetriever(encode_queries, lambda videos: encoder.encode_videos(videos).pooled_BD())
    summary, _ = audit(retriever, encoder, task)
    assert set(summary["recalls"]) == {
        "composed", "visual-only (masked)", "visual-only (baseline)", "text-only (baseline)"}  # fmt: skip


@pytest.mark.parametrize("name", MODELS.names())
def test_every_model_gives_numbers_without_an_input(name, make_task):
    encoder = AlteredFeatures(ENCODERS.get("hash").load(ENCODERS.get("hash").Config(dim=8, frames=2)))
    task = make_task("abc", [("a", "make it b", "b"), ("b", "not a but c", "c")])
    found = composition.audited_unimodal_ranks(
        load(name, encoder), encoder, task, evaluate(load(name, encoder), task).rank
    )
    assert {one.modality for one in found} == {"text-only", "visual-only"}


def test_labels_follow_their_definition():
    first = composition.Unimodal("text-only", "baseline", np.array([1, 9, 11, 11]))
    second = composition.Unimodal("visual-only", "baseline", np.array([11, 11, 11, 12]))
    own = composition.Unimodal("text-only", "masked", np.array([1, 1, 1, 1]))  # the model's own, which is no shortcut
    found = composition.composition_labels(np.array([1, 50, 10, 11]), [own, first, second], k=10)
    assert found == ["shortcut", "shortcut", "composition_required", "unresolved"]


def test_all_models_have_the_same_shortcuts(grid):
    found = [audit(load(name, grid[0]), *grid)[0]["labels"]["shortcut"] for name in ("sum", "combiner", "random")]
    assert found == [0, 0, 0]
    wide = [audit(load(name, grid[0]), *grid, k=2)[0]["labels"]["shortcut"] for name in ("sum", "combiner", "random")]
    assert wide == [8, 8, 8]


def test_the_labels_of_a_random_order_are_those_of_random_orders(grid):
    _, task = grid
    ranks = result_ranks_table(task, evaluate(load("sum", grid[0]), task))
    generator, counts = np.random.default_rng(0), []
    for _ in range(2000):
        drawn = generator.integers(1, 4, (3, ranks.num_rows))  # three videos are ranked, one of which is the target
        pool = [composition.Unimodal("text-only", "baseline", row) for row in drawn[1:]]
        counts.append([composition.composition_labels(drawn[0], pool, 1).count(label) for label in composition.LABELS])
    expected = composition.chance_labels(ranks, 2, 1)
    np.testing.assert_allclose(list(expected.values()), np.mean(counts, axis=0), atol=0.15)
    assert sum(expected.values()) == pytest.approx(ranks.num_rows)


def test_a_description_is_an_input_of_its_own_and_goes_with_the_reference(grid):
    encoder, task = grid
    encoder.encoder.texts = {**AXES, "a hound": AXES["dog"]}
    described = replace(task, queries=[replace(query, description="a hound") for query in task.queries])

    def encode_queries(queries):
        told = encoder.encode_texts([query.description for query in queries]).pooled_BD
        return told + 0.5 * encoder.encode_texts(task_modifications(queries)).pooled_BD

    retriever = DenseRetriever(encode_queries, lambda videos: encoder.encode_videos(videos).pooled_BD())
    summary, table = audit(retriever, encoder, described)
    assert summary["reads"] == ["description", "text"]
    assert summary["pool"] == ["visual-only", "text-only", "description-only"]
    asked = {name for name in summary["recalls"] if name.endswith("(masked)")}
    assert asked == {f"{name} (masked)" for name in ("text-only", "visual-only", "description-only", "no-description")}
    plain = evaluate(load("text-only", encoder), task).rank.tolist()
    assert table.column("text_only_masked_rank").to_pylist() == plain
    tied = table.column("visual_only_masked_rank").to_pylist()
    assert set(tied) == {3}  # nothing is read: all three rank alike


def test_k_is_one_in_a_hundred_of_what_is_ranked():
    for allowed, expected in (([6, 6], 1), ([299, 300], 3), ([2556], 26)):
        assert composition.audit_relative_k(pa.table({"allowed": pa.array(allowed, pa.int64())})) == expected
