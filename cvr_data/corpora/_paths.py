"""Where the media of a videos table lie."""

from pathlib import Path


def resolve_media(artifact_path: Path, path: str) -> Path:
    """Return the media file of a row: its `path` as it is, or inside the videos artifact when relative."""
    return Path(artifact_path) / path
