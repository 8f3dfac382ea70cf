"""composition: ranks by one input against a slow reading of them, labels, and what the build drops by them."""

import numpy as np
import pytest

from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.features.embed import embed
from cvr_data.features.encoders import hash as hash_encoder
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.composition import (
    BOTH,
    SHORTCUTS,
    TEXT,
    UNRESOLVED,
    VISUAL,
    CompositionConfig,
    Pool,
    best_ranks,
    composition_lines,
    composition_told,
)
from cvr_data.triplets.join import Config
from tests.cvr_data.triplets.test_answers import write_world


@pytest.mark.parametrize("seed", range(10))
def test_a_rank_counts_what_scores_as_high_and_neither_other_targets_nor_the_reference(seed):
    at = np.random.default_rng(seed)
    scores_QG = at.integers(0, 6, (5, 12)).astype(np.float32)
    targets = [set(at.choice(12, 2, replace=False).tolist()) for _ in range(5)]
    own = [
        next(column for column in range(12) if column not in of) if row % 2 else -1 for row, of in enumerate(targets)
    ]
    slow = []
    for row, columns in enumerate(targets):
        best = max(scores_QG[row, column] for column in columns)
        rivals = [column for column in range(12) if column not in columns and column != own[row]]
        slow.append(1 + sum(scores_QG[row, column] >= best for column in rivals))
    assert best_ranks(scores_QG, targets, own).tolist() == slow


def test_a_query_has_a_shortcut_where_one_input_is_enough_else_needs_both_or_is_unresolved():
    pool = Pool.__new__(Pool)
    pool.k = 2
    ranks = {TEXT: (1, 9, 1), VISUAL: (3, 2, 1), BOTH: (3, 3, 2), UNRESOLVED: (3, 3, 3)}
    assert {label: pool._label(*each) for label, each in ranks.items()} == {label: label for label in ranks}
    assert pool._label(1, 1, 1) == TEXT


def test_counts_say_how_many_of_a_thousand_remain_and_how_slots_move():
    told = {"test text_shortcut": 3, "test needs_both": 1, "test text_shortcut slot scene": 3,
            "test needs_both slot action": 1, "further_answers": 7}  # fmt: skip
    found = composition_told(told)
    assert found["test"]["left_of_1000"] == 250
    assert found["test"]["slots"] == {"action": [1, 1], "scene": [3, 0]}
    assert composition_lines(found)[1] == "    slots: action 25 % -> 100 %, scene 75 % -> 0 %"
    assert composition_told({"further_answers": 7}) == {}


@pytest.fixture
def world(tmp_path):
    texts = write_world(tmp_path, [("r1", "b1"), ("r1", "g1"), ("g1", "b2"), ("r3", "b3")])
    embed(tmp_path / "videos", "hash", hash_encoder.Config(dim=16, frames=2), tmp_path / "embeddings")
    return tmp_path, texts


@pytest.mark.engine
def test_the_build_drops_what_one_input_solves_and_keeps_ranks_and_label_of_the_others(world, cvr):
    folder, texts = world
    outcome = cvr("build-triplets", texts, "--embeddings", folder / "embeddings", "--require", "composition",
                  "-O", folder / "out")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "test queries: text_shortcut" in outcome.out
    artifact = open_artifact(folder / "out")
    assert verify(artifact.path) == []
    kept, dropped = artifact.read().to_pylist(), artifact.dropped().to_pylist()
    assert {row["split"] for row in kept if row["composition"] is None} <= {"train"}
    assert all(row["composition"] not in SHORTCUTS for row in kept)
    assert {row["drop_reason"] for row in dropped} <= set(SHORTCUTS)
    labels = artifact.manifest["composition"]["test"]["labels"]
    assert sum(labels.values()) == len({row["query_id"] for row in [*kept, *dropped] if row["split"] == "test"}) > 0
    assert f"Of {sum(labels.values())} test queries those were dropped" in (artifact.path / "README.md").read_text()
    for row in [*kept, *dropped]:
        if row["composition"] in SHORTCUTS:
            assert min(row["text_rank"], row["visual_rank"]) == 1  # one in a hundred of five videos is one


@pytest.mark.engine
def test_k_says_how_deep_one_input_may_look(world):
    folder, texts = world
    sources = find_triplet_parts([texts], embeddings=folder / "embeddings")
    from dataclasses import replace

    made = build_triplets(replace(sources, needs_both=True), folder / "deep", Config(composition_k=5), name="tiny")
    assert {row["split"] for row in made.read().to_pylist()} == {"train"}  # among five videos all are found
    assert CompositionConfig(embeddings=folder / "embeddings").k == 0


def test_composition_without_features_is_one_line(world, one_line_error):
    folder, texts = world
    line = one_line_error("build-triplets", texts, "--require", "composition", "-O", folder / "out")
    assert "pass --embeddings" in line
