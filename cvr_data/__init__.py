"""Builds composed-video-retrieval datasets: captioned videos to published triplets.

    import cvr_data

    videos = cvr_data.read_videos(frame)                    # columns video_id and captions; path, split, ... if there
    pairs = cvr_data.mine_pairs(videos, "one-word")
    texts = cvr_data.write_modifications(pairs, llm="rules")
    triplets = cvr_data.build_triplets(texts)

These are the functions behind the commands of the same names. Each takes a frame of pandas, a table of Arrow or the
folder of an artifact, and gives a frame; what lies between them on disk goes with the process. Options are those of the
command (`cvr show NAME`), as keywords.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

    from cvr_data.core.frames import Frame

__all__ = [
    "build_triplets", "check_text", "embed", "export", "fit_heads", "load_triplets", "mine_pairs", "publish",
    "read_videos", "score_modifications", "split", "write_modifications",
]  # fmt: skip


def read_videos(source: "Frame | None" = None, corpus: str | None = None, **options: Any) -> "DataFrame":
    """Return captioned videos: of a frame, of an artifact, or of the files of a corpus (`cvr list corpora`).

    A frame has columns `video_id` and `captions` (texts or lists of them), and any others of the videos table.

    Raises:
        CvrError: a column is missing, nothing can be read, or an option is unknown.
    """
    from functools import partial

    from cvr_data.core.artifacts import open_artifact
    from cvr_data.core.errors import CvrError
    from cvr_data.core.frames import folder_of, new_folder
    from cvr_data.tables import VIDEOS
    from cvr_data.videos.corpora import CORPORA
    from cvr_data.videos.import_videos import import_videos
    from cvr_data.videos.videos_frame import videos_frame, videos_with_caption_lists

    if corpus is None:
        if source is None:
            raise CvrError("read_videos takes a frame, a folder, or the name of a corpus.")
        return videos_frame(open_artifact(folder_of(videos_with_caption_lists(source), VIDEOS, "import-frame")))
    path = {} if source is None else {"path": str(source)}
    config = CORPORA.config(corpus, {**path, **_told(options)})
    return videos_frame(import_videos(CORPORA.get(corpus), config, partial(new_folder, "videos", corpus, config)))


def embed(videos: "Frame", encoder: str = "embedded", out: Path | str | None = None, **options: Any) -> Path:
    """Return the folder of the features of videos and their captions, by an encoder of `cvr list encoders`.

    Raises:
        CvrError: no video can be read, or an option is unknown.
    """
    from cvr_data.core.frames import new_folder
    from cvr_data.features.embed import embed as embed_videos
    from cvr_data.features.encoders import ENCODERS

    source = _videos(videos)
    config = ENCODERS.config(encoder, _told(options))
    return embed_videos(source, encoder, config, Path(out or new_folder("embeddings", source, encoder, config))).path


def fit_heads(embeddings: Path | str, videos: "Frame", **options: Any) -> dict[str, Any]:
    """Learn the space in which images and texts of stored features meet, keep it beside them, and return its recall.

    Of an encoder whose images and texts have spaces of their own, such as the default one; `videos` are those that
    `split` gave.

    Raises:
        CvrError: the videos have no split or no features, or an option is unknown.
    """
    from cvr_data.core.registry import parse_config
    from cvr_data.features.fit_heads import Config
    from cvr_data.features.fit_heads import fit_heads as fit

    config = parse_config(Config, _told(options), where="fit-heads")
    return dict(fit(Path(embeddings), _videos(videos), config).manifest["report"])


def split(videos: "Frame", embeddings: Path | str | None = None, **options: Any) -> "DataFrame":
    """Return the videos with `group_id` and `split`; near-duplicates and clips of one recording stay together.

    Raises:
        CvrError: an option is unknown, or the embeddings are of other videos.
    """
    from cvr_data.core.frames import new_folder
    from cvr_data.core.registry import parse_config
    from cvr_data.videos.near_duplicates import Config
    from cvr_data.videos.split import split_video_artifact
    from cvr_data.videos.videos_frame import videos_frame

    source, features = _videos(videos), None if embeddings is None else Path(embeddings)
    config = parse_config(Config, _told(options), where="split")
    return videos_frame(split_video_artifact(source, features, config, new_folder("split", source, features, config)))


def mine_pairs(
    videos: "Frame", strategy: str = "one-word", *, filters: Sequence[str] = (),
    embeddings: Path | str | None = None, language: str | None = None, **options: Any,
) -> "DataFrame":  # fmt: skip
    """Return pairs of videos whose captions are alike but for what changes.

    Args:
        videos: captioned videos.
        strategy: one of `cvr list strategies`.
        filters: as the command's --filter takes them: NAME, +NAME, -NAME, NAME:key=value.
        embeddings: of the videos, where a filter or the strategy reads them.
        language: of the captions.
        **options: of the strategy.

    Raises:
        CvrError: an unknown name or option, or a column or features that are missing.
    """
    from cvr_data.core.frames import artifact_dataframe, new_folder
    from cvr_data.pairs import mine_pairs as mining

    source, features = _videos(videos), None if embeddings is None else Path(embeddings)
    chosen = mining.choose_mining_filters(filters, language)
    component = mining.strategy_of(strategy, [f"{name}={value}" for name, value in _told(options).items()])
    out = new_folder("pairs", source, features, component.identity(), filters, language)
    return artifact_dataframe(
        mining.mine_pairs(source, features, component, chosen, out, overwrite=False, language=language)
    )


def write_modifications(
    pairs: "Frame", style: str = "short", llm: str = "rules", *, cache: Path | str | None = None, seed: int = 0,
    num_texts: int = 1, **options: Any,
) -> "DataFrame":  # fmt: skip
    """Return a modification text for every pair, with status and reasons; texts that lint rejects are rows too.

    Args:
        pairs: of `mine_pairs`.
        style: a built-in prompt (short, dense, static, action) or a YAML file.
        llm: a backend of `cvr list backends`.
        cache: file of the requests that were asked before.
        seed: of everything random.
        num_texts: for each pair.
        **options: of the backend, such as `model=`.

    Raises:
        CvrError: an unknown name or option, or a backend that cannot be loaded.
    """
    from cvr_data.core.frames import artifact_dataframe, new_folder
    from cvr_data.core.model_packages import cache_folder
    from cvr_data.modifications.generate import generate_modifications
    from cvr_data.modifications.generator import Config

    source = _folder(pairs, "PAIRS", "mine-pairs")
    told = tuple(f"{name}={value}" for name, value in _told(options).items())
    config = Config(prompt=style, backend=llm, options=told, seed=seed, num_texts=num_texts)
    requests = Path(cache) if cache else cache_folder() / "requests.sqlite"
    out = new_folder("modifications", source, config)
    return artifact_dataframe(generate_modifications(source, out, config, cache=requests))


def check_text(text: str, reference_caption: str, target_caption: str, style: str = "short") -> list[str]:
    """Return why a modification text is not right for two captions, by the lint of a style; nothing if it is.

    Raises:
        CvrError: the style is unknown.
    """
    from cvr_data.triplets.check_text import check_triplet_text as reasons_against

    return reasons_against(text, reference_caption, target_caption, style)


def score_modifications(modifications: "Frame", **thresholds: Any) -> "DataFrame":
    """Return the texts with cycle scores: how much closer the edited reference caption is to the target's.

    Args:
        modifications: of `write_modifications`.
        thresholds: `min_gain`, `min_score` and `max_text_score`, beyond which a text becomes rejected.

    Raises:
        CvrError: a threshold is unknown.
    """
    from cvr_data.core.frames import artifact_dataframe, new_folder
    from cvr_data.core.model_packages import cache_folder
    from cvr_data.core.registry import parse_config
    from cvr_data.modifications.checking.score import Config
    from cvr_data.modifications.checking.score import score_modifications as scored

    source = _folder(modifications, "MODIFICATIONS", "generate-modifications")
    config = parse_config(Config, _told(thresholds), where="score_modifications")
    out = new_folder("scored", source, config)
    return artifact_dataframe(scored(source, out, config, cache=cache_folder() / "requests.sqlite"))


def build_triplets(
    *modifications: "Frame", embeddings: Path | str | None = None, name: str = "dataset",
    out: Path | str | None = None, **options: Any,
) -> "DataFrame":  # fmt: skip
    """Return the triplets that texts and their pairs make; with `out`, the dataset stays there, its card beside it.

    Raises:
        CvrError: no triplet is left, or an option is unknown.
    """
    from cvr_data.core.frames import artifact_dataframe, new_folder
    from cvr_data.core.registry import parse_config
    from cvr_data.triplets import build
    from cvr_data.triplets.join import Config

    folders = [_folder(texts, "MODIFICATIONS", "generate-modifications") for texts in modifications]
    config = parse_config(Config, _told(options), where="build_triplets")
    parts = build.find_triplet_parts(folders, embeddings=None if embeddings is None else Path(embeddings))
    folder = Path(out) if out else new_folder("triplets", folders, embeddings, name, config)
    return artifact_dataframe(build.build_triplets(parts, folder, config, name=name))


def load_triplets(source: "Frame") -> "DataFrame":
    """Return the triplets of a folder, checked.

    Raises:
        CvrError: there are none, or a column is missing.
    """
    from cvr_data.core.artifacts import open_artifact
    from cvr_data.core.frames import artifact_dataframe

    return artifact_dataframe(open_artifact(_folder(source, "TRIPLETS", "build-triplets")))


def export(triplets: "Frame", format: str, out: Path | str, **options: Any) -> list[Path]:
    """Write triplets in a published layout (`cvr list formats`) and return its files.

    Raises:
        CvrError: the format or an option is unknown, or `out` holds something else.
    """
    from cvr_data.triplets.dataset import open_dataset
    from cvr_data.triplets.export import export_triplets

    dataset = open_dataset(_folder(triplets, "TRIPLETS", "build-triplets"))
    return export_triplets(format, _told(options), dataset.triplets, dataset.videos, Path(out))


def publish(triplets: "Frame", repo: str, **options: Any) -> None:
    """Publish triplets as a HuggingFace dataset, as `cvr publish` does, and print what goes out.

    Args:
        triplets: the dataset.
        repo: user/name on the Hub.
        options: of the command: `private=True`, `dry_run=True`, `yes=True`.

    Raises:
        CvrError: so the command would fail.
    """
    from click import ClickException

    from cvr_data.commands.publish import publish_command
    from cvr_data.core.errors import CvrError

    folder = _folder(triplets, "TRIPLETS", "build-triplets")
    flags = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, given in options.items()
        for value in (given if isinstance(given, (list, tuple)) else [given])
        if value is not None and value is not False
    ]
    try:
        publish_command.main([str(folder), f"--repo={repo}", *flags], standalone_mode=False)
    except ClickException as error:
        raise CvrError(error.format_message()) from None


def _videos(videos: "Frame") -> Path:
    from cvr_data.videos.videos_frame import videos_with_caption_lists

    return _folder(videos_with_caption_lists(videos), "VIDEOS", "import-frame")


def _folder(given: "Frame", table: str, stage: str) -> Path:
    from cvr_data import tables
    from cvr_data.core.frames import folder_of

    return folder_of(given, getattr(tables, table), stage)


def _told(options: dict[str, Any]) -> dict[str, str]:
    """Options of Python as those of a command line; None leaves one out."""
    return {name: _text(value) for name, value in options.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
