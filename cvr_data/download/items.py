"""What to fetch: items from url tables, path -> URL files and videos artifacts, by id and by shard.

id,url            a CSV, TSV or Parquet file; also WebVid's videoid, contentUrl, page_dir, and headerless `id<TAB>url`
{"112/7": "…"}    a JSON object
videos/           an artifact of `cvr import`
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError, did_you_mean, first_few
from cvr_data.core.files import id_text, read_table
from cvr_data.core.reading import read_text

MEDIA_SUFFIXES = frozenset(
    ".mp4 .webm .mkv .avi .mov .m4v .mpg .mpeg .flv .3gp .ogv .gif .jpg .jpeg .png .webp .bmp .tif .tiff".split()
)
LONGEST = 120
"""Bytes of one folder or file name: well below the 255 that file systems allow, with room for a suffix."""
RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{name}{digit}" for name in ("COM", "LPT") for digit in range(10))]
)
"""What Windows does not take as a name, with any suffix."""

ID_COLUMNS = ("video_id", "id", "videoid", "image_id", "item_id", "clip_name", "videoID")
URL_COLUMNS = ("url", "contentUrl", "content_url", "image_url")
WANTED_COLUMNS = (*ID_COLUMNS, "reference_id", "target_id", "pth1", "pth2")
"""Columns that `--only-ids` reads when none are named: every one of these that is there."""
SCHEMES = ("http://", "https://", "hf://")
SUFFIXES = {"videos": ".mp4", "images": ".jpg"}
"""Kind -> the suffix of a file whose address tells none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedFile:
    """One file to have."""

    item_id: str
    url: str
    """http(s)://… or hf://datasets/owner/name@revision/path."""
    file: str
    """Where it goes, relative to the folder of the download."""
    sha256: str | None = None
    size: int | None = None
    """Bytes, if known beforehand."""
    is_media: bool = False
    """An HTML page in its place is no success."""


def read_items_to_fetch(path: Path, kind: str) -> list[WantedFile]:
    """Return an item for each id of a url table, path -> URL file or videos artifact, in the order of the file.

    Raises:
        CvrError: the file cannot be read, has no id or url column, or gives two addresses or files to one id.
    """
    items: dict[str, WantedFile] = {}
    for item_id, url in _id_url_rows(path):
        if not item_id or not url:
            continue
        if not is_downloadable_text(item_id) or not is_downloadable_text(url):
            raise CvrError(f"{path}: the address of {item_id!a}, {url!a}, holds half a character (a lone surrogate).")
        if not url.startswith(SCHEMES):
            raise CvrError(f"{path}: the address of {item_id} is {url!r}; it should start with {' or '.join(SCHEMES)}.")
        file = download_file_name(item_id, suffix_of_address(url, SUFFIXES.get(kind, "")))
        item = WantedFile(item_id=item_id, url=url, file=file, is_media=True)
        if items.setdefault(item_id, item) != item:
            raise CvrError(f"{path} gives two addresses to {item_id}: {items[item_id].url} and {url}.")
    if not items:
        raise CvrError(f"{path} has no row with both an id and an address.")
    return _distinct_files(list(items.values()), path)


def is_downloadable_text(value: str) -> bool:
    """Return whether it can be written as UTF-8: JSON may hold half a character."""
    return not any("\ud800" <= sign <= "\udfff" for sign in value)


def read_ids_to_download(path: Path, columns: Sequence[str] = ()) -> set[str]:
    """Return the ids of a CSV, TSV or Parquet file's columns: those named, else all of `WANTED_COLUMNS` it has.

    Raises:
        CvrError: it cannot be read or has no such column.
    """
    table = _read_url_table(path)
    names = list(columns) or [name for name in WANTED_COLUMNS if name in table]
    for name in names:
        if name not in table:
            raise CvrError(f"{path}: there is no column {name!r}. {did_you_mean(name, table)}")
    if not names:
        raise CvrError(f"{path} has none of the columns {', '.join(WANTED_COLUMNS)}; name one with --id-column.")
    return {value for name in names for value in table[name] if value}


def choose_items_to_download(
    items: Sequence[WantedFile], only: set[str] | None, num_shards: int, shard_id: int
) -> list[WantedFile]:
    """Return the items whose id is wanted, and of those every `num_shards`-th, so shards are alike and disjoint.

    Files that are no single medium (archives) hold any id, so they are always wanted.

    Raises:
        CvrError: the shard does not exist.
    """
    if not 0 <= shard_id < num_shards:
        raise CvrError(f"--shard-id should be between 0 and {num_shards - 1}, got {shard_id}.")
    wanted = items if only is None else [item for item in items if item.item_id in only or not item.is_media]
    return list(wanted[shard_id::num_shards])


def _id_url_rows(path: Path) -> Iterator[tuple[str, str]]:
    if path.is_dir():
        table = open_artifact(path, stage="import").read(["video_id", "url"])
        yield from zip(*(table.column(name).to_pylist() for name in ("video_id", "url")), strict=True)
    elif path.suffix == ".json":
        yield from _url_pairs_of_json(path)
    elif path.suffix == ".txt":
        yield from _headerless(path)
    else:
        table = _read_url_table(path)
        ids, urls = _url_table_column(table, ID_COLUMNS, path), _url_table_column(table, URL_COLUMNS, path)
        folders = table.get("page_dir")
        for number, (item_id, url) in enumerate(zip(ids, urls, strict=True)):
            yield (f"{folders[number]}/{item_id}" if folders and folders[number] else item_id), url


def _url_pairs_of_json(path: Path) -> Iterator[tuple[str, str]]:
    content = read_json(path, dict)
    if not all(isinstance(url, str) for url in content.values()):
        raise CvrError(f"{path} should hold a JSON object from id or path to address.")
    for name, url in content.items():
        path_part, dot, suffix = name.rpartition(".")
        # CoVR's lists name files (112/7.mp4), its annotations ids (112/7).
        yield (path_part if f"{dot}{suffix}".lower() in MEDIA_SUFFIXES else name), url


def _headerless(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(read_text(path).splitlines(), 1):
        cells = line.split()
        if cells and len(cells) != 2:
            raise CvrError(f"{path}: line {number} should hold an id and an address, has {len(cells)} words.")
        if cells:
            yield cells[0], cells[1]


def _read_url_table(path: Path) -> dict[str, list[str]]:
    """Columns of a file or artifact as text; a missing value is an empty text."""
    table = open_artifact(path).read() if path.is_dir() and (path / MANIFEST).exists() else read_table(path)
    return {
        name: ["" if value is None else id_text(value) or str(value) for value in table.column(name).to_pylist()]
        for name in table.column_names
    }


def _url_table_column(table: dict[str, list[str]], names: Sequence[str], path: Path) -> list[str]:
    found = [name for name in names if name in table]
    if not found:
        raise CvrError(f"{path} has no column {' or '.join(names)} (columns: {', '.join(table)}).")
    return table[found[0]]


def _distinct_files(items: list[WantedFile], path: Path) -> list[WantedFile]:
    id_of: dict[str, str] = {}
    clashes = [item.item_id for item in items if id_of.setdefault(item.file, item.item_id) != item.item_id]
    if clashes:
        raise CvrError(f"{path}: the ids {first_few(clashes)} would share a file with another id.")
    return items


def download_file_name(item_id: str, suffix: str) -> str:
    """Return the path of the item's file, safe on any disk: `112/1016` -> 112/1016.mp4, `../x` -> %2E%2E/x.mp4.

    A slash makes a folder, as in WebVid's page_dir/videoid. Every other character that a file system or a shell may
    take amiss is percent-encoded, so two ids never share a file. An id that ends in a media suffix gets no second one.
    """
    parts = [_safe_part(part) for part in item_id.split("/")]
    has_suffix = any(parts[-1].lower().endswith(known) for known in MEDIA_SUFFIXES)
    return "/".join(parts) + ("" if has_suffix else suffix)


def suffix_of_address(url: str, default: str) -> str:
    """Return the suffix of the address if it is one of a medium, else `default`."""
    try:
        name = urlsplit(url).path.rpartition("/")[2].lower()
    except ValueError:  # brackets that are no address: whoever asks it is told so
        name = ""
    found = "." + name.rpartition(".")[2] if "." in name else ""
    return found if found in MEDIA_SUFFIXES else default


def _safe_part(part: str) -> str:
    encoded = quote(part, safe=" ,=+@()[]", errors="surrogatepass").replace("~", "%7E")
    if encoded[:1] in (".", " ", "-"):
        encoded = f"%{ord(encoded[0]):02X}{encoded[1:]}"
    if encoded[-1:] in (".", " "):
        encoded = f"{encoded[:-1]}%{ord(encoded[-1]):02X}"
    if encoded.partition(".")[0].upper() in RESERVED:
        encoded = f"%{ord(encoded[0]):02X}{encoded[1:]}"
    if len(encoded) > LONGEST:
        digest = hashlib.sha256(part.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        encoded = f"{encoded[: LONGEST - 25]}~{digest}"
    return encoded or "%"
