"""Protocols worked out from a saved score matrix: brute force, the streamed ranks, and the published numbers."""

import dataclasses
import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_bench.models.parts.frame_weights import FrameWeights, PooledVideo, frame_weighted_mean
from cvr_bench.results.result import read_result
from cvr_bench.results.score_matrix import ScoreMatrix, read_result_scores
from cvr_bench.results.under_protocols import BANK_SCALE, DUAL_SCALE, MatrixRanks, result_protocols, result_ranks_under
from cvr_bench.tasks.protocol import Protocol
from cvr_data.core.artifacts import open_artifact
from cvr_data.features.embed import embed
from cvr_data.features.encoders import hash
from cvr_data.media.video import Video
from tests.dataset_folders import write_artifact

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parents[2] / "golden" / "covr_metrics_a.npz"
TIES = ("against", "in-favour", "random")


@st.composite
def matrices(draw):
    """Few distinct scores, so that ties are frequent; repeated targets, several targets, references in and out."""
    queries, items = draw(st.integers(1, 6)), draw(st.integers(2, 7))
    score = st.integers(-2, 2).map(lambda value: value / 4)
    scores = np.array(
        draw(st.lists(st.lists(score, min_size=items, max_size=items), min_size=queries, max_size=queries))
    )
    bank = np.array(draw(st.lists(st.lists(score, min_size=items, max_size=items), min_size=1, max_size=3)))
    references = draw(st.lists(st.integers(-1, items - 1), min_size=queries, max_size=queries))
    targets = [
        np.array(sorted(draw(st.sets(st.sampled_from([c for c in range(items) if c != own]), min_size=1, max_size=2))))
        for own in references
    ]
    listed = None
    if draw(st.booleans()):
        more = [draw(st.sets(st.integers(0, items - 1))) for _ in range(queries)]
        listed = [np.array(sorted({*found.tolist(), *extra})) for found, extra in zip(targets, more, strict=True)]
    return ScoreMatrix(
        scores_QG=scores.astype(np.float32),
        query_ids=[f"q{row}" for row in range(queries)],
        item_ids=[f"i{column}" for column in range(items)],
        references=np.array(references),
        targets=targets,
        candidates=listed,
        bank_BG=bank.astype(np.float32),
    )


def brute_hits(matrix, protocol, row, scores, k):
    """Whether a target is among the K best, by sorting; at random, the mean over every order of equal scores."""
    answers = [found[0] for found in matrix.targets]
    per_query = protocol.gallery == "per-query"
    columns = answers if per_query else range(len(matrix.item_ids))
    if protocol.gallery == "targets":
        columns = sorted({column for found in matrix.targets for column in found})
    items, entries = [], list(enumerate(columns))
    is_target = (lambda place, column: place == row) if per_query else (lambda _, column: column in matrix.targets[row])
    for place, column in entries:
        if protocol.reference == "exclude" and column == matrix.references[row]:
            continue
        if matrix.candidates is not None and not per_query and column not in matrix.candidates[row]:
            continue
        items.append((float(scores[row, column]), is_target(place, column)))
    if protocol.ties != "random":
        items.sort(key=lambda item: (-item[0], item[1] if protocol.ties == "against" else not item[1]))
        return float(any(hit for _, hit in items[:k]))
    best = max((score for score, hit in items if hit), default=None)
    if best is None:
        return 0.0
    above = sum(score > best for score, _ in items)
    equal = [hit for score, hit in items if score == best]
    return float(np.mean([any(order[: max(k - above, 0)]) for order in permutations(equal)]))


@given(matrices(), st.sampled_from(sorted(result_protocols(Protocol(gallery="named")))), st.sampled_from(TIES))
def test_ranks_equal_their_definition(matrix, name, ties):
    protocol = dataclasses.replace(result_protocols(Protocol(gallery="named"))[name], ties=ties)
    scores = matrix.scores_QG.astype(np.float64)
    if protocol.post_processing == "dual-softmax":
        scaled = np.exp(DUAL_SCALE * scores)
        scores = scores * scaled / scaled.sum(axis=0)
    elif protocol.post_processing == "qb-norm":
        changed = np.exp(BANK_SCALE * scores) / np.exp(BANK_SCALE * matrix.bank_BG).sum(axis=0)
        hubs = set(matrix.bank_BG.argmax(axis=1))
        scores = np.array([changed[r] if scores[r].argmax() in hubs else scores[r] for r in range(len(scores))])
        if protocol.ties != "against":
            return  # rounding of logs and quotients breaks ties in other ways
    ranks = result_ranks_under(matrix, protocol)
    close = np.abs(np.diff(np.sort(scores, axis=1), axis=1)).min(initial=1) < 1e-12
    if protocol.post_processing != "none" and close:
        return  # logs and quotients round apart where items tie to the last bit
    for k in (1, 2, 3):
        expected = [brute_hits(matrix, protocol, row, scores, k) for row in range(len(scores))]
        assert ranks.hits(k, protocol.ties).tolist() == pytest.approx(expected)


def test_with_one_target_its_share_of_the_places_is_the_expectation():
    above, ties = np.array([0.0, 2, 5, 0]), np.array([3, 4, 2, 299])
    one = np.ones(4, dtype=int)
    ranks = MatrixRanks(above=above, ties=ties, equal_targets=one, allowed=one * 300, targets=one)
    for k in (1, 5, 10):
        np.testing.assert_allclose(ranks.hits(k, "random"), np.clip((k - above) / (ties + 1), 0, 1))


def test_the_published_evaluation_of_covr_is_the_protocol_of_its_name():
    golden = np.load(GOLDEN, allow_pickle=False)
    scores = golden["webvid.query"] @ golden["webvid.gallery"].T
    references, targets = golden["webvid.reference_id"], golden["webvid.target_id"]
    items = sorted({*references.tolist(), *targets.tolist()})
    place = {name: column for column, name in enumerate(items)}
    matrix = ScoreMatrix(
        scores_QG=np.zeros((len(scores), len(items)), dtype=np.float32),
        query_ids=[str(row) for row in range(len(scores))],
        item_ids=[str(name) for name in items],
        references=np.array([place[name] for name in references.tolist()]),
        targets=[np.array([place[name]]) for name in targets.tolist()],
        candidates=None,
        pooled_QQ=scores,
    )
    covr = result_protocols(Protocol(gallery="targets"))["reference-code: CoVR"]
    for reference, key in (("exclude", "webvid.recalls_json"), ("keep", "webvid.recalls_self_similarity_json")):
        published = json.loads(str(golden[key]))
        ranks = result_ranks_under(matrix, dataclasses.replace(covr, reference=reference))
        for k in (1, 5, 10, 50):
            assert round(100 * float(ranks.hits(k, covr.ties).mean()), 2) == published[f"R{k}"]


def test_the_streamed_ranks_are_those_of_the_strict_protocol(cvr, in_world):
    cvr.done("bench", "-m", "sum", "-m", "constant", "--save-scores")
    for name in ("sum", "constant"):
        result = read_result(Path(f"results/{name}-tiny"))
        matrix = read_result_scores(result.path)
        assert matrix.bank_BG is not None and len(matrix.bank_BG) > 0
        ranks = result_ranks_under(matrix, result_protocols(result.protocol)["strict"])
        assert ranks.rank.tolist() == result.ranks.column("rank").to_pylist()
        assert ranks.ties.tolist() == result.ranks.column("ties").to_pylist()
        assert ranks.allowed.tolist() == result.ranks.column("allowed").to_pylist()


def test_protocols_stand_side_by_side(cvr, in_world):
    cvr.done("bench", "-m", "sum", "--save-scores")
    shown = cvr.done("compare", "--protocols", "results/sum-tiny")
    assert "sum on tiny: the same scores of 18 queries" in shown.out
    assert "strict + QB-Norm" in shown.out
    assert "reference-code: CoVR: the benchmark's files hold no scores of target frames." in shown.out
    rows = json.loads(cvr("compare", "--protocols", "results/sum-tiny", "--json").out)["results/sum-tiny"]
    by_name = {row["name"]: row for row in rows}
    published = read_result(Path("results/sum-tiny")).record["metrics"]["R@1"]["value"]
    assert by_name["strict"]["recalls"]["R@1"] == pytest.approx(published)
    assert by_name["strict, reference kept"]["recalls"]["R@1"] <= published


def test_results_of_other_coverage_are_compared_on_what_they_share(cvr, in_world, one_line_error):
    few = [f"test{number:02d}" for number in range(8)]
    table = open_artifact("videos").read()
    write_artifact(
        Path("some-videos"),
        "import-some",
        table.filter(pa.array([name in few for name in table["video_id"].to_pylist()])),
    )
    for videos, features in (("videos", "more"), ("some-videos", "less")):
        embed(Path(videos), "hash", hash.Config(dim=64), Path(features))
        cvr.done("bench", "-m", "sum", "-e", features, "-O", f"results-{features}")
    line = one_line_error("compare", "results-more/sum-tiny", "results-less/sum-tiny")
    assert "Score both with --save-scores" in line
    for features in ("more", "less"):
        cvr.done("bench", "-m", "sum", "-e", features, "-O", f"results-{features}", "--save-scores", "--overwrite")
    outcome = cvr.done("compare", "results-more/sum-tiny", "results-less/sum-tiny", "--json")
    found = json.loads(outcome.out)
    assert found["gallery"] == len(few)
    assert found["difference"]["R@1"]["value"] == 0  # the same features on the same videos
    assert found["only_first"] > 0


def test_frames_are_pooled_by_the_scores_of_their_query():
    encoder = FrameWeights(hash.load(hash.Config(dim=8, frames=4)))
    video = Video("v")
    frames = encoder.encode_videos([video])
    rows = frames.frames_BTD[0][frames.mask_BT[0]]
    scores = [0.1 * number for number in range(len(rows))]
    with encoder.weighted({"q": scores}):
        pooled = encoder.encode_videos([PooledVideo("v", query_id="q")])
    weights = np.exp(np.array(scores) / 0.1)
    expected = (weights[:, None] / weights.sum() * rows.numpy()).sum(axis=0)
    np.testing.assert_allclose(pooled.frames_BTD[0, 0].numpy(), expected, atol=1e-6)
    assert pooled.mask_BT.sum() == 1
    np.testing.assert_allclose(frame_weighted_mean(rows, [1.0]).numpy()[0], rows.numpy().mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compare", "results/sum-tiny"], "compare takes two results, got 1"),
        (["compare", "--protocols", "results/sum-tiny"], "holds no score matrix"),
        (["bench", "-m", "sum", "--save-scores"], "was made without --save-scores"),
    ],
)
def test_a_mistake_is_one_line(cvr, one_line_error, in_world, words, message):
    cvr.done("bench", "-m", "sum")
    assert message in one_line_error(*words)
