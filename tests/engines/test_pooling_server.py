"""Remote embedders against the real vLLM with a tiny vision-language model: its vectors are those of transformers."""

import importlib.util
import io
import re
import sqlite3

import pytest

if importlib.util.find_spec("vllm") is None:
    pytest.skip(
        "vLLM is not installed here; `make test-engines` makes an environment that has it", allow_module_level=True
    )

import torch
import torch.nn.functional as F
from PIL import Image
from torch.testing import assert_close

from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.encoders.networks.embedding_input import EmbeddingInput
from cvr_data.features.store import FeatureStore
from cvr_data.media.video import Video, jpeg_bytes, read_frames
from tests.engines.vllm_server import VllmServer
from tests.native_embedders import FILMS, write_films
from tests.tiny_language_models import save_vision_language_model

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]
LONGEST = 512
CLOSE = {"atol": 1e-5, "rtol": 1e-4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The model, with heads as wide as vLLM's kernels want them, and the films."""
    folder = tmp_path_factory.mktemp("pooling")
    save_vision_language_model(folder / "model", head_width=32)
    write_films(folder / "world")
    return folder


@pytest.fixture(scope="module")
def server(folder):
    options = ("--runner", "pooling", "--dtype", "float32", "--max-model-len", str(LONGEST),
               "--limit-mm-per-prompt", '{"image": 8}')  # fmt: skip
    running = VllmServer(folder / "model", "tiny", *options, log=folder / "server.log")
    running.start()
    running.wait()
    yield running
    running.kill()


@pytest.fixture
def words(server, folder):
    return ["model=tiny", "api=openai", f"url={server.url}", "films=pictures", "frames=2", "sampler=uniform",
            f"cache={folder / 'requests.sqlite'}"]  # fmt: skip


@pytest.fixture(scope="module")
def by_hand(folder):
    """What transformers makes of frames and a text: the state of the last token of the chat, of unit length."""
    from transformers import AutoModel, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder / "model")
    model = AutoModel.from_pretrained(folder / "model", dtype=torch.float32).eval()

    def embedded(text, film=None, prompt=None):
        frames = [] if film is None else read_frames(folder / "world" / "media" / f"{film}.mp4", 2)
        pictures = [Image.open(io.BytesIO(jpeg_bytes(frame))).convert("RGB") for frame in frames]
        content = [*({"type": "image"} for _ in pictures), {"type": "text", "text": text}]
        chat = [{"role": "system", "content": [{"type": "text", "text": prompt}]}] if prompt else []
        chat += [{"role": "user", "content": content}, {"role": "assistant", "content": [{"type": "text", "text": ""}]}]
        written = processor.apply_chat_template(chat, tokenize=False, continue_final_message=True)
        with torch.no_grad():
            inputs = processor(text=[written], images=[pictures] if pictures else None, return_tensors="pt")
            return F.normalize(model(**inputs).last_hidden_state[0, -1], dim=-1)

    return embedded


def test_films_texts_and_both_are_embedded_as_by_hand(words, folder, by_hand):
    encoder = ENCODERS.get("embedder").load(ENCODERS.config("embedder", words))
    films = {name: Video(name, folder / "world" / "media" / f"{name}.mp4") for name in FILMS}
    found = encoder.encode_videos(list(films.values())).frames_BTD[:, 0]
    for row, (name, film) in enumerate(films.items()):
        assert_close(found[row], by_hand("", name), **CLOSE)
        frames = encoder.read_clip(film).frames
        (query,) = encoder.encode_items([EmbeddingInput("a red ball", frames)], "query", "camera near")
        assert_close(query, by_hand("a red ball", name, "camera near"), **CLOSE)
    assert (found @ found.T - 2 * torch.eye(len(films))).max() < 0.9999, "no two films have one vector"
    assert_close(encoder.encode_texts(["a blue cube"]).pooled_BD[0], by_hand("a blue cube"), **CLOSE)


def test_a_run_is_priced_and_a_second_one_asks_nothing_of_a_server_that_is_gone(cvr, words, folder, by_hand):
    told = [word for option in words[:-1] for word in ("-o", option)]
    told += ["-o", f"cache={folder / 'run.sqlite'}"]
    embed = ["embed", folder / "world" / "videos", "--encoder", "embedder", *told, "-O", folder / "features"]
    priced = cvr(*embed, "--dry-run", "--price-in", "1000")
    assert "5 videos and 5 texts: 10 requests at most, about 80" in priced.out, "800 tokens a frame, unless it is known"
    assert cvr(*embed).code == 0
    store = FeatureStore.open(folder / "features")
    assert_close(store.pooled(["dark"])[0], by_hand("", "dark"), atol=1e-3, rtol=0)  # stored as float16
    again = cvr(*embed, "--dry-run", "--price-in", "1000")
    with sqlite3.connect(folder / "run.sqlite") as kept:
        tokens = [row[0] for row in kept.execute("SELECT tokens_in FROM answers")]
    assert len(tokens) == 11, "the films, their captions, and a text that tells the width"
    told = re.search(r"about (\d+) tokens \(as earlier requests had them\)", again.out)
    assert sum(tokens) - int(told[1]) in tokens, "all but those of that text"
    gone = ["url=http://127.0.0.1:9/v1" if str(word).startswith("url=") else word for word in embed]
    assert cvr(*gone, "--overwrite").code == 0
    assert_close(FeatureStore.open(folder / "features").pooled(list(FILMS)), store.pooled(list(FILMS)))


def test_what_the_server_refuses_is_a_reason(words):
    model = ENCODERS.get("embedder").load(ENCODERS.config("embedder", words)).model
    rows, said = model.encode_or_say([EmbeddingInput("a ball"), EmbeddingInput("red " * LONGEST)], "query", None)
    assert said[0] is None and rows[0].any() and not rows[1].any()
    assert said[1].startswith("400 This model's maximum context length is 512 tokens")
    with pytest.raises(CvrError, match=r"tiny embeds no text at .*does not support Matryoshka"):
        ENCODERS.get("embedder").load(ENCODERS.config("embedder", [*words, "dim=8"]))
