"""Every strategy on the captions of its EXAMPLE: which videos it pairs, and what it says of each two of them."""

import csv
import dataclasses
from types import ModuleType

import pyarrow as pa
import pytest

from cvr_data.core.columns import check_columns
from cvr_data.core.stages import stage_rows_by_drop_reason
from cvr_data.pairs.strategies import STRATEGIES, DropsGroups
from cvr_data.tables import PAIRS, VIDEOS
from tests.dataset_folders import table_of
from tests.mined_pairs import mined

OF_ENGINES = {"concept", "neighbors", "one-phrase"}
"""They tag or encode captions."""
NONSENSE = {
    "one-word": [{"min_words": 1}, {"max_group": 1}, {"max_videos_per_caption": 0}],
    "one-phrase": [{"max_span": 0}, {"min_shared_words": 0}, {"max_group": 1}, {"max_span": 1, "one_word": False}],
    "neighbors": [{"k": 0}, {"low": 0.9, "high": 0.5}, {"low": -2}],
    "concept": [{"targets": 0}, {"max_changes": 0}, {"max_group": 1}, {"caption_share": 1.5}, {"min_common": -0.1}],
}


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.engine] * (name in OF_ENGINES)) for name in STRATEGIES.names()]
)
def module(request):
    return STRATEGIES.get(request.param)


def example_of(module):
    """The videos of a strategy's EXAMPLE, and the captions that it should pair."""
    rows = [
        {"video_id": f"v{number}", "captions": [text], "source": "test"} for number, text in enumerate(module.EXAMPLE)
    ]
    pairs = sorted((one, other) for one, others in module.EXAMPLE.items() for other in others)
    assert pairs and not all(module.EXAMPLE.values())
    return table_of(rows, VIDEOS), pairs


def config_of(module, pairs, folder):
    """The default options; a strategy that takes a file of pairs gets one with those it should find."""
    if "path" not in {field.name for field in dataclasses.fields(module.Config)}:
        return module.Config()
    ids = {text: f"v{number}" for number, text in enumerate(module.EXAMPLE)}
    header = ("reference_id", "target_id", "reference_caption", "target_caption")
    with (folder / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *((ids[one], ids[other], one, other) for one, other in pairs)])
    return module.Config(path=folder / "pairs.csv", reference_caption=header[2], target_caption=header[3])


def test_the_captions_of_the_example_are_paired_whatever_the_order_of_their_videos(module, tmp_path):
    videos, expected = example_of(module)
    config = config_of(module, expected, tmp_path)
    for table in (videos, videos.take(pa.array(range(videos.num_rows))[::-1])):
        kept, _ = stage_rows_by_drop_reason(mined(module, config, table))
        found = check_columns(kept, PAIRS, module.NAME).to_pylist()
        assert sorted((row["reference_caption"], row["target_caption"]) for row in found) == expected
        assert {row["strategy"] for row in found} == {module.NAME}
        assert all(row["changes"] for row in found)


def test_it_says_of_any_two_captions_why_they_are_no_pair(module, tmp_path):
    _, expected = example_of(module)
    config = config_of(module, expected, tmp_path)
    for one in module.EXAMPLE:
        for other in module.EXAMPLE.keys() - {one}:
            told = module.explain(config, one, other)
            assert told and "\n" not in told
            assert not isinstance(module, DropsGroups) or isinstance(module.group_texts(one, other), list)


def test_a_strategy_says_what_it_is_and_what_it_can_do(module):
    name = module.NAME
    assert STRATEGIES.get(name) is module
    assert STRATEGIES.summary(name).endswith(".")
    assert "Options (-o key=value):" in STRATEGIES.describe(name)


def test_no_videos_are_no_pairs(module, tmp_path):
    videos, pairs = example_of(module)
    kept, _ = stage_rows_by_drop_reason(mined(module, config_of(module, pairs, tmp_path), videos.slice(0, 0)))
    assert kept.num_rows == 0
    check_columns(kept, PAIRS, module.NAME)


@pytest.mark.parametrize(("name", "options"), [(name, each) for name, listed in NONSENSE.items() for each in listed])
def test_options_that_make_no_sense_are_refused(name, options):
    with pytest.raises(ValueError, match=r"at least|below high|must be in"):
        STRATEGIES.get(name).Config(**options)


def test_a_strategy_without_an_example_fails():
    with pytest.raises(AttributeError, match="EXAMPLE"):
        example_of(ModuleType("without"))
