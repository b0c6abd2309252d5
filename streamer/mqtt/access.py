"""What it takes to be let in by the broker, and why it did not work, in one line with its remedy."""

import socket
import ssl
from dataclasses import dataclass, field
from typing import Self

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.reasoncodes import ReasonCode

from streamer.config import Mqtt
from streamer.errors import StartError, StreamerError
from streamer.mqtt.transport import HANDSHAKE

# Reason codes of MQTT 5 (paho gives the nearest of them for 3.1.1), and what to do about each.
REMEDIES = {
    128: "see the broker's log",
    129: "see the broker's log",
    132: "set mqtt.protocol to the other version",
    133: "choose another mqtt.client_id",
    134: "check mqtt.username and mqtt.password_file",
    135: "check mqtt.username, mqtt.password_file and the broker's access list",
    137: "the broker is busy",
    138: "the broker has banned this client",
    141: "check the network, or raise mqtt.keepalive",
    142: "another client has the same name: give each its own mqtt.client_id",
    147: "the broker took fewer publishes at once than it had announced: see its log",
    149: "the broker limits the packet size: see its configuration",
}


class LinkError(StreamerError):
    """There is no connection (any more); the message says why and what to do."""

    exit_code = 69


class TidySocket(ssl.SSLSocket):
    """Closes itself when its blocking handshake fails, as paho forgets to."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


@dataclass(frozen=True, slots=True)
class Access:
    """The configuration with its secrets loaded; the password is kept out of the repr."""

    config: Mqtt
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, config: Mqtt) -> Self:
        """Reads password and certificates; raises StartError naming the setting that cannot be used."""
        try:
            password = config.secret()
        except OSError as error:
            raise StartError(f"mqtt.password_file cannot be read: {error}; check its path and its mode") from error
        if config.scheme != "mqtts":
            return cls(config, password, None)
        tls = config.tls
        try:
            context = ssl.create_default_context(cafile=tls.ca_file)
            context.sslsocket_class = TidySocket
            if tls.cert_file is not None:
                context.load_cert_chain(tls.cert_file, tls.key_file)
        except OSError as error:
            raise StartError(f"mqtt.tls cannot be used: {error}; its files must be readable and PEM") from error
        return cls(config, password, context)

    @property
    def five(self) -> bool:
        """Whether MQTT 5 is spoken, and not 3.1.1."""
        return self.config.scheme != "embedded" and self.config.protocol == "5"

    @property
    def keeps_session(self) -> bool:
        return self.config.session_expiry > 0 and self.config.scheme != "embedded"


def is_failure(code: int | ReasonCode) -> bool:
    """Whether a SUBACK code, in either of the forms aiomqtt gives it, is a refusal."""
    return code.is_failure if isinstance(code, ReasonCode) else code >= 128


def explain(error: BaseException | None, access: Access) -> str:
    """What happened and what to do, from an exception of aiomqtt or of the socket."""
    config = access.config
    where = f"{config.host}:{config.port}"
    # aiomqtt keeps the text of a socket's error only; the error itself is in the context.
    origin = error.__context__ if error is not None and isinstance(error.__context__, OSError) else error
    if isinstance(origin, ssl.SSLCertVerificationError):
        return (
            f"TLS: the certificate of {where} is not accepted ({origin.verify_message}); mqtt.tls.ca_file must hold "
            "the authority that signed it, and mqtt.url the host's name as in the certificate"
        )
    if isinstance(origin, ssl.SSLError):
        return f"TLS: no handshake with {where} ({origin.reason}); is this its TLS port? see mqtt.url and mqtt.tls"
    if isinstance(origin, socket.gaierror):
        return f"no address for {config.host}; check the host in mqtt.url"
    if isinstance(origin, TimeoutError):
        return f"no answer from {where}; check mqtt.url and firewalls"
    if isinstance(origin, OSError):
        return f"{where}: {origin.strerror or origin}; is the broker running there?"
    if isinstance(error, MqttConnectError):
        return f"{where} refused the connection: {_reason(error)}"
    if isinstance(error, aiomqtt.MqttCodeError):
        if error.args == (HANDSHAKE,):
            return f"{where} did not shake hands; {_handshake_remedy(access)}"
        return f"{where} closed the connection: {_reason(error)}"
    if error is None:
        return f"{where} closed the connection"
    return f"{where}: {str(error) or type(error).__name__}"


def _reason(error: aiomqtt.MqttCodeError) -> str:
    if not isinstance(error.rc, ReasonCode):
        return str(error)
    remedy = REMEDIES.get(error.rc.value)
    return f"{error.rc}; {remedy}" if remedy else str(error.rc)


def _handshake_remedy(access: Access) -> str:
    if access.tls is not None and access.config.tls.cert_file is None:
        return "if it asks for a client certificate, set mqtt.tls.cert_file and key_file"
    if access.five:
        return "if it does not speak MQTT 5, set mqtt.protocol to 3.1.1"
    return "is this an MQTT broker, and not its TLS port? see mqtt.url"
