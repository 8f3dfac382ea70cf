"""What a process of `cvr_data.media.decoders` does: wait for a file, decode it within the limits, answer."""

import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cvr_data.media.clip import Clip
from cvr_data.media.limits import Limits, Work
from cvr_data.media.reading import cut, cuts, listen, look, look_at_header, read
from cvr_data.media.verdict import UnreadableVideo

HEADER = 8
PIECE = 1 << 18


def main() -> None:
    """Answer until the socket is closed: `argv` has its number and the limits."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    limits = Limits(**json.loads(sys.argv[2]))
    _be_quiet()
    _bound_memory(limits)
    parent = os.getppid()

    def alive() -> None:
        signal.setitimer(signal.ITIMER_REAL, limits.silent_s)  # whose signal ends the process
        if os.getppid() != parent:
            os._exit(0)

    work = Work(limits, alive)
    while (question := _received(connection)) is not None:
        alive()
        if "path" in question:
            answer, frames = _answer(question, work)
        else:
            answer, frames = _answer_about(AskedFile(connection, question["size"], alive), work), []
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(connection, answer)
        for frame in frames:
            connection.sendall(np.ascontiguousarray(frame).data.cast("B"))


def _answer(question: dict[str, Any], work: Work) -> tuple[dict[str, Any], list[np.ndarray]]:
    clip = Clip(Path(os.fsdecode(bytes.fromhex(question["path"]))), question["start_s"], question["end_s"])
    try:
        if "hz" in question:
            sound = listen(clip, question["hz"], work)
            return {"shape": [sound.nbytes]}, [sound]
        if "out" in question:
            return {"frames": cut(clip, Path(os.fsdecode(bytes.fromhex(question["out"]))), work)}, []
        if "threshold" in question:
            return {"cuts": cuts(clip, question["threshold"], work)}, []
        if "count" not in question:
            return {"info": asdict(look(clip, work))}, []
        found = read(clip, question["count"], question["sampler"], question["size"], work)
        frames = found.pictures
        about = {"note": found.note, "places": found.places, "total": found.total, "fps": found.fps}
        return {**about, "shape": [len(frames), *frames[0].shape]}, frames
    except UnreadableVideo as error:
        return {"error": str(error), "verdict": error.verdict}, []


class AskedFile:
    """A file on a server, the pieces of which are asked for: this process does not go to the network."""

    def __init__(self, connection: socket.socket, size: int | None, alive: Callable[[], None]):
        self.connection, self.size, self.alive = connection, size, alive
        self.place = 0

    def read(self, count: int = -1) -> bytes:
        """Return up to so many bytes, none at the end."""
        self.alive()
        _send(self.connection, {"read": PIECE if count < 0 else count, "at": self.place})
        size = int.from_bytes(self.connection.recv(HEADER, socket.MSG_WAITALL), "big")
        piece = self.connection.recv(size, socket.MSG_WAITALL) if size else b""
        self.alive()
        self.place += len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place and return it."""
        if whence == 2 and self.size is None:
            raise UnreadableVideo("its size is unknown")
        self.place = offset + (0, self.place, self.size or 0)[whence]
        return self.place

    def tell(self) -> int:
        """Return the place."""
        return self.place

    def seekable(self) -> bool:
        """Return whether the end can be found."""
        return self.size is not None


def _answer_about(file: AskedFile, work: Work) -> dict[str, Any]:
    try:
        return {"info": asdict(look_at_header(file, work))}
    except UnreadableVideo as error:
        return {"error": str(error), "verdict": error.verdict}


def _send(connection: socket.socket, answer: dict[str, Any]) -> None:
    content = json.dumps(answer).encode()
    connection.sendall(len(content).to_bytes(HEADER, "big") + content)


def _received(connection: socket.socket) -> dict[str, Any] | None:
    header = connection.recv(HEADER, socket.MSG_WAITALL)
    if len(header) < HEADER:
        return None
    return json.loads(connection.recv(int.from_bytes(header, "big"), socket.MSG_WAITALL))


def _be_quiet() -> None:
    """Let FFmpeg's threads log without Python, whose lock they would wait for, and leave no core behind."""
    import av.logging

    av.logging.restore_default_callback()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _bound_memory(limits: Limits) -> None:
    """Bound the addresses of the process: those it has now, and as many as one file may take."""
    statm = Path("/proc/self/statm")
    if statm.is_file():  # elsewhere the bound on pixels has to do
        most = int(statm.read_text().split()[0]) * resource.getpagesize() + limits.memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main()
