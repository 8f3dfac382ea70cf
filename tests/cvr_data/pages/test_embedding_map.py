"""The page of `cvr map`: points lie along the axes of largest variance, and each shows its own clips and words."""

import base64
import json
import re
import sys

import numpy as np
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.features.store import FeatureStore
from cvr_data.pages import embedding_map
from cvr_data.pages.embedding_map import MapConfig, map_html, map_page
from cvr_data.pages.principal import map_page_principal_axes
from cvr_data.tables import TRIPLETS
from tests.dataset_folders import VIDEOS, write_artifact
from tests.report_world import make_world
from tests.triplet_tables import triplet

pytestmark = pytest.mark.slow
HOSTILE = "</script><script>alert(1)</script> __CLIPS__ \" '"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    import cli

    folder = tmp_path_factory.mktemp("map-world")
    make_world(folder, train=4, val=2, test=12)
    made = ["embed", folder / "videos", "--encoder", "hash", "--out", folder / "embeddings"]
    assert cli.run([str(word) for word in made]) == 0
    return folder


@pytest.fixture(scope="module")
def page(world):
    return map_page(world / "annotations" / "small-world", world / "embeddings", MapConfig(clips=5))


def data_of(content):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', content, re.S)[1])


def array_of(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def test_the_axes_are_those_of_a_singular_value_decomposition():
    rows = np.random.default_rng(0).standard_normal((40, 7)) * [5, 3, 1, 1, 1, 0.5, 0.1] + 3
    found = map_page_principal_axes(lambda: [rows[:9], rows[9:]], 2)
    centred = rows - rows.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    expected = left[:, :2] * sizes[:2]
    assert np.abs(found.points_NK) == pytest.approx(np.abs(expected), rel=1e-6)
    assert found.shares == pytest.approx((sizes**2 / (sizes**2).sum())[:2].tolist(), rel=1e-6)
    assert found.points_NK == pytest.approx(map_page_principal_axes(lambda: [rows], 2).points_NK, rel=1e-6)


def test_a_point_of_what_changes_is_the_target_minus_the_reference(page, world):
    triplets = open_artifact(world / "annotations" / "small-world").read()
    store = FeatureStore.open(world / "embeddings", "raw")
    ends = [store.pooled(triplets.column(f"{end}_id").to_pylist()).numpy() for end in ("reference", "target")]
    changes = ends[1] - ends[0]
    layer = page.layers[0]
    assert layer.name == "What changes" and layer.texts == triplets.column("modification").to_pylist()
    assert layer.points_N2 == pytest.approx(map_page_principal_axes(lambda: [changes], 2).points_NK, rel=1e-4, abs=1e-6)
    named = [[page.ids[number] for number in both] for both in layer.videos_NV.tolist()]
    columns = [triplets.column(f"{end}_id").to_pylist() for end in ("reference", "target")]
    assert named == [list(both) for both in zip(*columns, strict=True)]


def test_what_the_script_reads_is_what_was_placed(page):
    data = data_of(map_html(page))
    for layer, told in zip(page.layers, data["layers"], strict=True):
        points = array_of(told["points"], "<u2").reshape(-1, 2).astype(float)
        assert len(points) == len(layer.points_N2)
        assert points.max() == 65535 and points.min() == 0  # the wider axis fills the plane
        assert np.corrcoef(points[:, 0], layer.points_N2[:, 0])[0, 1] == pytest.approx(1, abs=1e-6)
        videos = array_of(told["videos"], "<u4").reshape(-1, told["ends"])
        assert [[data["ids"][n] for n in row] for row in videos.tolist()] == [
            [page.ids[n] for n in row] for row in layer.videos_NV.tolist()
        ]
        for colouring in told["colourings"]:
            counts = np.bincount(array_of(colouring["codes"], "u1"))
            assert [f"({count:,})" for count in counts] == [value.split(" ")[-1] for value in colouring["values"]]


def test_the_page_holds_as_many_clips_as_are_asked_for(page, world, cvr, tmp_path):
    assert len(page.shown) == len(page.clips.uris) == 5
    out = tmp_path / "deep" / "map.html"
    found = cvr.done("map", world / "videos", "-e", world / "embeddings", "--clips", "2", "--out", out)
    assert re.search(r"map.html: [\d.]+ MB, \d+ points of videos, 2 clips", found.out)
    assert [layer["name"] for layer in data_of(out.read_text())["layers"]] == ["Videos"]


def test_of_too_many_points_some_are_drawn_and_that_is_said(world, monkeypatch):
    monkeypatch.setattr(embedding_map, "MOST_POINTS", 3)
    layer = map_page(world / "videos", world / "embeddings", MapConfig(clips=0)).layers[0]
    assert len(layer.points_N2) == 3
    assert re.match(r"3 of \d+ videos, drawn at random \(seed 0\)\.", layer.note)


def test_rare_values_share_a_colour():
    values = [letter for place, letter in enumerate("abcdefgh") for _ in range(9 - place)] + [None]
    (found,) = embedding_map._colourings({"source": values})
    assert found.values == ["a (9)", "b (8)", "c (7)", "d (6)", "e (5)", "f (4)", "other (6)"]
    assert found.code_N[-1] == 6 and found.code_N[0] == 0


def test_without_umap_or_features_one_line_says_so(world, one_line_error, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "umap", None)
    videos, features = world / "videos", world / "embeddings"
    assert "cvr[umap]" in one_line_error("map", videos, "-e", features, "--method", "umap")
    other = write_artifact(
        tmp_path / "videos", "import-tiny", [{"video_id": "x", "captions": ["a"], "source": "tiny"}], VIDEOS
    )
    assert "has features of none of these videos" in one_line_error("map", other, "-e", features)


def test_words_of_a_dataset_are_no_markup(world, tmp_path):
    names = FeatureStore.open(world / "embeddings", "raw").video_ids[:2]
    rows = [{"video_id": name, "captions": [HOSTILE], "source": HOSTILE} for name in names]
    videos = write_artifact(tmp_path / "videos", "import-tiny", rows, VIDEOS)
    made = [triplet(names[0], HOSTILE, names[1], style=HOSTILE)]
    folder = write_artifact(tmp_path / "triplets", "build-triplets", made, TRIPLETS, videos=videos)
    content = map_html(map_page(folder, world / "embeddings", MapConfig()))
    assert content.count("<script") == 3 and "<script>alert" not in content
    assert data_of(content)["captions"] == [HOSTILE, HOSTILE]


@pytest.mark.engine
def test_in_a_browser_points_are_reached_by_keys_pointer_and_words(page, browser, tmp_path):
    (tmp_path / "map.html").write_text(map_html(page), encoding="utf-8")
    opened = browser.new_page(viewport={"width": 1280, "height": 800}, offline=True)
    complaints = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto((tmp_path / "map.html").as_uri())
    opened.locator("canvas").press("ArrowRight")
    first = opened.locator("#shown").inner_text()
    opened.locator("canvas").press("ArrowLeft")
    assert "Reference" in first and opened.locator("#shown").inner_text() != first
    opened.get_by_label("Videos").check()
    opened.locator("#find").fill(page.shown[0])
    opened.locator("#hits button").first.click()
    assert page.shown[0] in opened.locator("#shown").inner_text()
    opened.wait_for_function(
        "() => [...document.querySelectorAll('#shown video')].some(v => !v.paused && v.videoWidth)"
    )
    for width in (1280, 390):
        opened.set_viewport_size({"width": width, "height": 800})
        assert opened.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    opened.close()
    assert complaints == []


def test_where_no_triplet_has_features_the_videos_alone_are_drawn(world, monkeypatch, tmp_path):
    import cli

    triplets = open_artifact(world / "annotations" / "small-world").read()
    (tmp_path / "only.csv").write_text(f"video_id\n{triplets.column('reference_id')[0]}\n", encoding="utf-8")
    made = ["embed", world / "videos", "--encoder", "hash", "--only", tmp_path / "only.csv", "--out", tmp_path / "one"]
    assert cli.run([str(word) for word in made]) == 0
    placed = []
    monkeypatch.setattr(embedding_map, "umap_points", lambda rows, seed: placed.append(len(rows)) or rows[:, :2])
    page = map_page(world / "annotations" / "small-world", tmp_path / "one", MapConfig(method="umap", clips=0))
    assert [layer.name for layer in page.layers] == ["Videos"] and placed == [1]
