"""Refuse strategies and filters that do not read the language of the captions."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from cvr_data.core.errors import CvrError
from cvr_data.filters import ChoosesLanguages, KnowsLanguages
from cvr_data.language.tagging import ENGLISH
from cvr_data.language.told_languages import check_languages

_OUT = "leave it out"
_READS_MORE = {
    "text-similarity": "leave it out, or give the band of an encoder that does (text-similarity:encoder="
    "sentence-transformers,low=...,high=...; `cvr calibrate` finds it)",
    "stop-words": "name those of the language (stop-words:words=le,la,les)",
    "one-phrase": "its phrases are by English tags; -o phrases=any takes any words",
}
"""What components need to read another language."""


class Chosen(Protocol):
    """A component with its options."""

    @property
    def name(self) -> str:
        """The component's name."""

    @property
    def module(self) -> Any:
        """What may say which languages it reads."""

    @property
    def config(self) -> Any:
        """Its options."""


def check_strategy_languages(videos: Path, components: Iterable[Chosen], language: str | None) -> None:
    """Refuse what does not read the captions, which are in the language given; None if nobody says which.

    Raises:
        CvrError: the import told that many are not English and nobody says what they are, or what is chosen reads
            English alone.
    """
    if language is None:
        otherwise = "--language fr (de, ...) takes spaCy's model of it, --language en goes on as if all were English"
        check_languages(videos, "mining", (ENGLISH,), otherwise)
    if language in (None, ENGLISH):
        return
    for chosen in components:
        reads = _languages_mined(chosen)
        if reads and language not in reads:
            how = _READS_MORE.get(chosen.name, _OUT)
            raise CvrError(f"{chosen.name} reads {', '.join(reads)} alone, not {language!r}: {how}.")


def _languages_mined(chosen: Chosen) -> tuple[str, ...]:
    """Return the languages that a component reads; none where it reads any."""
    if isinstance(chosen.module, ChoosesLanguages):
        return chosen.module.languages(chosen.config)
    return chosen.module.LANGUAGES if isinstance(chosen.module, KnowsLanguages) else ()
