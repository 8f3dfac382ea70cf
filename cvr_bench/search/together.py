"""Answers what several people ask at one moment in one go: while one answer is worked out, the next ones gather."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
MOST = 32
"""Questions that are answered in one go."""


class Together(Generic[Asked, Answer]):
    """A thread that answers what others ask, all that waits at once."""

    def __init__(self, answer: Callable[[Sequence[Asked]], Sequence[Answer]]):
        self._answer = answer
        self._waiting: queue.SimpleQueue[tuple[Asked, Future[Answer]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True, name="search").start()

    def ask(self, asked: Asked) -> Answer:
        """Return the answer, or raise what it raises."""
        future: Future[Answer] = Future()
        self._waiting.put((asked, future))
        return future.result()

    def _work(self) -> None:
        while True:
            gathered = [self._waiting.get()]
            while len(gathered) < MOST:
                try:
                    gathered.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
            try:
                answers = self._answer([asked for asked, _ in gathered])
                for (_, future), answer in zip(gathered, answers, strict=True):
                    future.set_result(answer)
            except Exception as error:  # theirs to tell: this thread goes on with the next ones
                for _, future in gathered:
                    if not future.done():
                        future.set_exception(error)
