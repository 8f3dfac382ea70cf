"""Checkpoints of the transformers library by hub id or folder, with one clear line where one cannot be used."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cvr_data.core.annotation_files import read_json
from cvr_data.core.errors import CvrError, first_few, first_line

if TYPE_CHECKING:
    from torch import Tensor


def check_encoder_keys(where: str, *, missing: Collection[str], unexpected: Collection[str]) -> None:
    """Refuse weights whose names are not the network's.

    Raises:
        CvrError: names the first missing and unexpected ones.
    """
    found = {"missing": sorted(missing), "unexpected": sorted(unexpected)}
    if any(found.values()):
        said = "; ".join(f"{kind}: {first_few(names)}" for kind, names in found.items() if names)
        raise CvrError(f"{where}: these are not the weights of this network; {said}.")


def load_encoder_network(kind: str, model: str) -> Any:
    """Return a model of a class of transformers with the weights of a folder or hub id, in evaluation mode, in float32.

    Raises:
        CvrError: nothing is there, it cannot be reached, or its weights are another model's.
    """
    import torch
    import transformers

    load_encoder_config(model)
    with loading_encoder(f"{model}: cannot be loaded as {kind}", OSError, ValueError, RuntimeError):
        network, report = getattr(transformers, kind).from_pretrained(
            model,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
        )
    check_encoder_keys(model, missing=report["missing_keys"], unexpected=report["unexpected_keys"])
    if report["mismatched_keys"]:
        name, found, wanted = sorted(report["mismatched_keys"])[0]
        raise CvrError(f"{model}: {name} has shape {tuple(found)}, {tuple(wanted)} was expected.")
    return network.requires_grad_(False).eval()


def load_encoder_config(model: str) -> Any:
    """Return the configuration of a folder or hub id.

    Raises:
        CvrError: nothing is there, or the hub cannot be reached.
    """
    from transformers import AutoConfig

    if Path(model).is_dir() and not (Path(model) / "config.json").is_file():
        raise CvrError(f"{model}: no config.json in this folder; it is not a checkpoint of transformers.")
    with loading_encoder(f"{model}: neither a folder nor a reachable model on the hub", OSError, ValueError):
        return AutoConfig.from_pretrained(model, trust_remote_code=False)


def load_encoder_tokenizer(model: str) -> Any:
    """Return the tokenizer of a folder or hub id.

    Raises:
        CvrError: it has none, or a library that reads it is missing.
    """
    from transformers import AutoTokenizer

    with loading_encoder(f"{model}: its tokenizer cannot be loaded", OSError, ValueError, ImportError, TypeError):
        return AutoTokenizer.from_pretrained(model, trust_remote_code=False)


Padding = Literal["longest", "max_length"]


def tokenize_for_encoder(
    tokenizer: Any, texts: Sequence[str], length: int, padding: Padding = "longest"
) -> tuple["Tensor", "Tensor"]:
    """Return (ids_BL, mask_BL), padded on the right and cut to the length."""
    encoded = tokenizer(
        list(texts),
        padding=padding,
        truncation=True,
        max_length=length,
        padding_side="right",
        return_attention_mask=True,
        return_tensors="pt",
    )
    return encoded["input_ids"], encoded["attention_mask"].bool()


def encoder_preprocessing(model: str) -> dict[str, Any]:
    """Return preprocessor_config.json of a folder or hub id as it is; empty where there is none.

    Raises:
        CvrError: the hub cannot be reached.
    """
    for name in ("preprocessor_config.json", "processor_config.json"):
        found = _file(model, name)
        if found is not None:
            settings = read_json(found, dict)
            if name == "preprocessor_config.json" or "image_processor" in settings:
                return settings
    return {}


def _file(model: str, name: str) -> Path | None:
    if Path(model).is_dir():
        path = Path(model) / name
        return path if path.is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, RemoteEntryNotFoundError

    with loading_encoder(f"{model}: cannot look for {name} on the hub", HfHubHTTPError, OSError):
        try:
            return Path(hf_hub_download(model, name))
        except RemoteEntryNotFoundError:
            return None


@contextmanager
def loading_encoder(what: str, *errors: type[Exception]) -> Iterator[None]:
    """Load something quietly; an error of these kinds is told in one line, `what` and its own first one."""
    try:
        with quiet_encoder_libraries():
            yield
    except errors as error:
        raise CvrError(f"{what} ({first_line(error)}).") from None


@contextmanager
def quiet_encoder_libraries() -> Iterator[None]:
    """Keep what the libraries log and draw while they load to themselves: a failure is told in one line."""
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    before = [library.get_verbosity() for library in (hub_logging, transformers_logging)]
    hub_logging.set_verbosity_error()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        hub_logging.set_verbosity(before[0])
        transformers_logging.set_verbosity(before[1])
