"""The temporal audit: exactly zero where frames are pooled, large where a model reads their order."""

import numpy as np
import pytest
import torch

from cvr_bench.audit import temporal
from cvr_bench.audit.altered import audit_middle_frame_alone, reversed_frames, shuffled_frames
from cvr_bench.models import MODELS
from cvr_bench.models.parts.retriever import DenseRetriever
from cvr_bench.results.result import result_ranks_table
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.tasks.task import task_references
from cvr_data.features.protocol import VideoFeatures, pad_features
from cvr_data.media.video import Video

RING = 12


def audit(retriever, encoder, task):
    ranks = result_ranks_table(task, evaluate(retriever, task))
    found = temporal.temporal_variant_ranks(retriever, encoder, task, ranks.column("rank").to_numpy(), seed=0)
    return temporal.temporal_record(ranks, found, task.ks), temporal.audit_temporal_table(ranks, found)


@pytest.fixture
def ring(make_encoder, make_task):
    """Each video begins as the one before it ends: first frame e_i, a blank one, last frame e_(i+1)."""
    axes, blank = torch.eye(RING + 1), torch.eye(RING + 1)[RING]
    names = [f"v{number:02d}" for number in range(RING)]
    frames = {name: torch.stack([axes[number], blank, axes[(number + 1) % RING]]) for number, name in enumerate(names)}
    rows = [(name, "go on", names[(number + 1) % RING]) for number, name in enumerate(names)]
    return make_encoder(frames), make_task(names, rows)


def continuation(encoder):
    """A model that reads order: what begins as the reference ends."""
    return DenseRetriever(
        lambda queries: encoder.encode_videos(task_references(queries)).frames_BTD[:, -1],
        lambda videos: encoder.encode_videos(videos).frames_BTD[:, 0],
    )


def test_a_model_that_reads_order_loses_everything_when_frames_are_reversed(ring):
    summary, table = audit(continuation(ring[0]), *ring)
    assert summary["recalls"]["all frames"]["R@1"] == 100.0
    lost = summary["losses"]["reversed"]["R@1"]
    assert (lost["value"], lost["high"]) == (100.0, 100.0)
    assert lost["low"] == pytest.approx(100 * (2 * 0.025 ** (1 / RING) - 1))  # all of so few agree by chance, too
    # reversed, the video before scores 1 and all others tie; a middle frame is the same for all
    assert set(table.column("reversed_rank").to_pylist()) == {RING - 1}
    assert set(table.column("middle_rank").to_pylist()) == {RING - 1}
    assert summary["reads_order"]
    gap = summary["gap"]["R@1"]
    assert gap["best"] == "shuffled"
    assert 0 < gap["value"] == 100.0 - summary["recalls"]["shuffled"]["R@1"]


@pytest.mark.parametrize("name", ["sum", "visual-only", "text-only", "combiner"])
def test_a_model_that_pools_frames_by_the_mean_has_a_temporal_gap_of_exactly_zero(name, make_encoder, make_task):
    generator = torch.Generator().manual_seed(0)
    frames = {f"v{row}": torch.randn(7, 16, generator=generator) for row in range(30)}
    frames["copy"] = frames["v3"]  # copies tie, and are shuffled apart
    encoder = make_encoder(frames, {"now": torch.randn(16, generator=generator)})
    task = make_task(list(frames), [(f"v{row}", "now", f"v{(row + 2) % 30}") for row in range(30)])
    component = MODELS.get(name)
    summary, table = audit(component.load(component.TINY, encoder), encoder, task)
    for variant in ("shuffled", "reversed"):
        assert table.column(f"{variant}_rank").to_pylist() == table.column("rank").to_pylist()
        assert all(loss == {"value": 0.0, "low": 0.0, "high": 0.0} for loss in summary["losses"][variant].values())
    assert not summary["reads_order"]
    assert all(gap["value"] <= 0.0 for gap in summary["gap"].values())


def test_frames_count_what_a_model_gets(ring):
    assert temporal.audited_frames(*ring) == {"least": 3, "most": 3}


@pytest.fixture
def ragged():
    """Videos of 1, 2 and 5 frames, padded; a frame's value is its place."""
    videos = [Video(name) for name in "abc"]
    rows = [torch.arange(1.0, count + 1)[:, None] for count in (1, 2, 5)]
    return videos, VideoFeatures(*pad_features(rows))


def values_of(features):
    return [row[mask].flatten().tolist() for row, mask in zip(features.frames_BTD, features.mask_BT, strict=True)]


def test_padding_stays_where_it_is(ragged):
    assert values_of(audit_middle_frame_alone(*ragged)) == [[1.0], [2.0], [3.0]]
    assert values_of(reversed_frames(*ragged)) == [[1.0], [2.0, 1.0], [5.0, 4.0, 3.0, 2.0, 1.0]]
    shuffled = shuffled_frames(0)(*ragged)
    assert torch.equal(shuffled.mask_BT, ragged[1].mask_BT)
    one, two, five = values_of(shuffled)
    assert (one, two, sorted(five)) == ([1.0], [2.0, 1.0], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert five != [1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_video_is_shuffled_the_same_way_whatever_stands_beside_it(ragged):
    videos, features = ragged
    both = values_of(shuffled_frames(3)(videos, features))
    alone = VideoFeatures(features.frames_BTD[2:], features.mask_BT[2:])
    assert values_of(shuffled_frames(3)(videos[2:], alone)) == both[2:]


def test_a_retriever_that_scores_by_itself_is_audited_too(ring):
    encoder, task = ring

    class Continuation:
        def index(self, gallery):
            self.first_GD = encoder.encode_videos([item.video for item in gallery]).frames_BTD[:, 0]

        def score(self, queries):
            return encoder.encode_videos(task_references(queries)).frames_BTD[:, -1] @ self.first_GD.T

    expected, _ = audit(continuation(encoder), encoder, task)
    found, _ = audit(Continuation(), encoder, task)
    assert found == expected
    assert np.isclose(found["recalls"]["reversed"]["R@1"], 0.0)
