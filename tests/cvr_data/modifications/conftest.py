"""Backends of the tests lie outside cvr; here they are named, as a command line names them."""

import pytest

from cvr_data.core.trust import naming


@pytest.fixture(autouse=True)
def backends_of_tests():
    with naming(["clock.backend", "tests.cvr_data.modifications.slow_backend"]):
        yield
