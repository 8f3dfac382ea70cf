"""What `cvr embed` would ask of a server, and what that would cost, asking nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.errors import CvrError
from cvr_data.core.stored_answers import StoredAnswers
from cvr_data.download.items import read_ids_to_download
from cvr_data.features.embed import Selection
from cvr_data.features.embed_source import read_embed_source, texts_to_embed
from cvr_data.features.encoders.networks.remote_model import (
    FILM_RUNS,
    IMAGE_TOKENS,
    TEXT_RUNS,
    TOKENS_PER_WORD,
    Remote,
)


@dataclass(frozen=True, kw_only=True)
class EmbedPrice:
    """Requests and tokens of a run, at most: what the request cache knows is not asked for."""

    videos: int
    texts: int
    tokens: int
    is_measured: bool
    """Tokens of videos (of texts, where no video is asked for) are as earlier requests of the model had them, not
    guessed from the frames and words."""
    cost: float | None


def price_of_embedding(source: Path, config: Any, selection: Selection, price_in: float | None) -> EmbedPrice:
    """Return what a run asks for.

    Args:
        source: as of `embed`.
        config: of an encoder whose model a server has.
        selection: what of the source is embedded.
        price_in: of a million tokens.

    Raises:
        CvrError: the encoder asks no server, or the source has no such column.
    """
    if not isinstance(config, Remote) or config.api == "none":
        raise CvrError("--dry-run tells what a server would be asked, and this encoder asks none (see its option api).")
    table, where = read_embed_source(source)
    if selection.only is not None:
        table = table.filter(pc.is_in(table.column("video_id"), pa.array(sorted(read_ids_to_download(selection.only)))))
    of_videos = [name for name in ("captions", "description") if name in table.column_names]
    texts = texts_to_embed(table, [selection.column] if selection.column else of_videos, where)
    videos = 0 if selection.column else table.num_rows
    of_video, of_text = _tokens_of_earlier(config)
    guessed = videos * config.frames * IMAGE_TOKENS  # type: ignore[attr-defined]
    words = sum(len(text.split()) for text in texts)
    tokens = guessed if of_video is None else videos * of_video
    tokens = round(tokens + (words * TOKENS_PER_WORD if of_text is None else len(texts) * of_text))
    cost = None if price_in is None else tokens * price_in / 1e6
    is_measured = (of_video if videos else of_text) is not None
    return EmbedPrice(videos=videos, texts=len(texts), tokens=tokens, is_measured=is_measured, cost=cost)


def _tokens_of_earlier(config: Remote) -> list[float | None]:
    """Return the tokens of a video and of a text, the mean of earlier requests; None where none is known."""
    if not config.answers.is_file():
        return [None, None]
    with StoredAnswers(config.answers) as cache:
        runs = [cache.history(config.model, kind) for kind in (FILM_RUNS, TEXT_RUNS)]  # type: ignore[attr-defined]
    return [run.tokens_in / run.requests if run is not None and run.tokens_in else None for run in runs]
