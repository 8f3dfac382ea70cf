"""The one HTTP client: with the proxies, certificates and passwords of the environment.

with http_client(timeout_s=30) as client, client.stream("GET", url) as response:
    ...

HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and ~/.netrc hold. Redirects are followed, and what authorises stays with the host
that it was meant for. Bodies are asked for as they are: a compressed one could be neither resumed nor measured.
"""

import base64
import netrc
import os
import ssl
from pathlib import Path

import httpx2

CONNECT_TIMEOUT_S = 15.0
BAD_ADDRESS = (httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeError)
"""No such address can be asked; a part of a host's name that is too long comes as a UnicodeError."""


def http_client(
    *, timeout_s: float, connect_s: float = CONNECT_TIMEOUT_S, cafile: str | None = None, proxy: str | None = None
) -> httpx2.Client:
    """Return a client that serves any number of threads.

    Args:
        timeout_s: the longest silence of a server.
        connect_s: the longest time to reach it.
        cafile: certificates to trust instead of the machine's.
        proxy: to go through instead of the environment's.
    """
    return httpx2.Client(
        verify=ssl.create_default_context(cafile=cafile) if cafile else True,
        proxy=proxy,
        headers={"Accept-Encoding": "identity", "User-Agent": "cvr"},
        timeout=httpx2.Timeout(timeout_s, connect=connect_s, pool=None),
        limits=httpx2.Limits(max_connections=None),
        follow_redirects=True,
        # Not an `auth` of the client, which would not see where a redirect leads, and would replace a url's own.
        event_hooks={"request": [_prepare]},
    )


def innermost_cause(error: BaseException) -> BaseException:
    """Return the error that the others were raised from: the outer layers repeat the address."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _prepare(request: httpx2.Request) -> None:
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
