"""An embedded broker that refuses some subscriptions, for tests."""

from amqtt.contexts import Action
from amqtt.plugins.base import BaseTopicPlugin
from amqtt.session import Session

from streamer.mqtt.broker import PLUGINS


class Gate(BaseTopicPlugin):  # type: ignore[misc]  # amqtt is untyped
    """A plugin of the embedded broker that refuses subscriptions below `secret`."""

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        return action != Action.SUBSCRIBE or not str(topic).startswith("secret/")


GATED = {**PLUGINS, f"{__name__}.{Gate.__name__}": {}}
"""The plugins of such a broker."""
