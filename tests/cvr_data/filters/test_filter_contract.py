"""Every filter on its own EXAMPLE: the rows it drops, with their reasons, whatever their order, chunks and past."""

import random
from types import ModuleType

import pyarrow as pa
import pytest

from cvr_data.core.stages import stage_rows_by_drop_reason
from cvr_data.filters import FILTERS, ExplainsDrops
from cvr_data.pairs.mine_pairs import DEFAULT_FILTERS, parse_mining_filter
from tests.pair_tables import example_table


def example_of(module):
    """The rows of a filter's EXAMPLE and the reasons they should get; one that drops nothing shows nothing."""
    rows = module.EXAMPLE
    reasons = [row["drop_reason"] for row in rows]
    assert None in reasons and any(reasons)
    return example_table(rows), reasons


def checked(module, table):
    return module.run(module.Config(), table)["drop_reason"].to_pylist()


@pytest.fixture(params=FILTERS.names())
def module(request):
    return FILTERS.get(request.param)


def test_the_rows_of_the_example_are_dropped_for_their_reasons_and_stay_in_place(module):
    table, reasons = example_of(module)
    found = module.run(module.Config(), table)
    assert found["drop_reason"].to_pylist() == reasons
    assert found.drop_columns(["drop_reason"]).equals(table)


def test_the_order_of_the_rows_and_the_chunks_do_not_matter(module):
    table, reasons = example_of(module)
    order = list(range(table.num_rows))
    for seed in range(3):
        random.Random(seed).shuffle(order)
        shuffled = table.take(pa.array(order))
        cut = pa.concat_tables([shuffled.slice(0, 1), shuffled.slice(1)])
        assert checked(module, cut) == [reasons[place] for place in order]


def test_a_reason_that_stands_is_left_and_no_rows_are_no_error(module):
    table, reasons = example_of(module)
    marked = table.append_column("drop_reason", pa.array(["earlier"] * table.num_rows))
    assert checked(module, marked) == ["earlier"] * len(reasons)
    assert checked(module, table.slice(0, 0)) == []


def test_every_drop_can_be_put_into_words(module):
    table, _ = example_of(module)
    _, dropped = stage_rows_by_drop_reason(module.run(module.Config(), table))
    assert isinstance(module, ExplainsDrops)
    for row in dropped.to_pylist():
        told = module.explain(module.Config(), row)
        assert told and "\n" not in told


def test_a_filter_without_an_example_fails():
    with pytest.raises(AttributeError, match="EXAMPLE"):
        example_of(ModuleType("without"))


def test_all_default_filters_are_filters_of_pairs():
    assert all(isinstance(parse_mining_filter(name).module, ExplainsDrops) for name in DEFAULT_FILTERS)


def test_a_filter_on_the_command_line_takes_options_and_lists():
    assert parse_mining_filter("digits").config == FILTERS.config("digits")
    chosen = parse_mining_filter("part-of-speech:allowed=NOUN,VERB,same=true").config
    assert (chosen.allowed, chosen.same) == (("NOUN", "VERB"), True)
    assert parse_mining_filter("templates:phrases=flag of,idea of").config.phrases == ("flag of", "idea of")
    assert parse_mining_filter("min-words:min_words=4,").config.min_words == 4
