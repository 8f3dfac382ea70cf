"""Splits CSV and TSV into records, so that a stray quote costs the row it stands in and no other.

A quote opens a cell where it is the first sign of it, and closes it before a separator or the end of a line, as RFC
4180 says; elsewhere it is text: `a 5" screen`. A record whose quotes are otherwise, that never ends, or whose lines are
each a row by themselves, has a problem and is its first line alone; the next line begins another. So each line of a
file is the header, blank, or of one record.
"""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyarrow import csv

from cvr_data.core.errors import CvrError

BLOCK = 1 << 20
MAX_RECORD = 1 << 26
"""Bytes of a record: what is longer is no row."""
SUSPICIOUS, BAD = "suspicious_quote", "bad_row"
_BOM = b"\xef\xbb\xbf"
_UTF16 = "UTF-16, not UTF-8; save it as UTF-8"
_KINDS = {
    b"\xff\xfe": _UTF16,
    b"\xfe\xff": _UTF16,
    b"PK\x03\x04": "a zip file or a workbook, not text; export it as CSV in UTF-8",
    b"\x1f\x8b": "packed with gzip; unpack it",
    b"PAR1": "a Parquet file; name it .parquet",
}
"""How a file begins that is no text in UTF-8 -> what it is, and what to do."""
_SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'", ",": "','"}


class Record(NamedTuple):
    """One row, or why it cannot be read."""

    line: int
    """Its first line in the file, from 1."""
    cells: Sequence[bytes]
    problem: tuple[str, str] | None = None
    """A drop reason and what is wrong; there are no cells then."""
    lines: int = 1
    """How many lines of the file it takes."""


class _Marks(NamedTuple):
    """What tells the cells of a kind of table."""

    separator: bytes
    quoted: re.Pattern[bytes]
    """A whole cell in quotes, and what ends it."""
    inside: re.Pattern[bytes]
    """What of a quoted cell stands before the quote that closes it."""


def check_delimited_file_start(path: Path) -> None:
    """Look at the first bytes of a file of text. Raises CvrError: it is empty, in another encoding, or no text."""
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise CvrError(f"{path} is empty.")
    is_wide = max(start[::2].count(0), start[1::2].count(0)) > len(start) // 3
    for kind in (_UTF16 if is_wide else "", *(kind for magic, kind in _KINDS.items() if start.startswith(magic))):
        if kind:
            raise CvrError(f"{path}: this is {kind}.")


def other_separator(name: str, column: str) -> str | None:
    """Return, in words, the sign that parts the only name of a header into several, one of them the column's."""
    for mark, words in _SEPARATORS.items():
        if mark in name and column in {part.strip(' "') for part in name.split(mark)}:
            return words
    return None


def delimited_header(path: Path, separator: str) -> list[str]:
    """Return the names of the first line that is not blank.

    Raises:
        CvrError: the quotes of that line are wrong, or there is none.
    """
    first = next(_all_records(path, separator), None)
    if first is None:
        raise CvrError(f"{path} is empty but for blank lines.")
    if first.problem:
        raise CvrError(f"{path}: line {first.line}, the header: {first.problem[1]}.")
    return [cell.decode("utf-8", "replace") for cell in first.cells]


def delimited_file_rows(path: Path, separator: str) -> Iterator[Record]:
    """Yield the rows after the header; one of another number of cells has a problem.

    Raises:
        CvrError: a line is longer than any row.
    """
    found = _all_records(path, separator)
    width = len(next(found).cells)
    for record in found:
        count = len(record.cells)
        if count != width and record.problem is None:
            problem = f"{count} value{'s' if count != 1 else ''} where the header has {width}"
            record = record._replace(cells=(), problem=(BAD, problem))
        yield record


def plain_columns(path: Path, separator: str, places: Sequence[int], width: int) -> list[pa.ChunkedArray] | None:
    """Return the columns at these places as Arrow reads them, header apart; None where these may not be the cells.

    It is the same where no quote stands anywhere and each row has as many cells as the header, and many times as fast.
    """
    if not places:
        return None
    with path.open("rb") as file:
        if any(b'"' in block for block in iter(lambda: file.read(BLOCK), b"")):
            return None
    names = [str(place) for place in range(width)]
    wanted = [names[place] for place in places]
    parse = csv.ParseOptions(delimiter=separator, quote_char=False, ignore_empty_lines=True)
    types = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        include_columns=wanted,
        null_values=[],
        strings_can_be_null=False,
    )
    try:
        table = csv.read_csv(path, csv.ReadOptions(column_names=names, block_size=BLOCK * 16), parse, types)
    except pa.ArrowInvalid:  # a row of other cells, or no UTF-8: reading line by line says where
        return None
    return [table.column(name).slice(1) for name in wanted]


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file with their ends, which are those of any system, without a byte order mark.

    Raises:
        CvrError: a line is longer than any row.
    """
    with path.open("rb") as file:
        rest = file.read(len(_BOM)).removeprefix(_BOM)
        while block := file.read(BLOCK):
            found = (rest + block).splitlines(keepends=True)
            # The last line may go on in the next block, and so may its end.
            rest = b"" if found[-1].endswith(b"\n") else found.pop()
            yield from found
            if len(rest) > MAX_RECORD:
                raise CvrError(f"{path}: a line of more than {MAX_RECORD >> 20} MiB, so this is no table.")
    yield from rest.splitlines(keepends=True)


def _all_records(path: Path, separator: str) -> Iterator[Record]:
    """Yield the header and all rows."""
    of = _quote_marks(separator)
    given_back = deque[bytes]()
    lines, number, width = lines_of(path), 0, 0
    while (line := given_back.popleft() if given_back else next(lines, None)) is not None:
        number += 1
        if not (plain := line.rstrip(b"\r\n")):
            continue
        if b'"' not in line:
            record = Record(number, plain.split(of.separator))
        else:
            taken = [line]
            record = _quoted_record(of, taken, chain(_emptied(given_back), lines), number, width)
            given_back.extendleft(reversed(taken[record.lines :]))
            number += record.lines - 1
        width = width or len(record.cells)
        yield record


def _quote_marks(separator: str) -> _Marks:
    inside = rb'(?:[^"]++|"")*+'
    end = re.escape(separator.encode())
    return _Marks(
        separator.encode(), re.compile(rb'"(' + inside + rb')" *(?:(' + end + rb")|[\r\n]*\Z)"), re.compile(inside)
    )


def _emptied(lines: deque[bytes]) -> Iterator[bytes]:
    while lines:
        yield lines.popleft()


def _quoted_record(of: _Marks, taken: list[bytes], lines: Iterator[bytes], number: int, width: int) -> Record:
    """Return the record that begins with the line taken; the lines that are looked at for its end are taken too."""
    text, cells = taken[0], list[bytes]()
    while (stopped := _read_cells(of, text, cells)) is not None:
        is_open = _closes_at(of, text, stopped + 1) is None
        first, size = len(taken), 0
        while is_open and size < MAX_RECORD and (line := next(lines, None)) is not None:
            taken.append(line)
            size += len(line)
            is_open = _closes_at(of, line, 0) is None
        if is_open:
            return Record(number, (), (SUSPICIOUS, "a quote opens a cell, and none closes it"))
        if len(taken) == first:
            return Record(number, (), (SUSPICIOUS, "a quote in a cell in quotes"))
        text = b"".join((text[stopped:], *taken[first:]))
    if len(taken) > 1 and _are_rows(of, taken, width):
        return Record(
            number, (), (SUSPICIOUS, f"a quote opens a cell, and the {len(taken)} lines to the next are rows")
        )
    return Record(number, cells, lines=len(taken))


def _read_cells(of: _Marks, text: bytes, cells: list[bytes]) -> int | None:
    """Add the cells of a text; return where the quote stands that opens one which does not end, None if all do."""
    at = 0
    while True:
        if text.startswith(b'"', at):
            cell = of.quoted.match(text, at)
            if cell is None:
                return at
            cells.append(cell[1].replace(b'""', b'"'))
            if cell[2] is None:
                return None
            at = cell.end()
        else:
            stop = text.find(of.separator + b'"', at)
            cells += (text[at:stop] if stop >= 0 else text[at:].rstrip(b"\r\n")).split(of.separator)
            if stop < 0:
                return None
            at = stop + len(of.separator)


def _closes_at(of: _Marks, text: bytes, start: int) -> int | None:
    """Return where the quote stands that closes a cell, of a text from inside it."""
    found = of.inside.match(text, start)
    return found.end() if found is not None and found.end() < len(text) else None


def _are_rows(of: _Marks, lines: Sequence[bytes], width: int) -> bool:
    """Whether lines with two quotes in all are a row each, and begin like the first: not amid a sentence."""
    if width < 2 or sum(line.count(b'"') for line in lines) != 2:
        return False
    begins = [line.split(of.separator, 1)[0].strip() for line in lines]
    is_alike = b" " in begins[0] or not any(b" " in begin for begin in begins)
    return is_alike and all(line.count(of.separator) == width - 1 for line in lines)
