"""The descriptive statistics that MTEB asks of a retrieval task, by its definitions.

Videos are counted by what their containers say. Different videos are told apart by their bytes, where MTEB compares
decoded frames: one clip in two files is two here.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import comb, log2
from pathlib import Path
from statistics import fmean
from typing import Any

from cvr_data.core.whole_files import file_sha256
from cvr_data.media.video import VideoInfo, probe_medium

RANDOM_KS = (1, 3, 5, 10, 20, 100, 1000)
"""Those of MTEB's scores."""


def mteb_statistics(
    texts: Sequence[str], references: Sequence[Path] | None, corpus: Sequence[Path] | None,
    relevant: Mapping[str, Sequence[str]], documents: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the numbers of one split; those of videos are None where their files are not given."""
    nothing = {f"{side}_{kind}_statistics": None for side in ("documents", "queries") for kind in ("image", "audio")}
    return {
        "num_samples": documents + len(texts),
        "num_queries": len(texts),
        "num_documents": documents,
        "number_of_characters": sum(map(len, texts)),
        **nothing,
        "documents_text_statistics": None,
        "documents_video_statistics": None if corpus is None else _of_videos(corpus),
        "queries_text_statistics": _of_texts(texts),
        "queries_video_statistics": None if references is None else _of_videos(references),
        "relevant_docs_statistics": _of_relevant(relevant),
        "top_ranked_statistics": None,
    }


def mteb_format_random_scores(relevant: Mapping[str, Sequence[str]], documents: int) -> dict[str, float]:
    """Return what is expected of a random order, by the names of MTEB's scores: no model should be below it."""
    scores: dict[str, float] = {}
    counts = [len(set(targets)) for targets in relevant.values()]
    gains = [0.0, *accumulate(1 / log2(rank + 1) for rank in range(1, max(*RANDOM_KS, *counts) + 1))]
    for k in RANDOM_KS:
        taken = min(k, documents)
        missed = [comb(documents - count, taken) / comb(documents, taken) for count in counts]
        ndcg = [count / documents * gains[taken] / gains[min(k, count)] for count in counts]
        scores |= {
            f"ndcg_at_{k}": fmean(ndcg),
            f"recall_at_{k}": taken / documents,
            f"precision_at_{k}": fmean(counts) / documents * taken / k,
            f"hit_rate_at_{k}": 1 - fmean(missed),
        }
    return scores


def _of_texts(texts: Sequence[str]) -> dict[str, Any]:
    lengths = [len(text) for text in texts]
    spread = {f"{kind}_text_length": value for kind, value in _spread_of_lengths(lengths).items()}
    return {"total_text_length": sum(lengths), **spread, "unique_texts": len(set(texts))}


def _of_relevant(relevant: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    counts = [len(found) for found in relevant.values()]
    spread = {f"{kind}_relevant_docs_per_query": value for kind, value in _spread_of_lengths(counts).items()}
    distinct = {video_id for found in relevant.values() for video_id in found}
    return {"num_relevant_docs": sum(counts), **spread, "unique_relevant_docs": len(distinct)}


def _of_videos(paths: Sequence[Path]) -> dict[str, Any]:
    known: dict[Path, tuple[VideoInfo, str]] = {path: (probe_medium(path), file_sha256(path)) for path in set(paths)}
    infos = [known[path][0] for path in paths]
    sizes = Counter((info.width, info.height) for info in infos)
    rates = Counter(round(info.fps) for info in infos)
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    widths, heights = (
        _spread_of_lengths([info.width for info in infos]),
        _spread_of_lengths([info.height for info in infos]),
    )
    durations = _spread_of_lengths([info.duration_s for info in infos])
    return {
        "total_duration_seconds": sum(info.duration_s for info in infos),
        "total_frames": sum(info.frames for info in infos),
        **{f"{kind}_width": value for kind, value in widths.items()},
        **{f"{kind}_height": value for kind, value in heights.items()},
        **{f"{kind}_duration_seconds": value for kind, value in durations.items()},
        "unique_videos": len({known[path][1] for path in paths}),
        "average_fps": sum(rate * count for rate, count in rates.items()) / len(infos),
        "fps": {str(rate): count for rate, count in rates.items()},
        "min_resolution": list(by_area[0]),
        "average_resolution": [widths["average"], heights["average"]],
        "max_resolution": list(by_area[-1]),
        "resolutions": {f"{width}x{height}": count for (width, height), count in sizes.items()},
    }


def _spread_of_lengths(values: Sequence[float]) -> dict[str, float]:
    return {"min": min(values), "average": sum(values) / len(values), "max": max(values)}
