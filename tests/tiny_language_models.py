"""Random language models of a few thousand weights, saved as a user would save a real one."""

from pathlib import Path
from typing import Any

END = "<end>"
WORDS = "thing a red blue ball cube runs spins on the beach in sky slowly near bright camera still".split()
CHAT = (
    "{% for message in messages %}{{ message['role'] }}: "
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<end>\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)


def byte_tokenizer() -> Any:
    """A token per byte."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _fast(tokenizer)


def word_tokenizer(*special: str) -> Any:
    """A token per word of a short list, and one for each special text."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="thing"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return _fast(tokenizer, *special)


def _fast(tokenizer: Any, *special: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token="<pad>", chat_template=CHAT,
        additional_special_tokens=list(special),
    )  # fmt: skip


def save_language_model(folder: Path) -> Path:
    """A Llama over bytes."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=512, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_vision_language_model(folder: Path, *words: str, head_width: int = 8) -> Path:
    """An Idefics3 over eighteen words, and more, and 32 x 32 pixels, whose processor needs no torchvision."""
    import torch
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    width = 2 * head_width
    spread = 2 / width**0.5  # wider ones look at one place alone otherwise, and no film is told from another
    tokenizer = word_tokenizer("<fake_token_around_image>", "<image>", "<global-img>", *words)
    images = Idefics3ImageProcessorPil(
        size={"longest_edge": 64}, max_image_size={"longest_edge": 32}, do_image_splitting=False
    )
    processor = Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=CHAT)
    ends = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    text = {"hidden_size": width, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "num_key_value_heads": 2, "max_position_embeddings": 4096, "vocab_size": len(tokenizer),
            "model_type": "llama", "initializer_range": spread, **ends}  # fmt: skip
    vision = {"hidden_size": width, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 32, "patch_size": 8, "initializer_range": spread}  # fmt: skip
    torch.manual_seed(0)
    image_token = tokenizer.convert_tokens_to_ids("<image>")
    config = Idefics3Config(vision_config=vision, text_config=text, scale_factor=2, image_token_id=image_token)
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
