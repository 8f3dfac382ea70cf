"""concept: against a quadratic reading of its definition on given concept sets, and what must not matter."""

from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvr_data.core.artifacts import ArtifactWriter
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.core.stages import split_dropped
from cvr_data.features.encoders import hash as hash_encoder
from cvr_data.features.store import FeatureStore
from cvr_data.pairs.search.concept_folding import Words, folded, read_synonyms
from cvr_data.pairs.search.concept_mentions import Mention, mentions
from cvr_data.pairs.search.concept_sets import Concept, Named, _often, difference, mentions_in_frames, open_frames
from cvr_data.pairs.search.nearest import Band, nearest
from cvr_data.pairs.strategies import concept
from cvr_data.pairs.strategies.concept import Config, explain, pairs_of
from cvr_data.tables import PAIRS, VIDEOS
from tests.mined_pairs import mined as mined_pairs

NAMES = ["ball", "cube", "red", "blue", "beach", "spin"]
SLOTS = dict(zip(NAMES, ["object", "object", "attribute", "attribute", "scene", "action"], strict=True))
KINDS = {"object": "thing", "scene": "thing", "attribute": "attribute", "action": "action"}
ROWS = np.eye(6)
ROWS[sorted(NAMES).index("red")] = 0.8 * ROWS[sorted(NAMES).index("blue")] + 0.6 * ROWS[sorted(NAMES).index("red")]
VECTORS = Words(pa.array(sorted(NAMES)), ROWS)
CONCEPTS = {name: (Concept(KINDS[SLOTS[name]], name), Named(f"the {name}", SLOTS[name], name)) for name in NAMES}
SETS = st.lists(st.sets(st.sampled_from(NAMES), min_size=1), min_size=0, max_size=7)
CAPTIONS = ["a red ball spins on a beach", "a blue ball spins on a beach", "a man rides a horse", "a man rides a bike"]
SEEN_LISTS = {
    "v1": ["a red ball spins on a beach"],
    "v2": ["a blue ball spins on a beach"],
    "v3": ["a dog runs on a beach"],
}
SEEN = tuple(SEEN_LISTS)


def videos(corpus):
    rows = [{"video_id": name, "captions": said, "source": "test"} for name, said in corpus.items()]
    return check_columns(pa.Table.from_pylist(rows, schema=pa.schema(list(VIDEOS)[:3])), VIDEOS, "test")


def points(count):
    drawn = np.random.default_rng(count).normal(size=(count, 5)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def concept_set(names):
    return dict(CONCEPTS[name] for name in names)


def mined(sets, config):
    table = videos({f"v{row}": [f"caption {row}"] for row in range(len(sets))})
    near = nearest(points(len(sets)), Band(k=config.neighbours, low=-1.01, high=1.01))
    return split_dropped(pairs_of(config, table, [concept_set(each) for each in sets], near, VECTORS))


@given(SETS, st.integers(1, 4), st.integers(1, 4))
def test_pairs_are_those_of_the_quadratic_definition(sets, neighbours, most):
    kept, dropped = mined(sets, Config(neighbours=neighbours, max_changes=most))
    cosines_NN = points(len(sets)).astype(np.float64) @ points(len(sets)).astype(np.float64).T
    expected = {}
    for one, other in product(range(len(sets)), repeat=2):
        nearer = sum(cosines_NN[one, third] > cosines_NN[one, other] for third in range(len(sets)) if third != one)
        if one != other and nearer < neighbours:
            parts = sets[one] & sets[other], sets[other] - sets[one], sets[one] - sets[other]
            changes = sum(
                max(sum(SLOTS[name] == slot for name in side) for side in parts[1:]) for slot in set(SLOTS.values())
            )
            is_kept = bool(parts[0] and parts[1]) and changes <= most
            expected[f"v{one}", f"v{other}"] = is_kept, *(sorted(part) for part in parts)
    found = {
        (row["reference_id"], row["target_id"]): (is_kept, row["retained"], row["injected"], row["excluded"])
        for table, is_kept in ((kept, True), (dropped, False))
        for row in table.to_pylist()
    }
    assert found == expected


@given(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)))
def test_the_other_direction_swaps_injected_and_excluded_and_before_and_after(one, other):
    forth = difference(concept_set(one), concept_set(other), VECTORS)
    back = difference(concept_set(other), concept_set(one), VECTORS)
    assert (forth.retained, forth.injected, forth.excluded) == (back.retained, back.excluded, back.injected)
    turned = [{**change, "before": change["after"], "after": change["before"]} for change in back.changes]
    assert sorted(map(str, forth.changes)) == sorted(map(str, turned))
    assert all((change["kind"] == "action") == (change["slot"] == "action") for change in forth.changes)


def test_an_attribute_takes_the_place_of_a_like_one_only():
    first = {Concept("attribute", "red"): Named("red", "attribute", "red")}
    other = {Concept("attribute", "big"): Named("big", "attribute", "ball")}
    sides = [(change["before"], change["after"]) for change in difference(first, other, VECTORS).changes]
    assert sides == [("red", None), (None, "big")]


def test_a_concept_must_be_in_its_share_of_the_captions():
    ball, cube = (Mention("thing", name, name, "object") for name in ("ball", "cube"))
    assert _often([0, 1, 2], [[ball, cube], [ball, ball], []], 0.5) == [ball]
    assert _often([0, 1, 2], [[ball, cube], [ball], []], 0.0) == [ball, cube]
    assert _often([], [], 0.5) == []


def turned(**degrees):
    """Return words as unit vectors at these angles."""
    angles = np.radians([degrees[word] for word in sorted(degrees)])
    return Words(pa.array(sorted(degrees)), np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32))


def test_synonyms_stand_for_the_most_frequent_and_form_no_chains():
    words = turned(couch=0, settee=30, sofa=60)
    counts = {"sofa": 2, "settee": 1, "couch": 5}
    assert folded("thing", counts, 0.8, words, {}) == {"sofa": "sofa", "settee": "couch", "couch": "couch"}
    assert folded("thing", counts, 1.1, words, {}) == {word: word for word in counts}
    assert folded("thing", counts, 1.1, words, {"settee": "sofa"})["settee"] == "sofa"


def test_words_of_one_meaning_are_folded_and_opposites_never_are():
    words = turned(large=0, small=1, tiny=40, grow=0, shrink=1, develop=-1)
    assert folded("attribute", {"large": 3, "small": 2, "tiny": 1}, 0.8, words, {}) == {
        "large": "large", "small": "small", "tiny": "small",
    }  # fmt: skip
    assert folded("action", {"grow": 3, "shrink": 2, "develop": 1}, 0.8, words, {}) == {
        "grow": "grow", "shrink": "shrink", "develop": "grow",
    }  # fmt: skip


def test_words_of_one_dimension_replace_each_other_and_nothing_else():
    words = turned(striped=0, checkered=80, small=1, panning=0, run=0)

    def sides(slot, before, after):
        one, other = (
            {Concept(KINDS[slot], word): Named(word, slot, word) for word in named} for named in (before, after)
        )
        return [(change["before"], change["after"]) for change in difference(one, other, words).changes]

    assert sides("attribute", ["striped"], ["checkered"]) == [("striped", "checkered")]
    assert sides("attribute", ["striped"], ["small"]) == [("striped", None), (None, "small")]
    assert sides("attribute", ["striped", "small"], ["checkered"]) == [("striped", "checkered"), ("small", None)]


def test_a_word_tagged_one_way_here_and_another_there_is_no_change():
    one = {Concept("attribute", "striped"): Named("striped", "attribute", "striped"), **concept_set(["ball"])}
    other = {Concept("thing", "striped"): Named("striped", "object", "striped"), **concept_set(["cube"])}
    for reference, target, sides in ((one, other, ("ball", "cube")), (other, one, ("cube", "ball"))):
        found = difference(reference, target, VECTORS)
        assert found.retained == ["striped"]
        assert [(change["before"], change["after"]) for change in found.changes] == [
            tuple(f"the {name}" for name in sides)
        ]


def test_a_file_of_synonyms_is_checked(tmp_path):
    path = tmp_path / "synonyms.txt"
    path.write_text("big, large\n\nhoop, ring\n")
    assert read_synonyms(path) == {"big": "big", "large": "big", "hoop": "hoop", "ring": "hoop"}
    path.write_text("big, large\nhuge, large\n")
    with pytest.raises(CvrError, match=r"line 2: 'large' is in two groups"):
        read_synonyms(path)
    with pytest.raises(CvrError, match="No file of synonyms"):
        read_synonyms(tmp_path / "none.txt")


@pytest.mark.parametrize(
    "options", [{"neighbours": 0}, {"max_changes": 0}, {"caption_share": 1.5}, {"frame_concepts": 0}]
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=r"at least 1|between 0 and 1"):
        Config(**options)


@pytest.mark.engine
def test_a_caption_mentions_its_things_attributes_and_actions():
    found = mentions(["a small dog catches a red ball on the beach", "the dogs run", "a star moves left"])
    assert [(mention.kind, mention.key, mention.phrase, mention.slot) for mention in found[0]] == [
        ("attribute", "small", "small", "attribute"),
        ("thing", "dog", "dog", "object"),
        ("action", "catch", "catches a red ball", "action"),
        ("attribute", "red", "red", "attribute"),
        ("thing", "ball", "ball", "object"),
        ("thing", "beach", "beach", "scene"),
    ]
    assert [mention.key for mention in found[1]] == ["dog", "run"]
    assert [mention.key for mention in found[2]] == ["star", "move left"]


@pytest.mark.engine
@settings(max_examples=5)
@given(st.permutations(range(len(CAPTIONS))))
def test_the_order_of_the_videos_does_not_matter(order):
    corpus = {f"v{number}": [CAPTIONS[number]] for number in range(len(CAPTIONS))}
    expected = mined_pairs(concept, Config(), videos(corpus))
    shuffled = list(corpus.items())
    assert mined_pairs(concept, Config(), videos(dict(shuffled[number] for number in order))).equals(expected)
    kept, _ = split_dropped(expected)
    changes = {(row["reference_id"], row["target_id"]): row["changes"] for row in kept.to_pylist()}
    assert changes["v0", "v1"] == [{"kind": "static", "slot": "attribute", "before": "red", "after": "blue"}]
    assert changes["v2", "v3"] == [{"kind": "static", "slot": "object", "before": "horse", "after": "bike"}]
    check_columns(kept, PAIRS, "test")


@pytest.mark.engine
def test_explain_tells_what_stays_and_what_changes():
    told = explain(Config(), "a red ball spins on a beach", "a blue ball spins on a beach")
    assert told.startswith("a pair if")
    assert "injected blue; excluded red" in told
    assert "nothing_retained" in explain(Config(), "rain falls", "a man rides a bike")


@pytest.mark.engine
def test_a_video_that_names_nothing_is_dropped_with_the_reason_and_an_empty_corpus_is_no_error(tmp_path):
    _, dropped = split_dropped(mined_pairs(concept, Config(), videos({"v1": ["of the"], "v2": ["a red ball"]})))
    assert dropped.to_pylist()[0]["drop_reason"] == "no_concepts"
    pq.write_table(dropped, tmp_path / "dropped.parquet")  # it has nulls where a pair may have none
    assert mined_pairs(concept, Config(), videos({})).num_rows == 0


@pytest.mark.parametrize("option", ["nearest_by", "concepts_from"])
@pytest.mark.engine
def test_frames_without_embeddings_are_one_clear_error(option):
    with pytest.raises(CvrError, match="needs --embeddings"):
        mined_pairs(concept, Config(**{option: "frames"}), videos({"v1": ["a red ball"]}))


@pytest.fixture
def embeddings(cvr, tmp_path):
    """Features of three videos whose frames are, by the hash encoder, their captions; and of no fourth."""
    rows = pa.Table.from_pylist(
        [{"video_id": name, "captions": said, "source": "test"} for name, said in SEEN_LISTS.items()], schema=VIDEOS
    )
    with ArtifactWriter(tmp_path / "videos", stage="import-test") as writer:
        writer.write_part(0, rows)
        writer.finish()
    options = ("--encoder", "hash", "-o", "dim=64", "-O", tmp_path / "embeddings")
    assert cvr("embed", tmp_path / "videos", *options).code == 0
    return tmp_path / "embeddings"


@pytest.mark.engine
def test_a_video_without_stored_features_is_dropped_with_the_reason(embeddings):
    corpus = videos({**SEEN_LISTS, "v4": ["a red ball"]})
    for options in ({"nearest_by": "frames"}, {"concepts_from": "frames"}, {"concepts_from": "both"}):
        kept, dropped = split_dropped(mined_pairs(concept, Config(**options, frame_threshold=-1.0), corpus, embeddings))
        lost = [row for row in dropped.to_pylist() if row["drop_reason"] == "no_features"]
        assert [row["reference_id"] for row in lost] == ["v4"]
        assert "v4" not in {*kept.column("reference_id").to_pylist(), *kept.column("target_id").to_pylist()}


@pytest.mark.engine
def test_the_nearest_by_frames_are_those_of_the_stored_features(embeddings):
    ids = sorted(SEEN)
    rows_ND = FeatureStore.open(embeddings).pooled(ids).double().numpy()
    cosines_NN = rows_ND @ rows_ND.T - 9 * np.eye(len(ids))
    found = mined_pairs(concept, Config(nearest_by="frames", neighbours=1), videos(SEEN_LISTS), embeddings)
    targets = dict(zip(found.column("reference_id").to_pylist(), found.column("target_id").to_pylist(), strict=True))
    assert targets == {ids[row]: ids[int(best)] for row, best in enumerate(cosines_NN.argmax(axis=1))}


@pytest.mark.engine
def test_concepts_of_frames_are_the_nearest_words_of_the_vocabulary(embeddings, tmp_path):
    vocabulary = [mention for found in mentions(["dog", "red", "beach", "the dogs"]) for mention in found]
    words = list(dict.fromkeys(mention.key for mention in vocabulary))
    phrases = {mention.key: mention.phrase for mention in reversed(vocabulary)}
    frames_VD = FeatureStore.open(embeddings).pooled(sorted(SEEN))
    words_WD = hash_encoder.load(hash_encoder.Config(dim=64)).encode_texts([phrases[word] for word in words]).pooled_BD
    scores_VW = (frames_VD @ words_WD.T).numpy()
    found = mentions_in_frames(sorted(SEEN), vocabulary, open_frames(embeddings), least=0.0, most=2)
    for row, names in enumerate([mention.key for mention in each] for each in found):
        best = sorted(range(len(words)), key=lambda word, row=row: -scores_VW[row, word])[:2]
        assert names == [words[word] for word in best if scores_VW[row, word] >= 0]
    assert mentions_in_frames(sorted(SEEN), vocabulary, open_frames(embeddings), least=1.1, most=2) == [[], [], []]
    path = tmp_path / "vocabulary.txt"
    path.write_text("dog\nred\nbeach\n")
    config = Config(concepts_from="frames", vocabulary=path, frame_threshold=-1.0, frame_concepts=2)
    mined = mined_pairs(concept, config, videos(SEEN_LISTS), embeddings)
    assert {name for row in mined.to_pylist() for name in row["retained"] or []} <= {"dog", "red", "beach"}
    assert mined.num_rows == 6
