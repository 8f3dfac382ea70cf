"""What a process of `cvr_data.media.decoders` does: wait for a file, decode it within the limits, answer.

Pictures are read by Pillow, films by FFmpeg; the process may be killed.
"""

import json
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cvr_data.core.errors import first_line
from cvr_data.media.clip import Clip
from cvr_data.media.cutting import cut_clip
from cvr_data.media.film import look_at_film, read_film
from cvr_data.media.limits import Limits, Work
from cvr_data.media.opening import media_file_head, open_video
from cvr_data.media.shots import shot_cuts
from cvr_data.media.sound import read_sound_samples
from cvr_data.media.stills import is_picture, look_at_pictures, read_pictures
from cvr_data.media.timeline import Sampled
from cvr_data.media.verdict import UnreadableVideo, VideoInfo

HEADER = 8
PIECE = 1 << 18


def decoder_process_main() -> None:
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
    while (question := _received_question(connection)) is not None:
        alive()
        try:
            answer, frames = _answer_question(question, work, AskedFile(connection, question.get("size"), alive))
        except UnreadableVideo as error:
            answer, frames = {"error": str(error), "verdict": error.verdict}, []
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send_frames_answer(connection, answer)
        for frame in frames:
            connection.sendall(np.ascontiguousarray(frame).data.cast("B"))


def _answer_question(
    question: dict[str, Any], work: Work, file: "AskedFile"
) -> tuple[dict[str, Any], list[np.ndarray]]:
    if "path" not in question:
        return {"info": asdict(look_at_header(file, work))}, []
    clip = Clip(Path(os.fsdecode(bytes.fromhex(question["path"]))), question["start_s"], question["end_s"])
    if "hz" in question:
        sound = listen_to_medium(clip, question["hz"], work)
        return {"shape": [sound.nbytes]}, [sound]
    if "out" in question:
        return {"frames": cut_medium(clip, Path(os.fsdecode(bytes.fromhex(question["out"]))), work)}, []
    if "threshold" in question:
        return {"cuts": cuts_of_medium(clip, question["threshold"], work)}, []
    if "count" not in question:
        return {"info": asdict(look_at_medium(clip, work))}, []
    found = read_medium(clip, question["count"], question["sampler"], question["size"], work)
    frames = found.pictures
    about = {"note": found.note, "places": found.places, "total": found.total, "fps": found.fps}
    return {**about, "shape": [len(frames), *frames[0].shape]}, frames


class AskedFile:
    """A file on a server, the pieces of which are asked for: this process does not go to the network."""

    def __init__(self, connection: socket.socket, size: int | None, alive: Callable[[], None]):
        self.connection, self.size, self.alive = connection, size, alive
        self.place = 0

    def read(self, count: int = -1) -> bytes:
        """Return up to so many bytes, none at the end."""
        self.alive()
        _send_frames_answer(self.connection, {"read": PIECE if count < 0 else count, "at": self.place})
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


def _send_frames_answer(connection: socket.socket, answer: dict[str, Any]) -> None:
    content = json.dumps(answer).encode()
    connection.sendall(len(content).to_bytes(HEADER, "big") + content)


def _received_question(connection: socket.socket) -> dict[str, Any] | None:
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


def read_medium(clip: Clip, count: int, sampler: str, size: int | None, work: Work) -> Sampled:
    """Return the sampled pictures, at least one. Raises UnreadableVideo: there is none."""
    with _faults_of_medium("cannot be decoded ({})"):
        return (read_pictures if _is_picture(clip, work) else read_film)(clip, count, sampler, size, work)


def listen_to_medium(clip: Clip, hz: int, work: Work) -> np.ndarray:
    """Return the sound of a file, int16 (N,), `hz` samples a second; none where it has none.

    Raises:
        UnreadableVideo: it cannot be opened.
    """
    with _faults_of_medium("its sound cannot be decoded ({})"):
        return np.empty(0, np.int16) if _is_picture(clip, work) else read_sound_samples(clip, hz, work)


def look_at_medium(clip: Clip, work: Work) -> VideoInfo:
    """Return what there is of a file, of which one frame at least is decoded. Raises UnreadableVideo: there is none."""
    with _faults_of_medium("cannot be opened ({})"):
        return (look_at_pictures if _is_picture(clip, work) else look_at_film)(clip, work)


def cuts_of_medium(clip: Clip, threshold: float, work: Work) -> list[float]:
    """Return the seconds at which a shot begins inside a piece of a film. Raises UnreadableVideo: no decoding it."""
    with _faults_of_medium("cannot be decoded ({})"):
        return [] if _is_picture(clip, work) else shot_cuts(clip, threshold, work)


def cut_medium(clip: Clip, out: Path, work: Work) -> int:
    """Write a clip to an MP4 file of its own and return how many frames it has.

    Raises:
        UnreadableVideo: it has none that can be decoded.
    """
    with _faults_of_medium("cannot be cut ({})"):
        if _is_picture(clip, work):
            raise UnreadableVideo("a picture, of which no clip is cut", "still")
        return cut_clip(clip, out, work)


def look_at_header(file: Any, work: Work) -> VideoInfo:
    """Return what the header of an object that reads like a file says: all of it is not fetched for this.

    Raises:
        UnreadableVideo: it has no video, or cannot be opened.
    """
    with _faults_of_medium("{}"), open_video(file, work.limits) as opened:
        duration_s = (opened.container.duration or 0) / 1_000_000
        context = opened.stream.codec_context
        fps = float(opened.stream.average_rate or 0)
        return VideoInfo(duration_s, fps, opened.stream.frames, context.width, context.height)


@contextmanager
def _faults_of_medium(told: str) -> Iterator[None]:
    try:
        yield
    except UnreadableVideo:
        raise
    except Exception as error:  # a broken file may raise anything: it costs its own row and no other
        reason = (getattr(error, "strerror", None) or first_line(error)).rstrip(".")
        raise UnreadableVideo(told.format(reason), _verdict_of_fault(error)) from error


def _is_picture(clip: Clip, work: Work) -> bool:
    head = media_file_head(clip.path)
    if head.startswith(b"GIF8") and len(head) > 10:  # which FFmpeg does not look at before it decodes
        width, height = struct.unpack("<2H", head[6:10])
        if width * height > work.limits.pixels:
            raise UnreadableVideo(f"too_large: its pictures are {width} x {height} pixels", "too_large")
    return is_picture(head, clip.path.suffix.lower())


def _verdict_of_fault(error: Exception) -> str:
    return "too_large" if isinstance(error, MemoryError) else "unreadable"


if __name__ == "__main__":
    decoder_process_main()
