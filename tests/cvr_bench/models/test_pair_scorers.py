"""yes-no and cross-encoder: the logits of real vision-language models, tiny and random, as they are by hand."""

import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from cvr_bench.models import yes_no
from cvr_bench.models.rerank import Rescorer
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.media.video import Video, read_frames
from tests.native_embedders import FILMS, write_films
from tests.tiny_language_models import save_vision_language_model

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return write_films(tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="module")
def idefics(tmp_path_factory):
    return save_vision_language_model(tmp_path_factory.mktemp("idefics"))


def asking(idefics, videos, **options):
    config = yes_no.Config(
        model=str(idefics), videos=videos, frames=2, dtype="float32", yes="red", no="blue", **options
    )
    return yes_no.load(config, ENCODERS.get("hash").load(ENCODERS.config("hash")))


def by_hand(idefics, videos, text, candidate):
    """The logit of red minus that of blue, of one pair alone."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(idefics)
    model = AutoModelForImageTextToText.from_pretrained(idefics).eval()
    images = [
        Image.fromarray(frame)
        for name in ("rising", candidate)
        for frame in read_frames(videos.parent / "media" / f"{name}.mp4", 2)
    ]
    place, ask = {"type": "image"}, lambda words: {"type": "text", "text": words}
    shown = [ask("Reference video:"), place, place, ask(f"Instruction: {text}"), ask("Candidate video:"), place, place,
             ask("Is it the one that is asked for?")]  # fmt: skip
    chat = [{"role": "system", "content": [ask(yes_no.SYSTEM)]}, {"role": "user", "content": shown}]
    prompt = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    with torch.no_grad():
        logits = model(**processor(text=[prompt], images=[images], return_tensors="pt")).logits[0, -1]
    red, blue = (processor.tokenizer.convert_tokens_to_ids(word) for word in ("red", "blue"))
    return float(logits[red] - logits[blue])


def test_a_score_is_the_logit_of_yes_minus_that_of_no(idefics, videos):
    model, query = asking(idefics, videos), Query("q", Item("rising", Video("rising")), "a red ball")
    assert isinstance(model, Rescorer)
    found = model.rescore(query, list(FILMS))
    assert found.unique().numel() == len(FILMS)
    for name, score in zip(FILMS, found.tolist(), strict=True):
        assert score == pytest.approx(by_hand(idefics, videos, "a red ball", name), abs=1e-3)
    model.index([Item(name, Video(name)) for name in FILMS])
    assert_close(model.score([query])[0], found)


def test_words_of_one_token_and_missing_files_are_one_line(idefics, videos):
    with pytest.raises(CvrError, match=r"'yes' and 'no' begin with one token"):  # unknown to this tokenizer
        yes_no.load(
            yes_no.Config(model=str(idefics), videos=videos), ENCODERS.get("hash").load(ENCODERS.config("hash"))
        )
    with pytest.raises(CvrError, match=r"yes-no: .* has no file of nobody"):
        asking(idefics, videos).rescore(Query("q", None, "a red ball"), ["nobody"])
    with pytest.raises(ValueError, match="-o model=MODEL and -o videos=VIDEOS"):
        yes_no.Config()


def test_it_puts_a_shortlist_in_order(idefics, videos, cvr, tmp_path):
    from tests.native_embedders import write_film_triplets

    data = write_film_triplets(videos.parent)
    cvr.done("embed", videos, "--encoder", "hash", "-O", tmp_path / "hash")
    told = f"model={idefics},videos={videos},yes=red,no=blue,frames=2,dtype=float32"
    done = cvr.done("bench", "--model", "rerank", "-o", "first=sum", "-o", "second=yes-no", "-o",
                    f"second_options={told}", "-o", "top=2", "--data", data, "-e", tmp_path / "hash", "--no-audit",
                    "-O", tmp_path)  # fmt: skip
    assert "ms" in done.out or " s " in done.out  # what a query costs
