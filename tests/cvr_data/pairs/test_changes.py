"""changes: real captions, each parsed once, whatever the order and the parts of the pairs."""

import pyarrow as pa
import pytest

from cvr_data.core.stages import stage_rows_by_drop_reason
from cvr_data.pairs.changes import type_changes
from cvr_data.pairs.strategies import one_word
from cvr_data.tables import CHANGE
from cvr_data.videos.corpora import CORPORA
from cvr_data.videos.import_videos import import_videos
from cvr_data.videos.synthetic.truth import read_synthetic_truth
from tests.truth_measures import mining_quality

pytestmark = pytest.mark.engine
UNTYPED = {"kind": None, "slot": None}
EXAMPLES = [
    ("A man walks in the park.", "A man runs in the park.", "walks", "runs", "action", "action"),
    ("cows on pasture", "goats on pasture", "cows", "goats", "static", "object"),
    ("a woman in a red dress", "a woman in a blue dress", "red", "blue", "static", "attribute"),
    ("waves at sunset", "waves at night", "sunset", "night", "static", "scene"),
    ("Lock icon on the screen", "Checkbox icon on the screen", "lock", "checkbox", "static", "attribute"),
    ("a dog on the beach", "a dog on the grass", "beach", "grass", "static", "scene"),
]


def table(rows):
    return pa.table(
        {
            "reference_caption": [row[0] for row in rows],
            "target_caption": [row[1] for row in rows],
            "changes": pa.array([[{**UNTYPED, "before": row[2], "after": row[3]}] for row in rows], pa.list_(CHANGE)),
        }
    )


def types(pairs):
    return [(row[0]["kind"], row[0]["slot"]) for row in pairs.column("changes").to_pylist()]


@pytest.fixture(scope="module")
def typed():
    return type_changes(table(EXAMPLES))


def test_changes_are_typed_in_context(typed):
    assert types(typed) == [row[4:] for row in EXAMPLES]


def test_words_of_a_change_stay_as_they_are(typed):
    words = [(row[0]["before"], row[0]["after"]) for row in typed.column("changes").to_pylist()]
    assert words == [row[2:4] for row in EXAMPLES]


def test_order_and_slices_do_not_matter(typed):
    backwards = type_changes(table(EXAMPLES[::-1]))
    assert types(backwards) == types(typed)[::-1]
    assert types(type_changes(table(EXAMPLES).slice(2))) == types(typed)[2:]


def test_each_distinct_caption_is_parsed_once():
    counts = []
    type_changes(table([*EXAMPLES, *EXAMPLES]), counts.append)
    assert sum(counts) == 2 * len(EXAMPLES)


def test_what_a_strategy_typed_is_left_and_a_pair_may_have_any_number_of_changes():
    given = {"kind": "static", "slot": "scene", "before": "walks", "after": "runs"}
    open_change = {**UNTYPED, "before": "walks", "after": "runs"}
    lists = pa.array([[given, open_change], [], [open_change]], pa.list_(CHANGE))
    rows = pa.table(
        {"reference_caption": [EXAMPLES[0][0]] * 3, "target_caption": [EXAMPLES[0][1]] * 3, "changes": lists}
    )
    slots = [[change["slot"] for change in row] for row in type_changes(rows).column("changes").to_pylist()]
    assert slots == [["scene", "action"], [], ["action"]]


def test_no_pairs_are_no_error():
    assert type_changes(table([])).num_rows == 0


def test_changes_of_the_synthetic_world_are_typed_as_they_are(tmp_path):
    options = {"train": "200", "val": "40", "test": "200", "seed": "91", "render": "false"}
    import_videos(CORPORA.get("synthetic"), CORPORA.config("synthetic", options), tmp_path / "videos")
    from cvr_data.core.artifacts import open_artifact

    videos = open_artifact(tmp_path / "videos").read()
    pairs, _ = stage_rows_by_drop_reason(one_word.run(one_word.Config(), videos))
    quality = mining_quality(type_changes(pairs), read_synthetic_truth(tmp_path / "videos"))
    assert quality.typed >= 0.9


def test_filters_get_part_of_speech_and_lemma_of_what_changes():
    change = {"kind": "static", "slot": "object", "before": "red car", "after": "motorcycles"}
    words = [
        ("a man runs on a beach", "a man running on a beach", {"before": "runs", "after": "running"}),
        ("a red car stands here", "two motorcycles stand here", change),
        ("a dog sleeps", "a cat sleeps", {"before": None, "after": "giraffe"}),
    ]
    rows = [{"reference_caption": first, "target_caption": second, "changes": [told]} for first, second, told in words]
    captions = [(name, pa.string()) for name in ("reference_caption", "target_caption")]
    schema = pa.schema([*captions, ("changes", pa.list_(CHANGE))])
    table = type_changes(pa.Table.from_pylist(rows, schema=schema), with_words=True)
    assert [tuple(found.values()) for (found,) in table["change_words"].to_pylist()] == [
        ("VERB", "run", "VERB", "run"), ("NOUN", "red car", "NOUN", "motorcycle"), (None, "", None, "giraffe"),
    ]  # fmt: skip
    assert table["changes"].to_pylist()[1] == [{**change, "before_phrase": None, "after_phrase": None}]
    assert table["changes"].to_pylist()[0][0]["slot"] == "other"


def test_a_typed_change_tells_where_its_sides_stand_and_their_noun_phrase():
    pair = ("a red car stands by a red door", "a red car stands by a blue door", "red", "blue")
    (change,) = type_changes(table([pair])).column("changes").to_pylist()[0]
    assert change["before_phrase"] == {"start": 22, "end": 25, "head": "door", "number": "singular", "determiner": "a"}
    assert change["after_phrase"]["start"] == 22 and change["slot"] == "attribute"
