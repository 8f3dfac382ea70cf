"""Draw a text's tokens above a clip's frames, with their weights, and lines to what each of them matches best."""

# Shapes: L tokens, T frames.

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from cvr_bench.report.wti_matches import THUMBNAIL, Matches

TOKEN_WIDTH, GAP, MARGIN = 76, 12, 30
NARROWEST = 640
"""Room for the legend."""
BAR, FAN = 60, 260
"""Heights of the longest weight bar and of the lines, in pixels."""
TITLE, TOKENS, FRAMES = 70, 200, 200 + FAN
"""Where the title ends, the tokens stand and the frames begin."""
INK, GREY, PALE = (32, 32, 32), (130, 130, 130), (228, 228, 228)
TO_FRAME, TO_TOKEN = (208, 88, 20), (24, 104, 176)
"""Lines from a token to its best frame, and from a frame to its best token."""
FAINTEST = 0.5
"""Pairs below this share of the range of similarities have no line."""


def report_wti_picture(matches: Matches) -> bytes:
    """Return the picture as PNG."""
    tokens, frames = matches.similarities_LT.shape
    width = 2 * MARGIN + max(tokens * TOKEN_WIDTH, frames * (THUMBNAIL + GAP), NARROWEST)
    picture = Image.new("RGB", (width, FRAMES + THUMBNAIL + BAR + 64), "white")
    draw = ImageDraw.Draw(picture)
    token_xs, frame_xs = _centres(tokens, TOKEN_WIDTH, width), _centres(frames, THUMBNAIL + GAP, width)
    _draw_title(draw, matches)
    _draw_fan(draw, matches.similarities_LT, token_xs, frame_xs)
    _draw_tokens(draw, matches, token_xs)
    _draw_frames(picture, draw, matches, frame_xs)
    target = io.BytesIO()
    picture.save(target, format="PNG", optimize=True)
    return target.getvalue()


def _draw_title(draw: ImageDraw.ImageDraw, matches: Matches) -> None:
    draw.text((MARGIN, 14), f"score {matches.score:.3f}", fill=INK, font=_picture_font(20))
    draw.text((MARGIN + 140, 18), matches.clip.rsplit("/", 1)[-1], fill=GREY, font=_picture_font(14))
    draw.text((MARGIN, 46), "a token's best frame", fill=TO_FRAME, font=_picture_font(14))
    draw.text((MARGIN + 170, 46), "a frame's best token", fill=TO_TOKEN, font=_picture_font(14))
    draw.text((MARGIN + 340, 46), "bars: weights; numbers: weight, best cosine", fill=GREY, font=_picture_font(14))


def _draw_fan(draw: ImageDraw.ImageDraw, similarities_LT: Tensor, token_xs: list[int], frame_xs: list[int]) -> None:
    """All pairs, darker the closer they are; above them the best matches both ways, wider the closer they are."""
    low, high = float(similarities_LT.min()), float(similarities_LT.max())
    shares_LT = (similarities_LT - low) / max(high - low, 1e-9)
    top, bottom = TOKENS + 6, FRAMES - 6
    for share, token, frame in sorted((float(share), *place) for place, share in np.ndenumerate(shares_LT.numpy())):
        if share > FAINTEST:
            shade = round(228 - 80 * (share - FAINTEST) / (1 - FAINTEST))
            draw.line((token_xs[token], top, frame_xs[frame], bottom), fill=(shade,) * 3, width=1)
    for token, frame in enumerate(similarities_LT.argmax(dim=1).tolist()):
        line = (token_xs[token] - 2, top, frame_xs[frame] - 2, bottom)
        draw.line(line, fill=TO_FRAME, width=1 + round(4 * float(shares_LT[token, frame])))
    for frame, token in enumerate(similarities_LT.argmax(dim=0).tolist()):
        line = (token_xs[token] + 2, top, frame_xs[frame] + 2, bottom)
        draw.line(line, fill=TO_TOKEN, width=1 + round(4 * float(shares_LT[token, frame])))


def _draw_tokens(draw: ImageDraw.ImageDraw, matches: Matches, xs: list[int]) -> None:
    best_L, heaviest = matches.similarities_LT.amax(dim=1), float(matches.token_weights_L.max())
    for x, word, weight, best in zip(xs, matches.words, matches.token_weights_L.tolist(), best_L.tolist(), strict=True):
        _draw_weight_bar(draw, x, TITLE + BAR + 10, weight / heaviest, up=True, colour=TO_FRAME)
        _centred(draw, x, TITLE + BAR + 14, f"{weight:.3f}", 13, INK)
        _centred(draw, x, TITLE + BAR + 30, f"{best:.2f}", 13, GREY)
        while draw.textlength(word, font=_picture_font(14)) > TOKEN_WIDTH - 4:
            word = word.rstrip(".")[:-1] + "..."
        _centred(draw, x, TOKENS - 22, word, 14, INK)


def _draw_frames(picture: Image.Image, draw: ImageDraw.ImageDraw, matches: Matches, xs: list[int]) -> None:
    best_T, heaviest = matches.similarities_LT.amax(dim=0), float(matches.frame_weights_T.max())
    below = FRAMES + THUMBNAIL
    for number, (x, weight, best) in enumerate(zip(xs, matches.frame_weights_T.tolist(), best_T.tolist(), strict=True)):
        corner = (x - THUMBNAIL // 2, FRAMES)
        if number < len(matches.thumbnails):
            picture.paste(Image.fromarray(matches.thumbnails[number]).resize((THUMBNAIL, THUMBNAIL)), corner)
        else:
            draw.rectangle((*corner, corner[0] + THUMBNAIL, below), fill=PALE)
            _centred(draw, x, FRAMES + THUMBNAIL // 2 - 8, f"frame {number + 1}", 14, GREY)
        _centred(draw, x, below + 6, f"{best:.2f}", 13, GREY)
        _centred(draw, x, below + 22, f"{weight:.3f}", 13, INK)
        _draw_weight_bar(draw, x, below + 44, weight / heaviest, up=False, colour=TO_TOKEN)


def _draw_weight_bar(
    draw: ImageDraw.ImageDraw, x: int, y: int, share: float, *, up: bool, colour: tuple[int, int, int]
) -> None:
    height = max(1, round(BAR * share))
    draw.rectangle((x - 10, y - height, x + 10, y) if up else (x - 10, y, x + 10, y + height), fill=colour)


def _centred(draw: ImageDraw.ImageDraw, x: int, y: int, text: str, size: int, colour: tuple[int, int, int]) -> None:
    draw.text((x, y), text, fill=colour, font=_picture_font(size), anchor="ma")


def _centres(count: int, step: int, width: int) -> list[int]:
    """The middles of so many columns, which together stand in the middle."""
    return [round(width / 2 + (number - (count - 1) / 2) * step) for number in range(count)]


def _picture_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
