"""Whether the videos and texts of stored features can be compared, as their manifest says."""

from cvr_data.core.artifacts import Artifact

HEADS_FOLDER = "heads"
"""Where `cvr fit-heads` writes, in the folder of the features."""
UNKNOWN_ENCODER = "imported"
"""What imported features are said to be made by where nobody says it."""


def lie_in_two_spaces(features: Artifact) -> bool:
    """Return whether videos and texts lie in two spaces, and no heads were fitted that bring them together."""
    manifest = features.manifest
    # Imported videos may come without a text; the encoder that made them then tells how wide texts are.
    knows_texts = manifest["text_dim"] or manifest["config"]["encoder"] == UNKNOWN_ENCODER
    is_apart = bool(knows_texts) and manifest["dim"] != manifest["text_dim"]
    return is_apart and not (features.path / HEADS_FOLDER).exists()
