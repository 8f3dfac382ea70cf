"""judge: who may judge."""

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.modifications.checking.judge import Judge, JudgeConfig


def test_rules_are_no_judge():
    judge = Judge(JudgeConfig(backend="rules"))
    with pytest.raises(CvrError, match="rules write texts for pairs of captions and do nothing else: name a language"):
        judge.verdicts(["a red car"], ["make it blue"], ["a blue car"])
