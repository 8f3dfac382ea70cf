"""parsed: as the parser says, parsed once, whoever asks, and again where the file is gone or damaged."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from cvr_data.core import kept_rows
from cvr_data.core.model_packages import cache_folder
from cvr_data.language import parsed as kept
from cvr_data.language.parse import parse_sentences, sentences
from cvr_data.language.parsed import parsed

TEXTS = ["a dog runs on the beach", "rain", "", "two cats don't sleep", "rain", "Ein Hund läuft"]
IN_A_PROCESS = """
import json, sys
from cvr_data.language.parsed import parsed
words = [sentence.lemmas for sentence in parsed(json.loads(sys.argv[1]))]
print(json.dumps([words, "spacy" in sys.modules]))
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """A cache of one's own, with the models of this machine."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "models").symlink_to(cache_folder() / "models")
    monkeypatch.setenv("CVR_CACHE", str(tmp_path / "cache"))
    kept_rows._tell.cache_clear()


def files():
    return sorted(kept._kept().folder.glob("*.arrow"))


def test_what_is_kept_is_what_the_parser_says_in_the_order_asked_for():
    expected = list(sentences(parse_sentences(TEXTS)))
    assert list(parsed(TEXTS)) == expected
    assert list(parsed(TEXTS[::-1])) == expected[::-1]
    assert list(parsed([])) == []
    assert [path.suffix for path in kept._kept().folder.iterdir()] == [".arrow"]


def test_another_process_parses_only_what_is_new():
    lemmas = [list(sentence.lemmas) for sentence in parsed(TEXTS)]
    given = [sys.executable, "-c", IN_A_PROCESS, json.dumps(TEXTS)]
    done = subprocess.run(given, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [lemmas, False]
    [first] = files()
    assert [sentence.lemmas for sentence in parsed(["rain", "snow falls"])] == [("rain",), ("snow", "fall")]
    assert [kept_rows.mapped_rows(path, kept._kept()).num_rows for path in files() if path != first] == [1]


def test_small_files_become_one_and_lose_nothing():
    texts = [f"{number} dogs run" for number in range(kept_rows.MANY + 3)]
    together = {text: sentence for text in texts for sentence in parsed([text])}
    assert sorted(kept_rows.mapped_rows(path, kept._kept()).num_rows for path in files()) == [1, 1, 1, kept_rows.MANY]
    assert list(parsed(texts)) == [together[text] for text in texts]
    assert len(files()) == 4


def test_several_who_write_the_same_at_once_are_told_the_same():
    texts = [f"{number} cats sleep" for number in range(40)]
    expected = list(sentences(parse_sentences(texts)))
    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(lambda _: list(parsed(texts)), range(4)))


@pytest.mark.parametrize("harm", ["cut", "other bytes", "other columns", "heads", "gone"])
def test_what_cannot_be_read_is_parsed_again_and_said(harm, caplog):
    expected = list(parsed(TEXTS))
    [path] = files()
    content = path.read_bytes()
    if harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "other bytes":
        path.write_bytes(os.urandom(len(content)))
    elif harm == "gone":
        path.unlink()
    else:
        table = kept_rows.mapped_rows(path, kept._kept())
        heads = table.column("heads").combine_chunks()
        far = pa.ListArray.from_arrays(heads.offsets, pa.array([9] * len(heads.flatten()), pa.int16()))
        place = table.schema.get_field_index("heads")
        table = table.set_column(place, "heads", far) if harm == "heads" else table.drop_columns(["tags"])
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
    kept_rows.mapped_rows.cache_clear()
    assert list(parsed(TEXTS)) == expected
    assert (f"{path} cannot be read" in caplog.text) == (harm != "gone")


def test_where_nothing_can_be_written_captions_are_parsed_all_the_same(tmp_path, monkeypatch, caplog):
    expected = list(parsed(TEXTS))
    (tmp_path / "cache" / "parsed").rename(tmp_path / "cache" / "elsewhere")
    (tmp_path / "cache" / "parsed").write_text("a file")
    assert list(parsed(TEXTS)) == expected
    assert list(parsed(TEXTS)) == expected
    assert caplog.text.count("Parsed captions are not kept") == 1


def test_of_other_parsers_the_latest_are_kept():
    for age, name in enumerate(("newer", "old", "oldest")):
        (cache_folder() / "parsed" / name).mkdir(parents=True)
        os.utime(cache_folder() / "parsed" / name, (10**9 - age, 10**9 - age))
    list(parsed(["rain"]))
    assert {path.name for path in (cache_folder() / "parsed").iterdir()} == {"newer", "old", kept._parser()}
