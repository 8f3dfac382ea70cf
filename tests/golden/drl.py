"""DRL's interactions, CDCR and aggregations of frames, in mode `faithful`."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from cvr_bench.models.networks.drl.losses import Cdcr, cdcr_loss, drl_batch_scores, drl_contrastive_loss
from cvr_bench.models.networks.drl.network import Architecture, DrlNetwork, drl_with_floor
from cvr_bench.models.networks.drl.transformer import FrameLstm, FrameTransformer
from cvr_bench.models.parts.late_interaction import (
    TEXT_ROWS,
    VIDEO_ROWS,
    model_late_interaction_scores,
    model_late_interaction_tiles,
)
from cvr_data.features.protocol import TextFeatures, VideoFeatures
from tests.golden import Arrays, Comparison

INPUTS = ("text", "video", "text_mask", "video_mask")
VARIANTS = ("dp_cdcr0", "dp_cdcr1", "ti_cdcr0", "wti1_cdcr0", "wti2_cdcr0", "wti3_cdcr0", "wti2_cdcr2", "wti2_cdcr3")
AGGREGATIONS = ("seqTransf", "seqLSTM")
SCALE = math.exp(4.6052)
HEADS, NUMBER_OF_HEADS = 4, "seqTransf.heads"
"""Of seqTransf, where a file does not say: they do not follow from the weights."""
TOLERANCE = 1e-5
"""Of cosines; what is a hundred times as large, and CDCR, has it relative to its size."""


def claims(arrays: Arrays) -> bool:
    """Return whether the file is of this kind."""
    return any("_cdcr" in name for name in arrays)


def covers(name: str) -> bool:
    """Return whether an array belongs to this kind."""
    return name in INPUTS or name.split(".")[0] in (*VARIANTS, *AGGREGATIONS)


def compare(arrays: Arrays) -> list[Comparison]:
    """Return each output of the file."""
    text = TextFeatures(_tensor(arrays, "text"), _tensor(arrays, "text_mask").bool(), torch.empty(0), torch.empty(0))
    video = VideoFeatures(_tensor(arrays, "video"), _tensor(arrays, "video_mask").bool())
    variants = [name for name in VARIANTS if f"{name}.eval_logits" in arrays]
    with torch.no_grad():
        return [
            *(comparison for name in variants for comparison in _variant(arrays, name, text, video)),
            *(_aggregation(arrays, name, video) for name in AGGREGATIONS if f"{name}.out" in arrays),
        ]


def _variant(arrays: Arrays, name: str, text: TextFeatures, video: VideoFeatures) -> Iterator[Comparison]:
    kind, mode = name.split("_cdcr")
    network = DrlNetwork(_architecture(kind, text.tokens_BLD.shape[-1])).eval()
    network.load_state_dict({"logit_scale": network.logit_scale, **_weights(arrays, name)})
    texts, videos = network.text_parts(text), network.video_parts(video)
    scores = drl_batch_scores(network, texts, videos, zero_mask=True, two_passes=True)
    yield _comparison(arrays, f"{name}.eval_logits", scores.to_video_BB)
    if kind != "dp":
        rows = [drl_with_floor(parts, ~parts.mask_BN.all(dim=1)) for parts in (texts, videos)]
        in_blocks = model_late_interaction_scores(
            model_late_interaction_tiles(rows[:1], TEXT_ROWS), model_late_interaction_tiles(rows[1:], VIDEO_ROWS)
        )
        yield _comparison(arrays, f"{name}.eval_logits", in_blocks, " (in blocks)")
    yield _comparison(arrays, f"{name}.train_logits", SCALE * scores.to_video_BB)
    yield _comparison(arrays, f"{name}.sim_loss", drl_contrastive_loss(scores, torch.tensor(SCALE), None))
    loss = torch.zeros(())
    if mode != "0":
        assert scores.own is not None
        loss = cdcr_loss(Cdcr(mode=int(mode), diagonal=0.11, others=0.06, released=True), texts, videos, scores.own)
    yield _comparison(arrays, f"{name}.cdcr_loss", loss)


def _aggregation(arrays: Arrays, name: str, video: VideoFeatures) -> Comparison:
    """Frames that are not padding; the padded ones take part in nothing."""
    weights, dim = _weights(arrays, name), video.frames_BTD.shape[-1]
    if name == "seqLSTM":
        module: torch.nn.Module = FrameLstm(dim)
        weights = {key: value for key, value in weights.items() if not key.startswith("frame_position")}
    else:
        positions = len(weights["frame_position_embeddings.weight"])
        heads = int(arrays[NUMBER_OF_HEADS]) if NUMBER_OF_HEADS in arrays else HEADS
        module = FrameTransformer(dim, positions=positions, heads=heads, start="random")
    module.load_state_dict(weights)
    return _comparison(arrays, f"{name}.out", module.eval()(video.frames_BTD, video.mask_BT))


def _architecture(kind: str, dim: int) -> Architecture:
    return Architecture(
        dim=dim,
        interaction=kind.rstrip("123"),  # type: ignore[arg-type]
        wti_layers=int(kind[-1]) if kind[-1].isdigit() else 1,
        aggregation="none",
        positions=1,
        heads=1,
        cross_heads=1,
        temperature=1 / SCALE,
        start="random",
        last_token=True,
    )


def _weights(arrays: Arrays, name: str) -> dict[str, Tensor]:
    start = f"{name}.sd."
    return {key.removeprefix(start): _tensor(arrays, key) for key in arrays if key.startswith(start)}


def _comparison(arrays: Arrays, name: str, found: Tensor, how: str = "") -> Comparison:
    expected = arrays[name]
    if name.endswith((".train_logits", ".cdcr_loss", ".sim_loss")):
        return Comparison(
            name=f"{name}{how}",
            expected=expected,
            found=found.numpy(),
            tolerance=TOLERANCE * max(1.0, float(abs(expected).max())),
        )
    return Comparison(name=f"{name}{how}", expected=expected, found=found.numpy(), tolerance=TOLERANCE)


def _tensor(arrays: Arrays, name: str) -> Tensor:
    return torch.from_numpy(arrays[name])
