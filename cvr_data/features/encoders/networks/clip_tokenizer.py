"""CLIP's byte-pair tokenizer, from the vocabulary OpenAI published or from a folder of a tokenizer.

Source: the preprocessing and merges of https://github.com/openai/CLIP (simple_tokenizer.py): text is cleaned, lower-
cased, cut by one regular expression, and each piece is merged from bytes. Its cleaning calls ftfy, a repair of wrongly
decoded text; here HTML entities are undone and Unicode is composed (NFC), the core of it for text decoded rightly.
"""

import gzip
import html
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cvr_data.core.errors import CvrError
from cvr_data.core.model_packages import packaged_file_path

if TYPE_CHECKING:
    from tokenizers import Tokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
PIECES = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
MERGES = 49152 - 256 - 2
"""Of the published list, which is longer: the first this many make the vocabulary of 49,408."""


class ClipTokenizer:
    """Texts -> ids between a start and an end token."""

    def __init__(self, tokenizer: "Tokenizer", length: int):
        self.start, self.end = (tokenizer.token_to_id(token) for token in (START, END))
        if self.start is None or self.end is None:
            raise CvrError(f"The tokenizer has no {START} or no {END}: it is not CLIP's.")
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.tokenizer = tokenizer
        self.length = length
        self.size = tokenizer.get_vocab_size()

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return (ids_BL, mask_BL) padded with 0; a text that is too long is cut and still ends in the end token."""
        encoded = self.tokenizer.encode_batch([_clean(text) for text in texts], add_special_tokens=False)
        rows = [[self.start, *each.ids[: self.length - 2], self.end] for each in encoded]
        ids_BL = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        lengths_B = torch.tensor([len(row) for row in rows])
        return ids_BL, torch.arange(ids_BL.shape[1]) < lengths_B[:, None]


def _clean(text: str) -> str:
    """Return the text as CLIP saw it: entities undone twice, composed, spaces collapsed, lower case."""
    undone = html.unescape(html.unescape(unicodedata.normalize("NFC", text)))
    return re.sub(r"\s+", " ", undone).strip().lower()


def load_clip_tokenizer(place: str | None, length: int) -> ClipTokenizer:
    """Return the tokenizer of a merges file (`bpe_simple_vocab_16e6.txt.gz`) or of a tokenizer's folder.

    None takes the merges file out of the wheel of open_clip, unpacked in the cache; its code is never imported.

    Raises:
        CvrError: nothing of the kind is there.
    """
    path = packaged_file_path("clip-bpe") if place is None else Path(place)
    if path.is_file():
        return ClipTokenizer(_of_merges(_read_merges(path)), length)
    from tokenizers import Tokenizer

    if (path / "tokenizer.json").is_file():
        return ClipTokenizer(Tokenizer.from_file(str(path / "tokenizer.json")), length)
    if (path / "merges.txt").is_file():
        return ClipTokenizer(_of_merges(_read_merges(path / "merges.txt")), length)
    raise CvrError(f"{path}: neither a merges file nor a folder with tokenizer.json or merges.txt.")


def _read_merges(path: Path) -> list[tuple[str, str]]:
    raw = path.read_bytes()
    try:
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError):
        raise CvrError(f"{path}: not a list of merges (text, or gzip for .gz).") from None
    pairs = [tuple(line.split()) for line in text.split("\n")[1 : MERGES + 1]]
    wrong = next((number for number, pair in enumerate(pairs, 2) if pair and len(pair) != 2), None)
    if wrong:
        raise CvrError(f"{path}: line {wrong} is not a merge of two pieces.")
    return [(pair[0], pair[1]) for pair in pairs if pair]


def _of_merges(merges: list[tuple[str, str]]) -> "Tokenizer":
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    letters = clip_byte_letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), START, END]
    vocabulary = {word: index for index, word in enumerate(words)}
    bpe = models.BPE(vocabulary, merges, unk_token=END, end_of_word_suffix="</w>", fuse_unk=False)
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(START, special=True), AddedToken(END, special=True)])
    return tokenizer


def clip_byte_letters() -> list[str]:
    """Return the printable letter of every byte, in CLIP's order: bytes that print first, then the others."""
    prints = [*range(ord("!"), ord("~") + 1), *range(ord("\u00a1"), ord("\u00ac") + 1), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in prints]
    return [chr(byte) for byte in prints] + [chr(256 + index) for index in range(len(others))]
