"""licences: what may be published again, however it is written."""

import pytest

from cvr_data.triplets.licences import triplet_licence_id, triplet_licence_on_hub, triplet_licence_redistributes


@pytest.mark.parametrize(
    "licence",
    ["CC BY 4.0", "cc-by-nc-sa-4.0", "CC0", "CC0-1.0", "Apache 2.0", "apache-2.0", "MIT", "The MIT License", "ODbL",
     "BSD-3-Clause", "CDLA-Permissive-2.0", "public domain"],
)  # fmt: skip
def test_open_licences_allow_publishing(licence):
    assert triplet_licence_redistributes(licence)


@pytest.mark.parametrize(
    "licence",
    [None, "", "unknown", "CC BY-ND 4.0", "cc-by-nc-nd-4.0", "proprietary", "research only", "WebVid TERMS",
     "mit-like but not", "all rights reserved", "Shutterstock"],
)  # fmt: skip
def test_anything_else_does_not(licence):
    assert not triplet_licence_redistributes(licence)


def test_a_licence_is_written_one_way():
    assert triplet_licence_id("CC BY 4.0") == triplet_licence_id("cc-by_4.0") == "cc-by-4.0"
    assert triplet_licence_id("Apache License 2.0".replace(" License", "")) == "apache-2.0"
    assert triplet_licence_id(None) == "unknown"


def test_the_hub_is_told_one_licence_other_or_unknown():
    assert triplet_licence_on_hub(["cc-by-4.0", "CC BY 4.0"]) == "cc-by-4.0"
    assert triplet_licence_on_hub(["cc-by-4.0", "mit"]) == "other"
    assert triplet_licence_on_hub(["cc-by-4.0", "unknown"]) == "unknown"
    assert triplet_licence_on_hub(["WebVid TERMS"]) == "other"
    assert triplet_licence_on_hub([]) == "unknown"
