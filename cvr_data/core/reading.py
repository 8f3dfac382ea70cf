"""The border that files come in through: whatever a reader raises on a damaged one is one line that names the file."""

import contextlib
import errno
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvr_data.core.errors import CvrError, first_line

if TYPE_CHECKING:
    import numpy as np
import os
import stat

from cvr_data.core.places import is_remote

SYSTEM = (Path("/dev"), Path("/proc"), Path("/sys"))
ALLOWED = Path("/dev/shm")
"""The one folder there that holds ordinary files."""

LONGEST = 200
"""Characters of what a reader says that are passed on."""


@contextlib.contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Read one file in this block, and nothing else: what goes wrong there is wrong with the file.

    Args:
        path: the file.
        kind: what it should be, such as "a result".

    Raises:
        CvrError: it cannot be read, or is none.
    """
    try:
        check_plain(path)
        yield
    except CvrError:
        raise
    except FileNotFoundError:
        raise CvrError(f"{path}: no such file.") from None
    except UnicodeDecodeError as error:
        raise CvrError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}).") from None
    except RecursionError:
        raise CvrError(f"{path}: its lists and objects lie too deep in each other.") from None
    except OSError as error:
        is_of_system = error.errno is not None and error.errno != errno.EINVAL
        raise CvrError(f"{path}: cannot be read ({error.strerror if is_of_system else first_line(error)}).") from None
    except Exception as error:  # of any kind: a parser of damaged bytes ends wherever they lead
        raise CvrError(f"{path}: cannot be read as {kind} ({error_reason(error)}).") from None


def check_json_value_types(content: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    """Check that an object of a file has these keys, each with a value of its type; a mapping is for one in it.

    Raises:
        ValueError: one is missing, or is something else.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"it is of type {type(content).__name__}")
    for name, kind in kinds.items():
        if name not in content:
            raise ValueError(f"{name!r} is missing")
        value = content[name]
        if not isinstance(value, dict if isinstance(kind, Mapping) else kind) or isinstance(value, bool):
            raise ValueError(f"{name!r} is of type {type(value).__name__}")
        if isinstance(kind, Mapping):
            check_json_value_types(value, kind)


def check_fields(kind: type, values: Mapping[str, Any]) -> None:
    """Check that values from a file are of the types of the fields of a dataclass; JSON and YAML have lists for tuples.

    Raises:
        ValueError: one is not, or is no field.
    """
    hints = typing.get_type_hints(kind)
    for name, value in values.items():
        if name not in hints:
            raise ValueError(f"{name!r} is unknown")
        parts = typing.get_args(hints[name]) if isinstance(hints[name], types.UnionType) else (hints[name],)
        allowed = tuple(typing.get_origin(part) or part for part in parts)
        is_choice = typing.Literal in allowed
        is_fitting = (
            value in typing.get_args(parts[0])
            if is_choice
            else isinstance(value, (*allowed, *((list,) if tuple in allowed else ())))
        )
        if not is_fitting or (isinstance(value, bool) and bool not in allowed):
            raise ValueError(f"{name!r} is {str(value)[:40]!r}")


def error_reason(error: BaseException) -> str:
    """Return what an error says, short, with its kind where that is not clear from a word alone."""
    said = first_line(error)[:LONGEST].rstrip(".")
    if isinstance(error, KeyError):
        return f"{said} is missing"
    return said if " " in said else f"{type(error).__name__}: {said}"


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file. Raises CvrError: the file is missing or not UTF-8."""
    with reading(path, "text"):
        return path.read_bytes().decode("utf-8")


def read_array(path: Path) -> "np.ndarray":
    """Return the array of an `.npy` file of numbers, read from the disk as it is asked for.

    Raises:
        CvrError: it is missing or damaged, or holds something else.
    """
    import numpy as np

    with reading(path, "an .npy file"):
        array = np.load(path, mmap_mode="r" if path.stat().st_size else None, allow_pickle=False)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise CvrError(f"{path} should hold numbers, got {getattr(array, 'dtype', 'an archive')}.")
    return array


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
