"""Credentials for the broker, and a one-line explanation with a remedy for every connection that fails."""

import os
import socket
import ssl
from dataclasses import dataclass, field
from typing import Self

from streamer.config import Mqtt, Tls
from streamer.errors import StartError, StreamerError
from streamer.mqtt.encoder import LONGEST_STRING
from streamer.mqtt.reasons import Malformed, NoHandshake, OtherVersion, Refused, WithCode

# Reason code of MQTT 5 -> what to do about it.
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
    142: "another client uses the same mqtt.client_id; give each its own",
    147: "the broker took fewer publishes at once than it had announced: see its log",
    149: "the broker limits the packet size: see its configuration",
}


UNKNOWN_AUTHORITY = "mqtt.tls.ca_file must hold the authority that signed it"
OTHER_HOST = "give mqtt.url the host's name as in the certificate, or set mqtt.tls.server_name to that"
# OpenSSL's verification error of the broker's certificate (X509_V_ERR_…) -> what to do about it.
CERTIFICATE_REMEDIES = {
    9: "set this host's clock, or wait",
    10: "renew the broker's certificate",
    62: OTHER_HOST,
    64: OTHER_HOST,
}


class NoUpgrade(ConnectionError):
    """The server does not speak MQTT over WebSockets at this path; the message says what it answered."""


class LinkError(StreamerError):
    """The connection failed or was lost; the message says why and what to do."""

    exit_code = 69


class Objection(LinkError):
    """The broker ended the connection after it had accepted it, perhaps for what it was sent."""


class HungUp(Objection):
    """The same without a word."""


@dataclass(frozen=True, slots=True)
class Access:
    """The configuration with its secrets loaded; the repr omits the password."""

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
        except UnicodeDecodeError as error:
            raise StartError(f"mqtt.password_file is not UTF-8: {config.password_file}; convert it") from error
        for key, text in (("username", config.username), ("password", password)):
            if text is not None and len(text.encode()) > LONGEST_STRING:
                raise StartError(f"mqtt.{key}: {len(text.encode()):,} bytes; MQTT carries {LONGEST_STRING:,} at most")
        return cls(config, password, tls_context(config.tls) if config.scheme in ("mqtts", "wss") else None)

    @property
    def five(self) -> bool:
        """Whether the connection uses MQTT 5; otherwise it uses 3.1.1."""
        return self.config.scheme != "embedded" and self.config.protocol == "5"

    @property
    def keeps_session(self) -> bool:
        return self.config.session_expiry > 0 and self.config.scheme != "embedded"


def tls_context(tls: Tls) -> ssl.SSLContext:
    """A context that verifies the server and presents the client certificate, if one is configured.

    Raises StartError naming the setting that cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except OSError as error:
        raise StartError(f"mqtt.tls.ca_file cannot be used: {tls.ca_file}: {_file_problem(error)}") from error
    if tls.cert_file is not None:
        try:
            # Without a password, OpenSSL asks for that of an encrypted key on the terminal.
            context.load_cert_chain(tls.cert_file, tls.key_file, password="")
        except OSError as error:
            files = f"{tls.cert_file}, {tls.key_file}"
            raise StartError(
                f"mqtt.tls.cert_file and key_file cannot be used: {files}: {_file_problem(error)}, and "
                "the key must be that of the certificate, without a passphrase"
            ) from error
    return context


def _file_problem(error: OSError) -> str:
    why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return f"{why or error}; it must be readable and PEM"


def explain(error: BaseException | None, access: Access) -> str:
    """One line on what happened and what to do; `error` is what ended or prevented the connection, if known."""
    where = access.config.where
    if isinstance(error, OSError):
        return _explain_socket(error, access, where)
    if isinstance(error, NoHandshake):
        if str(error):
            tls = "" if access.tls else ", and not its TLS port"
            return f"{where} sent {error} in answer to CONNECT; is this an MQTT broker{tls}? see mqtt.url"
        return f"{where} did not shake hands; {_handshake_remedy(access)}"
    if isinstance(error, OtherVersion):
        return f"{where} answered in MQTT 3.1.1; set mqtt.protocol to 3.1.1"
    if isinstance(error, Malformed):
        return f"{where} sent {error}, which is not MQTT {'5' if access.five else '3.1.1'}; see the broker's log"
    if isinstance(error, WithCode):
        what, remedy = "refused" if isinstance(error, Refused) else "closed", REMEDIES.get(error.code)
        return f"{where} {what} the connection: {error}" + (f"; {remedy}" if remedy else "")
    return f"{where} closed the connection"


def _explain_socket(origin: OSError, access: Access, where: str) -> str:
    if isinstance(origin, ssl.SSLCertVerificationError):
        remedy = CERTIFICATE_REMEDIES.get(origin.verify_code, UNKNOWN_AUTHORITY)
        return f"TLS: the certificate of {where} is not accepted ({origin.verify_message.rstrip('.')}); {remedy}"
    if isinstance(origin, ssl.SSLError):
        return f"TLS: no handshake with {where} ({origin.reason}); is this its TLS port? see mqtt.url and mqtt.tls"
    if isinstance(origin, socket.gaierror):
        return f"no address for {access.config.host}; check the host in mqtt.url"
    if isinstance(origin, TimeoutError):
        return f"no answer from {where}; check mqtt.url and firewalls"
    if isinstance(origin, NoUpgrade):
        return f"{where} {origin}; check the path in mqtt.url"
    if isinstance(origin, ConnectionResetError) and access.tls is not None:
        return f"{where} reset the connection; is this its TLS port? see mqtt.url and its log"
    # The text of asyncio's own error repeats the address.
    return f"{where}: {os.strerror(origin.errno) if origin.errno else origin}; is the broker running there?"


def _handshake_remedy(access: Access) -> str:
    if access.tls is not None and access.config.tls.cert_file is None:
        return "if it asks for a client certificate, set mqtt.tls.cert_file and key_file"
    if access.tls is not None:
        return "does it know the authority that signed mqtt.tls.cert_file? see its log"
    if access.five:
        return "if it does not speak MQTT 5, set mqtt.protocol to 3.1.1"
    return "is this an MQTT broker, and not its TLS port? see mqtt.url"
