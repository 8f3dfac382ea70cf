"""Sections of `speed/gpu.py` that do not train: embedding, and ranking a large gallery."""

# Shapes: Q queries, G gallery items, N frames, D embedding.

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_training import Given, matrix_rate
from gpu_world import save_clip
from measuring import timed
from ranking import make_task, stream, unit
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from cvr_bench.scoring.evaluate import evaluate
from cvr_data.features.encoders import ENCODERS

ROWS, COLUMNS = 4096, 100_000
"""Block of scores on the card: 1.6 GB."""


def embedding(given: Given) -> dict[str, Any]:
    """Frames and texts a second of a CLIP of the size of ViT-L/14, drawn weights, frames in memory."""
    count, side = (4, 32) if given.tiny else (512, 224)
    frames = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    texts = [f"a text of some words, number {number}" for number in range(count)]
    rate, found = matrix_rate(given), {}
    with tempfile.TemporaryDirectory() as folder:
        model = str(save_clip(Path(folder) / "clip", given.tiny))
        for dtype in ("bfloat16", "float16", "float32") if given.is_card else ("float32",):
            options = {"model": model, "dtype": dtype, "device": given.device}
            encoder = ENCODERS.get("clip").load(ENCODERS.config("clip", options))
            encoder.encode_frames(frames)
            seconds = min(timed(lambda e=encoder: e.encode_frames(frames))[0] for _ in range(3))
            texts_s = min(timed(lambda e=encoder: e.encode_texts(texts))[0] for _ in range(2))
            with FlopCounterMode(display=False) as counter:
                embedded_ND = encoder.encode_frames(frames)
            found[dtype] = {
                "frames_per_s": count / seconds, "texts_per_s": count / texts_s,
                "share_of_matrix_rate": counter.get_total_flops() / seconds / rate or None,  # unseen in threads
                "finite": bool(embedded_ND.isfinite().all()),
            }  # fmt: skip
    return {"frames": count, "types": found, "failed": [dtype for dtype, row in found.items() if not row["finite"]]}


def ranking(given: Given) -> dict[str, Any]:
    """100,000 queries and a million videos, 256 wide, counted on the card.

    `evaluate`, which ranks on the processor, is timed on a twentieth, whose ranks are held against the card's.
    """
    queries, gallery, dim = (40, 400, 16) if given.tiny else (100_000, 1_000_000, 256)
    some = queries // 20
    task, references_Q, targets_Q = make_task(some, gallery)
    retriever = stream(gallery, dim)
    cpu_s, ranks = timed(lambda: evaluate(retriever, task))
    assert retriever.gallery_GD is not None
    gallery_GD = retriever.gallery_GD.to(given.device)
    # drawn as `stream` draws: each chunk of 1,024 queries by the number of its first
    queries_QD = torch.cat([unit(min(1024, some - start), dim, start) for start in range(0, some, 1024)])
    found_Q = counted_ranks(queries_QD.to(given.device), gallery_GD, targets_Q, references_Q)
    equal = float((found_Q.cpu().numpy() == ranks.rank).mean())
    whole_QD, at_Q = unit(queries, dim, 1).to(given.device), np.resize(targets_Q, queries)

    def whole() -> None:
        counted_ranks(whole_QD, gallery_GD, at_Q, np.resize(references_Q, queries))
        given.wait()

    card_s, _ = timed(whole)
    return {
        "queries": queries, "gallery": gallery, "dim": dim, "equal_ranks": equal, "card_s": card_s,
        "evaluate_s_for": some, "evaluate_s": cpu_s, "evaluate_s_extrapolated": cpu_s * queries / some,
        "failed": [] if equal > 0.99 else [f"only {equal:.1%} of ranks are equal"],
    }  # fmt: skip


def counted_ranks(queries_QD: Tensor, gallery_GD: Tensor, targets_Q: np.ndarray, references_Q: np.ndarray) -> Tensor:
    """Return 1 + what scores at least as high as the target, the target and the reference left out; block by block."""
    ranks = []
    targets, references = (torch.from_numpy(rows).to(gallery_GD.device) for rows in (targets_Q, references_Q))
    for start in range(0, len(queries_QD), ROWS):
        part_QD = queries_QD[start : start + ROWS]
        target_Q, reference_Q = targets[start : start + ROWS], references[start : start + ROWS]
        scores = part_QD @ gallery_GD[:COLUMNS].T if len(gallery_GD) <= COLUMNS else None
        own_Q = (
            (part_QD * gallery_GD[target_Q]).sum(dim=1) if scores is None else scores.gather(1, target_Q[:, None])[:, 0]
        )
        counts_Q = torch.zeros(len(part_QD), dtype=torch.int64, device=part_QD.device)
        for first in range(0, len(gallery_GD), COLUMNS):
            block_QC = part_QD @ gallery_GD[first : first + COLUMNS].T if scores is None else scores
            for rows_Q in (target_Q, reference_Q):  # neither counts
                inside_Q = (rows_Q >= first) & (rows_Q < first + block_QC.shape[1])
                block_QC[inside_Q.nonzero().flatten(), rows_Q[inside_Q] - first] = -torch.inf
            counts_Q += (block_QC >= own_Q[:, None]).sum(dim=1)
        ranks.append(1 + counts_Q)
    return torch.cat(ranks)
