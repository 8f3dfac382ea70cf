"""Looks which media of a dataset are still there, and again only at what is new, may have come back, or is due.

    media-check/  media.parquet  report.json  log/*.parquet

media.parquet has a row per video: status ok (there), gone (asking again will not help), unsure (it may) or absent (no
path and no url), the reason, and what is known of the file: with its verdict, and a note where it is used all the same
(`cvr_data.media.verdict`). The log is only ever added to, so a kill loses a few
seconds of checks; the last row of a video and place counts.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.core.http_client import host_of as netloc_of
from cvr_data.core.progress import Progress
from cvr_data.core.row_log import RowLog
from cvr_data.core.whole_files import json_bytes, write_bytes, write_parquet
from cvr_data.download.fetch import LONGEST_WAIT_S, HostGate
from cvr_data.media.check_one import Found, UrlChecker, check_medium
from cvr_data.media.clip import Clip
from cvr_data.media.look import FileHashes
from cvr_data.media.names import is_media_file

MEDIA, REPORT, LOG = "media.parquet", "report.json", "log"
DAY_S = 86_400.0
AHEAD = 4
"""Checks handed out per thread: what waits is bounded by it."""
CHECKED = pa.schema(
    [
        ("video_id", pa.string()), ("source", pa.string()), ("place", pa.string()), ("status", pa.string()),
        ("reason", pa.string()), ("http_status", pa.int32()), ("bytes", pa.int64()), ("duration_s", pa.float64()),
        ("fps", pa.float64()), ("width", pa.int32()), ("height", pa.int32()), ("sha256", pa.string()),
        ("modified_s", pa.float64()), ("checked_s", pa.float64()), ("start_s", pa.float64()), ("end_s", pa.float64()),
        ("verdict", pa.string()), ("note", pa.string()),
    ]
)  # fmt: skip
"""place is a path or url, start_s to end_s what was looked at of a file; modified_s and checked_s are Unix times."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How to look."""

    concurrency: int = 16
    """Media looked at at once."""
    attempts: int = 3
    """Tries of an address that may come back."""
    timeout_s: float = 20.0
    """Seconds without an answer before a try ends."""
    backoff_s: float = 1.0
    """Pause after the first failure; it doubles each time."""
    older_than_days: float | None = None
    """Look again at what was last looked at so long ago; None looks at nothing twice that is there or gone."""
    private_redirects: bool = False
    """Follow redirects to other hosts of a private network."""
    is_opening: bool = False
    """Open addresses too, which tells duration, frame rate and size, and takes longer."""


@dataclass(frozen=True)
class Medium:
    """A video and where it is looked for."""

    video_id: str
    source: str
    place: str | None
    """A path where there is a file or no url, else the url."""
    known_sha256: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    """Of a clip of the file."""

    @property
    def is_url(self) -> bool:
        """Whether the place is an address."""
        return self.place is not None and "://" in self.place


def media_to_check(videos: pa.Table, used: set[str] | None = None) -> list[Medium]:
    """Return the media of a videos table with absolute paths, in its order; `used` leaves out all other videos."""
    names = ("video_id", "source", "path", "url", "content_sha256", "start_s", "end_s")
    rows = zip(*(videos.column(name).to_pylist() for name in names), strict=True)
    found = {}
    for video_id, source, path, url, sha256, *times in rows:
        if used is None or video_id in used:
            is_here = path is not None and (url is None or is_media_file(Path(path)))
            found[video_id] = Medium(video_id, source, path if is_here else url, sha256, *times)
    return list(found.values())


def check_media(media: Sequence[Medium], out: Path, config: Config) -> pa.Table:
    """Look at what is due, write media.parquet and report.json, and return the table of all media.

    Raises:
        CvrError: `out` holds something else.
    """
    if out.exists() and any(out.iterdir()) and not (out / LOG).is_dir():
        raise CvrError(f"{out} is not empty and holds no check of media; name another --out.")
    (out / LOG).mkdir(parents=True, exist_ok=True)
    log = RowLog(out / LOG, CHECKED, key="video_id", when="checked_s")
    now = time.time()
    due = [medium for medium in media if _is_due(medium, log.known.get(medium.video_id), config, now)]
    with Progress("check-media", len(due), "media") as progress:
        counts: Counter[str] = Counter()
        try:
            for row in _looked_at(due, config):
                log.add(row)
                counts[row["status"]] += 1
                progress.advance(note=", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
        finally:
            log.flush()
    rows = [log.known[medium.video_id] for medium in media]
    table = pa.Table.from_pylist(rows, CHECKED).sort_by("video_id")
    write_parquet(out / MEDIA, table)
    write_bytes(out / REPORT, json_bytes({**media_check_report(table), "looked_at": len(due)}))
    return table


def media_check_file(folder: Path) -> Path:
    """Return media.parquet of a folder. Raises CvrError: there is none."""
    if not (folder / MEDIA).is_file():
        raise CvrError(f"{folder} holds no {MEDIA}; run: cvr check-media ... -O {folder}")
    return folder / MEDIA


def media_check_report(table: pa.Table) -> dict[str, Any]:
    """Return counts of the statuses: of all media, by source and host, and of the reasons."""
    rows = table.select(["source", "place", "status", "reason", "verdict"]).to_pylist()
    places: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        places.setdefault((row["source"], host_of_medium(row["place"])), Counter())[row["status"]] += 1
    reasons = Counter((row["status"], row["reason"]) for row in rows if row["status"] != "ok")
    times = [value for value in table.column("checked_s").to_pylist() if value is not None]
    return {
        "media": len(rows),
        "statuses": dict(sorted(Counter(row["status"] for row in rows).items())),
        "verdicts": dict(sorted(Counter(row["verdict"] for row in rows if row["verdict"]).items())),
        "places": [
            {"source": source, "host": host, "media": counts.total(), **{name: counts[name] for name in sorted(counts)}}
            for (source, host), counts in sorted(places.items())
        ],
        "reasons": [
            {"status": status, "reason": reason, "media": count} for (status, reason), count in reasons.most_common()
        ],
        "checked_s": [min(times), max(times)] if times else None,
    }


def host_of_medium(place: str | None) -> str:
    """Return the host of an address, `files` of a path, `nowhere` of what leads nowhere."""
    if place is None:
        return "nowhere"
    if "://" not in place:
        return "files"
    return netloc_of(place) or "nowhere"


def _is_due(medium: Medium, known: Mapping[str, Any] | None, config: Config, now: float) -> bool:
    places = [(known[name], getattr(medium, name)) for name in ("place", "start_s", "end_s")] if known else []
    if known is None or any(before != given for before, given in places) or known["status"] == "unsure":
        return True
    if medium.place is not None and not medium.is_url and _modified_s(medium.place) != known["modified_s"]:
        return True
    if config.is_opening and known["status"] == "ok" and known["duration_s"] is None:
        return True
    return config.older_than_days is not None and now - known["checked_s"] >= config.older_than_days * DAY_S


def _looked_at(media: Sequence[Medium], config: Config) -> Iterator[dict[str, Any]]:
    """Yield a row per medium as it becomes known; at most `concurrency` are looked at at once."""
    stop = threading.Event()
    checker = UrlChecker(
        timeout_s=config.timeout_s, is_opening=config.is_opening, private_redirects=config.private_redirects
    )
    look = partial(
        _look_at_media,
        checker=checker,
        gate=HostGate(stop),
        sha256s=FileHashes(),
        config=config,
    )
    todo = iter(_spread_over_hosts(media))
    running: set[Future[dict[str, Any]]] = set()
    with checker.client, ThreadPoolExecutor(config.concurrency) as pool:
        try:
            while True:
                while len(running) < AHEAD * config.concurrency and (medium := next(todo, None)) is not None:
                    running.add(pool.submit(look, medium))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


def _spread_over_hosts(media: Sequence[Medium]) -> list[Medium]:
    """The media in turn from each host, so that no host gets all requests at once and a slow one holds up no other."""
    turn: Counter[str] = Counter()
    keys = []
    for medium in media:
        host = host_of_medium(medium.place)
        keys.append(turn[host])
        turn[host] += 1
    return [media[row] for row in sorted(range(len(media)), key=lambda row: keys[row])]


def _look_at_media(
    medium: Medium, *, checker: UrlChecker, gate: HostGate, sha256s: FileHashes, config: Config
) -> dict[str, Any]:
    modified_s = None
    if medium.place is None:
        return _medium_row(medium, None, "absent", "no path and no url")
    if medium.is_url:
        found = _ask_address(medium.place, checker, gate, config)
    else:
        modified_s = _modified_s(medium.place)
        clip = Clip(Path(medium.place), medium.start_s, medium.end_s)
        found = check_medium(clip, medium.known_sha256, sha256s)
    values = {field.name: getattr(found, field.name) for field in fields(Found) if field.name in CHECKED.names}
    return {**_medium_row(medium, modified_s, found.status, found.reason), **values}


def _ask_address(url: str, checker: UrlChecker, gate: HostGate, config: Config) -> Found:
    """Try an address until it is there, gone, or has failed too often."""
    if host_of_medium(url) == "nowhere":
        return Found(status="gone", reason="not an address")
    for attempt in range(1, config.attempts + 1):
        gate.wait(url)
        found = checker(url)
        if found.status != "unsure" or attempt == config.attempts or gate.stop.is_set():
            break
        pause_s = found.wait_s if found.wait_s is not None else config.backoff_s * 2 ** (attempt - 1)
        if pause_s > LONGEST_WAIT_S:
            break
        if found.wait_s is not None:
            gate.close(url, pause_s)
        gate.stop.wait(pause_s)
    return found


def _medium_row(medium: Medium, modified_s: float | None, status: str, reason: str | None) -> dict[str, Any]:
    return {"video_id": medium.video_id, "source": medium.source, "place": medium.place, "status": status,
            "reason": reason, "modified_s": modified_s, "checked_s": time.time(), "start_s": medium.start_s,
            "end_s": medium.end_s}  # fmt: skip


def _modified_s(path: str) -> float | None:
    try:
        return Path(path).stat().st_mtime
    except (OSError, ValueError):
        return None
