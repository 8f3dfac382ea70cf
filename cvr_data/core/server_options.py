"""How hard a server may be asked, as options of whatever asks one."""

import os
from dataclasses import dataclass, field

from cvr_data.core.asked_server import ServerLimits


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Options that leave what is answered as it is, so no artifact names them."""

    concurrency: int = field(default=8, metadata={"output": False})
    """Requests under way at most."""
    retries: int = field(default=8, metadata={"output": False})
    """After a lost connection, a timeout, 429 or 5xx, and after an answer that is no JSON; a server's Retry-After is
    kept to. 8 wait up to two minutes."""
    first_wait_s: float = field(default=0.5, metadata={"output": False})
    """About so many seconds pass before the first retry, and twice as many before each further one, up to 30."""
    timeout_s: float = field(default=120.0, metadata={"output": False})
    """Seconds until a request without an answer is tried again."""
    requests_per_minute: int = field(default=0, metadata={"output": False})
    """At most so many, evenly spread; 0: no limit."""
    tokens_per_minute: int = field(default=0, metadata={"output": False})
    """At most about so many, prompts and answers together; 0: no limit."""

    def check_server_options(self) -> None:
        """Refuse what no server can be asked with. Raises ValueError: so."""
        if self.concurrency < 1 or self.retries < 0 or min(self.timeout_s, self.first_wait_s) <= 0:
            raise ValueError("concurrency must be at least 1, retries at least 0, timeout_s and first_wait_s above 0.")
        if min(self.requests_per_minute, self.tokens_per_minute) < 0:
            raise ValueError("requests_per_minute and tokens_per_minute must be at least 0.")

    def limits_of(self, base_url: str, key_variable: str, said_by: str = "-o base_url=") -> ServerLimits:
        """Return the limits of a server, with the key that an environment variable holds."""
        return ServerLimits(
            base_url=base_url.rstrip("/"),
            said_by=said_by,
            key=os.environ.get(key_variable, "").strip(),
            connections=self.concurrency,
            retries=self.retries,
            first_wait_s=self.first_wait_s,
            timeout_s=self.timeout_s,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
        )
