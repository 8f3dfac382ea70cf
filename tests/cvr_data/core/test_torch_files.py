"""torch_files: what a file of weights claims is bounded by what it is."""

import sys
import zipfile

import pytest
import torch

from cvr_bench.models.parts.weights import read_model_weights
from cvr_data.core.errors import CvrError
from cvr_data.core.torch_files import find_in_nested_dict, load_torch_file
from cvr_data.features.encoders.networks import openai_weights

TENSOR = torch.arange(6.0).reshape(2, 3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pt"


@pytest.mark.parametrize("is_zip", [True, False])
def test_what_was_saved_is_read(path, is_zip):
    torch.save({"a": TENSOR, "b": [TENSOR]}, path, _use_new_zipfile_serialization=is_zip)
    assert torch.equal(load_torch_file(path)["b"][0], TENSOR)


def test_a_dictionary_that_holds_itself_ends(path):
    content = {"w": TENSOR}
    content["state_dict"] = content
    content["list"] = [content]
    torch.save(content, path)
    assert set(read_model_weights(path)) == {"w"}
    assert set(openai_weights.read_openai_encoder_weights(path)) == {"w"}
    assert find_in_nested_dict(content, ("state_dict",)) is content


def test_more_numbers_than_bytes_are_refused(path):
    torch.save({"w": torch.zeros(1).expand(10**6, 10**6)}, path)
    for read in (load_torch_file, read_model_weights, openai_weights.read_openai_encoder_weights):
        with pytest.raises(CvrError, match="claims 4000000000000 bytes"):
            read(path)


def test_an_archive_that_unpacks_to_far_more_is_refused(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights/data.pkl", b"x")
        archive.writestr("weights/constants.pkl", b"x")
        archive.writestr("weights/data/0", b"\0" * (32 << 20))
    for read in (load_torch_file, read_model_weights, openai_weights.read_openai_encoder_weights):
        with pytest.raises(CvrError, match="claims"):
            read(path)


class CosineSchedule:
    """As CoVR's code and ReTrack's save theirs beside the weights."""

    def __init__(self):
        self.epochs, self.run = 20, {"a": [1]}


def test_a_schedule_of_released_code_is_passed_over_and_another_class_is_not(path, monkeypatch):
    for name in ("src", "src.tools", "src.tools.scheduler"):
        monkeypatch.setitem(sys.modules, name, sys.modules[__name__])
    monkeypatch.setattr(CosineSchedule, "__module__", "src.tools.scheduler")
    torch.save({"epoch": 3, "model": {"w": TENSOR}, "scheduler": CosineSchedule()}, path)
    monkeypatch.undo()
    assert torch.equal(read_model_weights(path)["w"], TENSOR)
    assert not isinstance(load_torch_file(path)["scheduler"], CosineSchedule)
    torch.save({"model": {"w": TENSOR}, "scheduler": CosineSchedule()}, path)
    with pytest.raises(CvrError, match=r"it names tests\.cvr_data\.core\.test_torch_files\.CosineSchedule"):
        load_torch_file(path)


class Runs:
    def __reduce__(self):
        return (print, ("ran",))


def test_code_in_a_file_is_refused_and_not_run(path, capsys):
    torch.save({"w": Runs()}, path)
    with pytest.raises(CvrError, match=r"read safely \(it names"):
        load_torch_file(path)
    assert "ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\x80\x02.", b"\x80\x05]q\x00h\x00a.", b"x" * 1000, b"(" * 10**5]
)
def test_any_bytes_are_one_line(path, content):
    path.write_bytes(content)
    for read in (load_torch_file, read_model_weights, openai_weights.read_openai_encoder_weights):
        with pytest.raises(CvrError):
            read(path)


def test_a_module_that_is_a_part_of_itself_is_gone_through_once():
    module, inner = openai_weights.ScriptObject(), openai_weights.ScriptObject()
    module.w, module.inner, inner.v, inner.up = TENSOR, inner, TENSOR, module
    assert set(openai_weights._collected(module)) == {"w", "inner.v"}
