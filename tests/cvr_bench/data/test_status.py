"""find_status: what is here is found by the benchmarks' own readers, and counted against what they name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cvr_bench.data.benchmark import data_option_names
from cvr_bench.data.status import bench_data_status
from cvr_data.core.errors import CvrError
from cvr_data.core.machine import Machine
from cvr_data.download.source import download_source_names
from cvr_data.download.status import StatusRow, StatusTable

SAMPLES = Path(__file__).resolve().parents[3] / "annotations" / "samples"


@pytest.fixture
def machine(tmp_path):
    """A machine that has the tiny hand-written samples of every benchmark, and may be written to."""
    shutil.copytree(SAMPLES, tmp_path / "data")
    return Machine(data=tmp_path / "data")


def states(status):
    return {part.label: part.state for part in status.parts}


def named(machine, name):
    """The ids of a benchmark, from its parts."""
    (status,) = bench_data_status([name], machine)
    return sorted(frozenset().union(*(part.ids for part in status.parts)))


def test_what_has_no_source_described_has_no_step_that_fetches_it(tmp_path):
    for status in bench_data_status([], Machine(data=tmp_path)):
        assert bool(status.steps) == (status.name in download_source_names()), status


def test_the_samples_are_found_by_every_reader(machine):
    found = bench_data_status([], machine)
    assert [status.name for status in found] == data_option_names()
    for status in found:
        assert "here" in states(status).values(), status
        assert status.named > 0, status
        assert "unreadable" not in states(status).values(), status


def test_a_machine_without_anything_says_what_fetches_it(tmp_path):
    status, finecvr = bench_data_status(["webvid_covr", "finecvr"], Machine(data=tmp_path))
    assert states(status) == {"test": "missing", "val": "missing"}
    assert status.steps == [
        "cvr download annotations webvid-covr",
        "cvr download videos webvid-covr",
        "cvr download features webvid-covr",
    ]
    assert finecvr.steps[0] == "cvr download annotations finecvr  (by hand: it says how)"


def test_a_gallery_whose_file_is_missing_is_a_part_of_its_own(machine):
    (machine.data / "egocvr" / "annotation" / "egocvr" / "egocvr_annotations_gallery.csv").unlink()
    (status,) = bench_data_status(["egocvr"], machine)
    assert states(status) == {"all": "here", "gallery=local": "missing"}


def test_a_damaged_file_is_unreadable_not_missing(machine):
    (machine.data / "cirr" / "captions" / "cap.rc2.val.json").write_text("[")
    (status,) = bench_data_status(["cirr"], machine)
    assert states(status)["val"] == "unreadable"


def test_images_are_counted_wherever_they_lie_below_the_folder(machine):
    ids = named(machine, "cirr")
    folder = machine.data / "cirr" / "images" / "dev"
    folder.mkdir(parents=True)
    for name in ids[:2]:
        (folder / f"{name}.png").write_bytes(b"x")
    (folder / f"{ids[2]}.png.tmp").write_bytes(b"x")
    (status,) = bench_data_status(["cirr"], machine)
    assert [(found.found, found.wanted) for found in status.media] == [(2, len(ids))]


def test_videos_are_counted_by_page_folder_and_id(machine):
    ids = named(machine, "webvid-covr")
    for name in ids:
        path = machine.data / "webvid-covr" / "videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (status,) = bench_data_status(["webvid-covr"], machine)
    assert [(found.found, found.wanted) for found in status.media] == [(len(ids), len(ids))]
    assert status.steps == ["cvr download annotations webvid-covr"]  # its val split, which the sample lacks


def test_coco_names_are_padded_with_zeros(machine):
    ids = named(machine, "circo")
    folder = machine.data / "circo" / "images" / "unlabeled2017"
    folder.mkdir(parents=True)
    (folder / f"{int(ids[0]):012d}.jpg").write_bytes(b"x")
    (status,) = bench_data_status(["circo"], machine)
    assert status.media[0].found == 1


def test_folders_of_frames_and_feature_files_are_counted(machine):
    ids = named(machine, "finecvr")
    frames = machine.data / "finecvr" / "videos" / "hvu_frames" / ids[0]
    frames.mkdir(parents=True)
    (frames / "000000.jpg").write_bytes(b"x")
    features = machine.data / "finecvr" / "embbedings" / "CLIP_RN50x4_high_8_640"
    features.mkdir(parents=True)
    for name in ids[:2]:
        np.save(features / f"{name}.npy", np.zeros((8, 4), np.float16))
    (status,) = bench_data_status(["finecvr"], machine)
    assert status.media[0].found == 1
    assert [(found.place, found.found) for found in status.features] == [(features, 2)]


def test_embeddings_that_are_named_are_counted(machine, world):
    (status,) = bench_data_status(["cirr"], machine, [world.embeddings])
    (found,) = status.features
    assert (found.place, found.found, found.wanted) == (world.embeddings, 0, status.named)


def test_what_earlier_downloads_came_to_is_told(machine):
    folder = machine.data / "webvid-covr" / "videos"
    table = StatusTable(folder)
    for number, state in enumerate(["ok", "failed", "failed"]):
        table.add(StatusRow(item_id=str(number), url="u", file="f", status=state))
    table.flush()
    (status,) = bench_data_status(["webvid-covr"], machine)
    assert status.asked == {"ok": 1, "failed": 2}


def test_an_unknown_benchmark_is_told(tmp_path):
    with pytest.raises(CvrError, match=r"Unknown benchmark 'crir'. Did you mean: cirr"):
        bench_data_status(["crir"], Machine(data=tmp_path))


def test_the_command_prints_settings_and_what_is_here(cvr, machine, monkeypatch):
    monkeypatch.setenv("CVR_DATA", str(machine.data))
    monkeypatch.setenv("CVR_CONFIG", "")
    printed = cvr("data-status", "cirr").out
    assert f"  data        {machine.data}  ($CVR_DATA)" in printed
    assert "  annotations  val    here        captions/cap.rc2.val.json, image_splits/split.rc2.val.json" in printed
    assert "  to fetch     cvr download images cirr  (by hand: it says how)" in printed
    content = json.loads(cvr("data-status", "cirr", "--json").out)
    assert content["machine"]["data"] == str(machine.data)
    (found,) = content["benchmarks"]
    assert [part["state"] for part in found["parts"]] == ["here", "here"]


@pytest.mark.data
def test_the_real_annotations_are_found(real_data):
    found = {
        status.name: status for status in bench_data_status(["cirr", "fashioniq", "egocvr"], Machine(data=real_data))
    }
    assert set(states(found["cirr"]).values()) == {"here"}
    assert set(states(found["fashioniq"]).values()) == {"here"}
    assert states(found["egocvr"]) == {"all": "here", "gallery=local": "missing"}
    assert found["egocvr"].named == 10_666


def test_the_bench_looks_for_annotations_where_the_status_does(one_line_error, machine, monkeypatch):
    monkeypatch.setenv("CVR_DATA", str(machine.data))
    monkeypatch.setenv("CVR_CONFIG", "")
    error = one_line_error("bench", "--model", "sum", "--data", "circo", "-D", "counts=any")
    assert "circo comes without features of its videos; pass --embeddings" in error
