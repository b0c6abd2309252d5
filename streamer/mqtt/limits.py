"""What a broker takes of a publish, and what becomes of one that is beyond it."""

from dataclasses import dataclass, replace
from typing import Self

from streamer.mqtt.packets import Connack
from streamer.records import Outgoing

RETAIN_NOT_SUPPORTED, QOS_NOT_SUPPORTED = 154, 155
"""Reason codes of MQTT 5 for a will that is beyond the limits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The highest QoS of a publish, and whether it may be retained (MQTT 5, sections 3.2.2.3.4 and 3.2.2.3.5)."""

    qos: int = 1
    retain: bool = True

    def announced(self, connack: Connack) -> Self:
        """The same as far as the broker does not announce less."""
        return replace(
            self, qos=min(self.qos, 0 if connack.most_qos == 0 else 1), retain=self.retain and connack.retains != 0
        )

    def refused(self, code: int) -> Self:
        """The limits to try with next after a CONNECT that was refused for this reason."""
        return replace(
            self, qos=0 if code == QOS_NOT_SUPPORTED else self.qos, retain=self.retain and code != RETAIN_NOT_SUPPORTED
        )

    def fit(self, message: Outgoing) -> Outgoing:
        """The message within the limits."""
        if message.qos <= self.qos and message.retain <= self.retain:
            return message
        return Outgoing(message.topic, message.payload, min(message.qos, self.qos), message.retain and self.retain)

    def __str__(self) -> str:
        """What is not to be had, in words."""
        words = ["QoS 1"] * (self.qos < 1) + ["retained messages"] * (not self.retain)
        return " and no ".join(words)
