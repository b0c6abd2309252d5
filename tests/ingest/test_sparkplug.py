"""Sparkplug messages of another library in, metrics with names and the need of a rebirth out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import Rejected
from streamer.ingest.sparkplug import REBIRTH_SECONDS, Host, Metric, Payload, Received, rebirth

# Written by pysparkplug 0.6.1, which wants an older paho-mqtt than this project and so cannot be installed beside it:
#   m = lambda name, kind, value, alias=None, time=1000, **k: Metric(time, name, kind, value=value, alias=alias, **k)
#   bd = m("bdSeq", INT64, 7); values = NODE below, as (name, kind, value), and their index as alias
#   NBirth(2000, 0, (bd, m("Node Control/Rebirth", BOOLEAN, False), *values)).encode()
#   DBirth(2000, 1, (m("temp/in", DOUBLE, 20.5, 3), m("count", INT32, -5))).encode()
#   NData(3000, 2, values without names).encode()
#   DData(4000, 3, (m(None, DOUBLE, 20.75, 3, None), m("count", INT32, -6, None, 3500, is_historical=True))).encode()
#   DDeath(5000, 4).encode(), NDeath(None, bd).encode()
#   NCmd(6000, (m("Node Control/Rebirth", BOOLEAN, True, time=6000),)).encode(include_dtypes=True)
WRITTEN = {
    kind: bytes.fromhex(text)
    for kind, text in {
        "NBIRTH": "08d00f120e0a05626453657118e80720045807121d0a144e6f646520436f6e74726f6c2f5265626972746818e807200b7000"
        "120e0a026938100018e807200150ff0112100a03693136100118e807200250d4fd0312120a03693332100218e80720035090ddfbff0f"
        "12170a03693634100318e8072004588080808080e0ffffff01120e0a027538100418e807200550ff0112100a03753136100518e80720"
        "0650ffff0312120a03753332100618e807200750ffffffff0f12170a03753634100718e807200858ffffffffffffffffff0112130a05"
        "666c6f6174100818e8072009650000003f12180a06646f75626c65100918e807200a696666666666663540120f0a04626f6f6c100a18"
        "e807200b700112140a0474657874100b18e807200c7a055370c3a47412120a056279746573100c18e807201182010100120f0a046e75"
        "6c6c100d18e807200a38011800",
        "DBIRTH": "08d00f12190a0774656d702f696e100318e807200a69000000000080344012120a05636f756e7418e807200350fbffffff0f"
        "1801",
        "NDATA": "08b8171208100018e80750ff011209100118e80750d4fd03120b100218e8075090ddfbff0f1210100318e80758808080808"
        "0e0ffffff011208100418e80750ff011209100518e80750ffff03120b100618e80750ffffffff0f1210100718e80758ffffffffffffff"
        "ffff01120a100818e807650000003f120e100918e8076966666666666635401207100a18e8077001120c100b18e8077a055370c3a474"
        "1209100c18e807820101001207100d18e80738011802",
        "DDATA": "08a01f120b1003690000000000c0344012120a05636f756e7418ac1b280150faffffff0f1803",
        "DDEATH": "0888271804",
        "NDEATH": "120e0a05626453657118e80720045807",
        "NCMD": "08f02e121d0a144e6f646520436f6e74726f6c2f5265626972746818f02e200b7001",
    }.items()
}

NODE: list[tuple[str, int, Any]] = [
    ("i8", 1, -1),
    ("i16", 2, -300),
    ("i32", 3, -70000),
    ("i64", 4, -(2**40)),
    ("u8", 5, 255),
    ("u16", 6, 65535),
    ("u32", 7, 2**32 - 1),
    ("u64", 8, 2**64 - 1),
    ("float", 9, 0.5),
    ("double", 10, 21.4),
    ("bool", 11, True),
    ("text", 12, "Spät"),
    ("bytes", 17, None),
    ("null", 10, None),
]
NODE_METRICS = tuple(Metric(name, datatype, value, 1.0) for name, datatype, value in NODE)


def topic(kind: str) -> str:
    return f"spBv1.0/plant/{kind}/edge" + ("/press" if kind.startswith("D") else "")


def met(host: Host, *kinds: str, now: float = 0.0) -> Received:
    """What the last of these messages holds, all received by the host."""
    for kind in kinds:
        received = host.receive(topic(kind), WRITTEN[kind], now)
    assert received
    return received


def message(seq: int | None, *metrics: dict[str, Any]) -> bytes:
    payload = Payload(seq=seq) if seq is not None else Payload(timestamp=1)
    for metric in metrics:
        payload.metrics.add(**metric)
    data: bytes = payload.SerializeToString()
    return data


def test_births() -> None:
    """A birth holds every metric with its name, type, value and time, but for the protocol's own."""
    host = Host()
    assert met(host, "NBIRTH") == Received("NBIRTH", "plant/edge", None, NODE_METRICS)
    assert met(host, "DBIRTH") == Received(
        "DBIRTH", "plant/edge", "press", (Metric("temp/in", 10, 20.5, 1.0), Metric("count", 3, -5, 1.0))
    )


def test_data_by_alias() -> None:
    """Data without names and types has those that its birth gave, in the table of its node or device."""
    host = Host()
    assert met(host, "NBIRTH", "DBIRTH", "NDATA") == Received("NDATA", "plant/edge", None, NODE_METRICS)
    assert met(host, "DDATA") == Received(
        "DDATA", "plant/edge", "press", (Metric("temp/in", 10, 20.75, 4.0), Metric("count", 3, -6, 3.5, True))
    )


@pytest.mark.parametrize("kind", ["NDATA", "DDATA", "DBIRTH", "DDEATH"])
def test_before_the_birth(kind: str) -> None:
    """A node whose birth was missed must be asked for it; what has no name till then is left out."""
    received = met(Host(), kind)
    assert received.rebirth
    assert len(received.metrics) == (2 if kind == "DBIRTH" else 0)


def test_asked_in_moderation() -> None:
    """A node is not asked again before its time has passed, and then again; another one is asked for itself."""
    host = Host()
    assert met(host, "NDATA", now=100.0).rebirth
    assert not met(host, "NDATA", now=100.0 + REBIRTH_SECONDS - 1).rebirth
    other = host.receive("spBv1.0/plant/NDATA/other", WRITTEN["NDATA"], 101.0)
    assert other is not None
    assert other.rebirth
    assert met(host, "NDATA", now=100.0 + REBIRTH_SECONDS).rebirth


@given(st.integers(0, 255), st.integers(0, 255))
def test_sequence(first: int, step: int) -> None:
    """The messages lost are counted modulo 256, over the wrap at 255; a gap asks for a rebirth, its values count."""
    host = Host()
    one = {"name": b"a", "datatype": 10, "double_value": 1.0}
    assert host.receive(topic("NBIRTH"), message(first, one), 0.0)
    received = host.receive(topic("NDATA"), message((first + step) % 256, one), 0.0)
    assert received is not None
    assert received.lost == (step - 1) % 256
    assert received.rebirth == (step != 1)
    assert [metric.value for metric in received.metrics] == [1.0]


def test_no_sequence() -> None:
    """Senders that do not count are taken as they are."""
    host = Host()
    one = {"name": b"a", "datatype": 10, "double_value": 1.0}
    for kind in ("NBIRTH", "NDATA", "NDATA"):
        received = host.receive(topic(kind), message(None, one), 0.0)
        assert received is not None
        assert (received.lost, received.rebirth, len(received.metrics)) == (0, False, 1)


def test_births_replace_names() -> None:
    """A new birth of the node voids the aliases of the old one, and those of its devices."""
    host = Host()
    met(host, "NBIRTH", "DBIRTH", "NBIRTH")
    received = host.receive(topic("DDATA"), message(1, {"alias": 3, "double_value": 1.0}), 0.0)
    assert received == Received("DDATA", "plant/edge", "press", (), 0, True, 1)
    moved = message(0, {"name": b"x", "alias": 9, "datatype": 10, "double_value": 0.0})
    host.receive(topic("NBIRTH"), moved, 0.0)
    received = host.receive(topic("NDATA"), message(1, {"alias": 9, "double_value": 1.0}), 0.0)
    assert received is not None
    assert received.metrics == (Metric("x", 10, 1.0, None),)


def test_null() -> None:
    """A metric that says it is null has no value, whatever it holds beside it."""
    one = {"name": b"a", "datatype": 10, "is_null": True, "double_value": 0.0}
    received = Host().receive(topic("NBIRTH"), message(0, one), 0.0)
    assert received is not None
    assert received.metrics == (Metric("a", 10, None, None),)


def test_neither_name_nor_alias() -> None:
    """A metric that says neither is not that of alias 0."""
    host = Host()
    met(host, "NBIRTH")
    received = host.receive(topic("NDATA"), message(1, {"double_value": 1.0}), 0.0)
    assert received == Received("NDATA", "plant/edge", None, (), 0, True, 1)


def test_deaths() -> None:
    """A death voids the names, of one device or of the node and all its devices."""
    host = Host()
    assert not met(host, "NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH").rebirth
    assert host.receive(topic("DDATA"), message(5, {"alias": 3, "double_value": 1.0}), 0.0) == Received(
        "DDATA", "plant/edge", "press", (), 0, True, 1
    )
    assert met(host, "NBIRTH", "NDEATH") == Received("NDEATH", "plant/edge", None)
    assert met(host, "NDATA", now=100.0) == Received("NDATA", "plant/edge", None, (), 0, True, len(NODE))


def test_no_more_nodes_and_devices_than_room_for() -> None:
    """Made-up nodes and devices do not fill the memory: beyond the limit they are rejected, the known ones go on, and
    what a death voids makes room."""
    host = Host(3)
    met(host, "NBIRTH", "DBIRTH")
    for other in ("spBv1.0/plant/DBIRTH/edge/other", "spBv1.0/plant/NBIRTH/other", "spBv1.0/plant/NDATA/other"):
        with pytest.raises(Rejected) as caught:
            host.receive(other, WRITTEN["DBIRTH"], 0.0)
        assert caught.value.reason == "series_limit"
    assert met(host, "NDATA").metrics == NODE_METRICS
    met(host, "DDEATH")
    assert host.receive("spBv1.0/plant/DBIRTH/edge/other", WRITTEN["DBIRTH"], 0.0)


def test_death_of_an_earlier_session() -> None:
    """A will that comes after the next birth, which has another bdSeq, changes nothing."""
    host = Host()
    met(host, "NBIRTH", "DBIRTH")
    old = message(None, {"name": b"bdSeq", "datatype": 4, "long_value": 6})
    assert host.receive(topic("NDEATH"), old, 0.0) == Received("NDEATH", "plant/edge", None)
    assert met(host, "NDATA").metrics == NODE_METRICS


@given(st.sampled_from([(1, 8), (2, 16), (3, 32), (4, 64)]), st.data())
def test_signs(kind: tuple[int, int], data: st.DataObject) -> None:
    """Signed integers come back whether a sender cut them to their own bits or widened the sign to 32."""
    datatype, bits = kind
    value = data.draw(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    where = "long_value" if bits == 64 else "int_value"
    for width in {bits, max(bits, 32)}:
        sent = {"name": b"a", "datatype": datatype, where: value % 2**width}
        received = Host().receive(topic("NBIRTH"), message(0, sent), 0.0)
        assert received is not None
        assert [metric.value for metric in received.metrics] == [value]


def test_rebirth() -> None:
    """The command is what another library writes, to the topic of the node's commands, QoS 0, not retained."""
    command = rebirth("plant/edge", 6.0)
    assert (command.topic, command.payload) == (topic("NCMD"), WRITTEN["NCMD"])
    assert (command.qos, command.retain) == (0, False)


@pytest.mark.parametrize("other", ["spBv1.0/STATE/host", "spBv1.0/g/NCMD/e", "spBv1.0/g/DCMD/e/d"])
def test_others(other: str) -> None:
    """Commands and STATE hold no metrics, whatever their payload."""
    assert Host().receive(other, b"ONLINE", 0.0) is None


@pytest.mark.parametrize(
    ("where", "data", "why"),
    [
        ("plant/press/temperature", b"21.4", "path"),
        ("spAv1.0/g/NDATA/e", WRITTEN["NDATA"], "path"),
        ("spBv1.0/g/NDATA/e/d", WRITTEN["NDATA"], "path"),
        ("spBv1.0/g/DDATA/e", WRITTEN["DDATA"], "path"),
        ("spBv1.0/g/DATA/e", WRITTEN["NDATA"], "path"),
        ("spBv1.0", WRITTEN["NDATA"], "path"),
        ("spBv1.0/g/NDATA/e", b"", "empty"),
        ("spBv1.0/g/NDATA/e", b"21.4", "syntax"),
        ("spBv1.0/g/NDATA/e", WRITTEN["NDATA"][:-3], "syntax"),
        ("spBv1.0/g/NBIRTH/e", message(0, {"name": b"a\xff"}), "syntax"),
        ("spBv1.0/g/NBIRTH/e", message(0, {"name": b"a", "string_value": b"\xff"}), "syntax"),
    ],
)
def test_rejected(where: str, data: bytes, why: str) -> None:
    """What is no Sparkplug topic or payload is rejected with its reason, and nothing is learnt from it."""
    host = Host()
    with pytest.raises(Rejected) as caught:
        host.receive(where, data, 0.0)
    assert caught.value.reason == why
    assert not host.nodes


@given(st.binary(max_size=60), st.sampled_from(["NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH"]))
def test_anything(data: bytes, kind: str) -> None:
    """Any payload is read or rejected as empty or syntax."""
    try:
        received = Host().receive(topic(kind), data, 0.0)
    except Rejected as why:
        known = why.reason in {"empty", "syntax"}
    else:
        known = received is not None
    assert known
