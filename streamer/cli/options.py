"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

ConfigPath = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="YAML file; configs/reference.yaml shows every key.")
]
BrokerUrl = Annotated[str, typer.Option(help="mqtt://host[:port], or mqtts://, ws:// and wss://; unix:///path.")]
LOCAL_BROKER = "mqtt://localhost:1883"
QoS = Annotated[int, typer.Option(min=0, max=1, help="MQTT quality of service: 0 or 1.")]
Username = Annotated[str | None, typer.Option(help="User on the broker.")]
PasswordFile = Annotated[Path | None, typer.Option(help="File that holds the password.")]
HistoryFile = Annotated[str, typer.Argument(metavar="FILE", help="A recording (.jsonl), or a .csv file with --topic.")]
Topics = Annotated[list[str] | None, typer.Option(help="Topic of a CSV file's --column, in the same order.")]
Columns = Annotated[list[str] | None, typer.Option(help="CSV column, by name or position. Each column is a series.")]
TimeColumn = Annotated[str | None, typer.Option(help="CSV column of the time.")]
CaFile = Annotated[
    Path | None, typer.Option(help="PEM file of the authority that signed the broker's certificate, for mqtts://.")
]


def mqtt_section(url: str, username: str | None, password_file: Path | None, ca_file: Path | None) -> dict[str, Any]:
    """The broker options as keys of the configuration's `mqtt` section."""
    return {"url": url, "username": username, "password_file": password_file, "tls": {"ca_file": ca_file}}
