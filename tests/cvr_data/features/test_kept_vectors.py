"""Vectors of captions are made once on a machine, and are the same bytes whether they were found or made."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cvr_data.core import kept_rows
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.model_packages import cache_folder
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.kept_vectors import ALONE, LEAST, encoder_name_of_vectors, kept_vectors

MODELS = cache_folder() / "models"
TEXTS = [f"a clip with {number} dogs" for number in range(LEAST)]


class Encode:
    """Counts what it is asked for; of a text its length and how many dogs it has."""

    def __init__(self, company=0.0):
        self.asked, self.company = [], company

    def __call__(self, texts):
        self.asked.append(list(texts))
        rows = [[len(text), sum(map(ord, text)) % 97] for text in texts]
        return np.array(rows, np.float32) + np.float32(self.company * len(texts))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CVR_CACHE", str(tmp_path))
    kept_rows._tell.cache_clear()
    return tmp_path / "vectors"


def test_each_text_is_encoded_once_in_whatever_company(own_cache):
    encode, expected = Encode(), Encode()([*TEXTS, "one more", "and more"])
    assert np.array_equal(kept_vectors("some", TEXTS, encode), expected[:LEAST])
    del encode.asked[:]
    assert np.array_equal(kept_vectors("some", TEXTS[::-1], encode), expected[:LEAST][::-1])
    assert encode.asked == []
    both = kept_vectors("some", [*TEXTS, "one more", TEXTS[0]], encode)
    assert np.array_equal(both, expected[[*range(LEAST + 1), 0]]) and encode.asked == [["one more"]]
    kept_vectors("other", TEXTS, encode)
    assert len(encode.asked[1]) == LEAST
    kept_vectors("some", ["and more"], encode)
    assert encode.asked[-1] == ["and more"]  # so few are not looked for


def test_where_the_company_matters_nothing_is_kept(own_cache):
    encode = Encode(company=1e-3)
    for _ in range(2):
        assert np.array_equal(kept_vectors("some", TEXTS, encode), Encode(company=1e-3)(TEXTS))
    assert not own_cache.exists()


def test_the_vectors_that_were_used_last_are_kept_within_the_bound(own_cache, monkeypatch):
    texts = [[f"{part} {text}" for text in TEXTS] for part in range(4)]
    for number, each in enumerate(texts[:3]):
        kept_vectors("some", each, Encode())
        for path in own_cache.rglob("*.arrow"):
            if path.stat().st_mtime > 10**9 + 5:
                os.utime(path, (10**9 + number, 10**9 + number))
    kept_vectors("some", texts[0], Encode())  # of three, the one that was made first is used
    size = max(path.stat().st_size for path in own_cache.rglob("*.arrow"))
    monkeypatch.setattr("cvr_data.features.kept_vectors.MOST_BYTES", 2 * size + 100)
    kept_vectors("some", texts[3], Encode())
    asked = []
    for each in texts:
        encode = Encode()
        kept_vectors("some", each, encode)
        asked.append(bool(encode.asked))
        monkeypatch.setattr("cvr_data.features.kept_vectors.MOST_BYTES", 1 << 30)
    assert asked == [False, True, True, False]


@pytest.mark.parametrize("damage", [b"", b"no rows", None])
def test_what_is_damaged_or_cannot_be_written_is_made_again(damage, own_cache):
    if damage is None:
        own_cache.write_text("a file in its place")
    encode = Encode()
    first = kept_vectors("some", TEXTS, encode)
    for path in own_cache.rglob("*.arrow"):
        path.write_bytes(damage)
    kept_rows.mapped_rows.cache_clear()
    asked = len(encode.asked)
    assert np.array_equal(kept_vectors("some", TEXTS, encode), first) and len(encode.asked) > asked


def test_several_who_ask_at_once_are_told_the_same(own_cache):
    expected = Encode()(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(found, expected) for found in pool.map(
            lambda _: kept_vectors("some", TEXTS, Encode()), range(8)))  # fmt: skip


def test_vectors_are_named_after_released_weights_alone():
    assert encoder_name_of_vectors(ENCODERS.get("minilm").load(ENCODERS.config("minilm"))).startswith("minilm-")
    assert encoder_name_of_vectors(ENCODERS.get("hash").load(ENCODERS.config("hash"))) is None


@pytest.mark.slow
@pytest.mark.engine
def test_another_filter_and_another_strategy_encode_no_caption_again(cvr, tmp_path, monkeypatch):
    """What `MiniLMEncoder` is asked for is counted; files are the same bytes as without what was kept."""
    from cvr_data.features import similarities
    from cvr_data.features.encoders.minilm import MiniLMEncoder

    (tmp_path / "models").symlink_to(MODELS)
    asked, encode_texts = [], MiniLMEncoder.encode_texts
    monkeypatch.setattr(
        MiniLMEncoder, "encode_texts", lambda self, texts: asked.extend(texts) or encode_texts(self, texts)
    )
    rows = [
        f"v{n:03d},a {('red', 'blue', 'green', 'white')[n % 4]} ball rolls in room number {n // 4}" for n in range(80)
    ]
    (tmp_path / "c.csv").write_text("\n".join(["video_id,caption", *rows]))
    monkeypatch.chdir(tmp_path)
    cvr.done("import", "table", "c.csv", "--out", "videos")

    def mined(name, *options):
        similarities._loaded_in_process.cache_clear()
        del asked[:]
        cvr.done("mine-pairs", "videos", *options, "--out", name)
        return len(asked), open_artifact(name).manifest["files"]

    lines = {"one": ("-f", "text-similarity"), "band": ("-f", "text-similarity:high=0.99"),
             "near": ("--strategy", "neighbors", "-f", "text-similarity")}  # fmt: skip
    kept = {name: mined(name, *line) for name, line in lines.items()}
    assert [count for count, _ in kept.values()] == [80 + ALONE, 0, 0]
    shutil.rmtree(cache_folder() / "vectors")
    alone = mined("near-alone", *lines["near"])
    assert alone[0] >= 80 and alone[1] == kept["near"][1]
