"""Messages without a time of their own in; those that the broker sends a second time are told by their packet."""

from hashlib import blake2b

from streamer.errors import Rejected
from streamer.records import Message
from streamer.store.journal import Journal

SLOTS = 2**15
"""Half the packet identifiers. Brokers hand them out in turn: what is in a slot is of the last so many deliveries, long
before its identifier is used for another message."""


class Deliveries:
    """The digest of the newest delivery in each slot, of one session on the broker; the journal keeps them too."""

    def __init__(self, journal: Journal) -> None:
        self.digests = journal.deliveries()
        self.session = 0

    def enter(self, session: int) -> bool:
        """Whether this is another session than before: then packet identifiers begin anew."""
        if session == self.session:
            return False
        self.session = session
        self.digests.clear()
        return True

    def accept(self, mid: int, message: Message) -> tuple[int, bytes]:
        """Remember a message with this packet identifier: the slot and the digest to journal.

        Raises Rejected (redelivered) if it was accepted before and its acknowledgement did not reach the broker
        (MQTT 5, section 4.4).
        """
        slot = mid % SLOTS
        digest = blake2b(b"%d %b\0%b" % (mid, message.topic.encode(), message.payload), digest_size=8).digest()
        if message.dup and self.digests.get(slot) == digest:
            raise Rejected("redelivered", "it was accepted before its acknowledgement got lost")
        self.digests[slot] = digest
        return slot, digest
