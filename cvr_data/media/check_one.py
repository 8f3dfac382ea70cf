"""Looks whether one medium is still there: a file is opened and hashed, an address is asked for its first bytes.

check_medium(Clip(Path("a.mp4")), None, FileHashes())  # Found(status="ok", duration_s=12.0, sha256="...", ...)
UrlChecker(timeout_s=30)("https://host/a.mp4")         # Found(status="gone", reason="HTTP 404", ...)
"""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx2

from cvr_data.core.errors import CvrError
from cvr_data.core.http_client import (
    BAD_ADDRESS,
    CONNECT_TIMEOUT_S,
    PrivateRedirect,
    http_body_is_html,
    http_client,
    innermost_cause,
    whole_number,
)
from cvr_data.download.fetch import WORTH_RETRYING, download_retry_after_s
from cvr_data.download.hub import SCHEME, hub_download_address_parts
from cvr_data.media.clip import Clip
from cvr_data.media.decoders import OPENERS
from cvr_data.media.look import FileHashes
from cvr_data.media.names import is_media_file, what_medium_is_there
from cvr_data.media.remote_file import RemoteFile
from cvr_data.media.video import UnreadableVideo, VideoInfo, probe_medium

Status = Literal["ok", "gone", "unsure"]
"""gone: asking again will not help; unsure: it may (a timeout, 503)."""
FIRST_BYTES = 1024
PAGES = ("text/html", "application/xhtml+xml")


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is known of one medium; what was not found out is None."""

    status: Status
    reason: str | None = None
    """Why it is not ok."""
    http_status: int | None = None
    bytes: int | None = None
    duration_s: float | None = None
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None
    verdict: str | None = None
    """Of a file: a word of `cvr_data.media.verdict.VERDICTS`."""
    note: str | None = None
    """What is to be said of a file that is there: its verdict and the facts."""
    wait_s: float | None = None
    """What the server asked to wait."""


def check_medium(clip: Clip, known_sha256: str | None, file_sha256: FileHashes) -> Found:
    """Return whether a file opens as a video or image, has the clip's frames, and is still what was imported."""
    path = clip.path
    if not is_media_file(path):
        return Found(status="gone", reason=_no_file(path), verdict="missing")
    try:
        info = probe_medium(clip)
        digest = clip.sha256(file_sha256(path))
    except UnreadableVideo as error:
        if error.verdict == "forbidden":
            return Found(status="unsure", reason="no permission to read it", verdict=error.verdict)
        text = str(error).removeprefix(f"{Clip(path)}: ").rstrip(".")
        return Found(status="gone", reason=text, bytes=path.stat().st_size, verdict=error.verdict)
    except OSError as error:
        return Found(status="unsure", reason=f"cannot be read ({error.strerror})", verdict="unreadable")
    changed = known_sha256 is not None and digest != known_sha256
    reason = "its sha256 is not the one that was imported" if changed else None
    return _with_info(info, "gone" if changed else "ok", reason=reason, size=path.stat().st_size, sha256=digest)


class UrlChecker:
    """Asks addresses; one object serves many threads."""

    def __init__(self, *, timeout_s: float, is_opening: bool = False, private_redirects: bool = False):
        self.is_opening = is_opening
        connect_s = min(CONNECT_TIMEOUT_S, timeout_s)
        self.client = http_client(timeout_s=timeout_s, connect_s=connect_s, private_redirects=private_redirects)

    def __call__(self, url: str) -> Found:
        """Return whether the address answers with a medium; with `is_opening` also what its container says."""
        try:
            address, headers = _address_of_medium(url)
            found = self._ask(address, headers)
        except PrivateRedirect:
            return Found(status="gone", reason="redirected into a private network")
        except (*BAD_ADDRESS, CvrError):
            return Found(status="gone", reason="not an address")
        except httpx2.TooManyRedirects:
            return Found(status="gone", reason="redirected in circles")
        except httpx2.TimeoutException:
            return Found(status="unsure", reason="timeout")
        except httpx2.HTTPError as error:
            return Found(status="unsure", reason=_kind_of_fault(error))
        if found.status != "ok" or not self.is_opening:
            return found
        try:
            info = OPENERS.header(RemoteFile(self.client, address, headers, found.bytes))
        except UnreadableVideo as error:
            return Found(status="gone", reason=f"cannot be opened ({error})", http_status=found.http_status)
        except httpx2.HTTPError as error:
            return Found(status="unsure", reason=_kind_of_fault(error))
        return _with_info(info, "ok", size=found.bytes, http_status=found.http_status)

    def _ask(self, address: str, headers: dict[str, str]) -> Found:
        # Not HEAD: some hosts refuse it, or answer it for files that are gone.
        asked = {"Range": f"bytes=0-{FIRST_BYTES - 1}", **headers}
        with self.client.stream("GET", address, headers=asked) as response:
            code = response.status_code
            if code not in (200, 206):
                is_final = code not in WORTH_RETRYING
                wait_s = download_retry_after_s(response.headers.get("Retry-After"))
                return Found(status="gone" if is_final else "unsure", reason=f"HTTP {code}", http_status=code,
                             wait_s=wait_s)  # fmt: skip
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind in PAGES:
                return Found(status="gone", reason="a web page, not a medium", http_status=code)
            start = b""
            for chunk in response.iter_bytes():
                start += chunk
                if len(start) > FIRST_BYTES:
                    break  # a host without ranges; a body that is read to its end leaves the connection open
            if not start:
                return Found(status="gone", reason="empty", http_status=code)
            if http_body_is_html(start):
                return Found(status="gone", reason="a web page, not a medium", http_status=code)
            # A 206 tells the size of the whole file at the end of its Content-Range: bytes 0-1023/5000
            _, _, total = response.headers.get("Content-Range", "").rpartition("/")
            length = response.headers.get("Content-Length", "") if response.status_code == 200 else total
            return Found(status="ok", http_status=code, bytes=whole_number(length))


def _with_info(
    info: VideoInfo, status: Status, *, reason: str | None = None, size: int | None = None, sha256: str | None = None,
    http_status: int | None = None,
) -> Found:  # fmt: skip
    return Found(
        status=status, reason=reason, http_status=http_status, bytes=size, sha256=sha256,
        duration_s=round(info.duration_s, 3), fps=round(info.fps, 3), width=info.width, height=info.height,
        verdict=info.verdict, note=info.note,
    )  # fmt: skip


def _no_file(path: Path) -> str:
    try:
        is_other = stat.S_IFMT(path.stat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR)
    except (OSError, ValueError):
        is_other = False
    return "a device, pipe or socket, no file" if is_other else f"no such file{what_medium_is_there(path)}"


def _address_of_medium(url: str) -> tuple[str, dict[str, str]]:
    """The address to ask for a url, and the headers it needs: files on the Hub go with its token."""
    if not url.startswith(SCHEME):
        return url, {}
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    kind, repo, revision, path = hub_download_address_parts(url)
    return hf_hub_url(repo, path, repo_type=kind, revision=revision), build_hf_headers()


def _kind_of_fault(error: httpx2.HTTPError) -> str:
    """What went wrong, without the address, so that equal causes count together."""
    names = {"gaierror": "no such host", "ConnectionRefusedError": "connection refused",
             "ConnectionResetError": "connection reset", "TimeoutError": "timeout"}  # fmt: skip
    name = type(innermost_cause(error)).__name__
    return names.get(name, name)
