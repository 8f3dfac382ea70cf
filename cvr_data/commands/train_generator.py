"""Fine-tune a language model on examples of modification texts."""

import json
from pathlib import Path

import click

from cvr_data.commands.options import (
    PATH,
    command_options_with_machine,
    command_own_options,
    json_option,
    out_option,
    overwrite_option,
    seed_option,
)


def _config() -> type:
    from cvr_data.modifications.training.train import Config

    return Config


@click.command()
@click.argument("examples", type=PATH, nargs=-1, required=True)
@click.option("--model", help="Folder or Hub id of a causal language model.  [default: SmolLM2-135M-Instruct]")
@click.option("--prompt", help="How an example is laid out: built-in or a YAML file.  [default: trained]")
@command_own_options(_config)
@out_option("generator")
@seed_option
@overwrite_option
@json_option
def train_generator_command(
    examples: tuple[Path, ...], model: str | None, prompt: str | None, options: tuple[str, ...], out: Path, seed: int,
    overwrite: bool, as_json: bool,
) -> None:  # fmt: skip
    """Fine-tune a language model on EXAMPLES: two captions each, and the text that leads from one to the other.

    EXAMPLES are files with the columns caption (or input), edit and output, as InstructPix2Pix has them, WebVid-CoVR
    CSVs, or folders of `cvr generate-modifications`, of which the accepted texts of the train split are taken.

    Example: cvr train-generator examples.jsonl -O generator -o epochs=2
    """
    from cvr_data.core.registry import parse_config
    from cvr_data.modifications.training.train import Config, train_generator

    named = {"model": model, "prompt": prompt, "seed": str(seed)}
    given = (*(f"{name}={value}" for name, value in named.items() if value is not None), *options)
    config = parse_config(Config, command_options_with_machine(Config, given), where="train-generator")
    artifact = train_generator(examples, out, config, overwrite=overwrite)
    manifest = artifact.manifest
    if as_json:
        click.echo(json.dumps(manifest, indent=1, sort_keys=True))
        return
    used = manifest["trained_on"]
    click.echo(
        f"{out}: {used['training']} examples, {used['choice']} held out, {manifest['left_out']} left out, "
        f"{manifest['seconds']:.0f} s"
    )
    for row in manifest["history"]:
        held = f"  held-out loss {row['held_out_loss']:.3f}" if "held_out_loss" in row else ""
        kept = "  kept" if row["epoch"] == manifest["best_epoch"] else ""
        click.echo(f"  epoch {row['epoch']}  loss {row['loss']:.3f}{held}{kept}")
    form = "" if config.form == "completion" else f" -o form={config.form}"
    style = f"--prompt {config.prompt}" if config.prompt.endswith((".yaml", ".yml")) else f"--style {config.prompt}"
    click.echo(f"Write with it: cvr generate-modifications PAIRS {style} --llm transformers -o model={out}{form}")
