"""A loopback server for each test."""

from collections.abc import Iterator

import pytest

from tests.http_server import FileServer


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running
