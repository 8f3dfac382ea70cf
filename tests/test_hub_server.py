"""The loopback Hub: the real clients push to it and load back, or say what went wrong."""

import os
import subprocess
import sys

import pytest

from tests.hub_server import HubServer

pytestmark = pytest.mark.engine

PUSH_AND_LOAD = """
import datasets, huggingface_hub
rows = datasets.Dataset.from_dict({"n": list(range(100))})
datasets.DatasetDict({"train": rows, "test": rows.select(range(10))}).push_to_hub("user/numbers")
again = datasets.load_dataset("user/numbers")
assert again["test"]["n"][:] == list(range(10))
assert sum(row["n"] for row in datasets.load_dataset("user/numbers", split="train", streaming=True)) == 4950
api = huggingface_hub.HfApi()
api.upload_file(path_or_fileobj=b"hello", path_in_repo="notes/a.txt", repo_id="user/numbers", repo_type="dataset")
path = huggingface_hub.hf_hub_download("user/numbers", "notes/a.txt", repo_type="dataset")
assert open(path).read() == "hello"
"""


def test_datasets_are_pushed_and_loaded_back(tmp_path):
    with HubServer() as hub:
        environment = {**os.environ, **hub.environment(tmp_path)}
        done = subprocess.run([sys.executable, "-c", PUSH_AND_LOAD], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert hub.files("user/numbers")["notes/a.txt"] == b"hello"


def test_a_wrong_token_is_refused(tmp_path):
    with HubServer() as hub:
        environment = {**os.environ, **hub.environment(tmp_path, token="hf_other")}
        code = "import huggingface_hub; huggingface_hub.HfApi().create_repo('user/x', repo_type='dataset')"
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert "401" in done.stderr
        assert not hub.repos
