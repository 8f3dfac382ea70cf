"""Keys and passwords that are known by their form: found in what is published, and masked in what is written down.

mask_secrets("cvr download x --urls https://me:word@host/a.csv")    # ... https://me:***@host/a.csv

A password that looks like a word is not found.
"""

import re

TOKENS = {
    "a Hub token": r"\bhf_[A-Za-z0-9]{20,}",
    "a key of a language model's server": r"\bsk-[A-Za-z0-9_-]{20,}",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,})",
    "a key of Amazon's": r"\bA(?:KIA|SIA)[0-9A-Z]{16}\b",
    "a key of Google's": r"\bAIza[0-9A-Za-z_-]{35}",
    "a Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}
ADDRESS = r"(://[^/\s:@\"']*:)([^/\s@\"']+)(?=@)"  # from the slashes: looking for a scheme before costs n * n
"""What stands before the password in an address, and the password."""
NAMED = (
    r"(?i)(\b(?:api[_-]?key|access[_-]?key|(?:\w+[_-])?token|passw(?:or)?d|passphrase|pwd|"
    r"pass(?=[\"'])|auth(?=[\"'])|secret|credentials?|authorization)[\"']?\s*[=:]\s*"
    r"(?:[\"']?bearer\s+)?[\"']?)([^\s\"',;&}]{6,})"
)
"""What stands before a value that is called a key, and the value."""
KINDS = {**TOKENS, "a password in an address": ADDRESS, "a password or token by its name": NAMED}


def secrets_in_text(text: str) -> list[str]:
    """Return what kinds of secrets a text holds."""
    return [kind for kind, pattern in KINDS.items() if re.search(pattern, text)]


def mask_secrets(text: str) -> str:
    """Return the text with three stars in the place of each secret."""
    for pattern in (ADDRESS, NAMED):
        text = re.sub(pattern, r"\1***", text)
    return re.sub("|".join(TOKENS.values()), "***", text)
