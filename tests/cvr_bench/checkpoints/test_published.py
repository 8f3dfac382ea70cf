"""Published checkpoints: every name leads to a file; one that is here is used, one that cannot be had is one line."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from cli import group
from cvr_bench.checkpoints.import_checkpoint import LAYOUTS, Given, import_checkpoint
from cvr_bench.checkpoints.published import find_checkpoint_folder, published_checkpoints
from cvr_bench.models import MODELS
from cvr_bench.models.networks.fdca.faithful import FaithfulFdca
from cvr_bench.models.parts.weights import WEIGHTS
from cvr_data.core.errors import CvrError
from tests.tiny_blip import published_blip, save_blip


def test_every_name_has_a_model_a_source_and_a_place_of_its_own(tmp_path):
    found = published_checkpoints()
    assert {"blip2-l-coco_coir+covr", "webvid-covr", "combiner_arithmetic"} <= found.keys()
    places = {checkpoint.place(lambda source: tmp_path / source) for checkpoint in found.values()}
    assert len(places) == len(found)
    for checkpoint in found.values():
        assert checkpoint.model in LAYOUTS
        assert checkpoint.licence
        assert checkpoint.entry.split == checkpoint.split


def test_they_are_listed_with_address_digest_and_licence():
    outcome = CliRunner().invoke(group, ["list", "checkpoints"])
    assert outcome.exit_code == 0
    assert len(outcome.output.splitlines()) == 1 + len(published_checkpoints())
    assert "hf://models/lucas-ventura/CoVR2/coir+covr.ckpt; sha256 unknown; MIT for the code" in outcome.output


def test_a_file_that_is_here_is_imported_once_and_scored(world, tmp_path, monkeypatch):
    monkeypatch.setenv("CVR_DATA", str(tmp_path / "data"))
    place = tmp_path / "data" / "fdca" / "checkpoints" / "combiner_arithmetic.pt"
    place.parent.mkdir(parents=True)
    torch.manual_seed(0)
    module = FaithfulFdca(16, depth=1)
    torch.save({"epoch": 28, "Combiner": {**module.state_dict(), "clip_model.visual.proj": torch.ones(2)}}, place)
    options = ["-m", "fdca", "-o", "mode=faithful", "-o", "depth=1", "--checkpoint", "combiner_arithmetic"]
    outcome = CliRunner().invoke(
        group,
        ["bench", *options, "-d", str(world.triplets), "-e", str(world.embeddings), "-O", str(tmp_path), "--no-audit"],
    )
    assert outcome.exit_code == 0, outcome.output
    imported = place.parent / "imported" / "combiner_arithmetic"
    assert (imported / WEIGHTS).is_file()
    place.unlink()  # the folder is enough
    choice = find_checkpoint_folder(
        "fdca", Path("combiner_arithmetic"), ["depth=1"], lambda name: tmp_path / "data" / name
    )
    assert choice == (imported, ("depth=1",))


def test_a_folder_of_transformers_also_gives_the_size_of_the_network(tmp_path):
    torch.save({"model": published_blip(save_blip(tmp_path / "base"))}, tmp_path / "x.ckpt")
    import_checkpoint(tmp_path / "x.ckpt", "covr-blip", tmp_path / "covr", Given(base=str(tmp_path / "base")))
    folder = tmp_path / "covr"
    assert find_checkpoint_folder("covr-blip", folder, (), Path) == (folder, (f"model={folder}",))
    assert find_checkpoint_folder("covr-blip", folder, ["model=x"], Path) == (folder, ("model=x",))
    assert find_checkpoint_folder("covr-blip", None, [f"checkpoint={folder}"], Path) == (
        None,
        (f"checkpoint={folder}", f"model={folder}"),
    )
    assert find_checkpoint_folder("fdca", tmp_path / "none", (), Path) == (tmp_path / "none", ())
    assert find_checkpoint_folder("sum", None, ["text_weight=1"], Path) == (None, ("text_weight=1",))


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        ("webvid-cover", "covr-blip", "none is called so. Did you mean: webvid-covr?"),
        ("webvid-covr", "fdca", "webvid-covr is for covr-blip, not for fdca"),
        ("combiner_arithmetic", "fdca", "is not at .*combiner_arithmetic.pt. The authors name"),
    ],
)
def test_a_mistake_is_one_line(name, model, message, tmp_path):
    with pytest.raises(CvrError, match=message):
        find_checkpoint_folder(model, Path(name), (), lambda source: tmp_path / source)


def test_what_cannot_be_fetched_names_the_place_for_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CvrError, match=r"webvid-covr.ckpt cannot be had \(.*\); put the file at .*webvid-covr.ckpt"):
        find_checkpoint_folder("covr-blip", Path("webvid-covr"), (), lambda source: tmp_path / source)


def test_every_model_that_takes_published_names_is_a_model():
    assert set(LAYOUTS) <= set(MODELS.names())
