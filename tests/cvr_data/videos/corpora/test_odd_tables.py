"""Tables as people have them, through `import table`: what is kept, what is dropped and why, and no row lost."""

import json
import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.split_names import split_named_by_file
from cvr_data.formats import FORMATS
from cvr_data.videos.corpora import CORPORA
from cvr_data.videos.import_videos import import_videos
from tests.odd_media import write_film

H = b"video_id,caption\n"
TWO = {"a": ["a dog"], "b": ["a cat"]}
CAFES = [unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD")]


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def imported(path, **options):
    module = CORPORA.get("table")
    return import_videos(module, module.Config(path=path, **options), path.with_suffix(".out"))


def captions_of(artifact):
    rows = artifact.read(["video_id", "captions"]).to_pylist()
    return {row["video_id"]: row["captions"] for row in rows}


@pytest.mark.parametrize(
    ("name", "content", "kept", "dropped"),
    [
        ("bom.csv", b"\xef\xbb\xbf" + H + b"a,a dog\nb,a cat\n", TWO, {}),
        ("quoted.csv", b'\xef\xbb\xbf"video_id","caption"\r\n"a","a dog"\r\n"b","a cat"\r\n', TWO, {}),
        ("cr.csv", b"video_id,caption\ra,a dog\rb,a cat\r", TWO, {}),
        ("index.csv", b",video_id,caption\n0,a,a dog\n1,b,a cat\n", TWO, {}),
        ("trailing.csv", b"video_id,caption,\na,a dog,\nb,a cat,\n", TWO, {}),
        ("blank.csv", H + b"\na,a dog\n\n\nb,a cat\n\n", TWO, {}),
        ("nul.csv", H + b"a,a d\x00og\nb,a cat\n", TWO, {}),
        ("latin.csv", H + b"a,a dog\nc,a caf\xe9\nb,a cat\n", TWO, {"not_utf8": 1}),
        ("commas.csv", H + b"a,a dog\nc,a dog, running\nb,a cat\n", TWO, {"bad_row": 1}),
        ("bare.csv", H + b"a,a dog\nruns\nb,a cat\n", TWO, {"bad_row": 1}),
        ("quote.csv", H + b'a,a dog\nc,"open\nb,a cat\n', TWO, {"suspicious_quote": 1}),
        ("newline.csv", H + b'a,"a dog\nruns"\n', {"a": ["a dog\nruns"]}, {}),
        ("zeros.csv", H + b"007,x\n7,x\n0,x\n1e5,x\n", {name: ["x"] for name in ("007", "7", "0", "1e5")}, {}),
        ("words.csv", H + b"NA,null\nnull,NaN\nnan,None\n", {"NA": ["null"], "null": ["NaN"], "nan": ["None"]}, {}),
        ("long.csv", H + b"a,a dog\nc," + b"word " * 500_000 + b"\nb,a cat\n", TWO, {"caption_too_long": 1}),
        ("entities.csv", H + b"a,x &amp; y\nb,&amp;lt;b> AT&T\n", {"a": ["x & y"], "b": ["&lt;b> AT&T"]}, {}),
        ("marks.csv", H + "a,\u202ba\u200b dog\u202c\nb\u200b,a cat\n".encode(), TWO, {}),
        ("tags.csv", H + b"a,<b>a dog</b>\n", {"a": ["<b>a dog</b>"]}, {}),
        ("lists.csv", H + b"a,\"['x', 'it\"\"s']\"\nb,[music]\n", {"a": ["x", 'it"s'], "b": ["[music]"]}, {}),
        ("dicts.csv", H + b'a,"{""en"": ""x""}"\nb,x\n', {"b": ["x"]}, {"bad_caption": 1}),
        ("ints.jsonl", lines(*({"video_id": k, "caption": "x"} for k in (0, 1))), {"0": ["x"], "1": ["x"]}, {}),
        (
            "odd.jsonl",
            b'{"video_id": NaN, "caption": "x"}\n{"video_id": 1.0, "caption": "x"}\n'
            b'{"video_id": true, "caption": "x"}\n'
            b'{"video_id": {"a": 1}, "caption": "x"}\n{"video_id": "n", "caption": 5}\n'
            b'{"video_id": "l", "caption": ["x", null, ""]}\n{"video_id": "m", "caption": ["x", 3]}\n'
            b'{"caption": "x"}\n',
            {"1": ["x"], "l": ["x"]},
            {"bad_caption": 2, "bad_id": 3, "no_id": 1},
        ),
    ],
)  # fmt: skip
def test_text_tables(tmp_path, name, content, kept, dropped):
    path = tmp_path / name
    path.write_bytes(content)
    artifact = imported(path)
    assert (captions_of(artifact), artifact.manifest["dropped"]) == (kept, dropped)
    assert artifact.manifest["rows_read"] == len(kept) + sum(dropped.values())


@pytest.mark.parametrize(
    ("ids", "kept", "dropped"),
    [
        (pa.array([0, 1]), ["0", "1"], {}),
        (pa.array([101.0, None, 103.0]), ["101", "103"], {"no_id": 1}),
        (pa.array([12345678901234567, 12345678901234568]), ["12345678901234567", "12345678901234568"], {}),
        (pa.array([1.5, float("nan"), 2.0**60, 2.0]), ["2"], {"bad_id": 3}),
        (pa.array([True, False]), [], {"bad_id": 2}),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"], {}),
        (pa.array([b"a", b"\xff"]), ["a"], {"not_utf8": 1}),
        (pa.array(["a", "b"], pa.string_view()), ["a", "b"], {}),
        (pa.array([{"x": 1}]), [], {"bad_id": 1}),
    ],
)
def test_ids_of_parquet(tmp_path, ids, kept, dropped):
    pq.write_table(pa.table({"video_id": ids, "caption": ["x"] * len(ids)}), tmp_path / "t.parquet")
    artifact = imported(tmp_path / "t.parquet")
    assert ([*captions_of(artifact)], artifact.manifest["dropped"]) == (kept, dropped)
    assert artifact.manifest["rows_read"] == len(ids)


def test_captions_of_parquet_may_be_lists_and_no_objects(tmp_path):
    captions = pa.array([["x", None, "y"]], pa.large_list(pa.large_string()))
    pq.write_table(pa.table({"video_id": ["a"], "caption": captions}), tmp_path / "t.parquet")
    assert captions_of(imported(tmp_path / "t.parquet")) == {"a": ["x", "y"]}
    pq.write_table(pa.table({"video_id": ["a"], "caption": [{"en": "x", "zh": "y"}]}), tmp_path / "d.parquet")
    artifact = imported(tmp_path / "d.parquet")
    [detail] = pq.read_table(artifact.path / "dropped-00000.parquet").column("detail").to_pylist()
    assert detail == "row 1: column 'caption' holds an object of en, zh, no text or list of texts"


def test_a_parquet_file_that_was_cut_off_is_refused_in_one_line(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"video_id": [str(k) for k in range(9999)], "caption": ["x"] * 9999}), path)
    content = bytearray(path.read_bytes())
    content[200:4000] = bytes(3800)
    path.write_bytes(content)
    with pytest.raises(CvrError, match=r"t\.parquet: cannot be read"):
        imported(path)


def test_ids_that_look_alike_are_one(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "video_id,caption\n" + "".join(f"{name},dog {k}\n" for k, name in enumerate([*CAFES, "ab", "a\u200bb"]))
    )
    with pytest.raises(CvrError, match="ids come more than once: caf\u00e9, ab"):
        imported(path)
    artifact = imported(path, repeated="captions")
    assert captions_of(artifact) == {"caf\u00e9": ["dog 0", "dog 1"], "ab": ["dog 2", "dog 3"]}
    assert artifact.manifest["rows_read"] == 4


def test_rows_that_are_captions_of_a_video_are_counted(tmp_path, cvr):
    path = tmp_path / "t.csv"
    path.write_bytes(H + b"".join(b"v%d,dog %d\n" % (k % 3, k) for k in range(9000)) + b"v1\n")
    outcome = cvr("import", "table", path, "-o", "repeated=captions", "--out", tmp_path / "out")
    assert open_artifact(tmp_path / "out").manifest["rows_read"] == 9001
    assert outcome.out.splitlines()[1:] == ["  dropped 1 bad_row", "  9000 rows of the source are captions of these"]


def test_where_no_row_can_be_used_it_says_why_and_what_to_try(tmp_path, cvr):
    path = tmp_path / "t.csv"
    path.write_bytes(H + b"a,\nb,\n")
    outcome = cvr("import", "table", path, "--out", tmp_path / "out")
    assert (outcome.code, outcome.err) == (0, "")
    told = "'read' dropped all 2 rows that it got (2 no_caption: line 2: no value in column 'caption'); try: name the"
    assert f"  nothing is left: {told}" in outcome.out
    outcome = cvr("split", tmp_path / "out", "--out", tmp_path / "split")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"nothing is left: none came in from videos {tmp_path / 'out'}; try: see the step before" in outcome.out


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("EPIC_latest.csv", None),
        ("EPIC_100_train.csv", "train"),
        ("EPIC_100_validation.csv", "val"),
        ("vatex_public_test_english_v1.1.json", "test"),
        ("Train_GCC-training.tsv", "train"),
        ("cap.rc2.test1.json", "test"),
        ("train_val_videodatainfo.json", None),
        ("contested_devices.csv", None),
    ],
)
def test_whole_words_of_a_name_tell_its_split(name, split):
    assert split_named_by_file(name) == split


@pytest.mark.parametrize("policy", ["captions", "drop"])
@pytest.mark.parametrize("apart", [1, 5000])
def test_an_id_in_two_splits_is_refused_with_both(tmp_path, policy, apart):
    path = tmp_path / "t.csv"
    rows = [f"v,x,{split}\n" + "".join(f"{split}{k},x,\n" for k in range(apart)) for split in ("test", "train")]
    path.write_text("video_id,caption,part\n" + "".join(rows))
    with pytest.raises(CvrError, match=r"\S+: v is in the splits train and test; a video is in one"):
        imported(path, split="part", repeated=policy)


def test_a_row_without_a_split_has_that_of_other_rows_of_its_id(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("video_id,caption,part\nv,x,\n" + "".join(f"w{k},x,\n" for k in range(5000)) + "v,y,dev\n")
    rows = imported(path, split="part", repeated="captions").read(["video_id", "split"]).to_pylist()
    assert {row["split"] for row in rows if row["video_id"] == "v"} == {"val"}


def test_a_split_of_another_name_is_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("video_id,caption,part\nv,x,public\n")
    with pytest.raises(CvrError, match=r"\S+: v: the split 'public' is none of train, val, test"):
        imported(path, split="part")
    assert not path.with_suffix(".out").exists()


def test_a_published_test_file_is_test_and_one_of_another_name_is_asked_for(tmp_path):
    for name in ("test_set.csv", "covr_test_dense.csv"):
        (tmp_path / name).write_text("pth1,pth2,edit\na,b,x\n")
        read = FORMATS.get("webvid-covr").read(FORMATS.config("webvid-covr", {}), tmp_path / name)
        assert read.column("split").to_pylist() == ["test"]
    (tmp_path / "mine.csv").write_text("pth1,pth2,edit\na,b,x\n")
    with pytest.raises(
        CvrError, match="its name tells no split; import it first, with cvr import triplets and -o split="
    ):
        FORMATS.get("webvid-covr").read(FORMATS.config("webvid-covr", {}), tmp_path / "mine.csv")


def test_a_column_that_would_keep_videos_apart_is_not_left_out_unseen(tmp_path, cvr, caplog):
    path = tmp_path / "t.csv"
    path.write_text("video_id,caption,split,recording\na,a dog runs,train,tape\n", encoding="utf-8")
    cvr.done("import", "table", path, "--out", tmp_path / "videos")
    for name in ("split", "recording"):
        assert caplog.text.count(f"{path}: its column {name!r} is not read; -o {name}={name} takes it.") == 1
    caplog.clear()
    cvr("import", "table", path, "--out", tmp_path / "v", "-o", "split=split", "-o", "recording=recording")
    assert "is not read" not in caplog.text


def test_a_row_that_any_step_drops_names_its_line(tmp_path):
    path = tmp_path / "times.csv"
    rows = [
        "a,x,0,1,2",
        "b,\u200b,0,1,2",
        "c,x,5,3,2",
        "d,x,0,1,inf",
        "e,x,0,1,-1",
        "f,[1],0,1,2",
        "g," + "x" * 1_000_001 + ",0,1,2",
    ]
    path.write_text("video_id,caption,start,end,duration\n" + "\n".join([*rows, "a,again,0,1,2"]) + "\n")
    artifact = imported(path, start="start", end="end", duration="duration", repeated="drop")
    dropped = artifact.dropped().to_pylist()
    assert {row["video_id"]: (row["drop_reason"], row["detail"].partition(":")[0]) for row in dropped} == {
        "a": ("duplicate_id", "line 9"), "b": ("no_caption", "line 3"), "c": ("bad_times", "line 4"),
        "d": ("bad_duration", "line 5"), "e": ("bad_duration", "line 6"), "f": ("bad_caption", "line 7"),
        "g": ("caption_too_long", "line 8"),
    }  # fmt: skip
    (told,) = (row["detail"] for row in dropped if row["video_id"] == "f")
    assert "a list that is not of texts" in told


def test_advice_names_no_option_that_the_corpus_has_not(tmp_path, one_line_error):
    write_film(tmp_path / "a.mp4")
    (tmp_path / "times.csv").write_text("file,start,end\na.mp4,0,2\na.mp4,0,2\n")
    said = one_line_error(
        "import", "recordings", tmp_path, "-o", "cut=table", "-o", "times=times.csv", "--out", tmp_path / "out"
    )
    assert "more than once: a.mp4_0.000_2.000. Leave one row of each" in said
