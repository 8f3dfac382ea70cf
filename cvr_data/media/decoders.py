"""Processes that decode: a file that takes too much, waits for ever or ends the library ends one of these, not the run.

A few live as long as the process that asks, one for each thread that decodes; each does one file at a time. They are
asked, and answer, in JSON, and frames follow as bytes: nothing that they send is run. A process that ends is asked
again once, for its memory may have been taken by others; a file that ends two is unreadable.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cvr_data.media.clip import Clip
from cvr_data.media.limits import LIMITS, Limits
from cvr_data.media.remote_file import RemoteFile
from cvr_data.media.verdict import UnreadableVideo, VideoInfo

HEADER = 8
"""Bytes that tell how long a message is."""
MOST_MESSAGE = 1 << 24
PACKAGE = Path(__file__).resolve().parent.parent.parent


class _Ended(Exception):
    """The process is no more."""


@dataclass
class Decoder:
    """One process, and the socket that leads to it."""

    limits: Limits
    process: subprocess.Popen[bytes] = field(init=False)
    link: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.link, theirs = socket.socketpair()
        paths = [str(PACKAGE), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
        }  # fmt: skip
        with theirs:
            # -P: what lies in the folder that the command runs in is not imported
            command = [sys.executable, "-P", "-m", f"{__package__}.decoder_process", str(theirs.fileno())]
            self.process = subprocess.Popen(
                [*command, json.dumps(asdict(self.limits))],
                pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def ask(
        self, question: Mapping[str, Any], file: RemoteFile | None = None
    ) -> tuple[dict[str, Any], np.ndarray | None]:
        """Return the answer and its frames, if it has some; pieces of a file on a server are read for it.

        Raises:
            TimeoutError: it takes too long.
            _Ended: the process ended.
            Exception: what reading a piece raises.
        """
        try:
            self.link.settimeout(self.limits.work_s)
            self._send(json.dumps(question).encode())
            answer = self._message()
            while file is not None and "read" in answer:
                self._send(file.read_at(int(answer["at"]), min(MOST_MESSAGE, int(answer["read"]))))
                answer = self._message()
            shape = answer.get("shape")
            if shape is None:
                return answer, None
            if int(np.prod(shape, dtype=np.float64)) > self.limits.returned_bytes:
                raise _Ended
            frames = np.empty(shape, np.uint8)
            self._receive(frames.data.cast("B"))
        except TimeoutError:
            raise
        except (OSError, ValueError, TypeError, AttributeError):  # whatever a process sends that is no longer its own
            raise _Ended from None
        return answer, frames

    def close(self) -> None:
        """End the process."""
        self.link.close()
        self.process.kill()
        self.process.wait()

    def was_late(self) -> bool:
        """Return whether it ended because nothing moved for too long."""
        try:
            return self.process.wait(timeout=5) == -signal.SIGALRM
        except subprocess.TimeoutExpired:
            return False

    def _send(self, content: bytes) -> None:
        self.link.sendall(len(content).to_bytes(HEADER, "big") + content)

    def _message(self) -> dict[str, Any]:
        size = int.from_bytes(self._received(HEADER), "big")
        if size > MOST_MESSAGE:
            raise _Ended
        return json.loads(bytes(self._received(size)))

    def _received(self, size: int) -> bytearray:
        content = bytearray(size)
        self._receive(memoryview(content))
        return content

    def _receive(self, view: memoryview) -> None:
        done = 0
        while done < len(view):
            count = self.link.recv_into(view[done:])
            if not count:
                raise _Ended
            done += count


def _from_here(path: Path) -> str:
    """Return a path as it is meant in the folder that this process works in, which theirs may have left."""
    return os.path.join(os.getcwdb(), os.fsencode(path)).hex()  # noqa: PTH109, PTH118 # bytes, as names of files are


class Decoders:
    """The processes of this one, begun when they are needed; one object serves many threads."""

    def __init__(self, limits: Limits = LIMITS, most: int | None = None):
        self.limits = limits
        self.free: list[Decoder] = []
        self.most = most or max(2, os.cpu_count() or 1)
        self.places = threading.BoundedSemaphore(self.most)

    def frames(self, clip: Clip, count: int, sampler: str, size: int | None) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the sampled frames of a clip, uint8 RGB (T, H, W, 3), and note, places, total and fps of `Sampled`.

        Raises:
            UnreadableVideo: it has none.
        """
        answer, frames = self._answer(clip, {"count": count, "sampler": sampler, "size": size})
        assert frames is not None
        return frames, {name: answer[name] for name in ("note", "places", "total", "fps")}

    def sound(self, clip: Clip, hz: int) -> np.ndarray:
        """Return the sound of a clip, int16 (N,), so many samples a second; none where it has none.

        Raises:
            UnreadableVideo: its file cannot be opened.
        """
        _, sound = self._answer(clip, {"hz": hz})
        assert sound is not None
        return sound.view(np.int16)

    def info(self, clip: Clip) -> VideoInfo:
        """Return what there is of a clip. Raises UnreadableVideo: it has no frame that can be decoded."""
        return VideoInfo(**self._answer(clip, {})[0]["info"])

    def cuts(self, clip: Clip, threshold: float) -> list[float]:
        """Return the seconds at which a shot begins inside a piece of a film (`cvr_data.media.shots`).

        Raises:
            UnreadableVideo: it cannot be decoded.
        """
        return [float(time) for time in self._answer(clip, {"threshold": threshold})[0]["cuts"]]

    def cut(self, clip: Clip, out: Path) -> int:
        """Write a clip to an MP4 file of its own and return how many frames it has.

        Raises:
            UnreadableVideo: it has none that can be decoded.
        """
        return int(self._answer(clip, {"out": _from_here(out)})[0]["frames"])

    def header(self, file: RemoteFile) -> VideoInfo:
        """Return what the header of a file on a server says of its video.

        Raises:
            UnreadableVideo: it has none, or cannot be opened.
            httpx2.HTTPError: the server fails.
        """
        answer, _ = self._asked_twice("it", {"size": file.size}, file)
        if answer.get("error") is not None:
            raise UnreadableVideo(answer["error"], answer["verdict"])
        return VideoInfo(**answer["info"])

    def close(self) -> None:
        """End the processes that wait."""
        while self.free:
            self.free.pop().close()

    def _answer(self, clip: Clip, question: Mapping[str, Any]) -> tuple[dict[str, Any], np.ndarray | None]:
        try:
            path = _from_here(clip.path)
        except UnicodeError:
            raise UnreadableVideo(f"{clip}: no such file.") from None
        asked = {**question, "path": path, "start_s": clip.start_s, "end_s": clip.end_s}
        answer, frames = self._asked_twice(str(clip), asked)
        if answer.get("error") is not None:
            raise UnreadableVideo(f"{clip}: {answer['error']}.", answer["verdict"])
        return answer, frames

    def _asked_twice(
        self, name: str, asked: Mapping[str, Any], file: RemoteFile | None = None
    ) -> tuple[dict[str, Any], np.ndarray | None]:
        with self.places:
            for _ in range(2):
                decoder = self._free_one()
                try:
                    answer = decoder.ask(asked, file)
                except TimeoutError:
                    decoder.close()
                    raise _late(name, self.limits.work_s) from None
                except _Ended:
                    was_late = decoder.was_late()
                    decoder.close()
                    if was_late:
                        raise _late(name, self.limits.silent_s) from None
                    continue
                except BaseException:
                    decoder.close()
                    raise
                self.free.append(decoder)
                return answer
        raise UnreadableVideo(f"{name}: ends the process that decodes it.")

    def _free_one(self) -> Decoder:
        try:
            return self.free.pop()
        except IndexError:
            return Decoder(self.limits)

    def forget(self) -> None:
        """Leave the processes to whom they belong, in a fork of it."""
        self.free = []
        self.places = threading.BoundedSemaphore(self.most)


def _late(name: str, seconds: float) -> UnreadableVideo:
    return UnreadableVideo(f"{name}: cannot be decoded within {seconds:g} s.", "too_large")


DECODERS = Decoders()
OPENERS = Decoders(most=8)
"""For files on servers, which are mostly waited for."""
for each in (DECODERS, OPENERS):
    atexit.register(each.close)
    os.register_at_fork(after_in_child=each.forget)
