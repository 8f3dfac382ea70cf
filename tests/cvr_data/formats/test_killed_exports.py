"""Exports of many files, killed at every point at which files change: all of it is there or nothing."""

import dataclasses
import os

import pytest

import cli
from cvr_data.features.layouts import LAYOUTS
from cvr_data.formats import FORMATS
from tests.cvr_data.core.killing import count_points, files_below, kill_at
from tests.steps import TRIPLETS_OF_THREE_SPLITS, run_steps

pytestmark = pytest.mark.slow

OPTIONS = {"dense-webvid-covr": ("columns=index,pth1,pth2,edit",), "mteb-vt2v": ("split=train", "media=false")}
EVERY_POINT = bool(os.environ.get("CVR_EVERY_POINT"))
"""Kill at all points, as `make attack` does, and not at some."""
FEW = 3
"""Videos whose features are exported: as many points as there are files."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Triplets of three splits, and features of their videos."""
    folder = run_steps(tmp_path_factory.mktemp("world"), TRIPLETS_OF_THREE_SPLITS)
    (folder / "few.csv").write_text("".join(f"{line}\n" for line in ("id", *(f"train-{n:05d}" for n in range(FEW)))))
    return folder


def words_of(kind, name):
    """Return the command that exports in a layout, without its folder."""
    if kind == "layout":
        return ["export-embeddings", "embeddings", "--layout", name, "--only", "few.csv"]
    fields = {field.name for field in dataclasses.fields(FORMATS.get(name).Config)}
    options = [*OPTIONS.get(name, ()), *(["embeddings=embeddings"] if "embeddings" in fields else [])]
    return ["export", "triplets", "--format", name, *(word for option in options for word in ("-o", option))]


@pytest.mark.parametrize(
    ("kind", "name"),
    [*(("format", name) for name in FORMATS.names()), *(("layout", name) for name in LAYOUTS.names())],
)  # fmt: skip
def test_a_killed_export_is_there_whole_or_not_at_all_and_comes_out_the_same(kind, name, world, tmp_path, monkeypatch):
    monkeypatch.chdir(world)
    words = words_of(kind, name)
    whole, older = tmp_path / "whole" / "out", tmp_path / "older"

    def export(folder):
        return cli.run([*words, "--out", str(folder)])

    assert export(whole) == export(older) == 0
    expected, before = files_below(whole.parent), files_below(older)
    points = count_points(lambda: export(tmp_path / "counted"))
    there = []
    for point in range(1, points + 1) if EVERY_POINT else some_of(points):
        folder = tmp_path / str(point)
        kill_at(point, lambda folder=folder: export(folder / "out"))
        found = files_below(folder / "out") if (folder / "out").exists() else None
        assert found in (None, files_below(whole)), point
        there.append(found is not None)
        assert export(folder / "out") == (0 if found is None else 2), point  # what is whole is not written again
        assert files_below(folder) == expected, point
    assert there == sorted(there) and set(there) == {False, True}
    assert export(older) == 2
    assert files_below(older) == before


def some_of(points):
    """Return the last three, where the folder gets its name, and some between."""
    return sorted({*range(points - 2, points + 1), *range(1, points, max(1, points // 3))})
