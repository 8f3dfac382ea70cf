"""cvr embed: what of its options does not go together is one line."""

import pytest


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--dry-run", "--num-shards", "2"), "leave --num-shards"),
        (("--price-in", "0.1"), "pass --dry-run"),
    ],
)
def test_a_dry_run_is_of_the_whole_and_a_price_is_for_a_dry_run(one_line_error, tmp_path, words, told):
    assert told in one_line_error("embed", tmp_path / "videos", *words)
