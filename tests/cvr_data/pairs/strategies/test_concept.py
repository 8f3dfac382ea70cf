"""concept: what is a pair, what is none, which captions a pair has, and what must not matter."""

import itertools

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.core.stages import stage_rows_by_drop_reason
from cvr_data.pairs.changes import type_changes
from cvr_data.pairs.search import statement_search
from cvr_data.pairs.strategies import concept
from cvr_data.pairs.strategies.concept import Config, explain, read_strategy_synonyms
from cvr_data.tables import PAIRS
from tests.mined_pairs import captioned
from tests.mined_pairs import mined as mined_pairs

CAPTIONS = [
    "a red car drives down a road", "a blue car drives down a road", "a man rides a horse", "a man rides a bike",
    "a man plays the guitar on a stage", "a woman plays the guitar on a stage", "a man plays the piano on a stage",
    "rain falls",
]  # fmt: skip
PARTS = (["a dog", "a cat", "a man", "two men"], ["runs", "jumps"], ["on a red bench", "on a blue bench", "in a park"])
ALIKE = [" ".join(words) for words in itertools.product(*PARTS)]


def mined(corpus, config=None, **options):
    return mined_pairs(concept, config or Config(), captioned(corpus), **options)


def changes_of(corpus, config=None):
    """(reference, target) -> changes, of the pairs that are kept."""
    kept, _ = stage_rows_by_drop_reason(mined(corpus, config))
    return {
        (row["reference_id"], row["target_id"]): [
            (each["slot"], each["before"], each["after"]) for each in row["changes"]
        ]
        for row in kept.to_pylist()
    }


@pytest.fixture(scope="module")
def found():
    return changes_of({f"v{number}": [text] for number, text in enumerate(CAPTIONS)})


@pytest.mark.engine
def test_a_pair_fills_one_slot_with_words_that_exclude_each_other(found):
    assert found["v0", "v1"] == [("attribute", "red", "blue")]
    assert found["v2", "v3"] == [("object", "horse", "bike")]
    assert found["v4", "v5"] == [("object", "man", "woman")]
    assert found["v4", "v6"] == [("object", "guitar", "piano")]
    assert not any("v7" in pair for pair in found)


@pytest.mark.engine
def test_each_pair_has_its_reverse_with_both_sides_swapped(found):
    assert found and found == {
        (two, one): [(slot, after, before) for slot, before, after in changes] for (one, two), changes in found.items()
    }


@pytest.mark.engine
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a man plays the guitar", "a musician plays the guitar"),  # one may be the other
        ("a man walks his dog", "a man walks his poodle"),  # one is above the other
        ("a woman talks in a kitchen", "a woman explains something in a kitchen"),  # one class of verbs
        ("a dog runs in a park", "a dog runs in a park at night"),  # silence is not absence
        ("a man sings", "a guitar lies on a table"),  # nothing in common
        ("a man stands", "a woman stands"),  # people and postures alone are no common ground
        ("a man sits in a kitchen", "the idea of a kitchen"),
    ],
)
def test_what_may_both_be_so_is_no_change(one, other):
    assert changes_of({"a": [one], "b": [other]}) == {}
    assert explain(Config(), one, other).startswith("not a pair") or "stands" in one


@pytest.mark.engine
def test_no_caption_of_the_reference_tells_what_comes_in_nor_of_the_target_what_goes_out():
    corpus = {"a": ["a man plays the guitar", "a woman plays the guitar"], "b": ["a woman plays the guitar"],
              "c": ["a man plays the guitar"], "d": ["a man plays the guitar", "a band with a pianist"]}  # fmt: skip
    kept, dropped = stage_rows_by_drop_reason(mined(corpus))
    pairs = {(row["reference_id"], row["target_id"]) for row in kept.to_pylist()}
    assert pairs == {("b", "c"), ("c", "b"), ("b", "d"), ("d", "b")}
    entailed = {(row["reference_id"], row["target_id"]) for row in dropped.to_pylist()}
    assert {row["drop_reason"] for row in dropped.to_pylist()} == {"entailed"}
    assert entailed == {("a", "b"), ("b", "a"), ("a", "c"), ("c", "a"), ("a", "d"), ("d", "a")}


@pytest.mark.engine
def test_the_captions_of_a_pair_are_those_that_state_its_changes_and_spans_stand_in_them():
    corpus = {"a": ["someone in a room", "A man plays the guitar on a stage"],
              "b": ["music", "a man is playing a piano on a stage"]}  # fmt: skip
    kept, _ = stage_rows_by_drop_reason(mined(corpus))
    assert kept.num_rows == 2
    for row in kept.to_pylist():
        for change, (side, phrase) in itertools.product(row["changes"], (("reference", "before"), ("target", "after"))):
            where = change[f"{phrase}_phrase"]
            assert row[f"{side}_caption"][where["start"] : where["end"]].lower() == change[phrase]
            assert where["head"] == change[phrase] and where["number"] == "singular"
    check_columns(kept, PAIRS, "test")


@pytest.mark.engine
def test_a_word_must_be_in_its_share_of_the_captions():
    others = [f"a man rides a {animal} in a park" for animal in ("horse", "pony", "mule")]
    corpus = {"a": [*others, "a man pushes a bike in a park"], "b": ["a man pushes a car in a park"]}
    assert changes_of(corpus, Config(caption_share=0.25))["a", "b"] == [("object", "bike", "car")]
    assert changes_of(corpus, Config(caption_share=0.5)) == {}


@pytest.mark.engine
def test_synonyms_of_a_file_are_one_word(tmp_path):
    corpus = {"a": ["a man repairs a guitar"], "b": ["a woman repairs a piano"]}
    assert changes_of(corpus) == {}  # who does it and with what: nothing of it stays
    (tmp_path / "synonyms.txt").write_text("guitar, piano\n")
    config = Config(synonyms=tmp_path / "synonyms.txt")
    assert concept.inputs(config) == {"synonyms": tmp_path / "synonyms.txt"}
    assert changes_of(corpus, config)["a", "b"] == [("object", "man", "woman")]


@pytest.mark.engine
def test_a_reference_has_its_best_targets_and_the_others_are_dropped_with_the_reason():
    corpus = {f"v{number}": [text] for number, text in enumerate(ALIKE)}
    kept, dropped = stage_rows_by_drop_reason(mined(corpus, Config(targets=2)))
    every, _ = stage_rows_by_drop_reason(mined(corpus, Config(targets=1000)))
    counts = kept.column("reference_id").value_counts().field("counts").to_pylist()
    assert max(counts) == 2 and every.num_rows > kept.num_rows
    reasons = [row for row in dropped.to_pylist() if row["drop_reason"] == "more_targets"]
    assert len(reasons) == every.num_rows - kept.num_rows
    best = {}
    for row in every.to_pylist():
        best.setdefault(row["reference_id"], []).append(row["common"] * len(row["retained"]))
    assert set(best) == set(kept.column("reference_id").to_pylist())


@pytest.mark.engine
@settings(max_examples=4, deadline=None)
@given(st.permutations(range(len(ALIKE))), st.sampled_from([1, 5, 100]), st.sampled_from([3, 20]))
def test_neither_order_nor_cut_nor_size_of_jobs_matters(order, rows, size):
    corpus = {f"v{number:02}": [ALIKE[number]] for number in range(len(ALIKE))}
    expected = mined(corpus)
    sizes = [(statement_search, "STATEMENTS"), (statement_search, "VIDEOS"), (concept, "CAPTIONS"), (concept, "FOUND")]
    before = [getattr(module, name) for module, name in sizes]
    try:
        for module, name in sizes:
            setattr(module, name, size)
        found = mined({f"v{number:02}": corpus[f"v{number:02}"] for number in order}, rows_per_part=rows)
    finally:
        for (module, name), value in zip(sizes, before, strict=True):
            setattr(module, name, value)
    names = [*PAIRS.names[:7], "common"]
    assert (
        stage_rows_by_drop_reason(found)[0].select(names).equals(stage_rows_by_drop_reason(expected)[0].select(names))
    )
    assert found.num_rows == expected.num_rows > 20


@pytest.mark.engine
def test_a_video_that_names_nothing_is_dropped_with_the_reason_and_an_empty_corpus_is_no_error(tmp_path):
    _, dropped = stage_rows_by_drop_reason(mined({"v1": ["of the"], "v2": ["a red ball"], "v3": []}))
    assert {row["reference_id"]: row["drop_reason"] for row in dropped.to_pylist()} == {
        "v1": "no_concepts", "v3": "no_concepts",
    }  # fmt: skip
    pq.write_table(dropped, tmp_path / "dropped.parquet")  # it has nulls where a pair may have none
    assert mined({}).num_rows == 0


@pytest.mark.engine
def test_explain_tells_what_changes_or_why_nothing_does():
    told = explain(Config(), "a red ball spins on a beach", "a blue ball spins on a beach")
    assert told.startswith("a pair if") and told.endswith("red -> blue")
    assert explain(Config(), "rain falls", "a man rides a bike").startswith("not a pair: no slot")
    assert explain(Config(), "of the", "a man rides a bike") == "not a pair: a caption names nothing that can be seen"


def test_a_file_of_synonyms_is_checked(tmp_path):
    path = tmp_path / "synonyms.txt"
    path.write_text("big, large\n\nhoop, ring\n")
    assert read_strategy_synonyms(path) == {"big": "big", "large": "big", "hoop": "hoop", "ring": "hoop"}
    path.write_text("big, large\nhuge, large\n")
    with pytest.raises(CvrError, match=r"line 2: 'large' is in two groups"):
        read_strategy_synonyms(path)
    with pytest.raises(CvrError, match="No file of synonyms"):
        read_strategy_synonyms(tmp_path / "none.txt")


ADDING = Config(min_rarity=0, additions="take")
SILENT = ["a man sings a song on a stage", "a man sings on the stage", "the man sings a song", "a man sings a song",
          "man singing a song on a stage"]  # fmt: skip
WITH_DOG = ["a man sings a song on a stage with a dog", "a man sings a song beside his dog", "a man and a dog on stage",
            "man sings a song on stage with a dog", "a man sings a song on a stage"]  # fmt: skip


@pytest.mark.engine
@pytest.mark.parametrize(
    ("silent", "telling", "expected"),
    [
        (SILENT, WITH_DOG, True),
        (SILENT[:4], WITH_DOG, False),  # four captions tell too little to be silent
        (SILENT, WITH_DOG[:1], False),  # one caption is no evidence
        ([*SILENT, "a puppy on a stage"], WITH_DOG, False),  # a puppy is a dog
        ([*SILENT, "an animal on a stage"], WITH_DOG, False),  # an animal may be one
        ([text.replace("man", "men") for text in SILENT], WITH_DOG, False),
        (SILENT, [text.replace("dog", "dress") for text in WITH_DOG], False),  # what is worn is hardly ever told
        (
            SILENT,
            [text.replace("with a dog", "in a car").replace("beside his dog", "in a car") for text in WITH_DOG],
            False,
        ),
    ],
)
def test_what_several_captions_tell_and_none_of_many_is_added_and_removed(silent, telling, expected):
    corpus = {"v0": silent, "v1": telling}
    assert changes_of(corpus, Config(min_rarity=0)) == {}, "silence is not absence"
    found = changes_of(corpus, ADDING)
    wanted = {("v0", "v1"): [("object", "", "dog")], ("v1", "v0"): [("object", "dog", "")]}
    assert found == (wanted if expected else {})


LONG = ["A man sings a song on a stage.", "Lamps shine on a curtain.", "A drum, a table and a chair stand behind him.",
        "A clock hangs on the wall."]  # fmt: skip
TOLD = [*LONG, "A dog sits beside the man."]


@pytest.mark.engine
@pytest.mark.parametrize(
    ("of_silent", "of_telling", "expected"),
    [
        (LONG, TOLD, True),
        (LONG, LONG, False),  # the one caption that names the dog is not borne out
        (LONG[:2], TOLD, False),  # too short to be silent
        ([*LONG, "An animal sits beside the man."], TOLD, False),  # an animal may be one
        ([], TOLD, False),
    ],
)
def test_what_a_caption_and_a_description_tell_and_a_long_description_does_not_is_added(
    of_silent, of_telling, expected
):
    captions = {"v0": ["a man sings a song on a stage"], "v1": ["a man sings a song on a stage with a dog"]}
    descriptions = [" ".join(said) or None for said in (of_silent, of_telling)]
    table = captioned(captions)
    place = table.column_names.index("description")
    described = table.set_column(place, "description", pa.array(descriptions, pa.string()))
    kept, _ = stage_rows_by_drop_reason(mined_pairs(concept, ADDING, described))
    found = {row["reference_id"]: [(c["slot"], c["before"], c["after"]) for c in row["changes"]]
             for row in kept.to_pylist()}  # fmt: skip
    assert found == ({"v0": [("object", "", "dog")], "v1": [("object", "dog", "")]} if expected else {})


@pytest.mark.engine
def test_an_addition_passes_the_filter_of_what_cannot_be_seen_and_keeps_where_it_stands():
    table = type_changes(mined({"v0": SILENT, "v1": WITH_DOG}, ADDING), with_reasons=True)
    added, removed = table.sort_by("reference_id").to_pylist()
    assert (added["change_reasons"], removed["change_reasons"]) == ([None], [None])
    (change,) = added["changes"]
    phrase = change["after_phrase"]
    assert added["target_caption"][phrase["start"] : phrase["end"]] == "dog" and change["before_phrase"] is None
    assert (added["injected"], added["excluded"], removed["excluded"]) == (["dog"], [], ["dog"])


@pytest.mark.engine
def test_an_encoder_breaks_ties_and_never_overrules_the_lexicon():
    corpus = {"v0": ["a young woman holds a tablet in a kitchen"], "v1": ["a woman holds a phone in a bright kitchen"],
              "v2": ["a woman holds a hammer in a big kitchen"]}  # fmt: skip
    by = {name: changes_of(corpus, Config(min_rarity=0, min_common=0, tie_breaker=name)) for name in ("none", "minilm")}
    assert ("v0", "v1") not in by["none"] and by["minilm"]["v0", "v1"] == [("object", "tablet", "phone")]
    assert by["none"].items() <= by["minilm"].items()


@pytest.mark.engine
def test_what_one_caption_names_and_the_other_does_not_is_left_to_frames():
    corpus = {"v0": SILENT[:1], "v1": WITH_DOG[:1]}
    assert changes_of(corpus, ADDING) == {}
    seen = Config(min_rarity=0, additions="seen")
    assert changes_of(corpus, seen) == {("v0", "v1"): [("object", "", "dog")], ("v1", "v0"): [("object", "dog", "")]}
    worn = {"v0": SILENT[:1], "v1": [WITH_DOG[0].replace("dog", "dress")]}
    assert changes_of(worn, seen) == {}
