"""Tables that broke other people's tools, each as its public report has it."""

import json

import pytest

from cvr_data.videos.corpora import CORPORA
from cvr_data.videos.import_videos import import_videos


def imported(path, corpus="table", **options):
    module = CORPORA.get(corpus)
    artifact = import_videos(module, module.Config(path=path, **options), path.parent / "out")
    rows = artifact.read(["video_id", "captions"]).to_pylist()
    return {row["video_id"]: row["captions"] for row in rows}, artifact.manifest["dropped"]


@pytest.mark.parametrize(
    ("name", "content", "kept", "dropped"),
    [
        # huggingface/datasets#4673: a list of texts as NumPy prints it, which has no commas; to Python it is one text
        ("t.csv", "video_id,caption\na,\"['a dog' 'a cat'\n 'it runs']\"\n", {"a": ["a dog", "a cat", "it runs"]}, {}),
        # huggingface/datasets#5827: numbers and texts in one column of JSON
        (
            "t.jsonl",
            '{"video_id": 1, "caption": "x"}\n{"video_id": "Nan", "caption": "y"}\n',
            {"1": ["x"], "Nan": ["y"]},
            {},
        ),
        # huggingface/datasets#7169 and #6162: objects that lack a key, or have one more
        (
            "t.jsonl",
            '{"video_id": "a"}\n{"video_id": "b", "caption": "x"}\n{"video_id": "c", "caption": "y", "more": 1}\n',
            {"b": ["x"], "c": ["y"]},
            {"no_caption": 1},
        ),
        # pandas-dev/pandas#22661 and #25228: a quote that opens a cell of TSV and is never closed
        ("t.tsv", 'video_id\tcaption\na\t"x"\nb\t"error\nc\ty\n', {"a": ["x"], "c": ["y"]}, {"suspicious_quote": 1}),
        # pandas-dev/pandas#7340: Windows ends a file with a sign of its own
        ("t.csv", "video_id,caption\r\na,x\r\n\x1a", {"a": ["x"]}, {"bad_row": 1}),
        # cdjkim/audiocaps#23: a caption goes on in the id of the next row, the rest of which is blank
        (
            "t.csv",
            "video_id,caption,n\na,x,1\nthe dog is whimpering,,\nb,y,2\n",
            {"a": ["x"], "b": ["y"]},
            {"no_caption": 1},
        ),
        # apache/arrow#36037, rom1504/img2dataset#321: TSV with quoted lines of other scripts
        ("t.tsv", 'video_id\tcaption\na\t"\u0418\u043b\u044c\u044f\nx"\n', {"a": ["\u0418\u043b\u044c\u044f\nx"]}, {}),
        # half a surrogate pair, as languages whose texts are UTF-16 write one that was cut
        (
            "t.jsonl",
            '{"video_id": "a", "caption": "x \\ud83d"}\n{"video_id": "b", "caption": "y"}\n',
            {"b": ["y"]},
            {"not_utf8": 1},
        ),
    ],
)  # fmt: skip
def test_a_report(tmp_path, name, content, kept, dropped):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8", newline="")
    assert imported(path) == (kept, dropped)


def test_datasets_reads_csv_as_it_stands(tmp_path):
    """huggingface/datasets#4467: "null" became None; pandas makes 7 of 007 on the way (sdv-dev/SDV#2780)."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("video_id,caption\n007,null\nNA,a dog\n7,a cat\n")
    kept, dropped = imported(tmp_path / "data", "huggingface")
    assert (kept, dropped) == ({"007": ["null"], "NA": ["a dog"], "7": ["a cat"]}, {})


def test_a_file_of_json_that_is_one_list_says_so(tmp_path, one_line_error):
    """huggingface/datasets#6460: a list in a file of JSON lines."""
    (tmp_path / "t.jsonl").write_text(json.dumps([{"video_id": "a", "caption": "x"}]))
    assert "it is a list, where each line should be an object" in one_line_error(
        "import", "table", tmp_path / "t.jsonl"
    )
