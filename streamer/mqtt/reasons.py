"""Why a connection ended: the exceptions, and the names of MQTT's reason codes."""

KEEPALIVE_TIMEOUT = 141

NAMES = {
    128: "Unspecified error",
    129: "Malformed packet",
    130: "Protocol error",
    131: "Implementation specific error",
    132: "Unsupported protocol version",
    133: "Client identifier not valid",
    134: "Bad user name or password",
    135: "Not authorized",
    136: "Server unavailable",
    137: "Server busy",
    138: "Banned",
    139: "Server shutting down",
    140: "Bad authentication method",
    141: "Keep alive timeout",
    142: "Session taken over",
    143: "Topic filter invalid",
    144: "Topic name invalid",
    145: "Packet identifier in use",
    147: "Receive maximum exceeded",
    148: "Topic alias invalid",
    149: "Packet too large",
    150: "Message rate too high",
    151: "Quota exceeded",
    152: "Administrative action",
    153: "Payload format invalid",
    154: "Retain not supported",
    155: "QoS not supported",
    156: "Use another server",
    157: "Server moved",
    158: "Shared subscriptions not supported",
    159: "Connection rate exceeded",
    160: "Maximum connect time",
    161: "Subscription identifiers not supported",
    162: "Wildcard subscriptions not supported",
}
"""Reason codes of failures, 128 and above (MQTT 5, section 2.4)."""


OBJECTIONS = frozenset({128, 129, 130, 131, 135, 144, 149, 153, 154, 155})
"""Those that a broker may give for a publish that it does not take."""


def name_of(code: int) -> str:
    """The standard's name of a reason code."""
    return NAMES.get(code, f"reason code {code}")


class ProtocolError(Exception):
    """The connection ended by what the broker sent, or did not send."""


class Malformed(ProtocolError):
    """The broker sent bytes that are not valid MQTT; the message names them."""


class NoHandshake(ProtocolError):
    """The connection was not accepted; the message names what came in place of an answer, and is empty for nothing."""


class OtherVersion(Malformed):
    """The broker answered MQTT 5 in MQTT 3.1.1."""


class WithCode(ProtocolError):
    """The broker gave a reason code of MQTT 5 (for 3.1.1 the nearest one)."""

    def __init__(self, code: int) -> None:
        super().__init__(name_of(code))
        self.code = code


class Refused(WithCode):
    """The broker did not accept the connection."""


class Dismissed(WithCode):
    """The broker ended the connection, or was silent for longer than the keepalive allows."""
