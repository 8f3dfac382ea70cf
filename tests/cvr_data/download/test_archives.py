"""archives: what is unpacked stays inside, and what does not stay inside is not unpacked."""

import io
import stat
import tarfile
import zipfile

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.download.archives import UnpackLimits, unpack_archive, unpacked_marker


def make_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def make_tar(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def make_link(path, *, name, target, kind=tarfile.SYMTYPE):
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info)
        inside = tarfile.TarInfo(f"{name}/x")
        inside.size = 1
        archive.addfile(inside, io.BytesIO(b"x"))
    return path


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_members_are_put_in_place_and_a_note_says_so(tmp_path, make):
    name = "a.zip" if make is make_zip else "a.tar.gz"
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "old.npy").write_bytes(b"old")
    archive = make(tmp_path / name, {"deep/b.npy": b"12", "c.npy": b"3", "deep/old.npy": b"new"})
    assert unpack_archive(archive, tmp_path) == 3
    assert everything(tmp_path) == sorted([f".{name}.unpacked.json", name, "c.npy", "deep/b.npy", "deep/old.npy"])
    assert (tmp_path / "deep" / "old.npy").read_bytes() == b"new"
    assert unpacked_marker(archive).exists()


def test_a_folder_of_the_archive_may_give_its_content(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"msvd_data/list.txt": b"1", "readme": b"2"})
    unpack_archive(archive, tmp_path / "out", inside="msvd_data")
    assert everything(tmp_path / "out") == ["list.txt", "readme"]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil", "C:evil"])
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_name_that_leads_out_is_refused(tmp_path, make, name):
    (tmp_path / "in").mkdir()
    archive = make(tmp_path / ("a.zip" if make is make_zip else "a.tar.gz"), {"good": b"1", name: b"2"})
    with pytest.raises(CvrError, match="leads out of its folder"):
        unpack_archive(archive, tmp_path / "in")
    assert everything(tmp_path) == [archive.name]
    assert not unpacked_marker(archive).exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc", "../../out"])
def test_a_link_that_leads_out_is_refused(tmp_path, target, kind):
    archive = make_link(tmp_path / "a.tar", name="link", target=target, kind=kind)
    with pytest.raises(CvrError, match="leads out"):
        unpack_archive(archive, tmp_path / "in")
    assert everything(tmp_path) == ["a.tar"]


def test_a_link_in_a_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(CvrError, match="holds a link, 'link'"):
        unpack_archive(tmp_path / "a.zip", tmp_path / "in")


def test_a_device_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("null")
        info.type = tarfile.CHRTYPE
        archive.addfile(info)
    with pytest.raises(CvrError, match="a device or pipe"):
        unpack_archive(tmp_path / "a.tar", tmp_path / "in")


def test_a_link_that_lay_in_the_folder_is_replaced_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "d").symlink_to(tmp_path / "elsewhere")
    unpack_archive(make_zip(tmp_path / "a.zip", {"d/x": b"1"}), tmp_path / "in")
    assert everything(tmp_path / "elsewhere") == []
    assert (tmp_path / "in" / "d" / "x").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (UnpackLimits(bytes=10_000), "bytes"),
        (UnpackLimits(ratio=10, slack_bytes=1000), "bytes"),
        (UnpackLimits(files=1), "files"),
    ],
)
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_bomb_is_stopped(tmp_path, make, limits, what):
    archive = make(tmp_path / ("a.zip" if make is make_zip else "a.tar.gz"), {"a": b"0" * 400_000, "b": b"1"})
    with pytest.raises(CvrError, match=f"unpacks to more {what} than is allowed"):
        unpack_archive(archive, tmp_path / "in", limits=limits)
    assert everything(tmp_path) == [archive.name]


def test_a_zip_that_lies_about_sizes_is_counted_as_it_comes(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"a": b"0" * 400_000})
    content = archive.read_bytes().replace((400_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    archive.write_bytes(content)
    with pytest.raises(CvrError, match=r"damaged|more bytes"):
        unpack_archive(archive, tmp_path / "in", limits=UnpackLimits(bytes=1000))


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_a_damaged_archive_is_told_and_leaves_nothing(tmp_path, name):
    make = make_zip if name.endswith("zip") else make_tar
    archive = make(tmp_path / name, {"a": bytes(range(256)) * 400})
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(CvrError, match="is damaged"):
        unpack_archive(archive, tmp_path / "in")
    assert everything(tmp_path) == [name]
