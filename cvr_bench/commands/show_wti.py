"""Draw which words and frames DRL weighs most, and what each of them matches best."""

from pathlib import Path

import click

from cvr_data.commands.options import FOLDER, PATH, json_option


@click.command()
@click.argument("text")
@click.argument("clip")
@click.option("--checkpoint", type=FOLDER, required=True, help="A result of cvr bench --model drl, with wti or ti.")
@click.option("--out", "-O", type=PATH, default="wti.png", show_default=True, help="The picture to write.")
@json_option
def show_wti_command(text: str, clip: str, checkpoint: Path, out: Path, as_json: bool) -> None:
    """Draw TEXT's tokens and the frames of CLIP (a file, or the id of a stored video) with weights and best matches.

    Example: cvr show-wti "a dog runs" dog.mp4 --checkpoint results/drl-msrvtt
    """
    import json

    from cvr_bench.report.wti_matches import report_wti_matches
    from cvr_bench.report.wti_picture import report_wti_picture
    from cvr_data.core.whole_files import write_bytes

    found = report_wti_matches(text, clip, checkpoint)
    write_bytes(out, report_wti_picture(found))
    best_frames = (found.similarities_LT.argmax(dim=1) + 1).tolist()
    rows = [
        {"token": word, "weight": round(weight, 4), "best_frame": frame, "cosine": round(cosine, 4)}
        for word, weight, frame, cosine in zip(
            found.words,
            found.token_weights_L.tolist(),
            best_frames,
            found.similarities_LT.amax(dim=1).tolist(),
            strict=True,
        )
    ]
    if as_json:
        weights = [round(weight, 4) for weight in found.frame_weights_T.tolist()]
        content = {"score": found.score, "tokens": rows, "frame_weights": weights, "picture": str(out)}
        click.echo(json.dumps(content, indent=1))
        return
    for row in rows:
        click.echo(f"{row['token']:<16} {row['weight']:.3f}  frame {row['best_frame']:<3} {row['cosine']:+.3f}")
    click.echo(f"score {found.score:.3f}; {out} shows it")
