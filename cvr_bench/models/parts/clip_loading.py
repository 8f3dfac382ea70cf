"""Frames of clips for a model that is trained end to end, decoded by threads while the model is busy.

What is drawn depends on the seed, the step and the place in the batch, so neither the number of threads nor a resume
changes anything.
"""

# Shapes: B clips, T frames (padded), H height, W width, C channels.

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from cvr_bench.models.parts.augmentation import Augmentation
from cvr_bench.models.parts.batches import TripletBatch
from cvr_data.media.video import Video

AHEAD = 2
"""Batches that are decoded before they are wanted."""


@dataclass(frozen=True)
class Clips:
    """Decoded frames."""

    frames_BTHWC: Tensor
    """uint8; zero where a frame is padding."""
    mask_BT: Tensor
    """bool, False where a frame is padding."""


@dataclass(frozen=True)
class ClipPair:
    """The clips of a batch of triplets."""

    reference: Clips | None
    """None where the reader leaves them out."""
    target: Clips


class ClipReader:
    """Videos -> frames.

    `read` gives uint8 (T, H, W, 3) of a video, of one height and width for all; so many `workers` call it. In training
    there are clips of `references` too, if asked for, changed by the augmentation as the seed says.
    """

    def __init__(
        self, read: Callable[[Video], np.ndarray], *, workers: int, augmentation: Augmentation | None, seed: int,
        references: bool = True,
    ):  # fmt: skip
        self.read, self.workers, self.augmentation, self.seed = read, workers, augmentation, seed
        self.references = references

    def clips(self, videos: Sequence[Video]) -> Clips:
        """Return the frames of videos as they are."""
        with ThreadPoolExecutor(self.workers) as pool:
            return model_input_clips(list(pool.map(self.read, videos)))

    def ahead(self, batches: Iterable[Sequence[TripletBatch]], start: int) -> Iterator[list[TripletBatch]]:
        """Yield the chunks of each batch with their clips; those of the next batches are being decoded meanwhile."""
        waiting: deque[list[_Decoding]] = deque()
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                for step, chunks in enumerate(batches, start=start):
                    waiting.append([self._decode(pool, chunk, [step, part]) for part, chunk in enumerate(chunks)])
                    if len(waiting) > AHEAD:
                        yield [decoding.result() for decoding in waiting.popleft()]
                while waiting:
                    yield [decoding.result() for decoding in waiting.popleft()]
            finally:
                pool.shutdown(cancel_futures=True)

    def _decode(self, pool: ThreadPoolExecutor, batch: TripletBatch, place: list[int]) -> "_Decoding":
        def augmented(video: Video, seed: list[int]) -> np.ndarray:
            frames_THWC = self.read(video)
            return frames_THWC if self.augmentation is None else self.augmentation.apply(frames_THWC, seed)

        references = [
            pool.submit(augmented, video, [self.seed, *place, number])
            for number, video in enumerate(batch.references if self.references else ())
        ]
        return _Decoding(batch, references, [pool.submit(self.read, video) for video in batch.targets])


@dataclass(frozen=True)
class _Decoding:
    batch: TripletBatch
    references: "list[Future[np.ndarray]]"
    targets: "list[Future[np.ndarray]]"

    def result(self) -> TripletBatch:
        """The batch with its clips."""
        reference, target = ([each.result() for each in futures] for futures in (self.references, self.targets))
        return replace(
            self.batch, clips=ClipPair(model_input_clips(reference) if reference else None, model_input_clips(target))
        )


def model_input_clips(frames: Sequence[np.ndarray]) -> Clips:
    """Return clips of any lengths as one tensor."""
    longest = max(len(each) for each in frames)
    mask_BT = torch.arange(longest) < torch.tensor([len(each) for each in frames])[:, None]
    whole = np.zeros((len(frames), longest, *frames[0].shape[1:]), dtype=np.uint8)
    for row, each in enumerate(frames):
        whole[row, : len(each)] = each
    return Clips(torch.from_numpy(whole), mask_BT)
