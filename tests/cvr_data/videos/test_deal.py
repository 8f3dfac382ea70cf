"""deal: queries are dealt by whole components, then by communities of a giant; what straddles is counted."""

import numpy as np
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.tables import PAIRS, VIDEOS
from cvr_data.videos.deal import PairGraph, deal_videos_to_splits
from tests.dataset_folders import mined_pair, write_artifact


def graph(edges, strength=None):
    """A graph of pairs (node, node), a query each."""
    first, second = np.array(edges, np.uint64).T
    strength = np.ones(len(edges)) if strength is None else np.array(strength)
    return PairGraph.of(first, second, strength, np.ones(len(edges)))


def clique(*nodes):
    return [(a, b) for a in nodes for b in nodes if a != b]


def straddling(edges, dealt):
    split_of = dict(zip(dealt.nodes_N.tolist(), dealt.splits_N.tolist(), strict=True))
    return [edge for edge in edges if split_of[edge[0]] != split_of[edge[1]]]


def test_whole_components_are_dealt_and_nothing_is_cut():
    edges = [pair for start in range(0, 400, 4) for pair in clique(*range(start, start + 4))]  # 100 of 12 queries each
    dealt = deal_videos_to_splits(graph(edges), {"test": 120.0, "val": 60.0})
    assert dealt.queries == {"train": 1020.0, "test": 120.0, "val": 60.0}
    assert (dealt.cut_queries, straddling(edges, dealt)) == (0.0, [])


@pytest.mark.parametrize("seed", range(5))
def test_a_giant_is_cut_between_its_communities_at_the_weakest_pairs(seed):
    groups = [range(start, start + 10) for start in range(0, 300, 10)]  # 30 communities of 90 queries in a ring
    inside = [pair for group in groups for pair in clique(*group)]
    bridges = [(group[0], groups[number - 1][1]) for number, group in enumerate(groups)]
    edges, strength = inside + bridges, [0.9] * len(inside) + [0.1] * len(bridges)
    dealt = deal_videos_to_splits(graph(edges, strength), {"test": 270.0, "val": 90.0}, seed=seed)
    assert 270 <= dealt.queries["test"] <= 275
    assert 90 <= dealt.queries["val"] <= 95
    cut = straddling(edges, dealt)
    assert set(cut) <= set(bridges)
    assert dealt.cut_queries == len(cut) <= 8
    assert dealt.cut_strength == pytest.approx(0.1)
    assert sum(dealt.queries.values()) + dealt.cut_queries == len(edges)


def test_pairs_within_one_kin_are_queries_of_its_split():
    dealt = deal_videos_to_splits(graph([(1, 1), (2, 3), (3, 2)]), {"test": 1.0})
    assert dealt.queries == {"train": 2.0, "test": 1.0}
    assert dealt.of(np.array([1, 2, 9], np.uint64)).tolist() == ["test", "train", ""]


def test_the_order_of_the_pairs_does_not_matter():
    at = np.random.default_rng(0)
    edges = at.integers(0, 60, (400, 2))
    strength = at.random(400)
    dealt = deal_videos_to_splits(graph(edges, strength), {"test": 60.0, "val": 30.0})
    order = at.permutation(400)
    again = deal_videos_to_splits(graph(edges[order], strength[order]), {"test": 60.0, "val": 30.0})
    assert dealt.splits_N.tolist() == again.splits_N.tolist()
    assert dealt.queries["test"] >= 60
    assert sum(dealt.queries.values()) + dealt.cut_queries == 400


COLOURS = ("red", "blue", "green", "black")


@pytest.fixture
def world(tmp_path):
    """40 things in four colours each and their pairs, 12 queries a thing; and two videos of no pair."""
    videos = [{"video_id": f"{colour}{n}", "captions": [f"a {colour} {n}"], "source": "x"}
              for n in range(40) for colour in COLOURS] + [
              {"video_id": f"alone{n}", "captions": ["rain"], "source": "x"} for n in range(2)]  # fmt: skip
    pairs = [mined_pair((f"{a}{n}", f"{b}{n}"), (f"a {a} {n}", f"a {b} {n}"), changes=[])
             for n in range(40) for a in COLOURS for b in COLOURS if a != b]  # fmt: skip
    made = write_artifact(tmp_path / "videos", "import-tiny", videos, VIDEOS)
    write_artifact(tmp_path / "pairs", "mine-pairs", pairs, PAIRS, videos=made)
    return tmp_path


def test_the_command_deals_so_many_queries_and_says_what_it_cost(world, cvr):
    words = ("split", world / "videos", "--pairs", world / "pairs", "--test-queries", 120, "--val-queries", 24)
    outcome = cvr.done(*words, "-O", world / "out")
    assert "queries: 336 train, 24 val, 120 test; 0 of 480 (0.0 %) straddle and are lost" in outcome.out
    artifact = open_artifact(world / "out")
    split_of = {row["video_id"]: row["split"] for row in artifact.read().to_pylist()}
    pairs = open_artifact(world / "pairs").read().to_pylist()
    ends = [(split_of[pair["reference_id"]], split_of[pair["target_id"]]) for pair in pairs]
    assert ends.count(("test", "test")) == 120
    assert all(first == second for first, second in ends)
    assert set(artifact.manifest["inputs"]) == {"videos", "pairs"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--test-queries", 5), "--test-queries needs --pairs"),
        (("--pairs", "pairs"), "--pairs and --val-queries are for --test-queries"),
        (("--pairs", "pairs", "--test-queries", 400), "makes 480 queries, fewer than the 600"),
        (("--pairs", "pairs", "--test-queries", 5, "--keep", "videos"), "give one"),
        (("--pairs", "videos", "--test-queries", 5), "was made by 'import-tiny'"),
    ],
)
def test_what_cannot_be_dealt_is_one_line(world, words, message, one_line_error, monkeypatch):
    monkeypatch.chdir(world)
    assert message in one_line_error("split", "videos", *words, "-O", "out")
    assert not (world / "out").exists()


def test_splits_of_the_corpus_are_dealt_anew_only_where_that_is_asked(world, one_line_error, cvr):
    rows = [{**row, "split": "train"} for row in open_artifact(world / "videos").read().to_pylist()]
    given = write_artifact(world / "given", "import-tiny", rows, VIDEOS)
    words = ("split", given, "--pairs", world / "pairs", "--test-queries", 12, "--val-queries", 12, "-O", world / "out")
    assert "-o given=ignore lets it" in one_line_error(*words)
    outcome = cvr(*words, "-o", "given=ignore")
    assert "12 test; 0 of 480" in outcome.out, outcome.err
