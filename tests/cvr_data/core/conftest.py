"""Folders of an S3 server on this machine."""

import pytest


@pytest.fixture(scope="module")
def s3():
    from tests.s3_server import s3_server

    with s3_server() as where:
        yield where


@pytest.fixture
def folder(s3, request):
    """A folder of its own for each test."""
    from cvr_data.core.places import place_of
    from tests.s3_server import BUCKET

    return place_of(f"{BUCKET}/{request.node.name.translate(str.maketrans('[]', '--'))}")
