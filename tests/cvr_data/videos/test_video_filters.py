"""Every filter of videos on its own EXAMPLE and on labelled clips; what is measured once, learned, asked and shown."""

import json
import random
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.engine import Engine
from cvr_data.core.jobs import use_engine
from cvr_data.core.stages import stage_rows_by_drop_reason
from cvr_data.media.clip import Clip
from cvr_data.media.video import VideoInfo, write_mp4
from cvr_data.tables import VIDEOS
from cvr_data.videos.filter_videos import DEFAULT_VIDEO_FILTERS, choose_video_filters, filter_videos
from cvr_data.videos.filters import VIDEO_FILTERS, Compares, Judges, Learns, Measures
from cvr_data.videos.filters.aesthetic import Config as Aesthetic
from cvr_data.videos.filters.aesthetic import judge
from cvr_data.videos.filters.blur import video_blur
from cvr_data.videos.filters.shaky import shaky_video_shift
from cvr_data.videos.seen import RUNS, Seen, seen_video_frame_runs, video_measures_seen
from tests.labelled_clips import (
    FPS,
    blurred,
    precision_and_recall,
    scene,
    shaken,
    still,
    subtitled,
    write_labelled_clips,
)

MADE = [name for name in VIDEO_FILTERS.names() if name not in ("aesthetic", "burnt-in-text")]
OPTIONS = {"size": "size:low=64"}


@pytest.fixture(params=VIDEO_FILTERS.names())
def module(request):
    return VIDEO_FILTERS.get(request.param)


def example_of(module):
    rows = [{name: value for name, value in row.items() if name != "drop_reason"} for row in module.EXAMPLE]
    reasons = [row["drop_reason"] for row in module.EXAMPLE]
    assert None in reasons and any(reasons)
    return pa.Table.from_pylist(rows), reasons


def test_the_rows_of_the_example_are_dropped_for_their_reasons_whatever_their_order_and_stay_in_place(module):
    table, reasons = example_of(module)
    found = module.run(module.Config(), table)
    assert found["drop_reason"].to_pylist() == reasons
    assert found.drop_columns(["drop_reason"]).equals(table)
    order = list(range(table.num_rows))
    random.Random(0).shuffle(order)
    cut = pa.concat_tables([table.take(pa.array(order[:1])), table.take(pa.array(order[1:]))])
    assert module.run(module.Config(), cut)["drop_reason"].to_pylist() == [reasons[place] for place in order]


def test_a_reason_that_stands_is_left_and_every_drop_can_be_put_into_words(module):
    table, reasons = example_of(module)
    marked = table.append_column("drop_reason", pa.array(["earlier"] * table.num_rows))
    assert module.run(module.Config(), marked)["drop_reason"].to_pylist() == ["earlier"] * len(reasons)
    _, dropped = stage_rows_by_drop_reason(module.run(module.Config(), table))
    for row in dropped.to_pylist():
        told = module.explain(module.Config(), row)
        assert told and "\n" not in told
    assert module.bounds(module.Config())


def test_every_filter_says_where_its_column_comes_from(module):
    makes = [isinstance(module, ability) for ability in (Measures, Learns, Judges, Compares)]
    assert any(makes)
    if isinstance(module, Measures):
        assert module.MEASURED >= 1 and all(isinstance(field, pa.Field) for field in module.FIELDS)


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """A folder with clips, the videos imported from it, and the filters that should drop each."""
    home = tmp_path_factory.mktemp("labelled")
    labels = write_labelled_clips(home / "clips")
    import cli

    assert cli.run(["import", "folder", str(home / "clips"), "--out", str(home / "videos")]) == 0
    return home, labels


@pytest.mark.slow
@pytest.mark.parametrize("name", MADE)
def test_on_labelled_clips_a_filter_drops_those_with_its_fault_and_no_others(name, labelled, cvr):
    home, labels = labelled
    out = cvr.done("filter-videos", home / "videos", "-f", OPTIONS.get(name, name), "--out", home / name)
    dropped = set(open_artifact(home / name).dropped().column("video_id").to_pylist())
    wanted = {file for file, by in labels.items() if name in by}
    assert precision_and_recall(dropped, wanted) == (1.0, 1.0), (sorted(dropped - wanted), sorted(wanted - dropped))
    assert out.out.splitlines()[3].split() == [
        name,
        str(len(labels) - len(wanted)),
        *dropped_text(home / name),
    ]


def dropped_text(folder: Path) -> list[str]:
    [step] = open_artifact(folder).manifest["funnel"]
    return ", ".join(f"{count} {reason}" for reason, count in step["dropped"].items()).split() or ["none"]


@pytest.mark.slow
def test_clips_are_measured_once_and_other_bounds_look_at_columns_alone(labelled, cvr):
    home, labels = labelled
    asked = ("filter-videos", home / "videos", "--measures", home / "again")
    cvr.done(*asked, "-f", "blur", "--out", home / "one")
    manifest = (home / "again" / "manifest.json").read_bytes()
    first = open_artifact(home / "one").manifest["rows"]
    for path in (home / "clips").glob("blurred-*"):  # a clip that is read again would be dropped as unreadable
        path.rename(path.with_suffix(".away"))
    try:
        other = cvr(*asked, "-f", "blur:high=0.1", "--out", home / "one", "--overwrite", "--json")
    finally:
        for path in (home / "clips").glob("*.away"):
            path.rename(path.with_suffix(".mp4"))
    assert (home / "again" / "manifest.json").read_bytes() == manifest
    assert json.loads(other.out)["rows"] < first < len(labels)
    kept = open_artifact(home / "one").read()
    assert kept.num_rows and max(kept.column("blur").drop_null().to_pylist(), default=0) <= 0.1
    assert not [field for field in kept.schema if pa.types.is_binary(field.type)]


@pytest.mark.slow
def test_a_page_shows_each_filter_with_its_bounds_and_the_clips_at_them(labelled, cvr, tmp_path):
    home, _ = labelled
    page = tmp_path / "histograms.html"
    out = cvr.done("filter-videos", home / "videos", "-f", "blur", "-f", "still", "--out", tmp_path / "out", "--html",
                   page, "--measures", home / "again")  # fmt: skip
    text = page.read_text()
    assert "at most 0.6" in text and "blur: 50 kept, 4 left out" in text and "data:video/mp4;base64" in text
    assert "blurred-0" in text and "is above 0.6" in text and "http:" not in text and "https:" not in text
    assert [line.split()[0] for line in out.out.splitlines()[3:]] == ["blur", "blur", "still", "motion"]
    told = cvr("explain", "blurred-01", "--in", tmp_path / "out").out.splitlines()[0]
    assert "dropped by blurred: blur 0." in told and told.endswith("is above 0.6 (blur)")
    assert "|" in out.out


def test_bad_choices_end_in_one_line(one_line_error, tmp_path):
    assert "bluur" in one_line_error("filter-videos", tmp_path / "videos", "-f", "bluur")
    assert "blur: option high" in one_line_error("filter-videos", tmp_path / "videos", "-f", "blur:high=much")
    assert "does not exist" in one_line_error("filter-videos", tmp_path / "videos")
    assert [each.name for each in choose_video_filters([])] == list(DEFAULT_VIDEO_FILTERS)
    assert [each.name for each in choose_video_filters(["-size"])] == [n for n in DEFAULT_VIDEO_FILTERS if n != "size"]


def write_measured(folder: Path, cuts: list[int]) -> None:
    """Forty clips of a source, of which half bear one mark, in so many parts."""
    generator = np.random.default_rng(0)
    edges_NDSS = generator.random((40, 4, 64, 64)) < 0.02
    edges_NDSS[::2, :, 4:10, 50:58] = True
    rows = [{"video_id": f"v{number:02d}", "captions": ["a clip"], "source": "station",
             "still_edges": np.packbits(edges).tobytes()} for number, edges in enumerate(edges_NDSS)]  # fmt: skip
    with ArtifactWriter(folder, stage="measure-videos") as writer:
        for place, (start, end) in enumerate(pairwise([0, *cuts, 40])):
            schema = pa.schema([*VIDEOS, pa.field("still_edges", pa.binary())])
            writer.write_part(place, pa.Table.from_pylist(rows[start:end], schema=schema))
        writer.finish()


@pytest.mark.slow
def test_a_recurring_mark_is_the_same_however_many_look_and_however_the_videos_are_cut(tmp_path):
    filters = choose_video_filters(["watermark"])
    found = []
    for number, (workers, cuts) in enumerate(((1, []), (1, [7, 11, 30]), (2, [7, 11, 30]), (2, [1]))):
        write_measured(tmp_path / f"measured-{number}", cuts)
        with use_engine(Engine("local", workers)):
            made = filter_videos(tmp_path / f"measured-{number}", filters, tmp_path / f"out-{number}")
        found.append({row["video_id"]: row["watermark"] for row in [*made.read().to_pylist(),
                      *made.dropped().to_pylist()]})  # fmt: skip
        assert {row["video_id"] for row in made.dropped().to_pylist()} == {f"v{place:02d}" for place in range(0, 40, 2)}
    assert all(each == found[0] for each in found)


def test_runs_of_frames_lie_in_the_middle_of_equal_parts_and_a_short_clip_is_one():
    assert seen_video_frame_runs(16, 12.0) == [range(0, 16)]
    runs = seen_video_frame_runs(300, 30.0)
    assert [len(run) for run in runs] == [8] * RUNS and {run.step for run in runs} == {2}
    assert [(run.start + run.stop) // 2 for run in runs] == [50, 150, 250]
    assert seen_video_frame_runs(1, 0.0) == [range(0, 1)]


def test_a_clip_of_a_longer_file_is_seen_between_its_times(tmp_path):
    dark, light = np.full((24, 32, 32, 3), 20, np.uint8), np.full((24, 32, 32, 3), 200, np.uint8)
    write_mp4(tmp_path / "both.mp4", np.concatenate([dark, light]), fps=FPS)
    assert video_measures_seen(Clip(tmp_path / "both.mp4", 2.0, None)).luma.mean() > 190
    assert video_measures_seen(Clip(tmp_path / "both.mp4", None, 2.0)).luma.mean() < 30


def value(name: str, frames: np.ndarray):
    module = VIDEO_FILTERS.get(name)
    info = VideoInfo(len(frames) / FPS, FPS, len(frames), frames.shape[2], frames.shape[1])
    return module.measure(Seen(info, frames, (slice(0, len(frames)),)))[module.COLUMN]


def test_measures_follow_what_is_done_to_a_clip():
    clip, generator = scene(3, frames=12), np.random.default_rng(0)
    assert value("blur", clip) < 0.3 < 0.6 < value("blur", blurred(clip, generator))
    assert value("still", still(clip, generator)) < 3 < value("still", clip)
    assert value("shaky", clip) < 0.015 < value("shaky", shaken(clip, generator))
    assert value("still", clip[:1]) == 0.0
    assert value("blur", np.full((3, 32, 32, 3), 90, np.uint8)) is None
    contrast = (clip.astype(np.float32) * 0.5 + 60).astype(np.uint8)
    assert abs(value("blur", contrast) - value("blur", clip)) < 0.03  # where the variance of the Laplacian quarters


def test_the_blur_of_an_edge_is_that_of_the_formula():
    """Of a step of height 1 the mean of nine makes a ramp: one pixel of nine of the difference is left."""
    step = np.zeros((40, 8), np.float32)
    step[20:] = 100.0
    assert video_blur(step) == pytest.approx(1 / 9)
    ramp = np.clip(np.arange(40, dtype=np.float32)[:, None] - 10, 0, 20) * 5 + np.zeros((1, 8), np.float32)
    assert video_blur(ramp) > 0.8


@pytest.mark.parametrize("moved", [(0, 0), (3, -5), (-7, 2)])
def test_the_shift_between_two_pictures_is_found(moved):
    picture = scene(5, frames=1, side=128)[0].astype(np.float32).mean(axis=2)
    assert shaky_video_shift(picture, np.roll(picture, moved, (0, 1))) == pytest.approx(moved, abs=0.3)
    assert shaky_video_shift(picture, scene(6, frames=1, side=128)[0].astype(np.float32).mean(axis=2)) is None


class TwoWords:
    """Texts and frames on two axes: what is good lies along the first."""

    def encode_texts(self, texts):
        import torch

        from cvr_data.features.protocol import TextFeatures

        pooled = torch.tensor([[1.0, 0.0] if text == "Beautiful photo." else [0.0, 1.0] for text in texts])
        return TextFeatures(
            pooled[:, None], torch.ones(len(texts), 1, dtype=torch.bool), pooled, torch.ones(len(texts))
        )

    def encode_videos(self, videos):
        import torch

        from cvr_data.features.protocol import VideoFeatures

        frames = torch.tensor([[[3.0, 0.0], [3.0, 0.0]], [[0.02, 0.0198], [9.0, 9.0]]])
        return VideoFeatures(frames[: len(videos)], torch.tensor([[True, True], [True, False]])[: len(videos)])


def test_the_look_is_the_softmax_of_two_opposite_texts_over_the_frames_that_are_there():
    found = judge(Aesthetic(), ["a", "b"], TwoWords())
    cosine = np.array([0.02, 0.0198]) / np.hypot(0.02, 0.0198)
    assert found[0] == 1.0
    assert found[1] == pytest.approx(1 / (1 + np.exp(-100 * (cosine[0] - cosine[1]))), abs=1e-4)


def test_the_look_needs_embeddings(one_line_error, one_video):
    assert "pass --embeddings" in one_line_error("filter-videos", one_video, "-f", "aesthetic")
    assert "looks at --embeddings" in one_line_error("filter-videos", one_video, "-f", "blur", "--embeddings", "e")
    assert not one_video.with_name("videos-measures").exists()


def test_the_look_is_asked_of_stored_features(cvr, one_video, tmp_path):
    cvr.done("embed", one_video, "--encoder", "hash", "--out", tmp_path / "features")
    words = ("filter-videos", one_video, "--embeddings", tmp_path / "features", "--out", tmp_path / "kept")
    cvr.done(*words, "-f", "aesthetic:low=0")
    (row,) = open_artifact(tmp_path / "kept").read().to_pylist()
    assert 0 <= row["aesthetic"] <= 1


@pytest.fixture
def one_video(tmp_path, cvr):
    """Videos of one clip."""
    (tmp_path / "clips").mkdir()
    write_mp4(tmp_path / "clips" / "a.mp4", scene(1, frames=12), fps=FPS)
    (tmp_path / "clips" / "captions.csv").write_text("file,caption\na.mp4,a disc moves\n")
    cvr.done("import", "folder", tmp_path / "clips", "--out", tmp_path / "videos")
    return tmp_path / "videos"


@pytest.mark.engine
def test_burnt_in_text_is_told_by_the_share_that_it_covers():
    pytest.importorskip("rapidocr", reason="cvr[ocr] is not installed")
    clip = scene(2, frames=3, side=320)
    lines = subtitled(clip, np.random.default_rng(1))
    assert value("burnt-in-text", clip) < 0.02 < value("burnt-in-text", lines) < 0.15


def test_a_filter_whose_library_is_missing_names_the_extra(one_line_error, monkeypatch):
    module = VIDEO_FILTERS.get("burnt-in-text")
    module._detector.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as where it is not installed
    assert "pip install 'cvr[ocr]'" in one_line_error("filter-videos", "nowhere", "-f", "+burnt-in-text")


def test_a_filter_of_ones_own_is_named_by_its_dotted_path(one_video, cvr, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    source = Path(VIDEO_FILTERS.get("brightness").__file__).read_text()
    source = source.replace('COLUMN = "brightness"', 'COLUMN = "glow"').replace(
        "from cvr_data.videos.filters._band", "from mine.band"
    )
    (tmp_path / "mine" / "band.py").write_text("from cvr_data.videos.filters._band import *\n")
    (tmp_path / "mine" / "glow.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    out = cvr.done("filter-videos", one_video, "-f", "mine.glow:low=250,high=none", "--out", "kept")
    assert "1 too_dark" in out.out and "glow" in out.out
    assert (tmp_path / "videos-measures-mine-glow").is_dir()
