"""Requests as chat models take them, and what an answer of theirs has."""

from typing import Any

from cvr_data.core.asked_server import Failure
from cvr_data.modifications.asking.request import Request

NO_IMAGES = "images need a chat model: -o form=chat"


def chat_messages(request: Request) -> list[dict[str, Any]]:
    """Return the messages, those without content left out; the images stand before the text of the last one."""
    messages: list[dict[str, Any]] = [
        {"role": message.role, "content": message.content} for message in request.messages if message.content
    ]
    if request.images:
        from cvr_data.media.video import jpeg_data_uri

        shown = [{"type": "image_url", "image_url": {"url": jpeg_data_uri(image)}} for image in request.images]
        messages[-1]["content"] = [*shown, {"type": "text", "text": messages[-1]["content"]}]
    return messages


def check_chat_choices(answer: dict[str, Any]) -> None:
    """Refuse an answer without text. Raises Failure: it has no choice."""
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict) or not (isinstance(first.get("message"), dict) or "text" in first):
        raise Failure("the server's answer has no choice", is_down=False)
