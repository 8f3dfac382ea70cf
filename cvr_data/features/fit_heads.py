"""Learns the heads of a feature store: a video and its caption come near, others apart.

    fit_heads(Path("embeddings"), Path("videos"), Config())      # seconds on a CPU

Source: the symmetric contrastive loss with a learned temperature of CLIP, Radford et al., ICML 2021
(https://arxiv.org/abs/2103.00020); here each step draws one caption per video, and a video that has the same caption
as another is not its negative.
"""

# Shapes: B videos of a batch and one caption of each, Q captions, G videos, T frames, L tokens, N rows, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any

import pyarrow as pa
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.progress import Progress
from cvr_data.core.ranges import NOT_NEGATIVE, POSITIVE, SHARE, SIZE, TEMPERATURE, option_range
from cvr_data.core.registry import config_dict
from cvr_data.core.whole_files import parquet_bytes
from cvr_data.features.heads import FITTED_ON, STAGE, WEIGHTS, Head, Heads, load_heads, masked_mean_embedding
from cvr_data.features.store import HEADS_FOLDER, FeatureStore
from cvr_data.tables import VIDEOS, content_id

VERSION = 1
HOLD_OUT = 10
"""One train video in this many is held out for the report when there is no val split."""
STATISTICS_ITEMS = 2000
EVALUATION_ITEMS = 5000
KS = (1, 5, 10)


@dataclass(frozen=True, kw_only=True)
class Config:
    dim: int = field(default=128, metadata=option_range(SIZE))
    """Width of the shared space."""
    epochs: int = field(default=40, metadata=option_range(SIZE))
    """Times each training video is seen, with one of its captions."""
    max_steps: int = field(default=2000, metadata=option_range(SIZE))
    """Steps after which to stop even if epochs are left; a large corpus needs fewer epochs."""
    batch_size: int = field(default=128, metadata=option_range("[2, inf)"))
    """Videos per step: each caption is told apart from this many."""
    learning_rate: float = field(default=3e-3, metadata=option_range(POSITIVE))
    """Peak of a one-cycle schedule."""
    weight_decay: float = field(default=1.0, metadata=option_range(NOT_NEGATIVE))
    """Of AdamW: there are few videos and many weights."""
    dropout: float = field(default=0.3, metadata=option_range(SHARE))
    """Share of raw features hidden from a head in training."""
    temperature: float = field(default=0.1, metadata=option_range(TEMPERATURE))
    """Where the learned temperature starts."""
    seed: int = 0
    """Of the weights, the batches, the captions drawn and the dropout."""


@dataclass(frozen=True)
class Captioned:
    """Videos with features, and the captions of each that have some too."""

    video_ids: list[str]
    captions: list[list[str]]


def fit_heads(embeddings: Path, videos: Path, config: Config, *, overwrite: bool = False) -> Artifact:
    """Return the artifact of heads, written into the embeddings folder, with its R@K in the manifest.

    Raises:
        CvrError: no video of the train split has features, or the videos are not those of the embeddings.
    """
    store = FeatureStore.open(embeddings, space="raw")
    writer = _writer(embeddings, config_dict(config), {"videos": videos}, overwrite)
    if (done := writer.finished()) is not None:
        return done
    train, held_out, split = _splits(store, check_columns(open_artifact(videos).read(), VIDEOS, str(videos)), videos)
    with writer:
        heads = _train_heads(store, train, config)
        report = {"split": split, **recall_of_heads(store, heads, held_out)}
        weights = {name: value.contiguous() for name, value in heads.state_dict().items()}
        writer.write_file(WEIGHTS, safetensors.torch.save(weights))
        writer.write_file(FITTED_ON, parquet_bytes(pa.table({"video_id": sorted(train.video_ids)})))
        return writer.finish(report=report, trained_on={"videos": len(train.video_ids), "split": "train"})


def copy_heads(embeddings: Path, source: Path, *, overwrite: bool = False) -> Artifact:
    """Return the artifact of heads in `embeddings`, equal to those fitted on the features of `source`.

    What was learned on a large corpus then serves one too small to learn from.

    Raises:
        CvrError: `source` has no heads, or its features are of other widths.
    """
    store = FeatureStore.open(embeddings, space="raw")
    open_artifact(source)
    heads = load_heads(source / HEADS_FOLDER)
    widths = (heads.frame_head.linear.in_features, heads.token_head.linear.in_features)
    if widths != (store.dim, store.text_dim):
        raise CvrError(
            f"{source / HEADS_FOLDER} reads frames and tokens of widths {widths}, and {embeddings} has "
            f"{(store.dim, store.text_dim)}; take heads fitted on features of the same encoders."
        )
    origin = open_artifact(source / HEADS_FOLDER, STAGE)
    writer = _writer(embeddings, {}, {"heads": origin.path}, overwrite)
    if (done := writer.finished()) is not None:
        return done
    with writer:
        for name in (WEIGHTS, FITTED_ON):
            if (origin.path / name).is_file():
                writer.write_file(name, (origin.path / name).read_bytes())
        return writer.finish(report=origin.manifest["report"], trained_on=origin.manifest["trained_on"])


def _writer(embeddings: Path, config: dict[str, Any], other: dict[str, Path], overwrite: bool) -> ArtifactWriter:
    inputs = {"embeddings": embeddings, **other}
    folder = embeddings / HEADS_FOLDER
    return ArtifactWriter(folder, stage=STAGE, version=VERSION, config=config, inputs=inputs, overwrite=overwrite)


def _train_heads(store: FeatureStore, train: Captioned, config: Config) -> Heads:
    """Return fitted heads; equal inputs and seed give equal weights on one machine."""
    generator = torch.Generator().manual_seed(config.seed)
    heads = _initial_heads(store, train, config, generator)
    log_scale = nn.Parameter(torch.tensor(1 / config.temperature).log())
    weights = [weight for weight in heads.parameters() if weight.requires_grad]
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": [log_scale], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay)
    batches = _batches(len(train.video_ids), config, generator)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=len(batches), pct_start=0.1
    )
    with Progress("fit-heads", len(batches), "steps") as progress:
        for batch in batches:
            loss = _loss(store, heads, _draw(train, batch, generator), log_scale, config.dropout, generator)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                log_scale.clamp_(max=4.6)  # CLIP's bound: a scale of 100
            progress.advance(1, f"loss {loss.item():.3f}")
    return _rescaled(store, heads.eval().requires_grad_(False), train)


def recall_of_heads(store: FeatureStore, heads: Heads, held_out: Captioned) -> dict[str, float | int]:
    """Return text-to-video R@K in percent: each distinct caption against all videos; ties count against it."""
    shared = FeatureStore(store.artifact, heads)
    captions = sorted({caption for captions in held_out.captions for caption in captions})
    if not captions:
        return {"queries": 0, "gallery": 0}
    videos_GD = shared.pooled(held_out.video_ids)
    rows = {caption: row for row, caption in enumerate(captions)}
    relevant_QG = torch.zeros(len(captions), len(held_out.video_ids), dtype=torch.bool)
    for column, each in enumerate(held_out.captions):
        relevant_QG[[rows[caption] for caption in each], column] = True
    hits = dict.fromkeys(KS, 0)
    for start in range(0, len(captions), 512):
        scores_QG = shared.texts(captions[start : start + 512]).pooled_BD @ videos_GD.T
        relevant = relevant_QG[start : start + 512]
        best_Q1 = scores_QG.masked_fill(~relevant, -torch.inf).amax(dim=1, keepdim=True)
        ranks_Q = 1 + ((scores_QG >= best_Q1) & ~relevant).sum(dim=1)
        for k in KS:
            hits[k] += int((ranks_Q <= k).sum())
    shares = {f"R@{k}": round(100 * count / len(captions), 2) for k, count in hits.items()}
    return {**shares, "queries": len(captions), "gallery": len(held_out.video_ids)}


def _splits(store: FeatureStore, videos: pa.Table, where: Path) -> tuple[Captioned, Captioned, str]:
    names = ("video_id", "captions", "split")
    is_stored = store.has_videos(videos.column("video_id").to_pylist())
    rows = videos.select(names).filter(pa.array(is_stored)).to_pylist()
    if not rows:
        ids = videos.column("video_id").to_pylist()
        raise CvrError(f"{store.artifact.path} has no features of the videos {first_few(ids)} of {where}.")
    if all(row["split"] is None for row in rows):
        raise CvrError(f"{where}: its videos have no split; name those of cvr split: --videos videos-split.")
    rows = [row for row in rows if any(row["captions"])]  # of recordings only some clips may have words
    train = [row for row in rows if row["split"] == "train"]
    held_out, split = [row for row in rows if row["split"] == "val"], "val"
    if not held_out:
        is_held = [int(content_id("held out", row["video_id"]), 16) % HOLD_OUT == 0 for row in train]
        held_out = [row for row, held in zip(train, is_held, strict=True) if held]
        train = [row for row, held in zip(train, is_held, strict=True) if not held]
        split = "a tenth of train, not fitted"
    if len(train) < 2:
        raise CvrError(
            f"{where}: {len(train)} captioned videos of the split 'train' have features, too few to learn from; take "
            "the heads of a larger corpus (--from OTHER_EMBEDDINGS), or embed with an encoder of one space (cvr embed "
            "VIDEOS --encoder clip)."
        )
    return _captioned(store, train, where), _captioned(store, held_out[:EVALUATION_ITEMS], where), split


def _captioned(store: FeatureStore, rows: Sequence[dict], where: Path) -> Captioned:
    captions = [list(compress(texts := list(filter(None, row["captions"])), store.has_texts(texts))) for row in rows]
    without = [row["video_id"] for row, found in zip(rows, captions, strict=True) if not found]
    if without:
        raise CvrError(
            f"{where}: no caption of the videos {first_few(without)} is in {store.artifact.path}; embed it again."
        )
    return Captioned([row["video_id"] for row in rows], captions)


def _initial_heads(store: FeatureStore, train: Captioned, config: Config, generator: torch.Generator) -> Heads:
    heads = Heads(store.dim, store.text_dim, config.dim)
    for head, rows_ND in zip((heads.frame_head, heads.token_head), _sample_rows(store, train), strict=True):
        head.mean.copy_(rows_ND.mean(dim=0))
        # features that never vary in training would blow up the first time they do
        head.deviation.copy_(rows_ND.std(dim=0).clamp(min=1e-3))
        nn.init.xavier_uniform_(head.linear.weight, generator=generator)
        nn.init.zeros_(head.linear.bias)
    return heads


def _sample_rows(store: FeatureStore, train: Captioned) -> tuple[Tensor, Tensor]:
    frames = store.frames(train.video_ids[:STATISTICS_ITEMS])
    tokens = store.texts([captions[0] for captions in train.captions[:STATISTICS_ITEMS]])
    return frames.frames_BTD[frames.mask_BT], tokens.tokens_BLD[tokens.mask_BL]


def _batches(count: int, config: Config, generator: torch.Generator) -> list[Tensor]:
    """Batches of equal size, at most `batch_size`, none of one video."""
    per_epoch = -(-count // config.batch_size)
    epochs = min(config.epochs, -(-config.max_steps // per_epoch))
    batches = [torch.randperm(count, generator=generator).tensor_split(per_epoch) for _ in range(epochs)]
    return [batch for epoch in batches for batch in epoch][: config.max_steps]


def _draw(train: Captioned, batch: Tensor, generator: torch.Generator) -> Captioned:
    """The batch's videos, each with its captions, the one drawn for this step first."""
    chosen = batch.tolist()
    draws = torch.rand(len(chosen), generator=generator).tolist()
    captions = []
    for index, draw in zip(chosen, draws, strict=True):
        of_video = train.captions[index]
        first = int(draw * len(of_video))
        captions.append([of_video[first], *of_video[:first], *of_video[first + 1 :]])
    return Captioned([train.video_ids[index] for index in chosen], captions)


def _loss(
    store: FeatureStore, heads: Heads, batch: Captioned, log_scale: Tensor, dropout: float, generator: torch.Generator
) -> Tensor:
    frames = store.frames(batch.video_ids)
    texts = store.texts([captions[0] for captions in batch.captions])
    # A random half of each video's frames, at least one: its caption is true of any of them.
    draws_BT = torch.rand(frames.mask_BT.shape, generator=generator).masked_fill(~frames.mask_BT, 2.0)
    some_BT = (draws_BT < 0.5) | (draws_BT == draws_BT.amin(dim=1, keepdim=True))
    videos_BD = masked_mean_embedding(_dropped_out(heads.frame_head, frames.frames_BTD, dropout, generator), some_BT)
    texts_BD = masked_mean_embedding(
        _dropped_out(heads.token_head, texts.tokens_BLD, dropout, generator), texts.mask_BL
    )
    return heads_contrastive_loss(texts_BD @ videos_BD.T * log_scale.exp(), _also_true(batch.captions))


def heads_contrastive_loss(logits_BB: Tensor, ignored_BB: Tensor) -> Tensor:
    """Return the mean of both directions' cross-entropy to the diagonal, with no negative where `ignored`."""
    logits_BB = logits_BB.masked_fill(ignored_BB, -torch.inf)
    labels_B = torch.arange(len(logits_BB))
    return (F.cross_entropy(logits_BB, labels_B) + F.cross_entropy(logits_BB.T, labels_B)) / 2


def _also_true(captions: Sequence[Sequence[str]]) -> Tensor:
    """Return (B, B) bool: video j has the caption drawn for video i (its first), and j is not i."""
    owned = [set(each) for each in captions]
    return torch.tensor(
        [[i != j and each[0] in owned[j] for j in range(len(owned))] for i, each in enumerate(captions)]
    )


def _dropped_out(head: Head, raw_BND: Tensor, dropout: float, generator: torch.Generator) -> Tensor:
    normal_BND = head.normalise(raw_BND)
    kept_BND = torch.rand(normal_BND.shape, generator=generator) >= dropout
    return head.linear(normal_BND * kept_BND / (1 - dropout))


@torch.no_grad()
def _rescaled(store: FeatureStore, heads: Heads, train: Captioned) -> Heads:
    """Scale each head so that a training frame, or token, has length 1 on average; no cosine changes."""
    for head, rows_ND in zip((heads.frame_head, heads.token_head), _sample_rows(store, train), strict=True):
        length = head(rows_ND).norm(dim=-1).mean()
        head.linear.weight.div_(length)
        head.linear.bias.div_(length)
    return heads
