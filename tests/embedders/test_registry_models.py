"""Models of MTEB's registry that take videos: its own classes and sentence-transformers', tiny and random.

What each of the registry's files needs, and which are tried here, is the table of docs/benchmarks.md.
"""

import importlib
import importlib.util
import json
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_data.core.errors import CvrError
from cvr_data.core.trust import naming
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.encoders.networks.embedding_input import EmbeddingInput
from cvr_data.features.encoders.networks.loader_model import encoder_task_metadata
from cvr_data.media.video import Video, read_frames_and_note
from tests.native_embedders import FILMS, FPS, FRAMES, SIDE, write_films
from tests.sounding_film import write_sounding_film

if importlib.util.find_spec("torchvision") is None or importlib.util.find_spec("mteb") is None:
    pytest.skip("`make test-embedders` makes an environment with torchvision and mteb", allow_module_level=True)

from tests.embedders import tiny_multimodal, tiny_registry

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:No prompt found:UserWarning"),
    pytest.mark.filterwarnings("ignore:Passing .min_pixels:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Use ModelMeta.extra_requirements:DeprecationWarning"),
]
CLOSE = {"atol": 1e-5, "rtol": 1e-4}
LOADED = f"{__name__}:of_registry"
KINDS = {
    "e5_omni_models:E5OmniWrapper": "sentence",
    "omni_embed_nemotron_models:OmniEmbedNemotronWrapper": "sentence",
    "tevatron_omni_embed_models:TevatronOmniEmbedWrapper": "sentence",
    "lco_embedding_models:LCOEmbedding": "qwen2_5_omni",
    "qwen_omni_lm:QwenOmniWrapper": "qwen2_5_omni",
    "unime_v2_models:UniMEV2Wrapper": "llava_onevision",
    "uembed_models:UEmbedEncoder": "qwen3_5",
    "videoprism_models:VideoPrismClipWrapper": "videoprism",
    "random_baseline:RandomEncoderBaseline": "videoprism",
}
"""File and class of the registry -> whose weights it is given."""
FOUR_FRAMES = ("videoprism_models", "facebook_jepa")


def of_registry(place):
    """A class of MTEB's registry on a folder: FILE:CLASS:FOLDER."""
    file, name, folder = place.split(":", 2)
    module = importlib.import_module(f"mteb.models.model_implementations.{file}")
    frames = {"num_frames": 4} if file in FOUR_FRAMES else {}
    model = getattr(module, name)(folder, None, device="cpu", **frames)
    if folder.endswith("sentence"):  # of a folder MTEB knows only that it reads texts; its registry knows better
        told = {"modalities": ["text", "video", "audio"]}
        model.mteb_model_meta = model.mteb_model_meta.model_copy(update=told)
    return model


def load(**options):
    with naming(options.values()):
        return ENCODERS.get("embedder").load(ENCODERS.config("embedder", {"dtype": "float32", **options}))


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    videos = write_films(tmp_path_factory.mktemp("films"))
    return {name: Video(name, videos.parent / "media" / f"{name}.mp4") for name in FILMS}


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """The folder of weights of a kind, each written once; the omni one has 2.5 in its name, by which MTEB knows it."""
    made = {}

    def folder(kind):
        if kind not in made:
            out = tmp_path_factory.mktemp(kind.replace("2_5", "2.5"))
            made[kind] = (
                tiny_multimodal.save_sentence(out, tiny_registry.save_qwen2_5_omni)
                if kind == "sentence"
                else getattr(tiny_registry, f"save_{kind}")(out)
            )
        return made[kind]

    return folder


class WholeFilm:
    """All frames of a film in memory, as torchcodec's decoder tells them to MTEB's collators."""

    def __init__(self, path):
        self.frames = torch.from_numpy(read_frames_and_note(path, FRAMES).pixels).permute(0, 3, 1, 2)
        length_s = FRAMES / FPS
        self.metadata = SimpleNamespace(
            num_frames=FRAMES, average_fps=FPS, duration_seconds=length_s, begin_stream_seconds=0.0,
            end_stream_seconds=length_s, height=SIDE, width=SIDE,
        )  # fmt: skip

    def get_frames_at(self, indices):
        return SimpleNamespace(data=self.frames[list(indices)])

    def __len__(self):
        return FRAMES


class Rows(torch.utils.data.Dataset):
    def __init__(self, rows):
        self.rows, self.features = rows, dict.fromkeys(rows[0])

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, number):
        return dict(self.rows[number])


def as_mteb_calls(model, rows, side):
    """What MTEB's class gives of rows, called as `mteb.evaluate` does."""
    from mteb.types import PromptType

    columns = [*rows[0]]
    loader = torch.utils.data.DataLoader(
        Rows(rows), batch_size=8, collate_fn=lambda batch: {name: [row[name] for row in batch] for name in columns}
    )
    with torch.no_grad():
        found = model.encode(
            loader, task_metadata=encoder_task_metadata(columns, None), hf_split="test", hf_subset="default",
            prompt_type=PromptType(side), batch_size=8, show_progress_bar=False,
        )  # fmt: skip
    return F.normalize(torch.as_tensor(found).float(), dim=-1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_of_the_registry_embeds_films_texts_and_both_as_mteb_calls_it(kind, folder_of, films):
    encoder = load(model=LOADED, argument=f"{kind}:{folder_of(KINDS[kind])}")
    library, whole = encoder.model.model, {name: WholeFilm(video.path) for name, video in films.items()}
    found = encoder.encode_videos(list(films.values())).frames_BTD[:, 0]
    assert_close(found, as_mteb_calls(library, [{"video": film} for film in whole.values()], "document"), **CLOSE)
    assert (found @ found.T - 2 * torch.eye(len(films))).max() < 0.99999, "no two films have one vector"
    asked = as_mteb_calls(library, [{"text": "make it red"}], "query")
    assert_close(encoder.encode_texts(["make it red"]).pooled_BD, asked, **CLOSE)
    items = [encoder.read_clip(video) for video in films.values()]
    both = [EmbeddingInput(f"make it {name}", item.frames, item.clip) for name, item in zip(films, items, strict=True)]
    rows = [{"text": f"make it {name}", "video": film} for name, film in whole.items()]
    assert_close(encoder.encode_items(both, "query", None), as_mteb_calls(library, rows, "query"), **CLOSE)


def test_a_videoprism_embeds_as_transformers_does(folder_of, films):
    from transformers import AutoProcessor, VideoPrismClipModel

    folder = folder_of("videoprism")
    encoder = load(model=LOADED, argument=f"videoprism_models:VideoPrismClipWrapper:{folder}")
    model, processor = VideoPrismClipModel.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)
    shown = read_frames_and_note(films["rising"].path, 4, "mteb").pixels.transpose(0, 3, 1, 2)
    with torch.no_grad():
        film = model.get_video_features(**processor(videos=[shown], do_sample_frames=False, return_tensors="pt"))
    expected = F.normalize(film.pooler_output[0, 0], dim=-1)
    assert_close(encoder.encode_videos([films["rising"]]).frames_BTD[0, 0], expected, **CLOSE)


@pytest.mark.parametrize(
    ("kind", "weights"),
    [("videomae_models:VideoMAEWrapper", "videomae"), ("facebook_jepa:VJepaV2Wrapper", "vjepa2")],
)
def test_a_network_of_videos_alone_gives_features_as_transformers_does(kind, weights, folder_of, films):
    from transformers import AutoModel, AutoVideoProcessor

    folder = folder_of(weights)
    encoder = load(model=LOADED, argument=f"{kind}:{folder}")
    assert (encoder.dim, encoder.text_dim) == (32, 0)
    model, processor = AutoModel.from_pretrained(folder).eval(), AutoVideoProcessor.from_pretrained(folder)
    shown = torch.from_numpy(read_frames_and_note(films["rising"].path, 4, "mteb").pixels).permute(0, 3, 1, 2)
    with torch.no_grad():
        states_LD = model(**processor([shown], return_tensors="pt")).last_hidden_state[0]
    expected = F.normalize(states_LD.mean(dim=0), dim=-1)
    assert_close(encoder.encode_videos([films["rising"]]).frames_BTD[0, 0], expected, **CLOSE)
    with pytest.raises(CvrError, match="embeds videos only, no texts"):
        encoder.encode_texts(["make it red"])


@pytest.mark.parametrize("kind", ["qwen2_vl", "qwen3_5", "qwen2_5_omni", "llava_onevision"])
def test_a_model_of_sentence_transformers_embeds_films_with_texts_as_by_hand(kind, films, tmp_path):
    from sentence_transformers import SentenceTransformer

    folder = tiny_multimodal.save_sentence(tmp_path, getattr(tiny_registry, f"save_{kind}"))
    encoder, library = load(model=str(folder)), SentenceTransformer(str(folder), device="cpu")
    found = encoder.encode_videos(list(films.values())).frames_BTD[:, 0]
    close = {"atol": 1e-4, "rtol": 1e-3} if kind == "qwen3_5" else CLOSE  # its linear attention rounds by the batch
    for row, (name, video) in enumerate(films.items()):
        assert_close(found[row], by_hand(library, video, None, "document"), **close)
        item = encoder.read_clip(video)
        (query,) = encoder.encode_items([EmbeddingInput(f"make it {name}", item.frames)], "query", None)
        assert_close(query, by_hand(library, video, f"make it {name}", "query"), **close)


def by_hand(library, video, text, side, **more):
    """One item as one would write it who calls sentence-transformers: sampled frames, and when they are shown."""
    frames = read_frames_and_note(video.path, 64, "fps@2")
    shown = torch.from_numpy(frames.pixels).permute(0, 3, 1, 2)
    times = {"total_num_frames": frames.total, "fps": frames.fps, "duration": frames.total / frames.fps,
             "frames_indices": list(frames.places)}  # fmt: skip
    item = {**({} if text is None else {"text": text}), "video": {"array": shown, "video_metadata": times}, **more}
    encode = library.encode_query if side == "query" else library.encode_document
    sampled = {"video": {"do_sample_frames": False}}
    return F.normalize(encode([item], processing_kwargs=sampled, convert_to_tensor=True)[0], dim=-1)


def test_an_omni_model_hears_what_a_film_sounds_like(folder_of, tmp_path):
    """By sentence-transformers as by hand, and by MTEB's class as MTEB calls it."""
    from sentence_transformers import SentenceTransformer

    from cvr_data.media.video import read_sound

    film = Video("tone", write_sounding_film(tmp_path / "tone.mp4"))
    sound = {"array": read_sound(film.path, 16_000), "sampling_rate": 16_000}
    folder = folder_of("sentence")
    encoder, deaf = load(model=str(folder), audio="true"), load(model=str(folder))
    heard = encoder.encode_videos([film]).frames_BTD[0, 0]
    library = SentenceTransformer(str(folder), device="cpu")
    assert_close(heard, by_hand(library, film, None, "document", audio=sound), **CLOSE)
    assert (heard @ deaf.encode_videos([film]).frames_BTD[0, 0]) < 0.9999

    place = f"lco_embedding_models:LCOEmbedding:{folder_of('qwen2_5_omni')}"
    encoder = load(model=LOADED, argument=place, audio="true")
    item = encoder.read_clip(film)
    (heard,) = encoder.encode_items([item], "document", None)
    decoder = encoder.model._row(item)["video"]
    (expected,) = as_mteb_calls(encoder.model.model, [{"video": decoder, "audio": sound}], "document")
    assert_close(heard, expected, **CLOSE)
    (silent,) = encoder.encode_items([EmbeddingInput(None, item.frames, item.clip)], "document", None)
    assert (heard @ silent) < 0.9999


def test_a_models_own_code_is_not_run(films, tmp_path):
    """Of a folder whose files bring code (Jina's, Cosmos', Nemotron's do), none is imported: one line says so."""
    from transformers import AutoConfig

    ran = tmp_path / "ran"
    (tmp_path / "code.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass Config: ...\nclass Model: ...\n")
    config = {"model_type": "mine", "auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CvrError, match="nor a reachable model that this installation can load"):
        load(model=str(tmp_path))
    assert not ran.exists()
    with pytest.raises(Exception):  # noqa: B017 -- of what these classes are not; that the code is run is the point
        AutoConfig.from_pretrained(tmp_path, trust_remote_code=True)
    assert ran.exists(), "it would have been"
