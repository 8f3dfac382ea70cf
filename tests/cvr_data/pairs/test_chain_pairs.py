"""chain-pairs: two mined pairs in a row make one of two changes, and what cannot is left out with a reason."""

import pytest

from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.tables import PAIRS, VIDEOS, pair_id
from tests.dataset_folders import mined_pair, write_artifact

CAPTIONS = {"a": "a red car in a city", "b": "a blue car in a city", "c": "a blue car in a forest",
            "d": "a green car in a city", "e": "a blue car in a desert"}  # fmt: skip


def pair(reference, target, slot, **fields):
    changes = [{"kind": "static", "slot": slot, "before": reference, "after": target}]
    columns = {"split": "test", "changes": changes, "visual_similarity": 0.5, **fields}
    return mined_pair((reference, target), (CAPTIONS[reference], CAPTIONS[target]), **columns)


@pytest.fixture
def chain(tmp_path, cvr):
    """Write pairs, chain them, and return (rows, dropped reasons)."""

    def run(*pairs, options=()):
        videos = [{"video_id": name, "captions": [text], "source": "x"} for name, text in CAPTIONS.items()]
        made = write_artifact(tmp_path / "videos", "import-tiny", videos, VIDEOS)
        write_artifact(tmp_path / "pairs", "mine-pairs", list(pairs), PAIRS, videos=made)
        cvr.done("chain-pairs", tmp_path / "pairs", "-O", tmp_path / "out", *options)
        artifact = open_artifact(tmp_path / "out")
        assert verify(artifact.path) == []
        return artifact.read().to_pylist(), artifact.manifest["dropped"]

    return run


def test_two_pairs_in_a_row_make_one_with_both_changes(chain):
    [row], dropped = chain(pair("a", "b", "attribute"), pair("b", "c", "scene"))
    assert (row["reference_id"], row["target_id"], row["strategy"], row["split"]) == ("a", "c", "chain", "test")
    assert [(change["slot"], change["after"]) for change in row["changes"]] == [("attribute", "b"), ("scene", "c")]
    assert (row["reference_caption"], row["target_caption"]) == (CAPTIONS["a"], CAPTIONS["c"])
    assert row["pair_id"] == pair_id("a", "c", CAPTIONS["a"], CAPTIONS["c"])
    assert dropped == {}


@pytest.mark.parametrize(
    "second",
    [
        pair("b", "d", "attribute"),  # the second colour takes the first back
        pair("b", "a", "scene"),  # back where it began
        pair("b", "c", "scene", split="train"),
        pair("b", "c", "scene", reference_caption="something else of the same video"),
        pair("b", "c", "scene", target_group_id="twins"),
        pair("b", "c", "scene", changes=[]),
    ],
)
def test_what_is_no_second_edit_makes_no_pair(chain, second):
    rows, _ = chain(pair("a", "b", "attribute", reference_group_id="twins"), second)
    assert rows == []


def test_a_pair_that_was_mined_is_not_made_again_and_says_so(chain):
    rows, dropped = chain(pair("a", "b", "attribute"), pair("b", "c", "scene"), pair("a", "c", "scene"))
    assert rows == []
    assert dropped == {"mined": 1}


def test_of_two_ways_one_pair_is_made_and_a_reference_keeps_its_strongest(chain):
    weak = {"visual_similarity": 0.1}
    rows, dropped = chain(
        pair("a", "b", "attribute"), pair("b", "c", "scene"), pair("b", "e", "scene", **weak),
        pair("a", "d", "object"), pair("d", "c", "action"), options=("-o", "per_reference=1"),
    )  # fmt: skip
    assert [row["target_id"] for row in rows] == ["c"]
    assert dropped == {"another_way": 1, "over_reference_cap": 1}


def test_what_is_no_pairs_folder_is_one_line(tmp_path, one_line_error):
    write_artifact(tmp_path / "videos", "import-tiny", [{"video_id": "a", "captions": ["x"], "source": "x"}], VIDEOS)
    assert "was made by 'import-tiny'" in one_line_error("chain-pairs", tmp_path / "videos", "-O", tmp_path / "out")
