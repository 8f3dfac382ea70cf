"""Files are found by the names that tables give them, or a line says what is there."""

import unicodedata

import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.whole_files import read_parquet
from cvr_data.media.names import find_media_file, what_medium_is_there
from tests.odd_media import drawn, write_film

CAFE = "caf\N{LATIN SMALL LETTER E WITH ACUTE}"


@pytest.fixture
def folder(tmp_path):
    names = ("UPPER.MP4", "a&b.mp4", "aBc.mp4", "two.mkv", "two.mp4", "clip one.mp4", "clip%20two.mp4", "50%FF.mp4")
    for name in (unicodedata.normalize("NFD", CAFE) + ".mp4", *names):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("named", "found"),
    [
        (f"{CAFE}.mp4", unicodedata.normalize("NFD", CAFE) + ".mp4"),
        (CAFE, unicodedata.normalize("NFD", CAFE) + ".mp4"),
        ("UPPER", "UPPER.MP4"),
        ("UPPER.mp4", "UPPER.MP4"),
        ("a&amp;b.mp4", "a&b.mp4"),
        ("a&amp;b", "a&b.mp4"),
        ("two.mp4", "two.mp4"),
        ("two", "two.mkv"),
        ("clip%20one.mp4", "clip one.mp4"),
        ("clip%20one", "clip one.mp4"),
        ("clip two.mp4", "clip%20two.mp4"),
        ("50%FF", "50%FF.mp4"),
    ],
)
def test_a_name_means_the_file_that_is_called_so(folder, named, found):
    assert find_media_file(folder / named) == folder / found


@pytest.mark.parametrize(
    ("named", "there"),
    [
        ("abc.mp4", "; there is 'aBc.mp4'"),  # another id: letters of ids differ in case
        ("aBc.avi", "; there is 'aBc.mp4'"),
        ("uper.mp4", "; there is 'UPPER.MP4'"),
        ("nothing.mp4", ""),
        ("50%FE.mp4", "; there is '50%FF.mp4'"),  # no letters of an address
        ("clip%20on.mp4", "; there is 'clip one.mp4'"),
    ],
)
def test_a_name_that_means_none_says_what_is_there(folder, named, there):
    assert find_media_file(folder / named) == folder / named
    assert what_medium_is_there(folder / named) == there


def test_a_folder_whose_name_differs_in_its_form_is_found(tmp_path):
    inside = tmp_path / unicodedata.normalize("NFD", CAFE)
    inside.mkdir()
    (inside / "a.mp4").touch()
    assert find_media_file(tmp_path / CAFE / "a.mp4") == inside / "a.mp4"
    assert what_medium_is_there(tmp_path / "other" / "a.mp4") == f"; there is no folder {tmp_path / 'other'}"


@pytest.mark.slow
def test_an_import_finds_names_of_other_forms_and_says_what_lies_beside_those_it_does_not(cvr, tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    film = write_film(media / (unicodedata.normalize("NFD", CAFE) + ".mp4"), drawn(4))
    (media / "UPPER.MP4").write_bytes(film.read_bytes())
    rows = [("a", CAFE), ("b", "UPPER"), ("c", "upper.mp4"), ("d", "nul\0.mp4")]
    lines = [f"{video_id},a ball {video_id},{name}" for video_id, name in rows]
    (tmp_path / "t.csv").write_text("video_id,caption,file\n" + "\n".join(lines) + "\n", "utf-8")
    words = ("-o", f"path={tmp_path}/t.csv", "-o", "video=file", "-o", f"media={media}", "--out", tmp_path / "videos")
    cvr.done("import", "table", *words)
    assert open_artifact(tmp_path / "videos").read().column("video_id").to_pylist() == ["a", "b"]
    (path,) = (tmp_path / "videos").glob("dropped-*.parquet")
    dropped = {row["video_id"]: row for row in read_parquet(path).to_pylist()}
    assert dropped["c"]["drop_reason"] == "missing_file"
    assert "no such file; there is 'UPPER.MP4'" in dropped["c"]["detail"]
    assert dropped["d"]["drop_reason"] == "bad_name"
