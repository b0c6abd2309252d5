"""Compressed payloads, CBOR and MessagePack in, what they hold out; a payload that is none raises `Rejected`."""

import zlib
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from streamer.errors import Rejected

LARGEST = 2**20
"""Bytes of the largest payload that is decompressed."""
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
WINDOW = 2**23
"""Bytes of the largest window of zstd: what a decompressor may take whatever the payload says."""


def inflated(data: bytes) -> bytes | None:
    """What a payload in gzip, zlib or zstd holds, None where its first bytes are of none of them.

    Raises Rejected: too_large, syntax.
    """
    if data.startswith(ZSTD):
        found = from_zstd(data)
    elif data.startswith(GZIP) or (data[:1] == b"\x78" and int.from_bytes(data[:2], "big") % 31 == 0):
        found = from_zlib(data)
    else:
        return None
    if len(found) > LARGEST:
        raise Rejected("too_large", f"more than {LARGEST} bytes once decompressed")
    return found


def from_zlib(data: bytes) -> bytes:
    """The first bytes of it, at least one more than are allowed where there are more."""
    reader = zlib.decompressobj(wbits=47)  # either header
    try:
        found = reader.decompress(data, LARGEST + 1)
    except zlib.error as error:
        raise Rejected("syntax", f"damaged gzip or zlib: {error}") from None
    if not reader.eof and len(found) <= LARGEST:
        raise Rejected("syntax", "gzip or zlib that ends too early")
    return found


def from_zstd(data: bytes) -> bytes:
    """The same of zstd."""
    try:
        import zstandard  # an extra
    except ModuleNotFoundError:
        raise Rejected("syntax", "zstd needs zstandard: pip install 'streamer[zstd]'") from None
    try:
        with zstandard.ZstdDecompressor(max_window_size=WINDOW).stream_reader(data) as reader:
            found: bytes = reader.read(LARGEST + 1)
        whole = zstandard.frame_content_size(data)
    except zstandard.ZstdError as error:
        raise Rejected("syntax", f"damaged zstd: {error}") from None
    if len(found) <= LARGEST and (len(found) < whole or not found):
        raise Rejected("syntax", "zstd that ends too early")
    return found


def cbor(data: bytes) -> Any:
    """The document of a CBOR payload, as JSON would have it."""
    import cbor2  # an extra

    try:
        return plain(cbor2.loads(data), len(data))
    except (cbor2.CBORError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise Rejected("syntax" if data else "empty", f"not CBOR: {' '.join(str(error).split())[:80]}") from None


def msgpack(data: bytes) -> Any:
    """The document of a MessagePack payload, as JSON would have it."""
    import msgpack as library  # an extra

    try:
        return plain(library.unpackb(data, raw=False, strict_map_key=False, timestamp=1), len(data))
    except (ValueError, TypeError, RecursionError) as error:
        raise Rejected("syntax" if data else "empty", f"not MessagePack: {' '.join(str(error).split())[:80]}") from None


def unpacking(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """The same reader for payloads that may be compressed."""

    def unpacked(data: bytes) -> Any:
        inner = inflated(data)
        return read(data if inner is None else inner)

    return unpacked


def plain(value: Any, most: int) -> Any:
    """Objects with texts as keys, lists, texts, numbers, true, false, null; anything else stays, and is no number.

    most: values there may be; a payload has a byte for each unless it refers to some of them again and again.
    """
    left = most

    def convert(one: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError("values refer to one another")
        if isinstance(one, dict):
            return {str(key): convert(inner) for key, inner in one.items()}
        if isinstance(one, list):
            return [convert(inner) for inner in one]
        if isinstance(one, datetime):
            return one.timestamp()
        return float(one) if isinstance(one, Decimal | Fraction) else one

    return convert(value)
