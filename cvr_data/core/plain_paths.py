"""Files and folders, and nothing else: a device can be replaced by who may write beside it, a pipe waits for ever."""

import errno
import os
import stat
from pathlib import Path

from cvr_data.core.errors import CvrError
from cvr_data.core.places import is_remote

SYSTEM = (Path("/dev"), Path("/proc"), Path("/sys"))
ALLOWED = Path("/dev/shm")
"""The one folder there that holds ordinary files."""


def check_plain(path: Path) -> Path:
    """Return the path of a file or folder, or of what is not there yet.

    Raises:
        CvrError: it is a device, pipe or socket, or lies among the system's (`/dev/stdout`, wherever that leads).
    """
    if is_remote(path):
        return path
    here = Path(os.path.normpath(Path.cwd() / path))
    for place in (here, Path(os.path.realpath(here))):
        if any(place.is_relative_to(folder) for folder in SYSTEM) and not place.is_relative_to(ALLOWED):
            raise CvrError(f"{path} is no plain file or folder, but one of the system's; name another.")
    try:
        kind = here.stat().st_mode
    except OSError as error:  # not there, or not to be looked at: whoever opens it says so
        if error.errno == errno.ELOOP:
            raise CvrError(f"{path} is a link that leads to itself; name another.") from None
        return path
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise CvrError(f"{path} is no plain file or folder, but a device, pipe or socket; name another.")
    return path
