"""A file on a server as a decoder reads it: pieces of it, by the one HTTP client.

The decoder itself never goes to the network: it would send the Hub's token along to wherever a redirect leads, and
follow the addresses in a playlist. What it asks for is bounded, so a server cannot keep it reading.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cvr_data.media.verdict import UnreadableVideo

if TYPE_CHECKING:
    import httpx2

PIECE = 1 << 18
MOST_BYTES = 1 << 28
"""Read of one file at most: its header may lie at its end, but need not be searched for in all of it."""


class RemoteFile:
    """Reads an address from any place on."""

    def __init__(self, client: "httpx2.Client", address: str, headers: Mapping[str, str], size: int | None):
        self.client, self.address, self.headers, self.size = client, address, headers, size
        self.start = self.received = 0
        self.piece = b""

    def read_at(self, place: int, count: int) -> bytes:
        """Return up to so many bytes from a place on, none at the end.

        Raises:
            UnreadableVideo: the server fails, or more would be read than is sensible.
        """
        if not self.start <= place < self.start + len(self.piece):
            self.piece, self.start = self._ask(place), place
        return self.piece[place - self.start :][:count]

    def _ask(self, place: int) -> bytes:
        if self.size is not None and place >= self.size:
            return b""
        asked = {**self.headers, "Range": f"bytes={place}-{place + PIECE - 1}"}
        with self.client.stream("GET", self.address, headers=asked) as response:
            if response.status_code == 416:
                return b""
            if response.status_code not in (200, 206):
                raise UnreadableVideo(f"HTTP {response.status_code}")
            before = place if response.status_code == 200 else 0  # without ranges all comes from the start
            body = bytearray()
            for chunk in response.iter_bytes():
                self.received += len(chunk)
                if self.received > MOST_BYTES:
                    raise UnreadableVideo(f"more than {MOST_BYTES >> 20} MiB to read")
                body += chunk
                if len(body) >= before + PIECE:
                    break
            return bytes(body[before : before + PIECE])
