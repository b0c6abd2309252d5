"""`streamer schema`: the JSON Schema of the configuration."""

import json
from typing import Annotated

import typer


def schema(
    reference: Annotated[bool, typer.Option("--reference", help="Print configs/reference.yaml instead.")] = False,
) -> None:
    """Print the JSON Schema of the configuration, so that an editor completes and checks it.

    For the YAML extension of VS Code, run `streamer schema > streamer.schema.json` and begin your configuration with
    the line `# yaml-language-server: $schema=streamer.schema.json`.
    """
    from streamer import config
    from streamer.config import loader

    typer.echo(loader.reference().rstrip() if reference else json.dumps(config.schema(), indent=2))
