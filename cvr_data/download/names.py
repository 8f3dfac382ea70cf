"""The file of an id, safe on any disk: `112/1016223889` -> 112/1016223889.mp4, `../x` -> %2E%2E/x.mp4.

A slash makes a folder, as in WebVid's page_dir/videoid. Every other character that a file system or a shell may take
amiss is percent-encoded, so two ids never share a file.
"""

import hashlib
from urllib.parse import quote, urlsplit

MEDIA_SUFFIXES = frozenset(
    ".mp4 .webm .mkv .avi .mov .m4v .mpg .mpeg .flv .3gp .ogv .gif .jpg .jpeg .png .webp .bmp .tif .tiff".split()
)
LONGEST = 120
"""Bytes of one folder or file name: well below the 255 that file systems allow, with room for a suffix."""
RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{name}{digit}" for name in ("COM", "LPT") for digit in range(10))]
)
"""What Windows does not take as a name, with any suffix."""


def file_name(item_id: str, suffix: str) -> str:
    """Return the relative path of the item's file; an id that already ends in a media suffix gets no second one."""
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
