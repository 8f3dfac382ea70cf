"""One file over HTTP: resumed where it stopped, checked, and there only when it is whole.

The body goes to .partial/<hash of the id>.part beside the wanted file, with the server's validator (ETag or
Last-Modified). A later attempt asks for the rest with Range and If-Range; a server with another version, or without
ranges, sends the whole body and it starts again.
"""

import email.utils
import json
import math
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
from filelock import FileLock, Timeout

from cvr_data.core.http_client import (
    BAD_ADDRESS,
    PrivateRedirect,
    host_of,
    http_body_is_html,
    http_client,
    innermost_cause,
    whole_number,
)
from cvr_data.core.whole_files import file_sha256
from cvr_data.download.items import WantedFile
from cvr_data.tables import content_id

PARTIAL = ".partial"
WORTH_RETRYING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""HTTP statuses of a server that may answer later; every other error is final."""
SLOW_S = 60.0
"""How long a server may stay below the least speed."""
LONGEST_WAIT_S = 300.0
"""A Retry-After above this ends the tries of this run."""


@dataclass(frozen=True, kw_only=True)
class FetchAnswer:
    """How one attempt ended."""

    error: str | None = None
    """None: the file is there."""
    is_final: bool = False
    http_status: int | None = None
    wait_s: float | None = None
    """What the server asked to wait."""
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class FetchLimits:
    """What a server may take and give."""

    timeout_s: float = 30.0
    """Seconds without a byte before an attempt ends."""
    max_bytes: int = 1 << 40
    """Of one file."""
    max_total_bytes: int = 1 << 50
    """Of all files of a run."""
    min_speed: int = 100
    """Bytes per second, over `SLOW_S`, below which an attempt ends; 0 waits for any server."""
    private_redirects: bool = False
    """Follow redirects to other hosts of a private network."""


class HostGate:
    """Holds back requests to a host that asked to wait, in every thread."""

    def __init__(self, stop: threading.Event):
        self.stop = stop
        self.open_at: dict[str, float] = {}
        self.lock = threading.Lock()

    def close(self, url: str, wait_s: float) -> None:
        """Send nothing to the url's host for so long."""
        host = host_of(url)
        with self.lock:
            self.open_at[host] = max(self.open_at.get(host, 0.0), time.monotonic() + wait_s)

    def wait(self, url: str) -> None:
        """Return when the url's host may be asked, or the run is stopped."""
        with self.lock:
            rest_s = self.open_at.get(host_of(url), 0.0) - time.monotonic()
        if rest_s > 0:
            self.stop.wait(rest_s)


class HttpFetcher:
    """Fetches items into a folder; one object serves many threads."""

    def __init__(self, folder: Path, limits: "FetchLimits", stop: threading.Event):
        self.folder, self.limits, self.stop = folder, limits, stop
        self.client = http_client(timeout_s=limits.timeout_s, private_redirects=limits.private_redirects)
        self.received = 0
        """Bytes of all files; threads add to it without a lock, for a limit that need not be met to the byte."""

    def attempt(self, item: WantedFile) -> FetchAnswer:
        """Ask once for what is missing of the item's file, unless another run is at it."""
        partial = Partial(self.folder, item)
        partial.lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(partial.lock, timeout=0):
                target = self.folder / item.file
                # Another run may have finished it since this one looked.
                answer = (
                    FetchAnswer(sha256=file_sha256(target)) if target.is_file() else self._ask_server(item, partial)
                )
                partial.lock.unlink(missing_ok=True)
                return answer
        except Timeout:
            return FetchAnswer(error="another run is fetching it")

    def _ask_server(self, item: WantedFile, partial: "Partial") -> FetchAnswer:
        asked = partial.range_headers()
        try:
            with self.client.stream("GET", item.url, headers=asked) as response:
                return self._receive(item, partial, response, is_range=bool(asked))
        except PrivateRedirect as error:
            return FetchAnswer(error=str(error), is_final=True)
        except BAD_ADDRESS as error:
            return FetchAnswer(error=f"not an address: {error}", is_final=True)
        except httpx2.TooManyRedirects:
            return FetchAnswer(error="redirected in circles", is_final=True)
        except httpx2.HTTPError as error:
            cause = innermost_cause(error)
            text = str(cause).split("\n", 1)[0]
            return FetchAnswer(error=f"{type(cause).__name__}: {text}" if text else type(cause).__name__)

    def progress(self, item: WantedFile) -> int:
        """Return how many bytes of the item's unfinished file are here."""
        return Partial(self.folder, item).size()

    def _receive(
        self, item: WantedFile, partial: "Partial", response: httpx2.Response, *, is_range: bool
    ) -> FetchAnswer:
        code = response.status_code
        if code == 416 and is_range:
            partial.remove()
            return FetchAnswer(error="the server has another version of the part that is here", http_status=code)
        if code not in (200, 206):
            wait_s = download_retry_after_s(response.headers.get("Retry-After"))
            text = f"HTTP {code} {response.reason_phrase}".strip()
            return FetchAnswer(error=text, is_final=code not in WORTH_RETRYING, http_status=code, wait_s=wait_s)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if item.is_media and kind in ("text/html", "application/xhtml+xml"):
            return FetchAnswer(error="a web page, not a medium", is_final=True, http_status=code)
        start = _range_start(response.headers) if code == 206 else 0
        if start != (partial.size() if code == 206 else 0):
            partial.remove()
            return FetchAnswer(error="the server sent another range than was asked for", http_status=code)
        return self._store_body(item, partial, response, start)

    def _store_body(self, item: WantedFile, partial: "Partial", response: httpx2.Response, start: int) -> FetchAnswer:
        length = response.headers.get("Content-Length")
        is_plain = response.headers.get("Content-Encoding", "identity") == "identity"
        number = whole_number(length)
        total = start + number if number is not None and is_plain else None
        if length and number is None:
            return FetchAnswer(error="its length is no number", is_final=True, http_status=200)
        if total is not None and total > self.limits.max_bytes:
            return FetchAnswer(error=f"{total} bytes are more than --max-bytes", is_final=True, http_status=200)
        partial.begin(response.headers, keep=start > 0)
        size = start
        speed = Speed(self.limits.min_speed)
        with partial.body.open("ab") as body:
            for chunk in response.iter_bytes():
                body.write(chunk)
                size += len(chunk)
                self.received += len(chunk)
                if problem := self._problem_of_body(size, speed.is_slow(len(chunk))):
                    return replace(problem, http_status=response.status_code)
            body.flush()
            os.fsync(body.fileno())
        if total is not None and size != total:
            return FetchAnswer(error=f"the body ended after {size} of {total} bytes", http_status=response.status_code)
        return self._finish(item, partial, response.status_code, size)

    def _problem_of_body(self, size: int, is_slow: bool) -> FetchAnswer | None:
        """Why no more of a body is taken, or None."""
        if size > self.limits.max_bytes:
            return FetchAnswer(error="the body is longer than --max-bytes", is_final=True)
        if self.received > self.limits.max_total_bytes:
            return FetchAnswer(error="all files together are more than --max-total-bytes", wait_s=math.inf)
        if is_slow:
            return FetchAnswer(error=f"slower than {self.limits.min_speed} bytes per second (--min-speed)")
        return FetchAnswer(error="interrupted") if self.stop.is_set() else None

    def _finish(self, item: WantedFile, partial: "Partial", code: int, size: int) -> FetchAnswer:
        wrong = None
        digest = file_sha256(partial.body)
        with partial.body.open("rb") as body:
            is_page = item.is_media and http_body_is_html(body.read(512))
        if size == 0:
            wrong = "the body is empty"
        elif is_page:
            wrong = "a web page, not a medium"
        elif item.sha256 is not None and digest != item.sha256:
            wrong = f"its sha256 is {digest}, not {item.sha256}"
        if wrong:
            partial.remove()
            # A resumed body may mix two versions of the file, so a fresh one is worth another attempt.
            return FetchAnswer(error=wrong, is_final=code == 200 or is_page, http_status=code)
        target = self.folder / item.file
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.body.replace(target)
        partial.remove()
        return FetchAnswer(http_status=code, sha256=digest)


class Speed:
    """Tells whether a body has come too slowly for too long."""

    def __init__(self, least: int):
        self.least = least
        self.since_s, self.count = time.monotonic(), 0

    def is_slow(self, received: int) -> bool:
        """Count what came, and say once per `SLOW_S` whether it was too little."""
        self.count += received
        passed_s = time.monotonic() - self.since_s
        if passed_s < SLOW_S:
            return False
        is_slow = self.count < self.least * passed_s
        self.since_s, self.count = time.monotonic(), 0
        return is_slow


class Partial:
    """The unfinished file of an item and the validator of the body it is the start of."""

    def __init__(self, folder: Path, item: WantedFile):
        stem = folder / PARTIAL / content_id(item.item_id, item.url)
        self.body, self.note, self.lock = (stem.with_suffix(suffix) for suffix in (".part", ".json", ".lock"))

    def size(self) -> int:
        """Return its bytes; 0 if there is none."""
        return self.body.stat().st_size if self.body.exists() else 0

    def range_headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest; none if there is nothing to go on from."""
        validator = self._validator()
        if not self.size() or validator is None:
            return {}
        return {"Range": f"bytes={self.size()}-", "If-Range": validator}

    def begin(self, headers: Mapping[str, str], *, keep: bool) -> None:
        """Make room for a body: after what is here, or from the start with a new validator."""
        if keep:
            return
        self.remove()
        etag = headers.get("ETag", "")
        validator = etag if etag.startswith('"') else headers.get("Last-Modified", "")
        if validator and validator.isascii():
            self.note.write_text(json.dumps({"validator": validator}), encoding="utf-8")

    def remove(self) -> None:
        """Remove the body and its note."""
        self.body.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _validator(self) -> str | None:
        try:
            return str(json.loads(self.note.read_text(encoding="utf-8"))["validator"])
        except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
            return None


def download_retry_after_s(text: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which is a number of them or a date; None without a readable one."""
    if not text:
        return None
    if (seconds := whole_number(text)) is not None:
        return float(seconds)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _range_start(headers: Mapping[str, str]) -> int | None:
    """The first byte of a 206, as `Content-Range: bytes 100-199/200` tells it."""
    unit, _, value = headers.get("Content-Range", "").partition(" ")
    start = value.partition("-")[0]
    return whole_number(start) if unit == "bytes" else None
