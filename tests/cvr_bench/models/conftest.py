"""What the models of CoVR's family read in tests."""

import pytest

from tests.tiny_blip import TokenFeatures


@pytest.fixture(scope="module")
def features() -> TokenFeatures:
    return TokenFeatures()
