"""The errors this project raises on purpose; each says in one line what is wrong and what to do."""

from typing import ClassVar


class StreamerError(Exception):
    """Base of all: `exit_code` is what the command line ends with (numbers of sysexits.h)."""

    exit_code: ClassVar[int] = 70


class ConfigError(StreamerError):
    """The configuration cannot be used; the message lists every problem by dotted path."""

    exit_code = 78


class StartError(StreamerError):
    """A port, a file or a broker that the start needs is not to be had."""

    exit_code = 69


class StateError(StreamerError):
    """The state directory or the journal in it cannot be read or written."""

    exit_code = 73


class StateBlocked(StateError):
    """It cannot be written now, a full disk as a rule, and may be later."""


class StateLocked(StateError):
    """Another process uses it."""


class StateDamaged(StateError):
    """A file of it is not what was written."""


class SourceError(StreamerError):
    """A replay source is missing, empty or malformed."""

    exit_code = 66


class Rejected(StreamerError):
    """A message that is not a sample; `reason` is the label it is counted under."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason


class Ignored(Rejected):
    """A message, or a part of it, that says nothing: `null` where a value may be. It is counted, and no fault."""

    def __init__(self, detail: str = "") -> None:
        super().__init__("null", detail or "null says nothing")


class TrainingFailed(StreamerError):
    """A retraining that gave no candidate; `reason` is the label it is counted under.

    `device` is the device that the training process had reported before it failed, None if it had reported none.
    """

    def __init__(self, reason: str, detail: str = "", *, device: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.device = device
