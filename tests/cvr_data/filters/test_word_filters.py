"""Filters of what kind of word changes, of crowds, directions and clips: what each drops and keeps, and why."""

from collections import Counter

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.filters import FILTERS
from tests.pair_tables import pair, pair_table

RUNS = ("VERB", "run", "VERB", "run")
DOGS = ("NOUN", "dog", "NOUN", "dog")


def reasons(name, rows, *options):
    return FILTERS.get(name).run(FILTERS.config(name, options), pair_table(*rows))["drop_reason"].to_pylist()


def clips(*times, recordings=("tape", "tape")):
    names = ("reference_start_s", "reference_end_s", "target_start_s", "target_end_s")
    return pair(
        reference_recording=recordings[0], target_recording=recordings[1], **dict(zip(names, times, strict=True))
    )


@pytest.mark.parametrize(
    ("name", "row", "options", "expected"),
    [
        ("stop-words", pair("the ball rolls", "a ball rolls"), (), "stop_word"),
        ("stop-words", pair("a ball rolls", "five ball rolls"), (), "stop_word"),
        ("stop-words", pair("a ball up there", "a ball down there"), (), None),
        ("stop-words", pair("a ball with snow", "a ball without snow"), (), "stop_word"),
        ("stop-words", pair("a ball in it", "a ball on it"), ("keep=in,on",), None),
        ("stop-words", pair("ein ball rollt", "der ball rollt"), ("words=der,ein",), "stop_word"),
        ("stop-words", pair(changes=[{"before": "a red", "after": "the"}]), (), "stop_word"),
        ("stop-words", pair(changes=[{"before": "of the", "after": "red"}]), (), "stop_word"),
        ("stop-words", pair(changes=[{"before": "a red", "after": "a blue"}]), (), None),
        ("stop-words", pair(changes=[{"before": None, "after": ""}]), (), None),
        ("out-of-vocabulary", pair(change_counts=[{"before": 2, "after": 9}]), (), "out_of_vocabulary"),
        ("out-of-vocabulary", pair(change_counts=[{"before": 9, "after": 0}]), (), "out_of_vocabulary"),
        ("out-of-vocabulary", pair(change_counts=[{"before": 3, "after": None}]), (), None),
        ("out-of-vocabulary", pair(change_counts=[{"before": 3, "after": 3}]), ("least=4",), "out_of_vocabulary"),
        ("grammatical-change", pair("the ball rolls", "this ball rolls"), (), "article_change"),
        ("grammatical-change", pair("his ball rolls", "her ball rolls"), (), "article_change"),
        ("grammatical-change", pair("it is on", "it was on"), (), "auxiliary_change"),
        ("grammatical-change", pair("a man runs", "a man running", tags=RUNS), (), "same_lemma"),
        ("grammatical-change", pair("a dog runs", "a dogs runs", tags=DOGS), (), "same_lemma"),
        ("grammatical-change", pair("a dog runs", "a dogs runs", tags=DOGS), ("number=keep",), None),
        ("grammatical-change", pair("a man runs", "a man running", tags=RUNS), ("number=keep",), "same_lemma"),
        ("grammatical-change", pair("a grey ball", "a gray ball"), (), "spelling_variant"),
        ("grammatical-change", pair("the colours fade", "the colors fade"), (), "spelling_variant"),
        ("grammatical-change", pair("a theatre opens", "a theater opens"), (), "spelling_variant"),
        ("grammatical-change", pair("a man travelling", "a man traveling"), (), "spelling_variant"),
        ("grammatical-change", pair("a t-shirt hangs", "a tshirt hangs"), (), "spelling_variant"),
        ("grammatical-change", pair("he realises it", "he realizes it"), (), "spelling_variant"),
        ("grammatical-change", pair("a man filling it", "a man filing it"), (), None),
        ("grammatical-change", pair("four balls", "for balls"), (), None),
        ("grammatical-change", pair("a shoe rolls", "a she rolls"), (), None),
        ("grammatical-change", pair("a red ball", "a blue ball"), (), None),
        ("part-of-speech", pair(tags=("DET", "a", "NOUN", "b")), (), "part_of_speech"),
        ("part-of-speech", pair(tags=("ADJ", "a", "PRON", "b")), (), "part_of_speech"),
        ("part-of-speech", pair(tags=("ADJ", "a", "NOUN", "b")), (), None),
        ("part-of-speech", pair(tags=("ADJ", "a", "NOUN", "b")), ("same=true",), "other_part_of_speech"),
        ("part-of-speech", pair(tags=("ADJ", "a", "NOUN", "b")), ("allowed=NOUN",), "part_of_speech"),
        ("part-of-speech", pair(tags=(None, "", "NOUN", "b")), ("same=true",), None),
        ("same-clip", clips(0, 10, 0, 10), (), "same_clip"),
        ("same-clip", clips(None, None, None, None), (), "same_clip"),
        ("same-clip", clips(0, 10, 9, 19), (), "overlapping_clips"),
        ("same-clip", clips(9, 19, 0, 10), (), "overlapping_clips"),
        ("same-clip", clips(0, 10, 2, 3), (), "overlapping_clips"),
        ("same-clip", clips(0, 10, 10, 20), (), None),
        ("same-clip", clips(0, 10, 11, 20), ("apart_s=5",), "close_clips"),
        ("same-clip", clips(0, 10, 1000, 1010), ("apart_s=inf",), "close_clips"),
        ("same-clip", clips(0, 10, 0, 10, recordings=("tape", "film")), (), None),
        ("same-clip", clips(0, 10, 0, 10, recordings=(None, None)), (), None),
    ],
)  # fmt: skip
def test_a_filter_drops_what_it_says(name, row, options, expected):
    assert reasons(name, [row], *options) == [expected]


@pytest.mark.parametrize(
    ("name", "option"),
    [("video-cap", "most=0"), ("caption-cap", "most=0"), ("word-cap", "most=0"), ("out-of-vocabulary", "least=0"),
     ("part-of-speech", "allowed=VERP"), ("same-clip", "apart_s=-1")],
)  # fmt: skip
def test_options_that_make_no_sense_are_one_clear_line(name, option):
    with pytest.raises(CvrError, match=f"^{name}: .*got"):
        FILTERS.config(name, [option])


def test_a_pair_with_one_real_change_among_trivial_ones_stays():
    trivial, real = {"before": "a", "after": "the"}, {"before": "red", "after": "blue"}
    told = dict.fromkeys(("before_part", "before_lemma"), "x") | dict.fromkeys(("after_part", "after_lemma"), "y")
    rows = [pair(changes=changes, change_words=[told] * 2) for changes in ([trivial, real], [trivial, trivial])]
    assert reasons("stop-words", rows) == [None, "stop_word"]
    assert reasons("grammatical-change", rows) == [None, "article_change"]


def star(leaves):
    """A hub paired with every leaf, both ways; the later the leaf, the more alike."""
    rows = []
    for place in range(leaves):
        ends = ("hub", f"leaf{place}")
        texts = ("a red ball", f"a kind{place} ball")
        rows.append(pair(*texts, ids=ends, visual_similarity=place / 100))
        rows.append(pair(*texts[::-1], ids=ends[::-1], visual_similarity=place / 100))
    return rows


@pytest.mark.parametrize("name", ["video-cap", "caption-cap", "word-cap"])
def test_a_cap_keeps_the_most_alike_pairs_of_a_hub_with_their_reverses(name):
    rows = star(6)
    found = reasons(name, rows, "most=2")
    kept = {(row["reference_id"], row["target_id"]) for row, reason in zip(rows, found, strict=True) if not reason}
    assert kept == {("hub", "leaf4"), ("hub", "leaf5"), ("leaf4", "hub"), ("leaf5", "hub")}


def test_each_word_of_several_changes_counts():
    changes = [[{"before": "red", "after": after}, {"before": "ball", "after": "cube"}] for after in ("x", "y")]
    rows = [pair(ids=("a", name), changes=told) for name, told in zip("bc", changes, strict=True)]
    assert Counter(reasons("word-cap", rows, "most=1")) == {None: 1, "word_cap": 1}


def test_one_direction_of_all_pairs_of_two_videos_stays_and_lone_pairs_do():
    rows = []
    for place in range(40):
        ids = (f"a{place}", f"b{place}")
        for texts in (("a red ball", "a blue ball"), ("my red ball", "my blue ball")):
            rows += [pair(*texts, ids=ids), pair(*texts[::-1], ids=ids[::-1])]
    rows.append(pair(ids=("lone", "other")))
    found = reasons("direction", rows)
    kept = [row for row, reason in zip(rows, found, strict=True) if not reason]
    ways = Counter((row["reference_id"], row["target_id"]) for row in kept)
    assert len(kept) == 81
    assert sorted(ways.values()) == [1] + [2] * 40
    assert 8 < sum(reference.startswith("a") for reference, _ in ways) < 32
    assert Counter(reasons("direction", rows, "keep=both")) == {None: 160, "no_reverse": 1}
