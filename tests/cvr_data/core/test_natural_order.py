"""Slices and other names are listed as people count."""

from cvr_data.core.natural_order import natural_order


def test_numbers_are_counted_and_names_come_by_letter():
    given = ["10-14 words", "2-4 words", "2", "none", "a10", "a2", "1.5 s", "15+ words", "a", "10"]
    assert sorted(given, key=natural_order) == [
        "1.5 s", "2", "2-4 words", "10", "10-14 words", "15+ words", "a", "a2", "a10", "none",
    ]  # fmt: skip
