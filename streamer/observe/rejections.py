"""Reasons for which a message is no sample in, what they mean and what to do out."""

from streamer.observe import answers

KNOWN = {
    "empty": ("The message was empty.", "Let the sensor send a value, or leave the topic out of streams[].topics."),
    "syntax": ("The payload cannot be read in this format.", "Compare streams[].payload.format with what is sent."),
    "path": ("The payload has no value at the configured path.", "Correct streams[].payload.value or payload.fields."),
    "type": ("There is something other than a number.", "Send a number without quotes, or choose another path."),
    "shape": ("The array has another length than configured.", "Set streams[].payload to the elements that are sent."),
    "not_finite": ("The value is NaN or infinite.", "Let the sensor send nothing where it has no value."),
    "out_of_range": ("The value is beyond what is plausible.", "Check the sensor, or streams[].lowest and highest."),
    "too_large": ("The payload is too long.", "Send less in a message, or raise mqtt.max_payload."),
    "time": ("Its time cannot be read.", "Compare streams[].payload.time with what is sent: ISO 8601 or seconds."),
    "future": ("Its time is ahead of the clock.", "Set the clocks of sensor and daemon, or raise streams[].max_ahead."),
    "past": ("Its time is too long ago.", "Set the clock of the sensor, or raise streams[].max_behind."),
    "late": ("It is older than the newest sample.", "Send samples in their order; check the clock of the sensor."),
    "duplicate": (
        "There is a sample of this tick already.",
        "Set streams[].interval to what the sensor keeps to, or let it send less often.",
    ),
    "retained": ("It was retained by the broker, without a time.", "Publish without retain, or send a time."),
    "redelivered": ("The broker has repeated it.", "Nothing is lost: nothing needs to be done."),
    "series_limit": ("The stream has as many series as it may.", "Narrow streams[].topics, or raise max_series."),
    "name": ("Its topic cannot name a series.", "Shorten the topic, or rename what has the name of another series."),
    "alias": ("No birth has named its Sparkplug metric.", "Restart the edge node, or let it answer rebirth requests."),
    "own_forecast": ("It is a forecast of this daemon.", "Narrow streams[].topics so that they leave forecasts out."),
}  # fmt: skip
"""By reason: what it means, and the remedy. streamer/ingest/README.md has the rules."""
UNKNOWN = "It was no sample.", "The log has the first message of each topic and reason."


def rejection(reason: str, messages: int | None = None) -> answers.Rejection:
    """A reason as a person needs it."""
    return answers.Rejection(reason, messages, *KNOWN.get(reason, UNKNOWN))
