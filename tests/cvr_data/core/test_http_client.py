"""http_client: what authorises goes to its own host alone, and what is no address is refused as one."""

import base64

import httpx2
import pytest

from cvr_data.core.http_client import BAD_ADDRESS, PrivateRedirect, http_body_is_html, http_client, whole_number
from tests.http_server import FileServer, Status

NETRC = "machine 127.0.0.1 login me password one\nmachine localhost login me password two\n"


def basic(word):
    return "Basic " + base64.b64encode(f"me:{word}".encode()).decode()


@pytest.fixture
def server():
    """Two hosts of one machine: /away on 127.0.0.1 leads to /a on localhost."""
    with FileServer() as running:
        running.put("/a", b"here")
        elsewhere = running.url.replace("127.0.0.1", "localhost") + "/a"
        running.put("/away", b"", faults=[Status(302, {"Location": elsewhere})])
        yield running


def test_a_token_does_not_follow_a_redirect_to_another_host(server, tmp_path, monkeypatch):
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with http_client(timeout_s=20, private_redirects=True) as client:
        answer = client.get(server.url + "/away", headers={"Authorization": "Bearer hidden"})
    assert answer.content == b"here"
    assert server.secrets == [("127.0.0.1", "Bearer hidden"), ("localhost", None)]


def test_each_host_gets_its_own_password_of_netrc(server, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text(NETRC)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with http_client(timeout_s=20, private_redirects=True) as client:
        client.get(server.url + "/away")
        client.get(server.url.replace("//", "//me:other@") + "/a")
    assert server.secrets == [("127.0.0.1", basic("one")), ("localhost", basic("two")), ("127.0.0.1", basic("other"))]


@pytest.mark.parametrize("text", ["machine", "machine other.org login me password one\n"])
def test_a_netrc_without_the_host_or_that_cannot_be_read_adds_nothing(server, tmp_path, monkeypatch, text):
    (tmp_path / "netrc").write_text(text)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with http_client(timeout_s=20) as client:
        client.get(server.url + "/a")
    assert server.secrets == [("127.0.0.1", None)]


@pytest.mark.parametrize(
    "address",
    ["x", "/a/b", "http://", "ftp://h/x", "file:///etc/passwd", "http://[x/y", "http://a b/", "http://h:99999/",
     "http://h:x/", f"http://{'a' * 70}.org/", "http://.a/"],
)  # fmt: skip
def test_what_is_no_address_is_refused_as_one(address):
    with http_client(timeout_s=20) as client, pytest.raises(BAD_ADDRESS):
        client.get(address)


def test_a_server_may_not_lead_to_what_is_no_address(server):
    server.put("/bad", b"", faults=[Status(302, {"Location": "ftp://h/x"})])
    with http_client(timeout_s=20) as client, pytest.raises(httpx2.UnsupportedProtocol):
        client.get(server.url + "/bad")


def test_a_redirect_into_a_private_network_is_not_followed(server):
    server.put("/round", b"", faults=[Status(302, {"Location": server.url + "/a"})])
    server.put("/metadata", b"", faults=[Status(302, {"Location": "http://169.254.169.254/latest"})])
    with http_client(timeout_s=20) as client:
        assert client.get(server.url + "/round").content == b"here"  # the host that was asked
        for path in ("/away", "/metadata"):
            with pytest.raises(PrivateRedirect, match="private network"):
                client.get(server.url + path)
    assert {host for host, _ in server.secrets} == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), (" 7 ", 7), ("\u00b2", None), ("9" * 5000, None), ("-1", None), ("", None), (None, None)],
)
def test_a_number_of_a_server_is_short_and_of_digits(text, number):
    assert whole_number(text) == number


@pytest.mark.parametrize("start", [b"<!DOCTYPE html>", b"\xef\xbb\xbf\n <HTML lang=en>", b"<script>", b"<!-- x -->"])
def test_a_page_is_known_by_its_start(start):
    assert http_body_is_html(start)
    assert not http_body_is_html(b"\0\0\0 ftypisom" + start)
