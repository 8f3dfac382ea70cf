"""delimited: a stray quote costs its own row; every line of a file is the header, blank, or of one record."""

import csv
import random

import pytest

from cvr_data.core import delimited
from cvr_data.core.delimited import delimited_file_rows, delimited_header, plain_columns
from cvr_data.core.errors import CvrError

H = b"video_id,caption\n"


def read(tmp_path, content, separator=","):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    return list(delimited_file_rows(path, separator))


def short(found):
    """(line, cells or the reason of the problem) of each record."""
    return [(each.line, each.problem[0] if each.problem else [*each.cells]) for each in found]


def test_a_quote_that_is_never_closed_costs_the_row_in_which_it_opens(tmp_path):
    assert short(read(tmp_path, H + b'a,"he said ""go"""\nb,a 5" screen\nc,"open quote\nd,a cat\n')) == [
        (2, [b"a", b'he said "go"']),
        (3, [b"b", b'a 5" screen']),
        (4, "suspicious_quote"),
        (5, [b"d", b"a cat"]),
    ]


@pytest.mark.parametrize("other", [b'a 5" screen', b'"another', b'a 5"', b'"go" he said'])
def test_a_quote_much_further_down_does_not_close_it(tmp_path, other):
    rows = [b"v%d,a dog number %d" % (k, k) for k in range(3000)]
    rows[10], rows[2000] = b'v10,"a dog that never closes its quote', b"v2000," + other
    found = read(tmp_path, H + b"\n".join(rows))
    assert len(found) == 3000
    assert [(each.line, each.problem[0]) for each in found if each.problem][:1] == [(12, "suspicious_quote")]
    assert {each.line for each in found if each.problem} <= {12, 2002}


def test_a_cell_may_have_lines_commas_and_quotes(tmp_path):
    text = b'id,text,n\na,"a dog\nruns, and ""barks""\n\nin the park",1\nb,"",2\nc,"x" ,3\n'
    assert short(read(tmp_path, text)) == [
        (2, [b"a", b'a dog\nruns, and "barks"\n\nin the park', b"1"]),
        (6, [b"b", b"", b"2"]),
        (7, [b"c", b"x", b"3"]),
    ]


def test_a_sentence_of_several_lines_is_no_row_whatever_its_commas(tmp_path):
    assert short(read(tmp_path, H + b'a,"a dog runs\nin the park, barking"\n')) == [
        (2, [b"a", b"a dog runs\nin the park, barking"])
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_as_on_any_system_also_at_the_edge_of_a_block(tmp_path, monkeypatch, end):
    lines = [b"video_id,caption", b'a,"x, y"', b"", b"b,z"]
    for block in range(1, 40):
        monkeypatch.setattr(delimited, "BLOCK", block)
        assert short(read(tmp_path, b"\xef\xbb\xbf" + end.join(lines))) == [(2, [b"a", b"x, y"]), (4, [b"b", b"z"])]


def test_a_cell_of_megabytes_is_read(tmp_path):
    [first, last] = read(tmp_path, H + b'a,"' + b"word, " * 500_000 + b'"\nb,a cat\n')
    assert (len(first.cells[1]), last.line) == (3_000_000, 3)


def test_what_the_csv_module_writes_is_read_and_every_line_is_accounted_for(tmp_path):
    drawn = random.Random(0)
    for _ in range(200):
        rows = [["v", *("".join(drawn.choices('ab ",\n', k=drawn.randrange(8))) for _ in range(3))] for _ in range(9)]
        path = tmp_path / "w.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["i", "j", "k", "l"], *rows])
        found = list(delimited_file_rows(path, ","))
        assert [[cell.decode() for cell in each.cells] for each in found] == rows
        assert sum(each.lines for each in found) + 1 == path.read_bytes().count(b"\n")


def test_every_line_of_any_file_is_the_header_blank_or_of_one_record(tmp_path):
    drawn = random.Random(1)
    for _ in range(300):
        lines = ["".join(drawn.choices('ab,,"', k=drawn.randrange(7))) for _ in range(12)]
        found = read(tmp_path, b"a,b\n" + "\n".join(lines).encode() + b"\n")
        taken = [number for each in found for number in range(each.line, each.line + each.lines)]
        left = set(range(2, 14)) - set(taken)
        assert len(taken) == len(set(taken))
        assert all(lines[number - 2] == "" for number in left)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty but for blank lines"),
        ("video_id,caption\na,a dog\n".encode("utf-16"), "this is UTF-16, not UTF-8; save it as UTF-8"),
        ("video_id,caption\na,a dog\n".encode("utf-16-le"), "this is UTF-16"),
        (b"PK\x03\x04rest", "a zip file or a workbook"),
        (b"\x1f\x8brest", "packed with gzip"),
        (b'id,"caption\na,b\n', "line 1, the header: a quote opens a cell, and none closes it"),
    ],
)
def test_a_file_that_is_no_such_text_is_called_what_it_is(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(CvrError, match=message):
        delimited.check_delimited_file_start(path)
        delimited_header(path, ",")


def test_arrow_reads_a_file_without_quotes_as_it_is_read_line_by_line_or_not_at_all(tmp_path):
    draw, read_by_arrow = random.Random(0), 0
    for _ in range(400):
        signs = ["a", "7", " ", "\xe9", "\0", ",", ",", "null", "\\", "'", "#"]
        rows = ["".join(draw.choice(signs) for _ in range(draw.randint(0, 5))) for _ in range(draw.randint(0, 5))]
        text = "id,text" + draw.choice(["\n", "\r\n", "\r"]).join(["", *rows]) + draw.choice(["", "\n"])
        path = tmp_path / "t.csv"
        path.write_bytes(draw.choice([b"", b"\xef\xbb\xbf", b"\n"]) + text.encode() + draw.choice([b"", b"\n\xff,a"]))
        found = list(delimited_file_rows(path, ","))
        columns = plain_columns(path, ",", [1, 0], 2)
        if columns is not None:
            read_by_arrow += 1
            assert not any(record.problem for record in found)
            cells = [[record.cells[place].decode() for record in found] for place in (1, 0)]
            assert [column.to_pylist() for column in columns] == cells
    assert read_by_arrow > 50


def test_a_quote_anywhere_leaves_the_file_to_the_records(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,text\n" + "a,b\n" * delimited.BLOCK + 'c,5" screen\n')
    assert plain_columns(path, ",", [0], 2) is None
