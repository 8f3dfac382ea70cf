"""names and items: any id is a safe file, any published list is read, and shards are disjoint."""

import json
import string

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.core.errors import CvrError
from cvr_data.download.items import (
    WantedFile,
    choose_items_to_download,
    download_file_name,
    read_ids_to_download,
    read_items_to_fetch,
    suffix_of_address,
)
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact


@pytest.mark.parametrize(
    ("item_id", "expected"),
    [
        ("112/1016223889", "112/1016223889.mp4"),
        ("video7.webm", "video7.webm"),
        ("_0B68W3_DuI_000002_000012", "_0B68W3_DuI_000002_000012.mp4"),
        ("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd.mp4"),
        ("/etc/passwd", "%/etc/passwd.mp4"),
        ("-rf", "%2Drf.mp4"),
        (".hidden", "%2Ehidden.mp4"),
        ("a:b*c?", "a%3Ab%2Ac%3F.mp4"),
        ("nul", "%6Eul.mp4"),
        ("dog é", "dog %C3%A9.mp4"),
    ],
)
def test_a_file_name_is_safe(item_id, expected):
    assert download_file_name(item_id, ".mp4") == expected


@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=400))
def test_no_id_leads_out_of_the_folder_or_breaks_a_file_system(item_id):
    name = download_file_name(item_id, ".mp4")
    allowed = set(string.ascii_letters + string.digits + "_.-~%/ ,=+@()[]")
    assert set(name) <= allowed
    for part in name.split("/"):
        assert part
        assert part not in (".", "..")
        assert not part.startswith((".", "-", " "))
        assert len(part) <= 130


@given(st.sets(st.text("aA./~%-\\", min_size=1, max_size=6), min_size=2, max_size=8))
def test_two_ids_never_share_a_file(ids):
    assert len({download_file_name(item_id, ".x") for item_id in ids}) == len(ids)


def test_long_ids_stay_apart():
    assert download_file_name("a" * 500, "") != download_file_name("a" * 501, "")
    short = download_file_name("a" * 500, "")
    assert download_file_name(short, "") != short


@pytest.mark.parametrize(
    ("url", "suffix"),
    [
        ("https://x.org/a/b.MP4?token=1", ".mp4"),
        ("https://x.org/watch?v=a.webm", ".jpg"),
        ("https://x.org/a.php", ".jpg"),
        ("https://x.org", ".jpg"),
    ],
)
def test_the_suffix_comes_from_the_path_of_the_address(url, suffix):
    assert suffix_of_address(url, ".jpg") == suffix


def test_lists_of_every_published_kind_give_the_same_items(tmp_path):
    url = "https://x.org/7.mp4"
    (tmp_path / "a.csv").write_text(f"video_id,url\n112/7,{url}\n")
    (tmp_path / "a.tsv").write_text(f"id\turl\textra\n112/7\t{url}\t\n")
    (tmp_path / "webvid.csv").write_text(f'videoid,contentUrl,duration,page_dir,name\n7,{url},PT1S,112,"a\nb"\n')
    (tmp_path / "a.json").write_text(json.dumps({"112/7": url}))
    (tmp_path / "covr.json").write_text(json.dumps({"112/7.mp4": url}))
    (tmp_path / "a.txt").write_text(f"112/7\t {url}\n\n")
    pq.write_table(pa.table({"id": ["112/7"], "url": [url]}), tmp_path / "a.parquet")
    rows = [{"video_id": "112/7", "captions": ["x"], "source": "webvid", "url": url}]
    write_artifact(tmp_path / "videos", "import-webvid", rows, VIDEOS)
    expected = [WantedFile(item_id="112/7", url=url, file="112/7.mp4", is_media=True)]
    for name in ("a.csv", "a.tsv", "webvid.csv", "a.json", "covr.json", "a.txt", "a.parquet", "videos"):
        assert read_items_to_fetch(tmp_path / name, "videos") == expected, name


def test_ids_stay_text(tmp_path):
    (tmp_path / "a.csv").write_text("id,url\n007,https://x.org/a\n1e5,https://x.org/b\n")
    assert [item.item_id for item in read_items_to_fetch(tmp_path / "a.csv", "images")] == ["007", "1e5"]


def test_a_repeated_row_is_one_item_and_rows_without_address_are_none(tmp_path):
    (tmp_path / "a.csv").write_text("id,url\na,https://x.org/a\na,https://x.org/a\nb,\n")
    assert len(read_items_to_fetch(tmp_path / "a.csv", "videos")) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,url\na,https://x.org/a\na,https://x.org/b\n", "two addresses to a"),
        ("id,url\na,ftp://x.org/a\n", "should start with http"),
        ("id,url\na,file:///etc/passwd\n", "should start with http"),
        ("id,link\na,https://x.org/a\n", r"no column url or contentUrl .*columns: id, link"),
        ("id,url\na,\n", "no row with both"),
        ("id,url\na,https://x.org/1\na.mp4,https://x.org/2.mp4\n", "the ids a.mp4 would share a file"),
    ],
)
def test_a_wrong_list_is_told_in_one_line(tmp_path, content, message):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(CvrError, match=message):
        read_items_to_fetch(tmp_path / "a.csv", "videos")


def test_only_ids_takes_every_known_column_or_those_named(tmp_path):
    (tmp_path / "a.csv").write_text("pth1,pth2,edit\n1/a,1/b,x\n1/a,1/c,y\n")
    assert read_ids_to_download(tmp_path / "a.csv") == {"1/a", "1/b", "1/c"}
    assert read_ids_to_download(tmp_path / "a.csv", ["pth1"]) == {"1/a"}
    with pytest.raises(CvrError, match="no column 'pth3'"):
        read_ids_to_download(tmp_path / "a.csv", ["pth3"])
    (tmp_path / "b.csv").write_text("edit\nx\n")
    with pytest.raises(CvrError, match="name one with --id-column"):
        read_ids_to_download(tmp_path / "b.csv")


def test_shards_are_disjoint_and_whole():
    items = [WantedFile(item_id=str(number), url="https://x", file=str(number), is_media=True) for number in range(11)]
    shards = [choose_items_to_download(items, None, 3, shard) for shard in range(3)]
    assert sorted(item.item_id for shard in shards for item in shard) == sorted(item.item_id for item in items)
    assert {len(shard) for shard in shards} == {3, 4}
    assert [item.item_id for item in choose_items_to_download(items, {"1", "7", "9"}, 2, 0)] == ["1", "9"]
    with pytest.raises(CvrError, match="between 0 and 2"):
        choose_items_to_download(items, None, 3, 3)


def test_half_a_character_in_a_list_is_one_line(tmp_path):
    (tmp_path / "a.json").write_text('{"a": "http://h/\\ud800.mp4"}')
    with pytest.raises(CvrError, match="half a character"):
        read_items_to_fetch(tmp_path / "a.json", "videos")
