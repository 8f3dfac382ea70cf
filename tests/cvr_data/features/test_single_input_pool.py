"""The pool of scorers of one input: ranks against a slow reading of the same vectors, labels, and what chance gives."""

from functools import cache
from itertools import combinations, product

import numpy as np
import pyarrow as pa
import pytest

from cvr_data.features import single_input_pool
from cvr_data.features.embed import embed
from cvr_data.features.encoders import hash as hash_encoder
from cvr_data.features.pool_queries import PoolQuery
from cvr_data.features.similarities import text_vectors
from cvr_data.features.single_input_pool import SingleInputPool
from cvr_data.features.single_inputs import (
    BOTH,
    SHORTCUTS,
    TEXT,
    UNRESOLVED,
    VISUAL,
    MergedRanks,
    best_similarity_ranks,
    merged_similarity_ranks,
    similarity_chance_shares,
    similarity_composition_labels,
    similarity_share_above_chance,
)
from cvr_data.features.store import FeatureStore
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact

pytestmark = pytest.mark.slow

COLOURS = ("red", "blue", "green", "white", "black", "pink")


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
    assert best_similarity_ranks(scores_QG, [*map(sorted, targets)], own).tolist() == slow


def test_a_query_has_a_shortcut_where_one_input_is_enough_else_needs_both_or_is_unresolved():
    ranks = {TEXT: (1, 9, 1), VISUAL: (3, 2, 1), BOTH: (3, 3, 2), UNRESOLVED: (3, 3, 3)}
    merged = MergedRanks(*np.array([*ranks.values(), (1, 1, 1)]).T)
    assert similarity_composition_labels(merged, 2) == [*ranks, TEXT]


def test_of_each_input_the_best_scorer_counts_and_an_input_without_any_finds_nothing():
    merged = merged_similarity_ranks({"text-video": np.array([4, 2]), "text-caption": np.array([3, 8])})
    assert merged.text.tolist() == [3, 2]
    assert merged.visual.min() == merged.both.min() == np.iinfo(np.int64).max


@pytest.mark.parametrize(("videos", "targets", "k"), [(6, 1, 2), (6, 2, 1), (5, 3, 2), (4, 4, 1), (5, 1, 5)])
def test_chance_is_what_counting_all_orders_gives(videos, targets, k):
    orders = [min(places) <= k for places in combinations(range(1, videos + 1), targets)]
    shares = {True: np.mean(orders), False: 1 - np.mean(orders)}
    expected = dict.fromkeys(("shortcut", BOTH, UNRESOLVED), 0.0)
    for text, visual, both in product([True, False], repeat=3):  # two scorers of one input, and a sum
        label = "shortcut" if text or visual else BOTH if both else UNRESOLVED
        expected[label] += shares[text] * shares[visual] * shares[both]
    found = similarity_chance_shares(
        ["text-video", "reference-video", "a+b"], np.array([videos] * 3), np.array([targets] * 3), k
    )
    assert sum(found[label] for label in SHORTCUTS) == pytest.approx(3 * expected["shortcut"])
    assert [found[label] for label in (BOTH, UNRESOLVED)] == pytest.approx(
        [3 * expected[BOTH], 3 * expected[UNRESOLVED]]
    )
    assert found[TEXT] == pytest.approx(found[VISUAL])


def test_chance_is_taken_off_so_that_it_is_zero_and_all_is_one():
    assert [similarity_share_above_chance(share, 0.2) for share in (0.2, 0.6, 1.0)] == pytest.approx([0.0, 0.5, 1.0])


@pytest.fixture
def world(tmp_path):
    """Twelve videos with one or two captions, one with none; some have descriptions."""
    rows = [
        {"video_id": f"v{n:02d}", "source": "tiny",
         "captions": [f"a {COLOURS[n % 6]} ball", f"the ball is {COLOURS[n // 2]}"][: n % 3],
         "description": f"One {COLOURS[n % 4]} ball lies there." if n % 2 else None}
        for n in range(12)
    ]  # fmt: skip
    write_artifact(tmp_path / "videos", "import-tiny", rows, VIDEOS)
    embed(tmp_path / "videos", "hash", hash_encoder.Config(dim=16, frames=3), tmp_path / "embeddings")
    queries = [
        PoolQuery(
            reference_id=f"v{n:02d}", modification=f"make it {COLOURS[n]}", reference_caption=f"a {COLOURS[n]} ball",
            target_ids=frozenset({f"v{n + 3:02d}", f"v{n + 5:02d}"} if n % 2 else {f"v{n + 4:02d}"}),
            reference_description=f"A {COLOURS[n]} one." if n % 2 else "",
        )
        for n in range(6)
    ]  # fmt: skip
    return tmp_path / "embeddings", pa.Table.from_pylist(rows, schema=VIDEOS), queries


@cache
def minilm():
    """Text -> its vector, of all that the world says."""
    shapes = ("a {} ball", "the ball is {}", "make it {}", "One {} ball lies there.", "A {} one.")
    said = ["", *(shape.format(colour) for colour in COLOURS for shape in shapes)]
    return dict(zip(said, text_vectors(pa.array(said), None), strict=True))


def slow_scores(name, query, videos, store):
    """What one scorer gives each video of one query, one pair at a time."""

    def best(text, others):
        return max([float(minilm()[text] @ minilm()[other]) for other in others], default=-1.0)

    if name in ("text-caption", "caption-caption"):
        text = query.modification if name == "text-caption" else query.reference_caption
        return [best(text, video["captions"]) for video in videos]
    if name == "description-description":
        of = {video["video_id"]: video["description"] for video in videos}
        text = query.reference_description or of[query.reference_id] or ""
        return [best(text, [video["description"]] if video["description"] else []) for video in videos]
    if name == "reference-video":
        own = store.pooled([query.reference_id])[0]
        return [float(own @ store.pooled([video["video_id"]])[0]) for video in videos]
    text = hash_encoder.load(hash_encoder.Config(dim=16)).encode_texts([query.modification]).pooled_BD[0]
    found = []
    for video in videos:
        frames = store.frames([video["video_id"]]).frames_BTD[0]
        each = [float(text @ frame) / float(frame.norm()) for frame in frames]
        pooled = frames.mean(dim=0)
        found.append(max(each) if name == "text-frame" else float(text @ pooled) / float(pooled.norm()))
    return found


@pytest.mark.engine
@pytest.mark.parametrize("cells", [1 << 25, 40])
def test_ranks_are_those_of_a_slow_reading_whole_and_in_chunks(world, monkeypatch, cells):
    embeddings, table, queries = world
    monkeypatch.setattr(single_input_pool, "CELLS", cells)
    pool = SingleInputPool(embeddings, table)
    assert pool.scorers == [*single_input_pool.SCORERS]
    found = pool.ranks(queries)
    videos, store = table.to_pylist(), FeatureStore.open(embeddings, space="raw")
    for name in pool.scorers:
        for row, query in enumerate(queries):
            scores = dict(zip(pool.ids, slow_scores(name, query, videos, store), strict=True))
            best = max(scores[target] for target in query.target_ids)
            rivals = [video for video in scores if video not in query.target_ids | {query.reference_id}]
            assert found[name][row] == 1 + sum(scores[video] >= best - 1e-5 for video in rivals), (name, row)
    allowed_Q, targets_Q = pool.sizes(queries)
    assert allowed_Q.tolist() == [11] * 6
    assert targets_Q.tolist() == [len(query.target_ids) for query in queries]


def test_features_alone_allow_the_scorers_that_need_no_captions(world):
    embeddings, table, queries = world
    pool = SingleInputPool(embeddings, table.select(["video_id"]))
    assert pool.scorers == ["text-video", "text-frame", "reference-video"]
    assert [*pool.ranks(queries)] == pool.rankings == [*pool.scorers, "text-video+reference-video"]
    assert not pool.can_ask(PoolQuery(reference_id="v00", modification="x", target_ids=frozenset({"elsewhere"})))
    assert not pool.can_ask(PoolQuery(reference_id="gone", modification="x", target_ids=frozenset({"v01"})))


def test_only_the_frames_of_the_best_are_looked_at(world, monkeypatch):
    embeddings, table, queries = world
    monkeypatch.setattr(single_input_pool, "BEST", 2)
    pool = SingleInputPool(embeddings, table.select(["video_id"]))
    pooled = pool.scores("text-video", queries)
    frames = pool.scores("text-frame", queries)
    for row in range(len(queries)):
        first = np.argsort(-pooled[row])[:2]
        assert set(np.argsort(-frames[row])[:2].tolist()) == set(first.tolist())
        others = np.setdiff1d(np.arange(12), first)
        assert frames[row, others].tolist() == pooled[row, others].tolist()


@pytest.mark.engine
def test_where_nothing_is_said_of_a_reference_its_caption_finds_nothing(world):
    embeddings, table, _ = world
    pool = SingleInputPool(embeddings, table)
    silent = PoolQuery(reference_id="v03", modification="make it red", target_ids=frozenset({"v05"}))
    assert not table.column("captions")[3].as_py()
    assert pool.ranks([silent])["caption-caption"].tolist() == [11]
    of_gallery = PoolQuery(reference_id="v05", modification="make it red", target_ids=frozenset({"v04"}))
    said = PoolQuery(**{**vars(of_gallery), "reference_caption": table.column("captions")[5][0].as_py()})
    assert pool.ranks([of_gallery])["caption-caption"].tolist() == pool.ranks([said])["caption-caption"].tolist()
