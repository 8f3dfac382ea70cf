"""What DRL sees in one text and one clip: the weight of each token and frame, and how well they match.

matches = report_wti_matches("a dog runs", Path("dog.mp4"), Path("results/drl-msrvtt"))
matches.score, matches.words, matches.similarities_LT
"""

# Shapes: L tokens, T frames, D embedding.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from cvr_bench.models.networks.drl.retriever import LateRetriever
from cvr_bench.models.parts.late_interaction import Parts
from cvr_bench.models.parts.retriever import network_in_evaluation_mode
from cvr_bench.models.parts.trained import retriever_model_to_score
from cvr_bench.results.result import read_result
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.model_packages import packaged_file_path
from cvr_data.core.trust import stored
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.encoders import stored as stored_encoder
from cvr_data.features.encoders.networks.checkpoints import load_encoder_tokenizer, tokenize_for_encoder
from cvr_data.features.protocol import Encoder, TextFeatures, VideoFeatures
from cvr_data.features.store import UNKNOWN_ENCODER, FeatureStore
from cvr_data.media.video import Video, read_frames

THUMBNAIL = 112
"""Side of a frame in the picture, in pixels."""
INTERACTIONS = ("wti", "ti")
"""Those that match tokens with frames."""


@dataclass(frozen=True)
class Matches:
    """A text and a clip, part by part."""

    text: str
    clip: str
    words: Sequence[str]
    token_weights_L: Tensor
    frame_weights_T: Tensor
    similarities_LT: Tensor
    thumbnails: Sequence[np.ndarray]
    """One per frame, uint8 (H, W, 3); none where the clip has no file here."""

    @property
    def score(self) -> float:
        """What retrieval ranks by: half the tokens' weighted best frames, half the frames' weighted best tokens."""
        of_tokens = self.token_weights_L @ self.similarities_LT.amax(dim=1)
        return float(of_tokens + self.frame_weights_T @ self.similarities_LT.amax(dim=0)) / 2


@dataclass(frozen=True)
class ClipFeatures:
    """A clip as the model's encoder gives it."""

    features: VideoFeatures
    thumbnails: Sequence[np.ndarray]


class WithClip:
    """Another encoder's texts, and one clip, which need not be stored."""

    def __init__(self, encoder: Encoder, features: VideoFeatures):
        self.encoder, self.features = encoder, features
        self.name, self.runs_on, self.dim, self.text_dim = encoder.name, encoder.runs_on, encoder.dim, encoder.text_dim

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return the clip's features, whatever is asked for."""
        return self.features

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return what the other encoder gives."""
        return self.encoder.encode_texts(texts)


def report_wti_matches(text: str, clip: str, checkpoint: Path) -> Matches:
    """Return the matches of a text and a clip under a model that `cvr bench --model drl` trained.

    The clip is a file, or the id of a video whose features the model was scored with.

    Raises:
        CvrError: the folder is of another model or interaction, or the clip is neither.
    """
    result = read_result(checkpoint)
    if result.model != "drl" or result.record["options"].get("interaction") not in INTERACTIONS:
        raise CvrError(f"{checkpoint} is of {result.model}; tokens and frames are matched by drl with wti or ti.")
    embeddings = open_artifact(checkpoint).input_path("embeddings")
    stored = stored_encoder.load(stored_encoder.Config(embeddings=embeddings))
    found = _clip_features(clip, stored.store)
    retriever = retriever_model_to_score("drl", (), checkpoint, WithClip(stored, found.features))
    assert isinstance(retriever, LateRetriever), "wti and ti interact late"
    with network_in_evaluation_mode(retriever.module):
        tokens_LD, token_weights_L = _wti_valid(retriever.text_parts([text]))
        frames_TD, frame_weights_T = _wti_valid(retriever.video_parts([Video(clip)]))
    words = report_wti_token_names(stored.store.encoder, text, len(tokens_LD))
    return Matches(text, clip, words, token_weights_L, frame_weights_T, tokens_LD @ frames_TD.T, found.thumbnails)


def report_wti_token_names(encoder: Mapping[str, Any], text: str, count: int) -> list[str]:
    """Return what to call each token of a text: the encoder's own pieces where they can be told, else numbers."""
    name, names = encoder["name"], list[str]()
    if name == "hash":
        names = text.lower().split()
    elif name in ("minilm", "embedded"):
        from tokenizers import Tokenizer

        names = Tokenizer.from_file(str(packaged_file_path("minilm") / "tokenizer.json")).encode(text).tokens[:count]
    elif name in ("clip", "siglip", "blip", "blip2"):
        tokenizer = load_encoder_tokenizer(encoder["model"])
        ids_BL, mask_BL = tokenize_for_encoder(tokenizer, [text], count)
        names = tokenizer.convert_ids_to_tokens(ids_BL[0][mask_BL[0]].tolist())
    return names if len(names) == count else [f"token {number}" for number in range(1, count + 1)]


def _clip_features(clip: str, store: FeatureStore) -> ClipFeatures:
    path = Path(clip)
    if not path.is_file():
        if not store.has_videos([clip]).all():
            known = did_you_mean(clip, store.video_ids)
            raise CvrError(f"{clip} is neither a file nor a video with features in {store.artifact.path}. {known}")
        return ClipFeatures(store.frames([clip]), [])
    name, options = store.encoder["name"], store.artifact.manifest["config"]["options"]
    if name == UNKNOWN_ENCODER:
        raise CvrError(f"{store.artifact.path} does not say how its features were made; give the id of a stored video.")
    with stored():
        raw = ENCODERS.get(name).load(ENCODERS.config(name, options)).encode_videos([Video(path.stem, path)])
    count, sampler = int(options.get("frames", raw.mask_BT.shape[1])), str(options.get("sampler", "uniform"))
    thumbnails = list(read_frames(path, count, sampler, THUMBNAIL))
    return ClipFeatures(store.heads.videos(raw) if store.heads else raw, thumbnails)


def _wti_valid(parts: Parts) -> tuple[Tensor, Tensor]:
    """The vectors and weights that are no padding."""
    keep_N = parts.weights_BN[0] > 0
    return parts.vectors_BND[0, keep_N].cpu(), parts.weights_BN[0, keep_N].cpu()
