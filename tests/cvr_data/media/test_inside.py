"""Names of files in tables stay below the folder that they are looked for in."""

from pathlib import Path

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.media.look import media_path_inside


@pytest.mark.parametrize("name", ["a.mp4", "b/a.mp4", "b/../a.mp4", "./a.mp4", "/data/media/a.mp4", "..a.mp4"])
def test_a_name_inside_is_as_it_was(name):
    assert media_path_inside(Path("/data/media"), name) == Path("/data/media") / name


@pytest.mark.parametrize("name", ["../a.mp4", "/etc/passwd", "b/../../a.mp4", "/data/media2/a.mp4", "a\0b", ".."])
def test_a_name_that_leads_out_is_refused(name):
    with pytest.raises(CvrError, match=r"leads out of /data/media"):
        media_path_inside(Path("/data/media"), name)
    if name != "a\0b":
        assert media_path_inside(Path("/"), name)


def test_import_refuses_a_table_that_names_files_elsewhere(one_line_error, tmp_path):
    (tmp_path / "secret.mp4").write_bytes(b"x")
    (tmp_path / "in").mkdir()
    for name in ("../secret.mp4", str(tmp_path / "secret.mp4"), "/etc/passwd"):
        (tmp_path / "in" / "t.csv").write_text(f"video_id,caption,file\na,a red ball,{name}\n")
        words = ("-o", f"path={tmp_path}/in/t.csv", "-o", "video=file", "--out", tmp_path / "videos")
        assert f"{name!r} leads out of" in one_line_error("import", "table", *words)
        (tmp_path / "in" / "captions.csv").write_text(f"file,caption\n{name},a red ball\n")
        words = ("-o", f"path={tmp_path}/in", "--out", tmp_path / "videos")
        assert f"{name!r} leads out of" in one_line_error("import", "folder", *words)
