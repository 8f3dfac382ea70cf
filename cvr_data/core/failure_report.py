"""An error that nobody expected is one line for the user, and a file for whoever mends it.

The file has the traceback, the versions and the command, keys and passwords masked. It lies in the cache folder, or in
the temporary one where that cannot be written to.
"""

import contextlib
import os
import platform
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from cvr_data.core.errors import first_line
from cvr_data.core.model_packages import cache_folder
from cvr_data.core.secrets_in_text import mask_secrets
from cvr_data.core.versions import installed_versions

KEPT = 50
"""Reports that stay; older ones go."""
LONGEST_LINE = 300


def write_failure_report(error: BaseException, words: Sequence[str]) -> str:
    """Save a report of the error and return the line that names it."""
    said = mask_secrets(f"{type(error).__name__}: {first_line(error)}")[:LONGEST_LINE]
    saved = _saved_failure(failure_report_text(error, words))
    where = "no report of it could be written" if saved is None else f"the report {saved} tells where"
    return f"unexpected error, {said} ({where}; with --debug it is shown)."


def failure_report_text(error: BaseException, words: Sequence[str]) -> str:
    """Return the text of a report."""
    versions = [f"{name} {version}" for name, version in installed_versions().items()]
    trace = "".join(traceback.format_exception(error, chain=True))
    parts = [f"cvr {' '.join(words)}", f"in {Path.cwd() if _is_somewhere() else 'a folder that is gone'}",
             platform.platform(), ", ".join(versions), "", trace]  # fmt: skip
    return mask_secrets("\n".join(parts))


def _is_somewhere() -> bool:
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False


def _saved_failure(text: str) -> Path | None:
    """The file the text was written to, readable by its owner alone."""
    for folder in (cache_folder() / "reports", Path(tempfile.gettempdir()) / f"cvr-reports-{os.getuid()}"):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{time.monotonic_ns() % 10**6:06d}.txt"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            for old in sorted(folder.glob("*.txt"))[:-KEPT]:
                old.unlink(missing_ok=True)
            return path
    return None
