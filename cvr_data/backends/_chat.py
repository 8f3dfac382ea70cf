"""A request as the messages that chat models take: dicts with role and content, images as data URIs before the text."""

import base64
from typing import Any

from cvr_data.generation.request import Request

NO_IMAGES = "images need a chat model: -o form=chat"


def chat_messages(request: Request) -> list[dict[str, Any]]:
    """Return the messages, those without content left out; the images stand before the text of the last one."""
    messages: list[dict[str, Any]] = [
        {"role": message.role, "content": message.content} for message in request.messages if message.content
    ]
    if request.images:
        shown = [{"type": "image_url", "image_url": {"url": _data_uri(image)}} for image in request.images]
        messages[-1]["content"] = [*shown, {"type": "text", "text": messages[-1]["content"]}]
    return messages


def _data_uri(image: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(image).decode("ascii")
