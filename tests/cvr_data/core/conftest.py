"""Folders of an S3 server, and a Ray, on this machine."""

import pytest

from cvr_data.core.engine import Engine


@pytest.fixture(scope="module")
def s3():
    from tests.s3_server import s3_server

    with s3_server() as where:
        yield where


@pytest.fixture
def folder(s3, request):
    """A folder of its own for each test."""
    from cvr_data.core.places import path_or_address
    from tests.s3_server import BUCKET

    return path_or_address(f"{BUCKET}/{request.node.name.translate(str.maketrans('[]', '--'))}")


@pytest.fixture(scope="module")
def ray_of_two():
    """A local Ray that the tests of a file share, so that it starts once."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from cvr_data.core.ray_jobs import ray_cluster_connected

    engine = Engine("ray", workers=2)
    with ray_cluster_connected(engine):
        yield engine
