"""Looks at a site that was built: every link and anchor leads somewhere, and nothing is loaded from elsewhere."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": ("src",), "img": ("src", "srcset"), "source": ("src", "srcset"), "video": ("src", "poster"),
          "audio": ("src",), "iframe": ("src",), "embed": ("src",), "object": ("data",)}  # fmt: skip
"""Element -> attributes whose address a browser asks for by itself; of `link`, those that are no mere relation."""
RELATIONS = {"author", "index", "search", "next", "prev", "genindex", "canonical"}
OUTSIDE = re.compile(r"(https?:)?//")
IN_STYLES = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])(?:https?:)?//")


class Page(HTMLParser):
    """The anchors of a page, where it leads, and what it loads."""

    def __init__(self, content: str):
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        told = {name: value or "" for name, value in attrs}
        self.anchors.update(told[name] for name in ("id", "name") if name in told)
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        if tag == "link" and not RELATIONS & set(told.get("rel", "").split()):
            self.loads.append(told.get("href", ""))
        self.loads += [told[name] for name in LOADED.get(tag, ()) if told.get(name)]


def faults_of_site(folder: Path) -> list[str]:
    """Return a line for every link that leads nowhere and everything that another machine would be asked for."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    faults = []
    for path, page in pages.items():
        where = path.relative_to(folder)
        faults += [f"{where} loads {address}" for address in page.loads if OUTSIDE.match(address)]
        faults += [f"{where}: {link} leads nowhere" for link in page.links if not _leads_somewhere(link, path, pages)]
        faults += [
            f"{where}: {address} is not there"
            for address in page.loads
            if not OUTSIDE.match(address) and not address.startswith("data:") and not _file_of(address, path).is_file()
        ]
    for path in sorted(folder.rglob("*.css")):
        if IN_STYLES.search(path.read_text(encoding="utf-8")):
            faults.append(f"{path.relative_to(folder)} loads something from elsewhere")
    return faults


def _leads_somewhere(link: str, path: Path, pages: dict[Path, Page]) -> bool:
    address = urlsplit(link)
    if address.scheme or address.netloc:  # another site: whether that is there is not ours
        return True
    target = _file_of(link, path)
    if target not in pages:
        return target.is_file()
    return not address.fragment or unquote(address.fragment) in pages[target].anchors


def _file_of(link: str, path: Path) -> Path:
    name = unquote(urlsplit(link).path)
    return Path(os.path.normpath(path.parent / name)) if name else path
