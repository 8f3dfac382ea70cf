"""A judge that says how sure it is: a model's log-odds of yes and no, by captions and, where it can see, by frames.

    judge = OddsJudge(OddsConfig(backend="openai", options=("model=...",), frames=4), files)
    judge.log_odds([Question("a red ball rolls", "make it blue", ("a blue ball rolls",), "v1", "v2")])   # [2.31]

One forward pass per question and nothing written, so answers can be ordered and the unsure ones left to people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from cvr_bench.models.parts.language_model import LanguageModel
from cvr_data.core.errors import CvrError
from cvr_data.core.progress import Progress
from cvr_data.media.video import Video, jpeg_bytes, read_frames
from cvr_data.modifications.asking.choices import TellsChoices

AT_ONCE = 64
"""Questions whose frames are in memory together."""
KEPT = 256
"""Videos whose frames are kept for the next question about them."""
CAPTIONS = 5
"""Captions of a candidate that are shown."""
LONGEST_SIDE = 448
"""Pixels to which larger frames are shrunk, to save tokens."""
UNKNOWN = "unknown"
PROMPT = "answers"


@dataclass(frozen=True, kw_only=True)
class OddsConfig:
    """Who is asked, and what it is shown."""

    backend: str
    options: tuple[str, ...] = ()
    """`key=value` options of the backend."""
    frames: int = 0
    """Frames of the reference, and as many of the candidate, that are shown; 0 shows none."""


class Question(NamedTuple):
    """A query and what may answer it."""

    reference_caption: str
    modification: str
    candidate_captions: tuple[str, ...]
    reference_id: str
    candidate_id: str


class OddsJudge:
    """Asks one backend.

    Args:
        config: who and how.
        files: video_id -> where its media are; read only where frames are shown.

    Raises:
        CvrError: the backend writes texts only.
    """

    def __init__(self, config: OddsConfig, files: Mapping[str, Video]):
        self.config, self.files = config, files
        self.model = LanguageModel(config.backend, config.options, PROMPT, None)
        if not isinstance(self.model.backend, TellsChoices):
            raise CvrError(f"--judge {config.backend} tells no log-probabilities of words; {_instead(config)}.")
        self._frames = lru_cache(maxsize=KEPT)(self._read)

    def log_odds(self, questions: Sequence[Question]) -> list[float | None]:
        """Return, per question, by how much yes is likelier than no; None where the model would say neither.

        Raises:
            CvrError: a video has no file, or the model tells of no question how likely words are.
        """
        step = AT_ONCE if self.config.frames else max(1, len(questions))
        found: list[float | None] = []
        with Progress("judge", len(questions), "questions") as progress:
            for start in range(0, len(questions), step):
                asked = questions[start : start + step]
                shown = [self._shown(question) for question in asked] if self.config.frames else None
                variables = [self._variables(question) for question in asked]
                found += self._of_model(variables, shown)
                progress.advance(len(asked))
        return found

    def _of_model(self, variables: list[dict[str, str]], shown: list[tuple[bytes, ...]] | None) -> list[float | None]:
        try:
            return self.model.log_odds(variables, shown)
        except CvrError as error:
            raise CvrError(
                f"--judge {self.config.backend}: {error} For written verdicts: {_instead(self.config)}."
            ) from None

    def _variables(self, question: Question) -> dict[str, str]:
        said = {
            "reference": question.reference_caption,
            "candidate": "; ".join(question.candidate_captions[:CAPTIONS]),
        }
        if self.config.frames:
            counts = [len(self._frames(name)) for name in (question.reference_id, question.candidate_id)]
            told = {"reference": f"the first {counts[0]} pictures", "candidate": f"the last {counts[1]} pictures"}
            said = {name: f"{told[name]}; {text}" if text else told[name] for name, text in said.items()}
        return {**{name: text or UNKNOWN for name, text in said.items()}, "modification": question.modification}

    def _shown(self, question: Question) -> tuple[bytes, ...]:
        return (*self._frames(question.reference_id), *self._frames(question.candidate_id))

    def _read(self, video_id: str) -> tuple[bytes, ...]:
        video = self.files.get(video_id)
        if video is None or video.path is None:
            raise CvrError(f"-o frames={self.config.frames}: the videos table has no file of {video_id}.")
        frames = read_frames(video.clip, self.config.frames)
        return tuple(jpeg_bytes(frame, longest_side=LONGEST_SIDE) for frame in frames)


def _instead(config: OddsConfig) -> str:
    """How to have the same backend judge: frames are not shown to those who write."""
    return "leave out -o frames and pass -o ask=verdict" if config.frames else "pass -o ask=verdict"
