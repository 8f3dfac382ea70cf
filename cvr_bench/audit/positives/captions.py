"""What captions say of the videos of a gallery: which answer a query as its target does, and which cannot.

    read = GalleryCaptions({"v1": ["a red ball rolls"], "v2": ["a ball that is red is rolling"], "v3": ["a blue ball"]})
    read.answering("a red ball rolls")                  # {"v1", "v2"}: all that it says, nothing beside
    read.contradiction("v3", ["a red ball rolls"])      # ("blue", "red")

Only captions that share half of their words with the target's are compared, so a large gallery costs little.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from cvr_data.language.entailment import Said, caption_words_entail, caption_words_once, contradicting_words
from cvr_data.language.frames import parsed_sentence_frames

SHARED = 0.5
"""Share of the target's words that a caption has to have, word for word, to be compared."""


class GalleryCaptions:
    """The captions of a gallery, read once."""

    def __init__(self, captions: Mapping[str, Sequence[str]]):
        self.captions = captions
        self.videos_of: dict[str, list[str]] = defaultdict(list)
        for video_id in sorted(captions):
            for caption in dict.fromkeys(captions[video_id]):
                self.videos_of[caption].append(video_id)
        self.texts = sorted(self.videos_of)
        self.said: dict[str, tuple[Said, ...]] = {}
        self._read(self.texts)
        numbers: dict[str, list[int]] = defaultdict(list)
        for number, text in enumerate(self.texts):
            for name in {said.name for said in self.said[text]}:
                numbers[name].append(number)
        self.captions_with = {name: np.array(found) for name, found in numbers.items()}

    def answering(self, target_caption: str) -> set[str]:
        """Return the videos with a caption that answers what the target's caption asks for."""
        self._read([target_caption])
        wanted = self.said[target_caption]
        alike = [text for text in self._alike(wanted) if caption_words_entail(self.said[text], wanted)]
        same = [target_caption] if target_caption in self.videos_of else []
        return {video_id for text in (*alike, *same) for video_id in self.videos_of[text]}

    def contradiction(self, video_id: str, target_captions: Iterable[str]) -> tuple[str, str] | None:
        """Return words of the video's and of a target's caption that exclude each other, where each caption does so."""
        targets = sorted(set(target_captions))
        self._read(targets)
        found = [
            contradicting_words(self.said[caption], self.said[target])
            for caption in self.captions.get(video_id, ())
            for target in targets
        ]
        return found[0] if found and all(found) else None

    def _alike(self, wanted: Sequence[Said]) -> list[str]:
        """Captions with so many of the words."""
        names = sorted({said.name for said in wanted})
        counts = np.zeros(len(self.texts), int)
        for name in names:
            counts[self.captions_with.get(name, np.zeros(0, int))] += 1
        return [self.texts[number] for number in np.flatnonzero(counts >= max(1, SHARED * len(names)))]

    def _read(self, texts: Iterable[str]) -> None:
        new = [text for text in texts if text not in self.said]
        self.said |= (
            {text: caption_words_once(frame) for text, frame in parsed_sentence_frames(new).items()} if new else {}
        )
