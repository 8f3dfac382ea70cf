"""annotation_files: JSON, lists of lines and where files lie; what is wrong with one is said in one line."""

import zipfile

import pytest

from cvr_data.core.annotation_files import (
    check_counts,
    find_annotation_file,
    find_only_annotation_file,
    read_json,
    read_json_entries,
    read_lines,
    read_tab_separated,
)
from cvr_data.core.errors import CvrError


def test_a_file_is_found_in_its_published_folder_or_beside_it(tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "b.json").write_text("[]")
    assert find_annotation_file(tmp_path, "annotations/a.json", "annotations/b.json", origin="x") == tmp_path / "b.json"
    (tmp_path / "annotations" / "a.json").write_text("[]")
    assert find_annotation_file(tmp_path, "annotations/a.json", "annotations/b.json", origin="x").name == "a.json"
    assert find_only_annotation_file(tmp_path / "b.json", "annotations/a.json", origin="x").name == "b.json"
    with pytest.raises(CvrError, match=r"c\.json or d\.json is not in .*; get it from https://x\."):
        find_annotation_file(tmp_path, "c.json", "d.json", origin="https://x")


def test_counts_that_differ_are_all_named(tmp_path):
    found = {"queries": 3, "images": 5}
    with pytest.raises(CvrError, match="has 3 queries, not 4; 5 images, not 6 as published"):
        check_counts(tmp_path, "published", found, {"queries": 4, "images": 6})
    check_counts(tmp_path, "any", found, {"queries": 4})
    check_counts(tmp_path, "published", found, {"queries": 3})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"{", "not valid JSON"),
        (b'"caf\xe9"', "not UTF-8 .* at byte 4"),
        (b"{}", "should hold a JSON list, found dict"),
        (None, "no such file"),
    ],
)
def test_a_json_that_cannot_be_read_is_named(tmp_path, content, message):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CvrError, match=message) as raised:
        read_json(path, list)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_one_json_of_a_zip_is_read(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
        archive.writestr("a.json", "[1]")
    assert read_json(path, list) == [1]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b.json", "[2]")
    with pytest.raises(CvrError, match="expected one JSON file in it, found 2"):
        read_json(path)


def test_the_first_entry_that_lacks_a_key_is_named(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"caption": "a", "target": "b"}, {"captoin": "a"}]')
    with pytest.raises(CvrError, match=r"entry 1 has no 'caption'\. Did you mean: captoin"):
        read_json_entries(path, ["caption"])
    path.write_text('[{"caption": "a"}]')
    assert read_json_entries(path, ["caption"]) == [{"caption": "a"}]
    with pytest.raises(CvrError, match=r"entry 0 has no 'target'; its targets are hidden"):
        read_json_entries(path, ["caption"], ["target"])
    path.write_text("[1]")
    with pytest.raises(CvrError, match="entry 0 should be an object, found int"):
        read_json_entries(path, [])


def test_a_line_of_json_that_is_no_object_is_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"caption": "a"}\r\n\n{"caption": "b"}\n')
    assert read_json_entries(path, ["caption"]) == [{"caption": "a"}, {"caption": "b"}]
    for line, said in ((b"{", "not valid JSON"), (b"[1]", "not a JSON object"), (b'{"a": "\xe9"}', "not UTF-8"),
                       (b'{"a": 1, "a": 2}', "comes twice")):  # fmt: skip
        path.write_bytes(b'{"caption": "a"}\n\n' + line)
        with pytest.raises(CvrError, match=f"line 3: .*{said}"):
            read_json_entries(path, ["caption"])
    with pytest.raises(CvrError, match="no such file"):
        read_json_entries(tmp_path / "b.jsonl", [])


def test_lines_without_header_keep_their_quotes(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b'v1\ta "sign"\r\n\nv2\t\n')
    assert read_tab_separated(path, 2) == [["v1", 'a "sign"'], ["v2", ""]]
    assert read_lines(path) == ['v1\ta "sign"', "v2"]
    with pytest.raises(CvrError, match=r"lines 0, 1 \(counted from 0\) should have at least 3 cells"):
        read_tab_separated(path, 3)
    with pytest.raises(CvrError, match=r"lines 0, 1 .* should have 1 to 1 cells"):
        read_tab_separated(path, 1, 1)
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(CvrError, match="not UTF-8"):
        read_lines(path)
