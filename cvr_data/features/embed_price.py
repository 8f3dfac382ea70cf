"""What `cvr embed` would ask of a server, and what that would cost, asking nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.errors import CvrError
from cvr_data.core.stored_answers import StoredAnswers
from cvr_data.download.items import read_ids
from cvr_data.features.embed import Selection
from cvr_data.features.embed_source import read_embed_source, texts_to_embed
from cvr_data.features.encoders.networks.remote_model import IMAGE_TOKENS, PROMPT, TOKENS_PER_WORD, Remote


@dataclass(frozen=True, kw_only=True)
class EmbedPrice:
    """Requests and tokens of a run, at most: what the request cache knows is not asked for."""

    videos: int
    texts: int
    tokens: int
    is_measured: bool
    """Tokens are as earlier requests of the model had them, not guessed from the frames and words."""
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
        table = table.filter(pc.is_in(table.column("video_id"), pa.array(sorted(read_ids(selection.only)))))
    of_videos = [name for name in ("captions", "description") if name in table.column_names]
    texts = texts_to_embed(table, [selection.column] if selection.column else of_videos, where)
    videos = 0 if selection.column else table.num_rows
    frames = videos * config.frames  # type: ignore[attr-defined]
    tokens = frames * IMAGE_TOKENS + round(sum(len(text.split()) for text in texts) * TOKENS_PER_WORD)
    history = None
    if config.answers.is_file():
        with StoredAnswers(config.answers) as cache:
            history = cache.history(config.model, PROMPT)  # type: ignore[attr-defined]
    if history is not None and history.tokens_in:
        tokens = round(history.tokens_in / history.requests * (videos + len(texts)))
    cost = None if price_in is None else tokens * price_in / 1e6
    is_measured = history is not None and bool(history.tokens_in)
    return EmbedPrice(videos=videos, texts=len(texts), tokens=tokens, is_measured=is_measured, cost=cost)
