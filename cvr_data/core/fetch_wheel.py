"""Fetches one released wheel from where pip is set up to look, without pip and without what the wheel depends on.

pip's find-links, index-url, extra-index-url, no-index, cert and proxy hold, from PIP_... variables or pip's files.
"""

import configparser
import html
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import url2pathname

import httpx2

from cvr_data.core.errors import CvrError
from cvr_data.core.http_client import BAD_ADDRESS, http_client, innermost_cause
from cvr_data.core.progress import Megabytes
from cvr_data.core.whole_files import file_sha256

INDEX = "https://pypi.org/simple"
ANSWERS = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
TIMEOUT_S = 60.0
TRIES = 3


def fetch_python_wheel_file(distribution: str, version: str, sha256: str, folder: Path) -> Path:
    """Return the wheel, brought into the folder, with the sha256 it should have.

    Raises:
        CvrError: no place has it, or what a place has is another file.
    """
    wanted = f"{distribution}=={version}"
    problems = []
    with http_client(timeout_s=TIMEOUT_S, cafile=_last_pip_setting("cert"), proxy=_last_pip_setting("proxy")) as client:
        for place in _wheel_places(distribution):
            try:
                for link in _wheel_links(client, place):
                    if _is_wheel_of(link, distribution, version):
                        return _checked_wheel(_download_wheel(client, link, folder), sha256)
            except (*BAD_ADDRESS, httpx2.HTTPError, OSError) as error:
                problems.append(f"{_place_without_login(place)}: {innermost_cause(error)}".splitlines()[0])
    raise CvrError(
        f"Cannot download {wanted} ({'; '.join(problems) or 'no index has it'}); run: pip install --no-deps {wanted}"
    )


def pip_setting(name: str) -> list[str]:
    """Return the words of an option of pip's, as pip itself finds it; [] where it is not set."""
    if (value := os.environ.get(f"PIP_{name.upper().replace('-', '_')}")) is not None:
        return value.split()
    config_home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    named = os.environ.get("PIP_CONFIG_FILE", "")
    files = [f"{sys.prefix}/pip.conf", f"{config_home}/pip/pip.conf", f"{Path.home()}/.pip/pip.conf",
             "/etc/pip.conf", "/etc/xdg/pip/pip.conf"]  # fmt: skip
    for path in [] if named == os.devnull else [named, *files]:
        parser = configparser.RawConfigParser()
        parser.read(path, encoding="utf-8")
        for section in ("download", "global"):
            for key in (name, name.replace("-", "_")):
                if parser.has_option(section, key):
                    return parser.get(section, key).split()
    return []


def _last_pip_setting(name: str) -> str | None:
    return next(reversed(pip_setting(name)), None)


def _wheel_places(distribution: str) -> Iterator[str]:
    """Folders and pages that may list the wheel."""
    yield from pip_setting("find-links")
    if _last_pip_setting("no-index") not in ("1", "true", "yes", "on"):
        for index in [_last_pip_setting("index-url") or INDEX, *pip_setting("extra-index-url")]:
            yield f"{index.rstrip('/')}/{_canonical(distribution)}/"


def _wheel_links(client: httpx2.Client, place: str) -> list[str]:
    """The addresses on a page or in a folder; folders and pages on this machine come as paths or file: addresses."""
    if not place.startswith(("http:", "https:")):
        path = Path(url2pathname(urlsplit(place).path) if place.startswith("file:") else place)
        if not path.exists():
            return []
        if path.is_dir() and not (path / "index.html").is_file():
            return sorted(found.absolute().as_uri() for found in path.iterdir())
        page = path / "index.html" if path.is_dir() else path
        return [urljoin(page.absolute().as_uri(), link) for link in _page_hrefs(page.read_text(encoding="utf-8"))]
    answer = client.get(place, headers={"Accept": ANSWERS})
    if answer.status_code == 404:
        return []
    answer.raise_for_status()
    is_json = "json" in answer.headers.get("Content-Type", "")
    links = [file["url"] for file in answer.json()["files"]] if is_json else _page_hrefs(answer.text)
    return [_with_login(urljoin(str(answer.url), link), place) for link in links]


def _page_hrefs(page: str) -> list[str]:
    return [html.unescape(link) for link in re.findall(r"""<a\s[^>]*?href=["']([^"']+)""", page)]


def _with_login(link: str, place: str) -> str:
    """A link to the host of an index whose address holds a name and a password, with these."""
    login, at, host = urlsplit(place).netloc.rpartition("@")
    return link.replace(f"//{host}/", f"//{login}@{host}/", 1) if at and urlsplit(link).netloc == host else link


def _is_wheel_of(link: str, distribution: str, version: str) -> bool:
    name = unquote(urlsplit(link).path).rpartition("/")[2]
    found = name.split("-")
    return name.endswith(".whl") and [_canonical(found[0]), *found[1:2]] == [_canonical(distribution), version]


def _download_wheel(client: httpx2.Client, link: str, folder: Path) -> Path:
    link = urldefrag(link).url
    target = folder / unquote(urlsplit(link).path).rpartition("/")[2]
    if link.startswith("file:"):
        return shutil.copyfile(url2pathname(urlsplit(link).path), target)
    for attempt in range(1, TRIES + 1):
        try:
            with client.stream("GET", link) as response, target.open("wb") as file:
                response.raise_for_status()
                progress = Megabytes(f"download {target.name}", int(response.headers.get("Content-Length", 0)))
                with progress:
                    for chunk in response.iter_bytes():
                        progress.advance_bytes(file.write(chunk))
            return target
        except httpx2.TransportError:
            if attempt == TRIES:
                raise
    raise AssertionError("the last try returns or raises")


def _checked_wheel(wheel: Path, sha256: str) -> Path:
    found = file_sha256(wheel)
    if found != sha256:
        raise CvrError(
            f"{wheel.name} has sha256 {found[:12]}..., the released wheel {sha256[:12]}...; it was not used."
        )
    return wheel


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _place_without_login(place: str) -> str:
    """A place without the name and password in its address."""
    return re.sub(r"//[^/@]*@", "//", place)
