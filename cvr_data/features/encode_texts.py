"""Encodes many texts slice by slice, here or in several processes, each of which loads the encoder once."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from cvr_data.core.jobs import current_engine, mapped_in_order

Encode = Callable[[Sequence[str]], np.ndarray]


def encoded_slices(
    load: Callable[..., Encode], arguments: tuple, slices: Sequence[Sequence[str]]
) -> Iterator[np.ndarray]:
    """Yield the vectors of each slice, in order, by what the module-level function `load` returns of the arguments.

    It is called once in a process, so the arguments name what it reads by its key, not only by its place.
    """
    if current_engine().is_here or len(slices) <= 1:
        yield from map(_loaded_in_process(load, arguments), slices)
    else:
        jobs = [(each,) for each in slices]
        yield from mapped_in_order(_encode_slice, jobs, shared=(load, arguments), on_gpu=True)


def _encode_slice(load: Callable[..., Encode], arguments: tuple, texts: Sequence[str]) -> np.ndarray:
    return _loaded_in_process(load, arguments)(texts)


@lru_cache(maxsize=1)
def _loaded_in_process(load: Callable[..., Encode], arguments: tuple) -> Encode:
    return load(*arguments)
