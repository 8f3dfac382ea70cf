"""Where a local page is served: its socket, its link, and whether a token is asked for."""

import os
import pwd
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cvr_data.core.errors import CvrError

NOBODY = 65_534
"""Accounts from this number on, and below 1000, are those of programs."""
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
ANY_HOST = ("0.0.0.0", "::")


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where the page is served."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    needs_token: bool | None = None
    """Ask for a token on loopback too; elsewhere it is always asked for. None asks where others can log in."""

    def asks_for_token(self) -> bool:
        """Return whether only who knows a token is answered."""
        here = review_machine_is_shared() if self.needs_token is None else self.needs_token
        return here or self.host not in LOOPBACK_HOSTS


def review_machine_is_shared() -> bool:
    """Return whether the machine has accounts of other people, who can reach its loopback address."""
    people = (entry for entry in pwd.getpwall() if 1000 <= entry.pw_uid < NOBODY and entry.pw_uid != os.getuid())
    return any(not entry.pw_shell.endswith(("nologin", "false")) for entry in people)


def _end(number: int, frame: object) -> None:
    sys.exit(128 + number)


def listen_for_reviewers(address: Address) -> socket.socket:
    """Return a socket that listens. Raises CvrError: the address is taken, or is none."""
    if not address.host:  # to the system that is every address, and the link would name none
        raise CvrError("--host is empty; 127.0.0.1 is this machine.")
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((address.host, address.port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise CvrError(f"Cannot listen on {address.host}, port {address.port}: {error.strerror or error}.") from None
    return found


def review_link_host(host: str) -> str:
    """Return a host as addresses and requests name it: numbers of IPv6 stand in brackets."""
    return f"[{host}]" if ":" in host else host


def review_link(listening: socket.socket, host: str, query: Mapping[str, str]) -> str:
    """Return the address of the page."""
    host = socket.gethostname() if host in ANY_HOST else host
    words = f"?{urlencode(query)}" if query else ""
    return f"http://{review_link_host(host)}:{listening.getsockname()[1]}/{words}"


def review_page_server(app: Any) -> Any:
    """Return the uvicorn server of a page: `run(sockets=[listening])` serves until it is interrupted or told to end."""
    import uvicorn

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)  # uvicorn hands it on when it has ended, and what is temporary is to go
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=2
    )
    return uvicorn.Server(config)
