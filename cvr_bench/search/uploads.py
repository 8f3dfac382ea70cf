"""Clips that people bring to a search: kept as files under names of our own while the page is served, a few at most."""

import secrets
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from cvr_data.core.errors import CvrError
from cvr_data.media.clip import Clip
from cvr_data.media.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES, UnreadableVideo, probe_medium
from cvr_data.pages.clips import small_mp4_for_page
from cvr_data.review.media import SHOWN

KEPT = 16
"""Clips that are there at a time; the oldest goes."""
MAX_NAME = 100


@dataclass(frozen=True)
class Upload:
    """A clip that somebody brought."""

    upload_id: str
    name: str
    """As its owner calls it."""
    path: Path
    """Where it lies."""
    shown: Path
    """What a browser plays of it."""

    @property
    def kind(self) -> str:
        """What it is shown as."""
        return "image" if self.shown.suffix.lower() in IMAGE_SUFFIXES else "video"


class Uploads:
    """The clips that were brought since the page was opened."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="cvr-search-")
        self._kept: OrderedDict[str, Upload] = OrderedDict()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Remove them all."""
        self._folder.cleanup()

    def place(self, name: str) -> Path:
        """Return where to write a clip of that name. Raises CvrError: so no clip is called."""
        suffix = Path(name).suffix.lower()
        if suffix not in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
            known = ", ".join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES | IMAGE_SUFFIXES))
            raise CvrError(f"{name[:MAX_NAME]!r}: a clip's name ends in one of {known}.")
        return Path(self._folder.name) / f"{secrets.token_urlsafe(12)}{suffix}"

    def keep(self, path: Path, name: str) -> Upload:
        """Take in a clip that lies at its place, if it can be decoded. Raises CvrError: it cannot."""
        name = Path(name).name[:MAX_NAME]
        shown = path
        try:
            probe_medium(path)
            if path.suffix.lower() not in SHOWN:
                shown = path.with_suffix(".shown.mp4")
                shown.write_bytes(small_mp4_for_page(Clip(path)))
        except UnreadableVideo as error:
            path.unlink(missing_ok=True)
            raise CvrError(str(error).replace(str(path), name)) from None
        made = Upload(f"upload-{path.stem}", name, path, shown)
        with self._lock:
            self._kept[made.upload_id] = made
            oldest = list(self._kept)[:-KEPT]
        for upload_id in oldest:
            self.drop(upload_id)
        return made

    def drop(self, upload_id: str) -> None:
        """Forget a clip and its files."""
        with self._lock:
            gone = self._kept.pop(upload_id, None)
        if gone is not None:
            gone.path.unlink(missing_ok=True)
            gone.shown.unlink(missing_ok=True)

    def get(self, upload_id: str) -> Upload | None:
        """Return a clip, or None: unknown, or gone since others came."""
        with self._lock:
            return self._kept.get(upload_id)
