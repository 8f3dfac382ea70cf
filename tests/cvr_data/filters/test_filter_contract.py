"""Every filter of pairs: rows stay in place, reasons are set, and neither the order of rows nor chunks matter."""

import random

import pyarrow as pa
import pytest

from cvr_data.core.stages import split_dropped
from cvr_data.filters import FILTERS
from cvr_data.pairs.mine_pairs import DEFAULT_FILTERS, parse_filter
from tests.pair_tables import pair, pair_table

NAMES = [name for name in FILTERS.names() if not name.startswith("lint-")]
STRICT = {"caption-pair-cap": ["most=1"], "caption-cap": ["most=1"], "video-cap": ["most=1"], "word-cap": ["most=1"]}
SAME = {f"{side}_recording": "tape" for side in ("reference", "target")}


def rows():
    """Something for every filter to drop, and something to keep."""
    several = [pair(ids=("hub", f"t{place}"), visual_similarity=place / 10) for place in range(4)]
    backwards = [pair("a blue ball rolls", "a red ball rolls", ids=(f"t{place}", "hub")) for place in range(4)]
    return [
        *several, *backwards,
        pair("a cat", "a dog", ids=("c", "d")), pair("x " * 50 + "cat", "x " * 50 + "dog", ids=("e", "f")),
        pair("clip 12 of it", "clip 13 of it", ids=("g", "h")), pair("flag of chad", "flag of peru", ids=("i", "j")),
        pair(ids=("k", "l"), target_split="test"), pair(ids=("m", "n"), text_similarity=0.1),
        pair(ids=("o", "p"), visual_similarity=0.999), pair(ids=("q", "r"), **SAME),
        pair("the ball rolls", "a ball rolls", ids=("s", "t"), tags=("DET", "the", "DET", "a")),
        pair("a man runs here", "a man running here", ids=("u", "v"), tags=("VERB", "run", "VERB", "run")),
        pair(ids=("w", "x"), change_counts=[{"before": 1, "after": 9}]),
    ]  # fmt: skip


def checked(name, table):
    return FILTERS.get(name).run(FILTERS.config(name, STRICT.get(name, [])), table)


@pytest.mark.parametrize("name", NAMES)
def test_rows_stay_in_place_and_those_dropped_have_a_reason(name):
    table = pair_table(*rows())
    found = checked(name, table)
    assert found.drop_columns(["drop_reason"]).equals(table)
    kept, dropped = split_dropped(found)
    assert kept.num_rows + dropped.num_rows == table.num_rows
    assert kept.num_rows
    assert dropped.num_rows
    assert all(dropped.column("drop_reason").to_pylist())


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_rows_and_the_chunks_do_not_matter(name):
    table = pair_table(*rows())
    expected = dict(zip(table["pair_id"].to_pylist(), checked(name, table)["drop_reason"].to_pylist(), strict=True))
    order = list(range(table.num_rows))
    for seed in range(3):
        random.Random(seed).shuffle(order)
        shuffled = table.take(pa.array(order))
        cut = pa.concat_tables([shuffled.slice(0, 5), shuffled.slice(5)])
        found = checked(name, cut)
        assert dict(zip(found["pair_id"].to_pylist(), found["drop_reason"].to_pylist(), strict=True)) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_reason_that_stands_is_left_and_no_rows_are_no_error(name):
    table = pair_table(*rows())
    marked = table.append_column("drop_reason", pa.array(["earlier"] * table.num_rows))
    assert set(checked(name, marked)["drop_reason"].to_pylist()) == {"earlier"}
    assert checked(name, table.slice(0, 0)).num_rows == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_drop_can_be_put_into_words(name):
    config = FILTERS.config(name, STRICT.get(name, []))
    _, dropped = split_dropped(checked(name, pair_table(*rows())))
    for row in dropped.to_pylist():
        told = FILTERS.get(name).explain(config, row)
        assert told
        assert "\n" not in told


def test_all_default_filters_are_filters_of_pairs():
    assert {parse_filter(name).name for name in DEFAULT_FILTERS} <= set(NAMES)


def test_a_filter_on_the_command_line_takes_options_and_lists():
    assert parse_filter("digits").config == FILTERS.config("digits")
    chosen = parse_filter("part-of-speech:allowed=NOUN,VERB,same=true").config
    assert (chosen.allowed, chosen.same) == (("NOUN", "VERB"), True)
    assert parse_filter("templates:phrases=flag of,idea of").config.phrases == ("flag of", "idea of")
    assert parse_filter("min-words:min_words=4,").config.min_words == 4
