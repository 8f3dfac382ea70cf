"""Asks an HTTP server that fails now and then: retries with backoff and jitter, Retry-After, per-minute limits.

On httpx2 and not on the package `openai`: that one knows no per-minute limits, retries each request without regard to
the others, and pulls in a dozen packages for the few addresses asked here. `http_answers_at_once` asks many things
from code that is not asynchronous.
"""

import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from cvr_data.core.errors import CvrError

if TYPE_CHECKING:
    import httpx2


RETRIED = frozenset({408, 409, 425, 429})
"""Besides all of 500 and above."""
LONGEST_WAIT_S, LONGEST_RETRY_AFTER_S = 30.0, 600.0
CONNECT_S = 10.0
CHECKS = 3
"""Times that a server which does not answer is looked for, before anything is asked."""
GONE = "the server stopped answering"
_SHOWN = 200


class Refused(Exception):
    """This request gets no answer, and this is why."""


class ServerGone(Exception):
    """No request gets an answer any more."""


class Failure(Exception):
    """One try failed; another may not."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None, is_down: bool = True):
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        self.is_down = is_down


@dataclass(frozen=True, kw_only=True)
class ServerLimits:
    """A server's address and how hard it may be asked."""

    base_url: str
    said_by: str = "-o base_url="
    """What says where the server is, for who finds none there."""
    key: str = field(default="", repr=False)
    connections: int = 16
    retries: int = 8
    first_wait_s: float = 0.5
    timeout_s: float = 120.0
    requests_per_minute: int = 0
    tokens_per_minute: int = 0

    def __post_init__(self) -> None:
        check_server_address(self.base_url, "base_url")


def check_server_address(url: str, name: str) -> None:
    """Refuse what is no address of a server. Raises ValueError: it is none, or holds a password or a query."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name} should look like https://host/v1.")
    if parts.username or parts.password or parts.query:
        raise ValueError(f"{name} must hold no password and no query; the key comes from the environment.")


class RequestPace:
    """Whose turn it is: so many requests and tokens per minute, and nobody before the server allows it."""

    def __init__(self, limits: ServerLimits):
        self.limits = limits
        self.free_at = self.paused_until = 0.0

    async def turn(self, tokens: int) -> None:
        """Wait until a request of so many tokens may start."""
        import anyio

        start = max(time.monotonic(), self.free_at)
        per_request, per_token = (
            60.0 / limit if limit else 0.0 for limit in (self.limits.requests_per_minute, self.limits.tokens_per_minute)
        )
        self.free_at = start + max(per_request, tokens * per_token)
        while (wait_s := max(start, self.paused_until) - time.monotonic()) > 0:
            await anyio.sleep(wait_s)

    def pause(self, seconds: float) -> None:
        """Let nobody start for so long."""
        self.paused_until = max(self.paused_until, time.monotonic() + seconds)


@asynccontextmanager
async def http_connections_open(limits: ServerLimits) -> AsyncIterator["Server"]:
    """Keep connections to a server open for the block."""
    import httpx2

    if not limits.key.isascii():
        raise CvrError("The key for the server has a character that no key has; it was not sent.")
    headers = {"Authorization": f"Bearer {limits.key}"} if limits.key else {}
    async with httpx2.AsyncClient(
        headers=headers,
        timeout=httpx2.Timeout(limits.timeout_s, connect=min(CONNECT_S, limits.timeout_s), pool=None),
        limits=httpx2.Limits(max_connections=limits.connections, max_keepalive_connections=limits.connections),
    ) as client:
        yield Server(client, limits)


Answered = TypeVar("Answered")


def http_answers_at_once(
    limits: ServerLimits, count: int, answer: "Callable[[Server, int], Awaitable[Answered]]", key_variable: str | None
) -> Iterator[tuple[int, Answered]]:
    """Yield (number, answer) as answers arrive, `limits.connections` under way at most.

    With `key_variable`, the variable that holds the key, the server is looked for first.

    Raises:
        CvrError: there is no server, or it refuses the key; only before anything is asked.
    """
    from anyio.from_thread import start_blocking_portal

    # The connections live in a thread, so that they go on while an answer is stored; leaving the loop ends them.
    with start_blocking_portal() as portal:
        arrived: SimpleQueue[tuple[int, Answered] | None] = SimpleQueue()
        task = portal.start_task_soon(_ask_all, limits, count, answer, key_variable, arrived.put)
        task.add_done_callback(lambda _: arrived.put(None))
        while (answered := arrived.get()) is not None:
            yield answered
        task.result()


async def _ask_all(
    limits: ServerLimits, count: int, answer: "Callable[[Server, int], Awaitable[Any]]", key_variable: str | None,
    put: Callable[[tuple[int, Any]], None],
) -> None:  # fmt: skip
    import anyio

    waiting = iter(range(count))
    async with http_connections_open(limits) as server:
        if key_variable is not None:
            await server.check(key_variable)

        async def work() -> None:
            for number in waiting:
                put((number, await answer(server, number)))

        async with anyio.create_task_group() as group:
            for _ in range(min(limits.connections, count)):
                group.start_soon(work)


class Server:
    """Asks one server; when a request has used all its tries and nothing else was answered meanwhile, it is gone."""

    def __init__(self, client: "httpx2.AsyncClient", limits: ServerLimits):
        self.client, self.limits, self.pace = client, limits, RequestPace(limits)
        self.answered_at = 0.0
        self.is_gone = False
        self.jitter = random.Random()  # not seeded: machines that wait must not all come back at once

    async def check(self, key_variable: str) -> None:
        """Look whether the server is there and takes the key.

        Raises:
            CvrError: it is not, or does not.
        """
        for number in range(CHECKS):
            try:
                await self._try("GET", "/models", None)
            except Failure as error:
                if number + 1 == CHECKS:
                    where = f"{self.limits.base_url} ({error}); {self.limits.said_by} says where it is"
                    raise CvrError(f"No server answers at {where}.") from None
                await self._wait(number, error)
            except Refused as error:
                if str(error).startswith(("401", "403")):
                    given = "the key of" if self.limits.key else "a request without a key; set"
                    raise CvrError(f"{self.limits.base_url} refuses {given} ${key_variable} ({error}).") from None
                return  # a server need not list its models
            else:
                return

    async def ask(
        self, path: str, body: dict[str, Any], *, tokens: int, check: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Return the answer to one request; `check` raises Failure for one that is none, which is asked for again.

        Raises:
            Refused: no answer, and another try would not help or was not allowed.
            ServerGone: nothing is answered any more.
        """
        began = time.monotonic()
        for number in range(self.limits.retries + 1):
            await self.pace.turn(tokens)
            if self.is_gone:
                raise ServerGone
            try:
                answer = await self._try("POST", path, body)
                check(answer)
            except Failure as error:
                if number == self.limits.retries:
                    self.is_gone |= error.is_down and self.answered_at < began
                    raise Refused(f"{error} ({number + 1} tries)") from None
                await self._wait(number, error)
            else:
                self.answered_at = time.monotonic()
                return answer
        raise AssertionError("the last try returns or raises")

    async def _try(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        import httpx2

        try:
            response = await self.client.request(method, self.limits.base_url + path, json=body)
        except httpx2.TimeoutException as error:
            raise Failure(f"timeout ({type(error).__name__})") from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise Failure(f"connection lost ({type(error).__name__})") from None
        if response.status_code >= 300:
            self._raise_status(response)
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            raise Failure("the server's answer is no JSON", is_down=False) from None
        if not isinstance(answer, dict):
            raise Failure("the server's answer is no JSON object", is_down=False)
        return answer

    def _raise_status(self, response: "httpx2.Response") -> None:
        code, told = response.status_code, self._hidden(_told_by_server(response.text))
        reason = f"{code} {told}".strip()
        is_final = code == 429 and "insufficient_quota" in response.text
        if (code in RETRIED or code >= 500) and not is_final:
            raise Failure(reason, retry_after_s=_retry_after_s(response.headers), is_down=code != 429)
        raise Refused(reason)

    def _hidden(self, text: str) -> str:
        return text.replace(self.limits.key, "***") if self.limits.key else text

    async def _wait(self, number: int, error: Failure) -> None:
        import anyio

        first_s = self.limits.first_wait_s
        wait_s = min(LONGEST_WAIT_S, first_s * 2**number) * self.jitter.uniform(0.5, 1.0)
        if error.retry_after_s is not None:
            self.pace.pause(error.retry_after_s)
            # Those who were told to wait come back one after the other.
            wait_s = error.retry_after_s + self.jitter.uniform(0.0, min(first_s, error.retry_after_s))
        await anyio.sleep(wait_s)


def http_usage_count(answer: dict[str, Any], *names: str) -> int | None:
    """Return the first of these that an answer's `usage` tells as a count that can be kept; None where none is."""
    usage = answer.get("usage")
    counts = [usage.get(name) for name in names] if isinstance(usage, dict) else []
    return next((count for count in counts if type(count) is int and 0 <= count < 2**53), None)


def _told_by_server(text: str) -> str:
    """Return what an error page says: the message of OpenAI's form, else the beginning of the text."""
    try:
        found = json.loads(text)
        error = found.get("error", found)
        told = error.get("message", text) if isinstance(error, dict) else error
    except (ValueError, AttributeError, RecursionError):
        told = "" if text.lstrip().startswith("<") else text
    return " ".join(str(told).split())[:_SHOWN]


def _retry_after_s(headers: Any) -> float | None:
    """Return how long the server asks to wait: in seconds, or until a date."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (until.astimezone(UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S) if seconds == seconds else None
