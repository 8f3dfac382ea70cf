"""invisible-change: what no viewer could ask for goes, with why; and mine-pairs tells it."""

import pyarrow as pa
import pytest

from cvr_data.filters import invisible_change
from cvr_data.pairs.changes import type_pair_changes
from cvr_data.tables import CHANGE
from tests.pair_tables import pair, pair_table


@pytest.mark.parametrize(
    ("reasons", "options", "expected"),
    [
        (["synonym"], {}, "synonym"),
        (["synonym", None], {}, None),
        (["topic", "synonym"], {}, "topic"),
        (["more_general"], {}, "more_general"),
        (["more_general"], {"general": "keep"}, None),
        ([], {}, None),
    ],
)
def test_a_pair_goes_if_none_of_its_changes_counts(reasons, options, expected):
    table = pair_table(pair(change_reasons=reasons))
    checked = invisible_change.run(invisible_change.Config(**options), table)
    assert checked["drop_reason"].to_pylist() == [expected]


@pytest.mark.engine
def test_reasons_are_aligned_with_changes_whatever_was_typed_before():
    told = {"kind": "static", "slot": "object"}
    changes = [[{**told, "before": "sofa", "after": "couch"}], [], [{"before": "dog", "after": "cat"}] * 2]
    captions = [("a sofa here", "a couch here"), ("a dog runs", "a dog runs"), ("a dog runs", "a cat runs")]
    table = pa.table({
        "reference_caption": [first for first, _ in captions],
        "target_caption": [second for _, second in captions],
        "changes": pa.array(changes, pa.list_(CHANGE)),
    })  # fmt: skip
    typed = type_pair_changes(table, with_reasons=True)
    assert typed["change_reasons"].to_pylist() == [["synonym"], [], [None, None]]
    assert [change["slot"] for row in typed["changes"].to_pylist() for change in row] == ["object"] * 3
