"""DRL as a retriever over frozen features; `drl` and `clip4clip` are this model under the options of each."""

# Shapes: A texts, B videos, N parts, D embedding.

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models.networks.drl.losses import BatchScores, Cdcr, cdcr_loss, drl_batch_scores, drl_contrastive_loss
from cvr_bench.models.networks.drl.network import Aggregation, Architecture, DrlNetwork, Interaction, drl_with_floor
from cvr_bench.models.networks.drl.retriever import LateRetriever, drl_cross_block, drl_vector_retriever
from cvr_bench.models.networks.drl.transformer import DEPTH, FrameTransformer, TransformerLayer
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.device import model_inputs_on_device, model_random_generators, network_device
from cvr_bench.models.parts.late_interaction import Parts, retriever_parts_singly
from cvr_bench.models.parts.losses import model_loss_false_negatives
from cvr_bench.models.parts.retriever import DenseRetriever, Losses, check_released_model_frames
from cvr_bench.models.parts.weights import Start, load_model_weights
from cvr_data.core.errors import CvrError
from cvr_data.core.ranges import NOT_NEGATIVE, SIZE, TEMPERATURE, option_range
from cvr_data.features.encoders.networks.checkpoints import load_encoder_network
from cvr_data.features.protocol import Encoder, separate_text_features, separate_video_features
from cvr_data.media.video import Video

HEAD_WIDTH = 64
CROSS_HEADS = 8
"""As released."""
MIN_TEMPERATURE = 0.01
"""CLIP's; the references never go below it."""


@dataclass(frozen=True, kw_only=True)
class LateOptions(Start):
    """Options of both models."""

    mode: Literal["fixed", "faithful"] = "fixed"
    """What the paper describes, or what was released."""
    temperature: float = field(default=0.01, metadata=option_range(TEMPERATURE))
    """At the start, as CLIP's; it is learned."""
    positions: int = field(default=77, metadata=option_range(SIZE))
    """Most frames of a video, as released."""
    clip: str | None = None
    """A CLIP (folder or hub id) whose first text layers the Transformer over frames, or xti's, starts from."""

    def __post_init__(self) -> None:
        if self.temperature < MIN_TEMPERATURE:
            raise ValueError(f"temperature must be at least {MIN_TEMPERATURE}, got {self.temperature}.")


@dataclass(frozen=True, kw_only=True)
class DrlOptions(LateOptions):
    """Options of `drl`, under some of which it is `clip4clip`."""

    interaction: Interaction = "wti"
    """How texts meet videos."""
    wti_layers: int = 2
    """Layers of the two networks that weigh tokens and frames, 1 to 3; as released 2."""
    aggregation: Aggregation = "seqTransf"
    """How the frames of a video see each other."""
    cdcr: int = 3
    """Regularisation: 0 none, 1 a random token with a random frame, 2 every part with its best match, 3 the same,
    weighted; for dp, 1 to 3 compare the two vectors, and xti has none."""
    cdcr_alpha1: float = field(default=0.11, metadata=option_range(NOT_NEGATIVE))
    """Of matching channels; as in the released recipe."""
    cdcr_alpha2: float = field(default=0.0, metadata=option_range(NOT_NEGATIVE))
    """Of channels that do not match; as in the released recipe."""
    cdcr_lambda: float = field(default=0.001, metadata=option_range(NOT_NEGATIVE))
    """Of the regularisation in the loss; as released."""
    max_words: int = field(default=32, metadata=option_range(SIZE))
    """Tokens that `faithful` pads a text to: a shorter one has padding among its best matches; a longer one is whole,
    where the released code cuts it."""
    max_frames: int = field(default=12, metadata=option_range(SIZE))
    """Frames that `faithful` pads a video to; one with more keeps them."""

    def __post_init__(self) -> None:
        if self.wti_layers not in (1, 2, 3):
            raise ValueError(f"wti_layers must be 1, 2 or 3, got {self.wti_layers}.")
        if self.cdcr not in (0, 1, 2, 3):
            raise ValueError(f"cdcr must be 0, 1, 2 or 3, got {self.cdcr}.")
        if self.faithful and self.interaction == "ti" and self.cdcr == 3:
            raise ValueError("ti has no cdcr 3 as released; set cdcr to 0, 1 or 2, or mode to fixed.")
        super().__post_init__()

    @property
    def faithful(self) -> bool:
        """Whether it gives the numbers of the released code."""
        return self.mode == "faithful"

    @property
    def pads_as_released(self) -> bool:
        """Whether padding can be a best match."""
        return self.faithful and self.interaction in ("ti", "wti")


def load_drl(options: DrlOptions, encoder: Encoder) -> LateRetriever | DenseRetriever:
    """Return the model over frozen features. Raises CvrError: a checkpoint does not fit."""
    if options.faithful and (options.interaction != "dp" or options.aggregation != "none"):
        check_released_model_frames(encoder, "drl", unit=False)
    with model_random_generators(options.seed):
        network = DrlNetwork(_architecture(options, encoder.dim))
    if options.clip is not None:
        _copy_text_layers(options.clip, network)
    load_model_weights(network, options.checkpoint)

    def text_parts(texts: Sequence[str]) -> Parts:
        device = network_device(network)
        items = separate_text_features(model_inputs_on_device(encoder.encode_texts(texts), device))
        parts = retriever_parts_singly(network.text_parts, items, device)
        return _with_released_padding(parts, options.max_words) if options.pads_as_released else parts

    def video_parts(videos: Sequence[Video]) -> Parts:
        device = network_device(network)
        items = separate_video_features(model_inputs_on_device(encoder.encode_videos(videos), device))
        parts = retriever_parts_singly(network.video_parts, items, device)
        return _with_released_padding(parts, options.max_frames) if options.pads_as_released else parts

    def training_step(batch: TripletBatch) -> Losses:
        return _losses(options, network, model_inputs_on_device(batch, network_device(network)))

    if options.interaction == "dp":
        return drl_vector_retriever(network, text_parts, video_parts, training_step)
    block = drl_cross_block(network) if options.interaction == "xti" else None
    return LateRetriever(network, text_parts, video_parts, training_step, block)


def _architecture(options: DrlOptions, dim: int) -> Architecture:
    heads = math.gcd(dim, max(1, dim // HEAD_WIDTH))
    return Architecture(
        dim=dim,
        interaction=options.interaction,
        wti_layers=options.wti_layers,
        aggregation=options.aggregation,
        positions=options.positions,
        heads=heads,
        cross_heads=math.gcd(dim, CROSS_HEADS) if options.faithful else heads,
        temperature=options.temperature,
        start="random" if options.faithful else "identity",
        last_token=options.faithful,
    )


def _copy_text_layers(clip: str, network: DrlNetwork) -> None:
    """Give the Transformers over frames and of xti the positions and first layers of a CLIP's text network.

    Raises:
        CvrError: the text network cannot be read, or is of another width or too shallow.
    """
    homes: list[tuple[nn.Embedding, nn.ModuleList]] = []
    if isinstance(network.frames, FrameTransformer):
        homes.append((network.frames.frame_position_embeddings, network.frames.transformerClip.resblocks))
    if network.architecture.interaction == "xti":
        homes.append((network.cross.embeddings.position_embeddings, network.cross.transformer.resblocks))
    if not homes:
        return
    text = load_encoder_network("CLIPModel", clip).text_model
    positions_ND, layers = text.embeddings.position_embedding.weight, text.encoder.layers
    dim = network.architecture.dim
    if positions_ND.shape[1] != dim or len(layers) < DEPTH:
        raise CvrError(
            f"{clip}: its text network is {positions_ND.shape[1]} wide with {len(layers)} layers; needed are {dim}, "
            f"the width of the embeddings, and at least {DEPTH}."
        )
    with torch.no_grad():
        for table, blocks in homes:
            count = min(len(table.weight), len(positions_ND))
            table.weight[:count] = positions_ND[:count]
            for block, layer in zip(blocks, layers, strict=False):
                assert isinstance(block, TransformerLayer)
                block.load_state_dict(_weights(layer))


def _weights(layer: Any) -> dict[str, Tensor]:
    """A layer of transformers' CLIP under the names of the blocks."""
    attention = layer.self_attn
    inputs = (attention.q_proj, attention.k_proj, attention.v_proj)
    modules = {
        "attn.out_proj": attention.out_proj,
        "ln_1": layer.layer_norm1,
        "ln_2": layer.layer_norm2,
        "mlp.c_fc": layer.mlp.fc1,
        "mlp.c_proj": layer.mlp.fc2,
    }
    return {
        "attn.in_proj_weight": torch.cat([module.weight for module in inputs]),
        "attn.in_proj_bias": torch.cat([module.bias for module in inputs]),
        **{f"{name}.{kind}": getattr(module, kind) for name, module in modules.items() for kind in ("weight", "bias")},
    }


@dataclass(frozen=True)
class Compared:
    """A batch of texts and videos, and their scores."""

    text: Parts
    video: Parts
    scores: BatchScores


def drl_training_scores(options: DrlOptions, network: DrlNetwork, batch: TripletBatch) -> Compared:
    """Return the scores of a batch as training sees them."""
    text, video = network.text_parts(batch.modification), network.video_parts(batch.target)
    if options.pads_as_released:
        text, video = _padded(text, options.max_words), _padded(video, options.max_frames)
    text, video = _joined(batch, text), _joined(batch, video)
    scores = drl_batch_scores(network, text, video, zero_mask=options.faithful, two_passes=options.faithful)
    return Compared(text, video, scores)


def _losses(options: DrlOptions, network: DrlNetwork, batch: TripletBatch) -> Losses:
    network.limit_scale()
    compared = drl_training_scores(options, network, batch)
    ignored_BB: Tensor | None = None
    if not options.faithful:
        ignored_BB = batch.ignored() | model_loss_false_negatives(batch.joined_ids(batch.modifications))
        ignored_BB = ignored_BB.to(network_device(network))
    parts = {"similarity": drl_contrastive_loss(compared.scores, network.scale, ignored_BB)}
    if options.cdcr and compared.scores.own is not None:
        cdcr = Cdcr(
            mode=options.cdcr, diagonal=options.cdcr_alpha1, others=options.cdcr_alpha2, released=options.faithful
        )
        loss = cdcr_loss(cdcr, compared.text, compared.video, compared.scores.own)
        parts["cdcr"] = options.cdcr_lambda * loss
    return {"loss": torch.stack(list(parts.values())).sum(), **parts}


def _with_released_padding(parts: Parts, count: int) -> Parts:
    """Parts whose best matches are those of the released code, which pads every item to `count`."""
    return drl_with_floor(parts, parts.mask_BN.sum(dim=1) < count)


def _joined(batch: TripletBatch, parts: Parts) -> Parts:
    """The same of all devices and chunks that share the batch."""
    return Parts(batch.joined(parts.vectors_BND), batch.joined(parts.mask_BN), batch.joined(parts.weights_BN))


def _padded(parts: Parts, count: int) -> Parts:
    """The same parts, padded with zeros to `count` at least."""
    more = max(0, count - parts.mask_BN.shape[1])
    return Parts(
        F.pad(parts.vectors_BND, (0, 0, 0, more)), F.pad(parts.mask_BN, (0, more)), F.pad(parts.weights_BN, (0, more))
    )
