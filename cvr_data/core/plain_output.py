r"""What is printed holds no control characters: a caption can neither colour, move nor rename the terminal.

Texts of files reach the terminal through many commands, so stdout itself shows such a character as `\x1b`.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO

OURS = r"\x1b\[(?:0|1|3[1-7])m"
"""Bold and colours, which `cvr sample` writes; no text can hide or move anything with these."""
LONGEST_LINE = 800
"""Characters of an error's line: enough for the names of all commands, and a cell may hold millions."""
CONTROL = re.compile(f"{OURS}|([\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\r(?!\n))")
"""Also the characters that turn the direction of the text around them; tabs and ends of lines are left."""


def escaped_terminal_text(text: str) -> str:
    """Return the text with its control characters as they are written in Python."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1] if found[1] else found[0], text)


def shortened_output_line(line: str, longest: int = LONGEST_LINE) -> str:
    """Return the line with its middle left out where it is too long: values stand there, what to do at the end."""
    if len(line) <= longest:
        return line
    start, end = longest // 2, longest // 4
    return f"{line[:start]} [... {len(line) - start - end:,} characters ...] {line[-end:]}"


class PlainOutput:
    """A stream that makes plain what is written to it; all else is that of the stream."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text without control characters."""
        return self._stream.write(escaped_terminal_text(text))

    def writelines(self, lines: Any) -> None:
        """Write texts without control characters."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def plain_stdout(stream: TextIO) -> Iterator[None]:
    """Let all that is printed in this block be plain."""
    with redirect_stdout(PlainOutput(stream)):
        yield
