"""What cosines of captions mean depends on the encoder of texts, so a band of them is of one."""

MINILM = "minilm"
"""The encoder that bands are calibrated for unless they say another."""
KEPT_BAND = (0.41, 0.976)
"""1st and 99th percentile of MiniLM's cosines on the WebVid-CoVR test pairs that people kept."""


def check_default_band(encoder: str, band: tuple[float, float]) -> None:
    """Refuse MiniLM's band for another encoder, whose cosines mean something else.

    Raises:
        ValueError: the band is that of MiniLM.
    """
    if encoder != MINILM and band == KEPT_BAND:
        raise ValueError(
            f"low and high are calibrated for {MINILM}; give those of {encoder}, which `cvr calibrate` finds."
        )
