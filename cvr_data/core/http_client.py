"""The one HTTP client: with the proxies, certificates and passwords of the environment.

with http_client(timeout_s=30) as client, client.stream("GET", url) as response:
    ...

HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and ~/.netrc hold. Redirects are followed, and what authorises stays with the host
that it was meant for. Bodies are asked for as they are: a compressed one could be neither resumed nor measured.
"""

import base64
import ipaddress
import netrc
import os
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

CONNECT_TIMEOUT_S = 15.0
BAD_ADDRESS = (httpx2.InvalidURL, httpx2.UnsupportedProtocol, ValueError)
"""No such address can be asked; a part of a host's name that is too long comes as a UnicodeError, a ValueError."""
ASKED = "cvr_asked_host"
"""Extension of a request that a redirect takes over: the host that was asked first."""


class PrivateRedirect(httpx2.HTTPError):
    """A server leads to another host in a private network, which it could not reach itself."""


def http_client(
    *, timeout_s: float, connect_s: float = CONNECT_TIMEOUT_S, cafile: str | None = None, proxy: str | None = None,
    private_redirects: bool = False,
) -> httpx2.Client:  # fmt: skip
    """Return a client that serves any number of threads.

    Args:
        timeout_s: the longest silence of a server.
        connect_s: the longest time to reach it.
        cafile: certificates to trust instead of the machine's.
        proxy: to go through instead of the environment's.
        private_redirects: whether a redirect may lead to another host in a private network.
    """
    return httpx2.Client(
        verify=ssl.create_default_context(cafile=cafile) if cafile else True,
        proxy=proxy,
        headers={"Accept-Encoding": "identity", "User-Agent": "cvr"},
        timeout=httpx2.Timeout(timeout_s, connect=connect_s, pool=None),
        limits=httpx2.Limits(max_connections=None),
        follow_redirects=True,
        # Not an `auth` of the client, which would not see where a redirect leads, and would replace a url's own.
        event_hooks={"request": [_prepare_request, *([] if private_redirects else [_check_redirect])]},
    )


def host_of(url: str) -> str:
    """Return host and port of an address, without a name or password; empty where it is none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:  # brackets that are no address
        return ""


def whole_number(text: str | None) -> int | None:
    """Return a number that a server sent in digits; None where it is none, or longer than any size or time."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def http_body_is_html(start: bytes) -> bool:
    """Return whether a body begins as HTML does, whatever the server calls it."""
    text = start[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<!--", b"<title"))


def innermost_cause(error: BaseException) -> BaseException:
    """Return the error that the others were raised from: the outer layers repeat the address."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _check_redirect(request: httpx2.Request) -> None:
    """Refuse a redirect to another host whose address is not one of the public network."""
    host = request.url.host
    if request.extensions.setdefault(ASKED, host) == host:
        return
    try:
        found = socket.getaddrinfo(host, request.url.port, type=socket.SOCK_STREAM)
    except OSError:
        return  # nobody there, or only a proxy knows it
    if any(not ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_global for entry in found):
        raise PrivateRedirect(f"redirected into a private network ({host}); --private-redirects follows it")


def _prepare_request(request: httpx2.Request) -> None:
    """Look at the address, which may be one that a server redirects to, and add the password of its host."""
    host, port = request.url.host, request.url.port or 0
    if port > 65535 or ("%" in host and ":" not in host):  # a blank or a bracket, escaped
        raise httpx2.InvalidURL(f"{request.url.netloc.decode()!r} is no host.")
    path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    if "Authorization" in request.headers or not path.is_file():
        return
    try:
        found = netrc.netrc(path).authenticators(host)
    except (netrc.NetrcParseError, OSError):
        return
    if found is not None:
        pair = base64.b64encode(f"{found[0]}:{found[2]}".encode()).decode()
        request.headers["Authorization"] = f"Basic {pair}"
