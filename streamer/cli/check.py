"""`streamer check`: a configuration, checked and printed."""

import json

import typer

from streamer.cli.options import ConfigPath


def check(config: ConfigPath) -> None:
    """Check a configuration without connecting, and print it with all defaults, secrets masked.

    Standard error says what follows from it for each stream: how far it forecasts, when networks come, what can never
    match. Problems are listed all at once, by dotted path, and end with exit code 78.
    """
    from streamer.config.loader import load
    from streamer.tools.consequences import consequences
    from streamer.tools.streams import unused_history

    parsed = load(config)
    told = [*consequences(parsed.streams, parsed.metrics), *unused_history(parsed, str(config))]
    typer.echo(json.dumps(parsed.model_dump(mode="json"), indent=2))
    typer.echo(f"{config}: good", err=True)
    for line in told:
        typer.echo(line, err=True)
    files = {"mqtt": parsed.mqtt.files(), "metrics": parsed.metrics.files()}
    for section, key, path in ((section, *one) for section, some in files.items() for one in some):
        if not path.exists():
            typer.echo(f"{config}: {section}.{key}: there is no {path} on this machine; run needs it", err=True)
