"""What `speed/gpu.py` learns from: a drawn world with an exact rule, and checkpoints of real sizes with drawn weights.

A video is a thing with a look, a text names another look, and the target is the same thing with that look. Models learn
it from some things and are asked about others.
"""

# Shapes: B videos or texts, T frames, L tokens, P places in a frame, D embedding, V width of a place.

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.features.encoders.networks.clip_tokenizer import END, START, clip_encoder_byte_letters
from cvr_data.features.protocol import TextFeatures, VideoFeatures
from cvr_data.media.video import Video

WORDS = ("make", "the", "thing", "look", "like")


@dataclass(frozen=True, kw_only=True)
class Size:
    """Of a world."""

    things: int = 60
    looks: int = 12
    triplets: int = 1500
    questions: int = 500
    dim: int = 64
    frames: int = 4
    places: int = 4
    place_width: int = 64


class DrawnWorld:
    """An encoder whose features are made once, on `device`, and given as they are."""

    runs_on = "cpu float32"
    name = "drawn"
    unit_frames = True

    def __init__(self, size: Size, device: str = "cpu"):
        self.size, self.device = size, device
        self.dim = self.text_dim = size.dim
        draw = torch.Generator().manual_seed(0)
        things_ND, looks_ND = (torch.randn(count, size.dim, generator=draw) for count in (size.things, size.looks))
        noise = 2.0 * torch.randn(size.things, size.looks, size.frames, size.dim, generator=draw)
        frames = things_ND[:, None, None] + looks_ND[None, :, None] + noise
        self.frames_NTD = F.normalize(frames, dim=-1).flatten(0, 1).to(device)
        self.words_ND = F.normalize(torch.randn(len(WORDS), size.dim, generator=draw), dim=-1).to(device)
        self.looks_ND = F.normalize(looks_ND, dim=-1).to(device)
        self.places_NPV = torch.randn(16, 1, size.places, size.place_width, generator=draw).to(device)

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        frames_BTD = self.frames_NTD[self._rows(videos)]
        return VideoFeatures(frames_BTD, torch.ones(frames_BTD.shape[:2], dtype=torch.bool, device=self.device))

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        numbers = [
            crc32(text.rsplit(" ", 1)[-1].encode()) if not text[-1:].isdigit() else _look(text) for text in texts
        ]
        rows_B = torch.tensor(numbers, device=self.device) % self.size.looks
        words_BLD = self.words_ND.expand(len(texts), -1, -1)
        tokens_BLD = torch.cat([words_BLD, self.looks_ND[rows_B][:, None]], dim=1)
        mask_BL = torch.ones(tokens_BLD.shape[:2], dtype=torch.bool, device=self.device)
        return TextFeatures.of(tokens_BLD, mask_BL, tokens_BLD.mean(dim=1))

    def encode_video_tokens(self, videos: Sequence[Video], folder: Path | None) -> VideoFeatures:
        places_BTPV = self.places_NPV[self._rows(videos) % len(self.places_NPV)]
        return VideoFeatures(places_BTPV, torch.ones(places_BTPV.shape[:2], dtype=torch.bool, device=self.device))

    def _rows(self, videos: Sequence[Video]) -> Tensor:
        numbers = [int(video.video_id) for video in videos]
        return torch.tensor(numbers, device=self.device)


def _look(text: str) -> int:
    return int(text.rsplit(" ", 1)[-1].removeprefix("look"))


def changes(size: Size, things: range, count: int) -> list[tuple[int, str, int]]:
    """Return (reference, text, target) of some of all changes of these things, no look changed into itself."""
    every = [
        (thing * size.looks + before, f"{' '.join(WORDS)} look{after}", thing * size.looks + after)
        for thing in things
        for before in range(size.looks)
        for after in range(size.looks)
        if before != after
    ]
    order = torch.randperm(len(every), generator=torch.Generator().manual_seed(len(things))).tolist()
    return [every[row] for row in order[:count]]


def training_set(size: Size) -> TrainingSet:
    """Triplets of the first three quarters of things, with the columns that any model learns from."""
    rows = changes(size, range(size.things * 3 // 4), size.triplets)
    targets = [str(target) for _, _, target in rows]
    captions = {f"{side}_caption": [f"look{row % size.looks}" for row in range(len(rows))] for side in SIDES}
    return TrainingSet(
        reference_ids=[str(reference) for reference, _, _ in rows],
        modifications=[text for _, text, _ in rows],
        target_ids=targets,
        target_group_ids=targets,
        extra=captions,
    )


SIDES = ("reference", "target")


def held_out_task(size: Size) -> Task:
    """Questions about the other things, in a gallery of all of these."""
    things = range(size.things * 3 // 4, size.things)
    rows = changes(size, things, size.questions)
    items = {number: Item(str(number), Video(str(number))) for number in range(
        things.start * size.looks, size.things * size.looks
    )}  # fmt: skip
    return Task(
        name="drawn",
        queries=[Query(f"q{row}", items[reference], text) for row, (reference, text, _) in enumerate(rows)],
        gallery=list(items.values()),
        targets={f"q{row}": frozenset({str(target)}) for row, (_, _, target) in enumerate(rows)},
    )


def save_blip(folder: Path, tiny: bool) -> Path:
    """Write BLIP's retrieval model, large, with drawn weights; its image network, which is never run, has one layer."""
    from transformers import BlipConfig, BlipForImageTextRetrieval

    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *WORDS, *(f"look{number}" for number in range(100)), "[ENC]"]
    text: dict[str, Any] = {"vocab_size": 200 if tiny else 30524, "is_decoder": True, "max_position_embeddings": 512}
    text |= sizes(32, 2, 2) if tiny else sizes(768, 12, 12)
    vision = {**sizes(24, 1, 2), "image_size": 32, "patch_size": 8} if tiny else sizes(1024, 1, 16)
    text |= {"encoder_hidden_size": vision["hidden_size"], "bos_token_id": 1, "sep_token_id": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dim = 20 if tiny else 256
        config = BlipConfig(text_config=text, vision_config=vision, image_text_hidden_size=dim)
        BlipForImageTextRetrieval(config).save_pretrained(folder)
    _save_word_tokenizer(folder, words)
    return folder


def save_clip(folder: Path, tiny: bool) -> Path:
    """Write a CLIP of the size of ViT-L/14 with drawn weights, and a tokenizer of bytes."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    folder.mkdir(exist_ok=True)
    letters = clip_encoder_byte_letters()
    words = [*letters, *(f"{each}</w>" for each in letters), START, END]
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    length, side = (16, 32) if tiny else (77, 224)
    CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=length).save_pretrained(
        folder
    )
    ends = {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1, "pad_token_id": len(words) - 1}
    text = {**(sizes(32, 1, 2) if tiny else sizes(768, 12, 12)), **ends, "max_position_embeddings": length}
    vision = {**(sizes(32, 1, 2) if tiny else sizes(1024, 24, 16)), "image_size": side, "patch_size": 8 if tiny else 14}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=24 if tiny else 768)
        CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side}).save_pretrained(folder)
    return folder


def sizes(width: int, layers: int, heads: int) -> dict[str, int]:
    """Return what a tower of transformers calls its sizes."""
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
    }


def _save_word_tokenizer(folder: Path, words: Sequence[str]) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
