"""Compressed and binary payloads in, documents out."""

import gzip
import json
import zlib
from typing import Any

import cbor2
import msgpack
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import JsonPayload
from streamer.errors import Rejected
from streamer.ingest.decode import document, loader
from streamer.ingest.packed import LARGEST, inflated

PACKERS = [lambda data: gzip.compress(data, mtime=0), zlib.compress, zstandard.compress]
CODECS = {"cbor": cbor2.dumps, "msgpack": msgpack.packb}
documents = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("pack", PACKERS)
@given(documents)
def test_compressed_documents(pack: Any, value: Any) -> None:
    """A compressed JSON document is the document."""
    assert document(pack(json.dumps(value).encode())) == value


@pytest.mark.parametrize("pack", PACKERS)
def test_a_bomb(pack: Any) -> None:
    """A payload that grows beyond the bound is rejected, and not decompressed further."""
    with pytest.raises(Rejected) as caught:
        inflated(pack(b"0" * 50 * LARGEST))
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("pack", PACKERS)
def test_damage(pack: Any) -> None:
    """A payload that ends too early, or is damaged, is no document."""
    whole = pack(json.dumps(list(range(300))).encode())
    for data in (whole[: len(whole) // 2], whole[:20] + b"\xff\x00" + whole[22:]):
        with pytest.raises(Rejected) as caught:
            document(data)
        assert caught.value.reason == "syntax"


@pytest.mark.parametrize("encoding", CODECS)
@given(documents)
def test_binary_documents(encoding: Any, value: Any) -> None:
    """A document in CBOR or MessagePack is what it would be in JSON, compressed or not."""
    read = loader(JsonPayload(format="json", encoding=encoding))
    packed = CODECS[encoding](value)
    assert read(gzip.compress(packed)) == value
    if inflated_or_none(packed) is None:
        assert read(packed) == value


def inflated_or_none(data: bytes) -> bytes | None:
    """What the bytes hold if they begin like a compressed payload, as a text of some lengths does."""
    try:
        return inflated(data)
    except Rejected:
        return b""


@pytest.mark.parametrize("encoding", CODECS)
@given(st.binary(max_size=80))
def test_any_bytes(encoding: Any, data: bytes) -> None:
    """Any bytes are a document or rejected."""
    reason = None
    try:
        loader(JsonPayload(format="json", encoding=encoding))(data)
    except Rejected as why:
        reason = why.reason
    assert reason in {None, "syntax", "empty", "too_large"}


def test_values_that_refer_to_one_another() -> None:
    """CBOR can say a value again by reference: a cycle, and a document that grows by it, are rejected."""
    read = loader(JsonPayload(format="json", encoding="cbor"))
    with pytest.raises(Rejected):
        read(b"\xd8\x1c\x81\xd8\x1d\x00")


def test_keys_and_kinds_that_json_lacks() -> None:
    """Numbers as keys are texts, and decimals, fractions and dates are numbers."""
    read = loader(JsonPayload(format="json", encoding="cbor"))
    made = {1: cbor2.CBORTag(4, [-1, 215]), 2: cbor2.CBORTag(1, 1772366400)}
    assert read(cbor2.dumps(made)) == {"1": 21.5, "2": 1772366400.0}
