"""judge: who may judge."""

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.modifications.checking.judge import JudgeConfig


def test_rules_are_no_judge():
    with pytest.raises(CvrError, match="rules write texts and read none, so they can judge none: name a language"):
        JudgeConfig(backend="rules")
