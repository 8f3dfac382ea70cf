"""What the Hugging Face Hub answers to a push, as one line that says what to do."""

import re

from cvr_data.core.errors import first_line


def hub_upload_error(error: Exception) -> Exception:
    """Return the HTTP error; huggingface_hub wraps that of a failed upload of one file."""
    from huggingface_hub.errors import HTTPError

    if isinstance(error, HTTPError):
        return error
    if isinstance(error.__cause__, HTTPError):
        return error.__cause__
    raise error


def hub_upload_answer_text(
    error: Exception, endpoint: str, repo: str, revision: str, *, left: int | None = None
) -> str:
    """Return one line that says what the Hub answered, and what to do."""
    response = getattr(error, "response", None)
    state = f"{revision} is as it was" + ("" if left is None else f", {left} files are missing")
    if response is None:
        return f"Cannot reach {endpoint}: {_one_line(error)} {state}; run again to go on."
    status = response.status_code
    if status == 401:
        return f"{endpoint} refused the token (401): run `hf auth login`, or set HF_TOKEN to a token that can write."
    if status == 403:
        owner = repo.split("/")[0]
        return f"{endpoint}: the token may not write to {repo} (403); use one with write access to {owner}."
    if status == 412:
        return f"{repo} was changed by someone else meanwhile (412); run again."
    if status == 429:
        return f"{endpoint} limits the rate of requests (429). {state}; wait a few minutes and run again to go on."
    return f"{endpoint} answered {status}: {_one_line(error)} {state}; run again to go on."


def _one_line(error: Exception) -> str:
    """The first line, without the signatures that addresses of uploads carry."""
    line = re.sub(r"\?[^\s']+", "", first_line(error))
    return line if line.endswith(".") else f"{line}."
