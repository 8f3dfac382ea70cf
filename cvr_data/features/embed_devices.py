"""Shares an embedding run among devices: a process on each writes a shard, and the shards are merged.

A shard lies beside the result as `.NAME-shard-K-of-N`, so that an interrupted run resumes; it is removed at the end.
"""

import dataclasses
import os
import shutil
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cvr_data.core.artifacts import Artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.jobs import current_engine
from cvr_data.core.process_pool import ProcessPool
from cvr_data.features.embed import Selection, embed
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.merge_shards import merge_embeddings


def embed_on_devices(
    source: Path, encoder: str, options: Sequence[str], out: Path, devices: Sequence[str], *, selection: Selection,
    overwrite: bool = False,
) -> Artifact:  # fmt: skip
    """Return the same artifact as `embed` does, made by one process per device (`cuda:1`, `cpu:0`).

    Raises:
        CvrError: a device has no number or another kind, shards are asked for too, or what `embed` says.
    """
    if selection.num_shards > 1:
        raise CvrError("--num-shards shares the work among runs of one device each; name one --device.")
    if not current_engine().is_here:
        raise CvrError("Several devices have a process each; leave out --workers and --engine, or name one --device.")
    places = [_device_place(name) for name in devices]
    names = {field.name for field in dataclasses.fields(ENCODERS.get(encoder).Config)}
    folders = [out.parent / f".{out.name}-shard-{number}-of-{len(devices)}" for number in range(len(devices))]
    jobs = []
    for number, (kind, index) in enumerate(places):
        own = (*options, f"device={kind}") if "device" in names else tuple(options)
        share = dataclasses.replace(selection, num_shards=len(devices), shard_id=number)
        jobs.append((own, folders[number], share, index if kind == "cuda" else ""))
    threads = max(1, (os.cpu_count() or 1) // len(devices))
    with closing(ProcessPool(len(devices))) as pool:
        deque(pool.map(_embed_shard, jobs, (source, encoder, overwrite, threads)), maxlen=0)
    artifact = merge_embeddings(folders, out, overwrite=overwrite)
    for folder in folders:
        shutil.rmtree(folder)
    return artifact


def _device_place(name: str) -> tuple[str, str]:
    """Return kind and number of a device such as `cuda:1`."""
    kind, _, index = name.strip().partition(":")
    if kind not in ("cpu", "cuda") or not index.isdecimal():
        raise CvrError(f"--device {name!r} should look like cuda:0 or cpu:0 where there are several.")
    return kind, index


def _embed_shard(
    source: Path, encoder: str, overwrite: bool, threads: int, options: Sequence[str], out: Path, share: Selection,
    visible: str,
) -> None:  # fmt: skip
    if visible:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    import torch

    from cvr_data.core.memory import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(threads)
    embed(source, encoder, ENCODERS.config(encoder, options), out, selection=share, overwrite=overwrite)
