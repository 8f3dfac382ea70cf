"""transformers: a tiny random model; sharing the prefix, the batch and the order must not change what is written."""

import dataclasses

import pytest
import torch

from cvr_data.core.errors import CvrError
from cvr_data.modifications.asking.request import Change, Message, Parameters, Request
from cvr_data.modifications.backends.transformers import Config, load, model_name
from cvr_data.modifications.engines.causal_lm import CausalLM, language_model_fingerprint

WORDS = "video not but edit make the ball red blue green cube spins runs on a beach of in".split()
CHANGE = Change(kind="static", slot="object", before="ball", after="cube")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a two-layer Llama over eighteen words and a line break, random weights."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<end>", "<unk>", "\n", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\n| +|[a-zA-Z]+"), "isolated")
    tokenizer.decoder = decoders.Sequence([])
    folder = tmp_path_factory.mktemp("tiny-llama")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", unk_token="<unk>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=128, eos_token_id=0, bos_token_id=None, initializer_range=0.5,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def requests(count=9, **parameters):
    """Prompts of one beginning and of different lengths."""
    start = (Message("user", "video red ball on a beach"), Message("assistant", "make the ball blue"))
    ends = [" ".join(WORDS[number : number + 2 + number % 4]) for number in range(count)]
    return [
        Request(
            pair_id=str(number), style="short", change=CHANGE, messages=(*start, Message("user", end)), lead="edit",
            one_line=False, parameters=Parameters(**{"max_tokens": 8, **parameters}),
        )
        for number, end in enumerate(ends)
    ]  # fmt: skip


def write(model, asked, **options):
    config = Config(**{"model": str(model), "dtype": "float32", "device": "cpu", **options})
    answers = dict(load(config).write(asked))
    assert sorted(answers) == list(range(len(asked)))
    return [answers[number] for number in range(len(asked))]


@pytest.mark.parametrize("parameters", [{}, {"temperature": 0.8, "top_k": 5, "seed": 3}], ids=["greedy", "sampled"])
def test_batch_prefix_and_order_do_not_matter(model, parameters):
    asked = requests(**parameters)
    expected = write(model, asked, batch=1, share_prefix=False)
    assert len({answer.text for answer in expected}) > 1
    assert write(model, asked, batch=4) == expected
    assert write(model, asked, batch=32, share_prefix=False) == expected
    assert write(model, asked[::-1], batch=4) == expected[::-1]


def test_greedy_decoding_is_what_generate_of_transformers_gives(model):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from cvr_data.modifications.asking.request import completion_text

    tokenizer, reference = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    for request, answer in zip(requests(), write(model, requests()), strict=True):
        prompt = tokenizer(completion_text(request), return_tensors="pt")["input_ids"]
        output = reference.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=8, do_sample=False,
                                    pad_token_id=0)  # fmt: skip
        assert tokenizer.decode(output[0, prompt.shape[1] :], skip_special_tokens=True) == answer.text
        assert answer.tokens_in == prompt.shape[1]


def test_groups_that_begin_otherwise_are_written_beside_each_other(model):
    asked = requests(9)
    other = [
        dataclasses.replace(
            request, messages=(Message("user", "edit"), Message("assistant", "red"), request.messages[-1])
        )
        for request in asked
    ]
    mixed = [request for pair in zip(asked, other, strict=True) for request in pair]
    expected = [answer for pair in zip(write(model, asked), write(model, other), strict=True) for answer in pair]
    assert write(model, mixed, batch=4) == expected


def test_answers_that_nobody_waits_for_are_not_written(model):
    threads = torch.get_num_threads()
    answers = load(Config(model=str(model), device="cpu", batch=2)).write(requests(9))
    next(answers)
    answers.close()
    assert torch.get_num_threads() == threads


def test_a_seed_repeats_and_another_one_differs(model):
    sampled = {"temperature": 1.5, "top_k": 10}
    first = write(model, requests(seed=1, **sampled))
    assert write(model, requests(seed=1, **sampled)) == first
    assert write(model, requests(seed=2, **sampled)) != first


def test_sampling_draws_from_the_softmax_of_the_best_k():
    from cvr_data.modifications.engines.picker import Picker

    asked = [
        dataclasses.replace(requests(1)[0], parameters=Parameters(temperature=0.5, top_k=3, seed=seed))
        for seed in range(4000)
    ]
    logits = torch.tensor([0.0, 0.5, 1.0, -1.0])
    counts = torch.bincount(Picker(asked)(logits.expand(4000, 4), range(4000)), minlength=4) / 4000
    expected = torch.tensor([0.0, 1.0, 2.0, float("-inf")]).softmax(0)
    assert torch.allclose(counts, expected, atol=0.03)


def test_an_answer_of_one_line_ends_at_the_line_break(model):
    asked = requests(temperature=50.0, top_k=0, max_tokens=40)
    free = write(model, asked)
    one_line = write(model, [dataclasses.replace(request, one_line=True) for request in asked])
    assert any("\n" in answer.text for answer in free)
    for answer, whole in zip(one_line, free, strict=True):
        assert "\n" not in answer.text
        if whole.text and not whole.text.startswith("\n"):
            assert answer.text == whole.text.split("\n")[0]


def test_a_prompt_that_does_not_fit_is_an_error_row_among_good_ones(model):
    asked = requests(3)
    asked[1] = dataclasses.replace(asked[1], messages=(*asked[1].messages[:-1], Message("user", "ball " * 200)))
    first, long, last = write(model, asked)
    assert long.text is None and "exceeds the model's 120" in long.error
    assert [first, last] == write(model, [asked[0], asked[2]])


def test_a_prompt_of_no_tokens_is_an_error_row_and_leaves_the_others_theirs(model):
    alone = [dataclasses.replace(request, messages=request.messages[-1:], lead="") for request in requests(3)]
    empty = dataclasses.replace(alone[0], messages=(Message("user", ""),))
    first, none, last = write(model, [alone[0], empty, alone[2]])
    assert none.text is None and none.error == "prompt of no tokens"
    assert [first, last] == write(model, [alone[0], alone[2]])


def test_nothing_asked_starts_no_engine():
    assert write("no/such/model", []) == []


def test_a_model_that_is_not_there_is_told_in_one_line(tmp_path):
    with pytest.raises(CvrError, match="Cannot load the language model") as caught:
        write(tmp_path, requests(1))
    assert "\n" not in str(caught.value)


def test_a_model_without_a_chat_template_is_told_in_one_line(model):
    with pytest.raises(CvrError, match="has no chat template"):
        write(model, requests(1), form="chat")


def test_a_folder_is_named_by_its_content(model, tmp_path):
    name = model_name(Config(model=str(model), dtype="bfloat16"))
    assert name == f"{model.name}@{language_model_fingerprint(model)}"
    assert model_name(Config(model=str(model), form="chat", dtype="float32")) == f"{name} chat float32"
    (tmp_path / "weights").write_bytes(b"1")
    before = language_model_fingerprint(tmp_path)
    (tmp_path / "weights").write_bytes(b"2")
    assert language_model_fingerprint(tmp_path) != before


@pytest.mark.engine
def test_smollm2_writes_texts_that_pass_the_lint():
    from cvr_data.modifications.asking.parse import parse_answer
    from cvr_data.modifications.prompts import load_prompt

    prompt = load_prompt("short")
    rows = [("a red car drives along a coastal road", "red", "black", "attribute"),
            ("a woman walks on the beach at sunset", "walks", "runs", "action"),
            ("cows on pasture", "cows", "goats", "object"),
            ("a white cat sleeps on a sofa", "white", "black", "attribute")]  # fmt: skip
    asked = []
    for caption, before, after, slot in rows:
        question = prompt.question({"reference_caption": caption, "before": before, "after": after})
        change = Change(kind="static", slot=slot, before=before, after=after)
        asked.append(
            Request(
                pair_id=caption, style="short", change=change, messages=(*prompt.introduction(0, slot), question),
                lead=prompt.lead, parameters=prompt.parameters(0, 0),
            )
        )  # fmt: skip
    answers = dict(load(Config()).write(asked))
    texts = [parse_answer(answers[number].text, lead=prompt.lead) for number in range(len(rows))]
    named = [after.rstrip("s") in text for text, (_, _, after, _) in zip(texts, rows, strict=True)]
    assert sum(named) >= 3, texts


def test_a_chat_template_is_told_how_to_think(model):
    engine = CausalLM.load(model, is_chat=False, dtype="float32", device="cpu", batch=1, share_prefix=False)
    engine.tokenizer.chat_template = (
        "{{ 'red' if enable_thinking is undefined else 'blue' if enable_thinking else 'green' }}"
    )
    told = [dataclasses.replace(engine, is_chat=True, thinking=how) for how in ("model", "off", "on")]
    assert [one.tokenizer.decode(one.tokens(requests(1)[0])) for one in told] == ["red", "green", "blue"]


def test_choices_are_weighed_as_a_forward_pass_of_each_prompt_alone_has_them(model):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from cvr_data.modifications.asking.choices import answer_log_odds
    from cvr_data.modifications.asking.request import completion_text

    words = ("red", "blue")
    asked = [dataclasses.replace(request, choices=words) for request in requests()]
    tokenizer, reference = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    red, blue = (tokenizer.convert_tokens_to_ids(word) for word in words)
    answers = write(model, asked, batch=4)
    for request, answer in zip(asked, answers, strict=True):
        with torch.no_grad():
            logits = reference(tokenizer(completion_text(request), return_tensors="pt")["input_ids"]).logits[0, -1]
        assert answer_log_odds(answer.text, words) == pytest.approx(float(logits[red] - logits[blue]), abs=1e-4)
        assert answer.tokens_out == 0 and not answer.is_cut
    assert len({answer.text for answer in answers}) == len(answers)
    mixed = [request for pair in zip(asked, requests(), strict=True) for request in pair]
    assert write(model, mixed)[1::2] == write(model, requests())  # what is written beside them stays
