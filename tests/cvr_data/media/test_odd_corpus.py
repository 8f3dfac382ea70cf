"""A hundred and fifty odd files: every one is kept or dropped with its reason, the same at import, check and embed."""

import pytest

from tests.odd_corpus import account, write_corpus

pytestmark = pytest.mark.slow


def test_every_odd_file_is_kept_or_dropped_and_the_three_commands_agree(tmp_path):
    lines = account(write_corpus(tmp_path / "media", 150, seed=1), tmp_path / "out")
    assert lines[0].startswith("import       152 there = ")
    assert any(" damaged, " in line and " truncated" in line for line in lines)
