"""A real S3 server on this machine (moto), one for all tests of a process, and environments in which it is reached."""

import contextlib
from collections.abc import Iterator

import fsspec
import pytest

BUCKET = "s3://bucket"


@contextlib.contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Run a server with one bucket for this block; give the variables that lead there, which are set meanwhile."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    where = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hunter2",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in where.items():
            patch.setenv(name, value)
        fsspec.filesystem("s3").makedirs("bucket", exist_ok=True)  # what moto keeps outlives its server
        try:
            yield where
        finally:
            forget_connections()
            server.stop()


def forget_connections() -> None:
    """Let whoever reads an address next look at the environment again."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()
