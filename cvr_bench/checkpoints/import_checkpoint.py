"""Bring a published checkpoint to a folder that transformers loads, and that models and encoders of ours take.

    import_checkpoint(Path("webvid-covr.ckpt"), "covr-blip", Path("covr"))
    # cvr embed videos --encoder blip -o model=covr --all-tokens
    # cvr bench -m covr-blip --checkpoint covr

The folder has `config.json`, `model.safetensors`, the tokenizer and, for weights that the class of transformers has no
place for (BSE-CoVR's projection of descriptions), `extra.safetensors`. Checkpoints of our own networks (FDCA, the
CLIP4Cir Combiner) become `model.safetensors` alone. Nothing is unpickled but tensors and plain numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from cvr_bench.checkpoints.config import CLASSES, checkpoint_config
from cvr_bench.checkpoints.names import Layout, renamed_checkpoint
from cvr_bench.models.networks.covr.qformer import LAST_NORM
from cvr_bench.models.parts.weights import EXTRA, FROZEN, WEIGHTS, read_model_weights
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import Artifact
from cvr_data.core.errors import CvrError, did_you_mean, first_few
from cvr_data.core.whole_files import whole_file
from cvr_data.features.encoders.networks.checkpoints import (
    load_encoder_config,
    load_encoder_network,
    load_encoder_tokenizer,
    quiet_encoder_libraries,
)

STAGE = "checkpoint"
VERSION = 1
LAYOUTS: Mapping[str, Layout] = {
    "covr-blip": "blip",
    "bse-covr": "blip",
    "ecde": "blip",
    "covr-blip2": "blip2",
    "retrack": "blip2",
    "hud": "blip2",
    "fdca": "same",
    "combiner": "same",
}
"""Model -> whose names its published checkpoints have."""
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "bse-covr": ("prompt_proj.",),
    "retrack": ("compose_", "contribution_decoder.", "point_weights.", "text_anchor_to_k."),
    "hud": ("compose", "video_logit_weight", "local_weight", "probabilistic_cross", "uncertain_net_cross"),
}
"""Model -> how the names of its weights begin for which transformers has no place."""
OWN_NORM = ("retrack", "hud")
"""Models that keep the norm of image tokens, so that it is trained or read as released."""
UNUSED_HEAD = "itm_head."
"""Of transformers' class; nothing here uses it, and most checkpoints lack it."""
BERT_WORDS = 30522


@dataclass(frozen=True, kw_only=True)
class Given:
    """What comes from elsewhere than the checkpoint; folders of transformers or hub ids."""

    base: str | None = None
    """A model that gives the weights which the checkpoint lacks, such as its frozen image network, and its heads."""
    tokenizer: str | None = None
    """The tokenizer; None is the base's or, for a vocabulary of BERT's size, BERT's."""


def import_checkpoint(file: Path, model: str, out: Path, given: Given, *, overwrite: bool = False) -> Artifact:
    """Return the folder of a `.ckpt`, `.pt` or `.safetensors` file with published names, for a model of ours.

    Raises:
        CvrError: the file cannot be read or is of another model, or what it lacks is not given.
    """
    if model.replace("_", "-") not in LAYOUTS:
        raise CvrError(f"No published checkpoint is for the model {model!r}. {did_you_mean(model, LAYOUTS)}")
    if not file.is_file():
        raise CvrError(f"{file} does not exist.")
    model = model.replace("_", "-")
    layout = LAYOUTS[model]
    config = {"model": model, "base": given.base, "tokenizer": given.tokenizer}
    writer = ArtifactWriter(
        out, stage=STAGE, version=VERSION, config=config, inputs={"checkpoint": file}, overwrite=overwrite
    )
    if (done := writer.finished()) is not None:
        return done
    weights = renamed_checkpoint(read_model_weights(file), layout)
    prepared = _prepare_weights(weights, model, layout, given, str(file))
    with writer:
        prepared.write(writer.path)
    kept = [*prepared.weights.values(), *prepared.extra.values()]
    return writer.finish(weights=len(kept), numbers=sum(weight.numel() for weight in kept))


@dataclass(frozen=True)
class _Prepared:
    """What is written."""

    weights: Mapping[str, Tensor]
    extra: Mapping[str, Tensor]
    settings: Sequence[Any] = ()
    """Configuration and tokenizer of transformers."""

    def write(self, folder: Path) -> None:
        """Write the files; the weights come last."""
        with quiet_encoder_libraries():
            for setting in self.settings:
                setting.save_pretrained(folder)
        if self.extra:
            _save_checkpoint(folder / EXTRA, self.extra)
        _save_checkpoint(folder / WEIGHTS, self.weights)


def _prepare_weights(weights: dict[str, Tensor], model: str, layout: Layout, given: Given, where: str) -> _Prepared:
    """Check the weights and what belongs to them."""
    if layout == "same":
        return _Prepared({name: weight for name, weight in weights.items() if not name.startswith(FROZEN)}, {})
    base_config = load_encoder_config(given.base) if given.base else None
    extra = {name: weights.pop(name) for name in sorted(weights) if name.startswith(EXTRAS.get(model, ()))}
    if given.base:
        weights = {**load_encoder_network(CLASSES[layout], given.base).state_dict(), **weights}
    if model in OWN_NORM:
        extra |= {
            name.replace(LAST_NORM, "ln_vision."): weight
            for name, weight in weights.items()
            if name.startswith(LAST_NORM)
        }
    config = checkpoint_config(weights, layout, base_config)
    config.architectures = [CLASSES[layout]]
    return _Prepared(
        _checked_weights(weights, config, layout, where), extra, [config, _tokenizer(given, config, layout)]
    )


def _checked_weights(weights: Mapping[str, Tensor], config: Any, layout: Layout, where: str) -> dict[str, Tensor]:
    """The weights of the class of transformers, with zeros for the head that nothing uses.

    Raises:
        CvrError: some are missing, or are not of the class, or have another shape.
    """
    import transformers

    with torch.device("meta"):
        expected = getattr(transformers, CLASSES[layout])(config).state_dict()
    missing = [name for name in expected if name not in weights and not name.startswith(UNUSED_HEAD)]
    if missing:
        raise CvrError(f"{where} lacks {first_few(sorted(missing))}; --base names a model that has them.")
    if surplus := sorted(weights.keys() - expected.keys()):
        raise CvrError(f"{where} also holds {first_few(surplus)}: it is of another model.")
    for name, weight in weights.items():
        if weight.shape != expected[name].shape:
            found, allowed = tuple(weight.shape), tuple(expected[name].shape)
            raise CvrError(f"{where}: {name} has shape {found}, the model {allowed}.")
    return {name: weights.get(name, torch.zeros(tensor.shape)) for name, tensor in expected.items()}


def _tokenizer(given: Given, config: Any, layout: Layout) -> Any:
    if place := given.tokenizer or given.base:
        return load_encoder_tokenizer(place)
    words = (config.text_config if layout == "blip" else config.qformer_config).vocab_size
    if not BERT_WORDS <= words <= BERT_WORDS + 2:
        raise CvrError(f"Its vocabulary has {words} words, BERT's {BERT_WORDS}: name its tokenizer with --tokenizer.")
    return _bert_tokenizer()


def _bert_tokenizer() -> Any:
    """Return BERT's uncased tokenizer, which is MiniLM's, with the two tokens that BLIP adds."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    from cvr_data.core.model_packages import packaged_file_path

    tokenizer = Tokenizer.from_file(str(packaged_file_path("minilm") / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.add_special_tokens(["[DEC]", "[ENC]"])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]", sep_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]", mask_token="[MASK]",
        model_max_length=512,
    )  # fmt: skip


def _save_checkpoint(path: Path, weights: Mapping[str, Tensor]) -> None:
    contiguous = {name: weight.detach().float().contiguous().clone() for name, weight in weights.items()}
    with whole_file(path) as temporary:
        save_file(contiguous, temporary, metadata={"format": "pt"})
