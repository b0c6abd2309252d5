"""The configuration: shipped files load, mistakes are listed by dotted path with their remedy, secrets stay secret."""

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from ruamel.yaml import YAML

from streamer.config import Config, Mqtt, Section, schema
from streamer.config.loader import broker, load, parse, reference
from streamer.config.stream import Retrain, Stream
from streamer.errors import ConfigError
from streamer.ingest.grid import Stretch
from streamer.train.dataset import split_of
from streamer.train.windows import Buffer

CONFIGS = Path(__file__).parents[2] / "configs"

WRONG = """\
mqtt:
  url: http://localhost
  qos: 2
  client_id: a/+
  keepalive: soon
  pasword: x
  tls: {cert_file: a.pem}
metrics: {prot: 9464}
training: {held_out: 1, epochs: .inf, ticks: 999}
streams:
  - name: a b
    topics: [plant/#/x]
    interval: 0
  - topics: [plant/+]
    payload: {format: xml}
  - name: c
    topics: []
    payload: {format: json, vlaue: a, array: 0}
    model: {n: 1}
  - name: d
    topics: [d]
    payload: {d: 3}
    publish: {topic: "forecast/{topc}"}
  - name: e
    topics: [e, forecast/#]
  - name: f
    topics: [f]
    interval: .nan
    max_ahead: .inf
    max_gap: 10001
  - name: g
    topics: [g]
    payload: {format: json, value: [a, b], array: 2}
  - name: h
    topics: [h]
    retrain: {window: 999}
  - name: i
    topics: [i]
    payload: {format: json, fields: [a, a]}
  - name: j
    topics: [j]
    payload: {format: json, fields: "*", value: data.t}
  - name: k
    topics: [k]
    payload: {format: influx, precision: m, fields: "*", metrics: [a]}
  - name: l
    topics: [spBv1.0/plant/NDATA/+]
    payload: {format: sparkplug}
  - name: m
    topics: ["{machine}/{machine}"]
  - name: n
    topics: ["a/{machine}/{quantity}", "b/{machine}"]
    publish: {topic: "f/{quantity}/{topic}"}
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No override from outside."""
    for name in [name for name in os.environ if name.upper().startswith("STREAMER_")]:
        monkeypatch.delenv(name)


def yaml(text: str) -> Any:
    return YAML(typ="safe").load(text)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "streamer.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path) -> list[str]:
    """The lines of the error that this file gives, without the first, which counts them."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    first, *rest = str(caught.value).splitlines()
    assert first == f"{path}: {len(rest)} problem{'s' * (len(rest) > 1)}"
    return [line.removeprefix("  ") for line in rest]


def minimal(**mqtt: Any) -> dict[str, Any]:
    return {"mqtt": {"url": "mqtt://localhost", **mqtt}, "streams": [{"name": "plant", "topics": ["plant/+"]}]}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped(path: Path) -> None:
    """Every configuration that is shipped loads."""
    assert load(path).streams


def test_demo_is_the_one_packaged() -> None:
    """What `streamer demo` runs is the file that users are shown."""
    packaged = Path(__file__).parents[2] / "streamer" / "tools" / "demo.yaml"
    assert packaged.read_text("utf-8") == (CONFIGS / "demo.yaml").read_text("utf-8")


def test_reference_is_written_by_the_code() -> None:
    """The reference file is what `streamer schema --reference` prints."""
    assert (CONFIGS / "reference.yaml").read_text("utf-8") == reference()


def test_reference_holds_the_defaults() -> None:
    """Loaded, the reference file is the same as its required keys alone."""
    loaded = load(CONFIGS / "reference.yaml")
    required = {"url": loaded.mqtt.url}, {"name": loaded.streams[0].name, "topics": loaded.streams[0].topics}
    assert loaded.model_dump() == parse({"mqtt": required[0], "streams": [required[1]]}, "required").model_dump()


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A section and all below it."""
    yield model
    for below in model.__subclasses__():
        yield from models(below)


@pytest.mark.parametrize("model", [Config, *list(models(Section))[1:]])
def test_descriptions(model: type[BaseModel]) -> None:
    """Every section and every key is described by a sentence, and every key stands in the reference."""
    assert (model.__doc__ or "").strip().endswith(".")
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        assert field.description in reference()
        assert f"{name}:" in reference()


def test_every_mistake_at_once(tmp_path: Path) -> None:
    """A file with many mistakes lists each by dotted path, with what to do."""
    found = problems(written(tmp_path, WRONG))
    wanted = [
        ("metrics.prot: unknown key", "did you mean port?"),
        ("mqtt.client_id: ", "no + and no #"),
        ("mqtt.keepalive: ", "valid integer"),
        ("mqtt.pasword: unknown key", "did you mean password?"),
        ("mqtt.qos: ", "less than or equal to 1"),
        ("mqtt.tls: ", "cert_file and key_file go together: give both or neither"),
        ("mqtt.url: ", "write mqtt://, mqtts://, ws://, wss:// or embedded://, then host[:port]"),
        ("streams.0.interval: ", "greater than or equal to 0.000001"),
        ("streams.0.name: ", "pattern"),
        ("streams.0.topics: ", "'plant/#/x' is no MQTT topic filter"),
        ("streams.1.name: ", "required; add it"),
        ("streams.1.payload: ", "'number', 'array', 'json', 'influx', 'sparkplug'"),
        ("streams.10.payload.fields: ", "valid list"),
        ("streams.10.payload.metrics: unknown key", "known here: format, precision, fields"),
        ("streams.10.payload.precision: ", "'ns', 'us', 'ms' or 's'"),
        ("streams.11.topics: ", "write spBv1.0/#, spBv1.0/group/# or spBv1.0/group/+/node/#"),
        ("streams.12.topics: ", "stands for a whole level, once"),
        ("streams.13.publish.topic: ", "may hold {machine}, {stream}, {topic} and no +"),
        ("streams.2.model.n: ", "greater than or equal to 2"),
        ("streams.2.payload.array: ", "greater than or equal to 1"),
        ("streams.2.payload.vlaue: unknown key", "did you mean value?"),
        ("streams.2.topics: ", "at least 1 item"),
        ("streams.3.payload: ", "add format: number, array, json, influx, sparkplug"),
        ("streams.3.publish.topic: ", "must hold {topic}"),
        ("streams.4.topics: ", "'forecast/#' selects only own forecasts"),
        ("streams.5.interval: ", "finite"),
        ("streams.5.max_ahead: ", "finite"),
        ("streams.5.max_gap: ", "less than or equal to 10000"),
        ("streams.6.payload: ", "array must be null"),
        ("streams.7.retrain.window: ", "at least retrain.minimum ticks"),
        ("streams.8.payload.fields: ", "a: given twice"),
        ("streams.9.payload: ", "value makes one series: keep one of the two"),
        ("training.epochs: ", "finite"),
        ("training.held_out: ", "less than "),
        ("training.ticks: ", "greater than or equal to 1000"),
    ]
    assert len(found) == len(wanted)
    for line, (start, remedy) in zip(found, wanted, strict=True):
        assert line.startswith(start)
        assert remedy in line


@pytest.mark.parametrize("url", ["mqtt://ann:s3cret@host", "mqtts://:s3cret@host", "mqtt://s3cret@host"])
def test_credentials_in_the_url(tmp_path: Path, url: str) -> None:
    """Credentials in the URL are refused without being repeated, and the message says where they belong."""
    path = written(tmp_path, f"mqtt: {{url: '{url}'}}\nstreams: [{{name: a, topics: [a]}}]\n")
    assert problems(path) == ["mqtt.url: no credentials in the URL: use mqtt.username and mqtt.password_file"]


@pytest.mark.parametrize(
    "url", ["localhost", "localhost:1883", "mqtt://", "mqtt:///x", "http://host", "mqtt://h:99999", "mqtt://h:x", "//h"]
)
def test_bad_urls(url: str) -> None:
    """What is no broker is refused in one line at its key."""
    with pytest.raises(ConfigError, match=r"^the broker: 1 problem\n  url: .+$"):
        broker({"url": url})


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("mqtt://h", "h", 1883),
        ("mqtts://h", "h", 8883),
        ("embedded://0.0.0.0:0", "0.0.0.0", 0),
        ("mqtt://[::1]:1", "::1", 1),
    ],
)
def test_urls(url: str, host: str, port: int) -> None:
    """Host and port are those of the URL, the port by default that of the scheme."""
    mqtt = broker({"url": url})
    assert (mqtt.host, mqtt.port) == (host, port)


def test_two_streams_of_one_name(tmp_path: Path) -> None:
    """Streams of one name are refused by that name."""
    path = written(tmp_path, "mqtt: {url: mqtt://h}\nstreams: [{name: a, topics: [a]}, {name: a, topics: [b]}]\n")
    assert problems(path) == ["streams: two streams are named a: names must differ"]


@pytest.mark.parametrize("topic", ["", "a#", "a/#/b", "#/b", "a+/b", "a/+b", "a\0"])
def test_bad_filters(topic: str) -> None:
    """A filter that MQTT 5, section 4.7, does not allow is refused."""
    document = minimal()
    document["streams"][0]["topics"] = ["fine/+/#", topic]
    with pytest.raises(ConfigError, match=r"streams\.0\.topics: .*MQTT topic filter"):
        parse(document, "test")


def one_stream(**stream: Any) -> dict[str, Any]:
    """The minimal file, its stream with these keys."""
    document = minimal()
    document["streams"][0].update(stream)
    return document


def refused(document: dict[str, Any]) -> str:
    """The one problem of a document."""
    with pytest.raises(ConfigError, match=r"^test: 1 problem\n  [^\n]+$") as caught:
        parse(document, "test")
    return str(caught.value).splitlines()[1].strip()


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("interval", 1e-6, 0.99e-6),
        ("interval", None, 0),
        ("max_gap", 10000, 10001),
        ("max_gap", 0, -1),
    ],
)
def test_limits_of_the_grid(key: str, good: float | None, bad: float) -> None:
    """An interval is a microsecond or more, or null, and a gap to bridge 10000 ticks or fewer."""
    assert getattr(parse(one_stream(**{key: good}), "test").streams[0], key) == good
    assert refused(one_stream(**{key: bad})).startswith(f"streams.0.{key}: ")


@pytest.mark.parametrize("topic", ["forecast/{topic}", "{topic}/forecast", "f{topic}", "{stream}/{topic}/f"])
def test_publish_topics(topic: str) -> None:
    """A topic of forecasts holds {topic} once and some more text, and perhaps {stream}."""
    assert parse(one_stream(publish={"topic": topic}), "test").streams[0].publish.topic == topic


@pytest.mark.parametrize(
    "topic", ["{topic}", "{topic}/{topic}", "forecast", "", "f/{topic", "f/{stream}", "f/{topics}"]
)
def test_bad_publish_topics(topic: str) -> None:
    """Without {topic} series share a topic, {topic} alone is the input's own, twice is none that input goes by."""
    assert refused(one_stream(publish={"topic": topic})).startswith("streams.0.publish.topic: must hold {topic} once")


@pytest.mark.parametrize("topic", ["f/{topic}/+", "f/#/{topic}", "f/{topic}/{}", "f/}{topic}", "f/{topic}/{a"])
def test_no_topic_to_publish_to(topic: str) -> None:
    """Wildcards, other placeholders and stray braces have no place in a topic of forecasts."""
    assert refused(one_stream(publish={"topic": topic})).startswith("streams.0.publish.topic: may hold ")


@pytest.mark.parametrize(
    ("topic", "out"),
    [
        ("forecast/#", "forecast/{topic}"),
        ("forecast/+/temperature", "forecast/{topic}"),
        ("forecast/plant/a", "forecast/{topic}"),
        ("out/plant/#", "out/{stream}/{topic}"),
        ("out/plant-1", "out/{stream}-{topic}"),
    ],
)
def test_own_forecasts(topic: str, out: str) -> None:
    """A filter that selects nothing but the stream's own forecasts, which are not forecast again, is refused."""
    found = refused(one_stream(topics=["a", topic], publish={"topic": out}))
    assert found.startswith(f"streams.0.topics: {topic!r} selects only own forecasts")


@pytest.mark.parametrize(
    ("topic", "out"),
    [
        ("#", "forecast/{topic}"),
        ("+/plant/a", "forecast/{topic}"),
        ("forecast", "forecast/{topic}"),
        ("forecasts/#", "forecast/{topic}"),
        ("forecast/#", "forecast/{topic}/out"),
        ("forecast/#", "{topic}/forecast"),
        ("out/other/#", "out/{stream}/{topic}"),
        ("out/#", "out/{stream}/{topic}"),
    ],
)
def test_more_than_own_forecasts(topic: str, out: str) -> None:
    """A filter that selects other topics too is taken, though forecasts may be among them."""
    assert parse(one_stream(topics=[topic], publish={"topic": out}), "test").streams[0].topics == [topic]


@pytest.mark.parametrize("name", ["a+", "#", "a/#/b", "a\0"])
def test_bad_client_ids(name: str) -> None:
    """A client_id that no topic can hold is refused, as the availability topic is made of it."""
    assert refused(minimal(client_id=name)).startswith("mqtt.client_id: may hold no + and no #")


def test_client_id() -> None:
    """The availability topic holds the client_id, whatever else it is made of."""
    assert parse(minimal(client_id="a/b {x} ü"), "test").mqtt.availability == "streamer/a/b {x} ü/availability"


@pytest.mark.parametrize("topic", ["{a}b", "{topic}/x", "{stream}", "{}", "{a b}", "{1}", "a{b", "a}", "{a}/{a}"])
def test_bad_labels(topic: str) -> None:
    """A name stands for a level of its own, is a word, none of those that publish.topic has, and stands once."""
    assert refused(one_stream(topics=["fine/{a}", topic])).startswith(f"streams.0.topics: {topic!r}: {{name}} stands ")


def test_labels() -> None:
    """A name is + for the broker, and may stand in the topic of forecasts if every filter has it."""
    topics = ["plant/+/{machine}/{quantity}", "{machine}/#"]
    (stream,) = parse(one_stream(topics=topics, publish={"topic": "f/{machine}/{topic}"}), "test").streams
    assert stream.topics == topics
    assert stream.filters == ["plant/+/+/+", "+/#"]


@pytest.mark.parametrize(
    "topic", ["#", "spBv1.0/#", "spBv1.0/+/#", "spBv1.0/plant/#", "spBv1.0/+/{kind}/#", "spBv1.0/{g}/+/{n}/#"]
)
def test_filters_of_whole_edge_nodes(topic: str) -> None:
    """A filter that selects all messages of the nodes that it selects any of is one for Sparkplug."""
    assert parse(one_stream(topics=[topic], payload={"format": "sparkplug"}), "test").streams


@pytest.mark.parametrize(
    "topic", ["spBv1.0/+/NDATA/#", "spBv1.0/+/+/+", "spBv1.0/+/+/+/d", "spBv1.0", "spBv1.0/+/{k}/n"]
)
def test_filters_of_parts_of_edge_nodes(topic: str) -> None:
    """A filter that selects some messages of a node and not all is refused for Sparkplug: names would be missing, and
    messages would seem to be lost."""
    found = refused(one_stream(topics=[topic], payload={"format": "sparkplug"}))
    assert found.startswith(f"streams.0.topics: {topic!r} does not select all messages of an edge node")


def test_check_prints_what_can_be_read_again() -> None:
    """Every format comes back from what `streamer check` prints of it."""
    for form in ({"format": "json", "fields": "*"}, {"format": "influx", "fields": ["a"]}, {"format": "sparkplug"}):
        stream = parse(one_stream(topics=["#"], payload=form), "test").streams[0]
        assert parse(one_stream(**stream.model_dump(mode="json")), "test").streams[0] == stream


def trainable(minimum: int, model: dict[str, int], held_out: float, **retrain: Any) -> dict[str, Any]:
    """A file with these sizes, that trains from `minimum` ticks on."""
    rest = {"minimum": minimum, "window": 10**9, **retrain}
    return {**one_stream(model=model, retrain=rest), "training": {"held_out": held_out}}


def least(model: dict[str, int], held_out: float) -> int:
    """The least retrain.minimum that is taken, as the refusal of 1 says it."""
    found = refused(trainable(1, model, held_out))
    start = "streams.0.retrain.minimum: with this m, k, p and training.held_out it must be "
    assert found.startswith(start)
    assert found.endswith(" or more")
    return int(found.removeprefix(start).removesuffix(" or more"))


small = st.fixed_dictionaries({"m": st.integers(1, 40), "k": st.integers(1, 12), "p": st.integers(1, 6)})
shares = st.floats(0.02, 0.9)


@given(small, shares)
def test_minimum(model: dict[str, int], held_out: float) -> None:
    """A minimum is refused up to the number that the refusal names, and taken from there on."""
    need = least(model, held_out)
    assert parse(trainable(need, model, held_out), "test").streams[0].retrain.minimum == need
    assert refused(trainable(need - 1, model, held_out)).endswith(f" it must be {need} or more")
    assert parse(trainable(1, model, held_out, every=0), "test").streams[0].retrain.minimum == 1


@given(small, shares, st.integers(0, 20))
@example({"m": 70, "k": 10, "p": 4}, 0.2, 0)
def test_minimum_is_enough(model: dict[str, int], held_out: float, more: int) -> None:
    """With that many ticks, or some more, a training has a window and two forecasts to judge by, as it demands."""
    sizes = parse(one_stream(model=model, retrain={"every": 0}), "test").streams[0].sizes
    ticks = least(model, held_out) + more
    whole = [Stretch(np.arange(ticks), np.zeros(ticks), np.zeros((ticks, 1)))]
    buffer = Buffer.of([np.zeros((ticks, 1), np.float32)], split_of(whole, held_out), torch.device("cpu"))
    assert len(buffer.starts(sizes.m, sizes.k)) >= 1
    assert len(buffer.origins(sizes.m, sizes.horizon, 1000)) >= 2


@pytest.mark.parametrize(
    ("interval", "ticks"), [(None, 1000), (3600.0, 500), (300.0, 500), (60.0, 1440), (43.3, 1996), (1.0, 2000)]
)
def test_the_first_training_is_after_a_day(interval: float | None, ticks: int) -> None:
    """By default a day of ticks is needed, but 500 to 2000, and 1000 where no interval is known; a number stays."""
    assert Stream(name="s", topics=["t"], interval=interval).first_training == ticks
    given = Retrain(minimum=300)
    assert Stream(name="s", topics=["t"], interval=interval, retrain=given).first_training == 300


@given(st.fixed_dictionaries({"m": st.integers(1, 3000), "k": st.integers(1, 300), "p": st.integers(1, 6)}))
def test_the_default_is_enough_for_any_network(model: dict[str, int]) -> None:
    """However large m, k and p, a file that does not give retrain.minimum is taken."""
    document = one_stream(model=model, interval=3600, retrain={"window": 10**9})
    assert parse(document, "test").streams[0].first_training >= 500


def test_minimum_of_each_stream() -> None:
    """The stream that cannot train is named by its place, where others can."""
    document = minimal()
    second = {"name": "b", "topics": ["b"], "model": {"m": 5000}, "retrain": {"minimum": 5000}}
    document["streams"].append(second)
    assert refused(document).startswith("streams.1.retrain.minimum: ")


@pytest.mark.parametrize(
    ("model", "held_out"), [({}, 5e-324), ({"m": 10**400}, 0.2), ({"k": 10**200, "p": 10**200}, 0.2)]
)
def test_minimum_beyond_numbers(model: dict[str, int], held_out: float) -> None:
    """Sizes that no series could ever fill are an error of the file as any other."""
    with pytest.raises(ConfigError):
        parse(trainable(1000, model, held_out), "test")


def test_leads() -> None:
    """A lead beyond the horizon of every stream is refused, one within that of some stream is not."""
    document = one_stream(model={"k": 3, "p": 5})
    document["streams"].append({"name": "b", "topics": ["b"], "model": {"k": 2, "p": 10}})
    assert parse({**document, "metrics": {"leads": [1, 20]}}, "test").metrics.leads == (1, 20)
    found = refused({**document, "metrics": {"leads": [1, 21]}})
    assert found == "metrics.leads: no stream forecasts further than 20 ticks ahead"
    assert refused({**document, "metrics": {"leads": [0]}}).startswith("metrics.leads.0: ")


def test_training_ticks() -> None:
    """The most ticks to train on are half a million unless told, and a thousand at the least."""
    assert parse(minimal(), "test").training.ticks == 500_000
    assert parse({**minimal(), "training": {"ticks": 1000}}, "test").training.ticks == 1000
    assert refused({**minimal(), "training": {"ticks": 999}}).startswith("training.ticks: ")


@pytest.mark.parametrize(
    ("payload", "field", "d"),
    [
        ({"format": "number"}, "", 1),
        ({"format": "array", "d": 3}, "", 3),
        ({"format": "json"}, "value", 1),
        ({"format": "json", "value": "data.t", "array": 4}, "data.t", 4),
        ({"format": "json", "value": ["a", "b.0"]}, "a,b.0", 2),
        ({"format": "json", "fields": ["a", "b.0"]}, "*", 1),
        ({"format": "json", "fields": "*"}, "*", 1),
        ({"format": "influx"}, "influx", 1),
    ],
)
def test_field(payload: dict[str, Any], field: str, d: int) -> None:
    """What of a payload is the value has a name, by which the journal keeps series apart."""
    found = parse(one_stream(payload=payload), "test").streams[0].payload
    assert (found.field, found.d) == (field, d)


@pytest.mark.parametrize(
    "text",
    [
        "mqtt: {url: mqtt://h}\nmqtt: {url: mqtt://i}\n",
        "mqtt: {url: mqtt://h, url: mqtt://i}\n",
        "- a\n- b\n",
        "just a text",
        "",
        "mqtt: [",
        "a: b: c",
        "\tmqtt:",
        "mqtt: !python/object:os.system x",
        "when: 2026-02-30",
        "a: 1\n---\nb: 2\n",
        "mqtt: \u0007",
        "1: 2",
        "_env_file: .env",
    ],
)
def test_no_mapping(tmp_path: Path, text: str) -> None:
    """Duplicate keys, other documents and what is no YAML are an error of one line that names the file."""
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_unreadable(tmp_path: Path) -> None:
    """A file that is missing, a directory or not UTF-8 is an error of one line that names it."""
    (tmp_path / "latin").write_bytes(b"name: caf\xe9")
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / "latin"):
        with pytest.raises(ConfigError, match=rf"^{path}: [^\n]+$"):
            load(path)


@pytest.mark.parametrize("key", ["json", "array", "number", "payload"])
def test_unknown_keys_named_as_formats(key: str) -> None:
    """A key named like a payload format is an unknown key as any other."""
    with pytest.raises(ConfigError, match=f"\n  {key}: unknown key"):
        parse({**minimal(), key: 1}, "test")
    with pytest.raises(ConfigError, match=f"\n  mqtt.{key}: unknown key"):
        parse(minimal(**{key: 1}), "test")


def test_one_line_per_problem() -> None:
    """A key with a line end in it does not break the list of problems, one per line."""
    with pytest.raises(ConfigError, match=r"^test: 1 problem\n  'a\\nb': unknown key; [^\n]*$"):
        parse({**minimal(), "a\nb": 1}, "test")


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable wins over the file, and leaves the keys beside it."""
    path = written(tmp_path, "mqtt: {url: mqtt://file, username: ann}\nstreams: [{name: a, topics: [a]}]\n")
    assert load(path).mqtt.host == "file"
    monkeypatch.setenv("STREAMER_MQTT__URL", "mqtt://environment:1")
    monkeypatch.setenv("STREAMER_MQTT__PASSWORD", "123")
    mqtt = load(path).mqtt
    assert (mqtt.host, mqtt.port, mqtt.username, mqtt.secret()) == ("environment", 1, "ann", "123")
    monkeypatch.setenv("STREAMER_MQTT__URL", "nowhere")
    assert [line.partition(":")[0] for line in problems(path)] == ["mqtt.url"]


def test_numbers_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number given as the text of a variable is that number, and is checked as any other."""
    monkeypatch.setenv("STREAMER_MQTT__QOS", "1")
    monkeypatch.setenv("STREAMER_METRICS__PORT", "0")
    monkeypatch.setenv("STREAMER_TRAINING__HELD_OUT", "0.25")
    config = parse(minimal(qos=0), "test")
    assert (config.mqtt.qos, config.metrics.port, config.training.held_out) == (1, 0, 0.25)
    monkeypatch.setenv("STREAMER_MQTT__QOS", "2")
    assert refused(minimal(qos=0)).startswith("mqtt.qos: ")


@pytest.mark.parametrize("name", ["STREAMER_MQTT_QOS", "STREAMER_QOS", "STREAMER_", "STREAMER_METRIC__PORT"])
def test_unknown_environment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A variable that begins as ours do and overrides no key is an error of one line that names it, not its value."""
    monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("STREAMERS", "not ours")
    with pytest.raises(ConfigError) as caught:
        parse(minimal(), "test")
    known = "STREAMER_MQTT, STREAMER_STREAMS, STREAMER_METRICS, STREAMER_STATE, STREAMER_TRAINING"
    assert str(caught.value) == f"the environment: {name}: overrides no key; variables start with {known}"


def test_every_unknown_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """All unknown variables are named at once, and what is unknown within a section is an unknown key."""
    monkeypatch.setenv("STREAMER_MQTT__QSO", "1")
    assert refused(minimal()) == "mqtt.qso: unknown key; did you mean qos?"
    monkeypatch.setenv("STREAMER_B", "1")
    monkeypatch.setenv("STREAMER_A__C", "1")
    with pytest.raises(ConfigError, match=r"^the environment: STREAMER_A__C, STREAMER_B: [^\n]*$"):
        parse(minimal(), "test")


def test_malformed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable for a whole section that is no JSON is an error of one line that names it."""
    monkeypatch.setenv("STREAMER_STREAMS", "plant")
    with pytest.raises(ConfigError, match=r'^the environment: .*"streams"[^\n]*$'):
        parse(minimal(), "test")


def test_password_is_never_shown() -> None:
    """No text made of the configuration holds the password; it is masked."""
    config = parse(minimal(password="s3cret"), "test")
    for text in (repr(config), str(config), config.model_dump_json(), str(config.model_dump()), repr(config.mqtt)):
        assert "s3cret" not in text
        assert "***" in text
    assert config.mqtt.secret() == "s3cret"


@pytest.mark.parametrize(
    "mqtt",
    [
        "{url: http://h, password: s3cret}",
        "{url: mqtt://h, password: [s3cret]}",
        "{url: mqtt://h, password: s3cret, password: s3cret2}",
        "{url: mqtt://h, password: 's3cret}",
        "{url: mqtt://h, password: s3cret}}",
        "{url: mqtt://h, password: s3cret: 1}",
        '{url: mqtt://h, password: "s3cret\\q"}',
    ],
)
def test_password_is_not_in_errors(tmp_path: Path, mqtt: str) -> None:
    """No error repeats the password, not even where it is what breaks the YAML."""
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, f"streams: [{{name: a, topics: [a]}}]\nmqtt: {mqtt}\n"))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("content", "secret"), [("x y\n", "x y"), ("xy", "xy"), ("xy\n\n", "xy\n"), (" é", " é")])
def test_password_file(tmp_path: Path, content: str, secret: str) -> None:
    """The password is the file's content without its last line end; a missing file is an OSError."""
    path = tmp_path / "password"
    path.write_text(content, encoding="utf-8")
    assert broker({"url": "mqtt://h", "password_file": str(path)}).secret() == secret
    path.unlink()
    with pytest.raises(FileNotFoundError):
        broker({"url": "mqtt://h", "password_file": str(path)}).secret()


def test_no_password() -> None:
    """Without a password there is none."""
    assert Mqtt(url="mqtt://h").secret() is None


def test_schema() -> None:
    """The schema is valid JSON Schema; it accepts what is shipped and refuses unknown and missing keys."""
    document = schema()
    Draft202012Validator.check_schema(document)
    validator = Draft202012Validator(document)
    for name in ("minimal", "demo", "reference"):
        validator.validate(yaml((CONFIGS / f"{name}.yaml").read_text("utf-8")))
    good = yaml((CONFIGS / "minimal.yaml").read_text("utf-8"))
    for at in ([], ["mqtt"], ["streams", 0]):
        bad = copy.deepcopy(good)
        place = bad
        for part in at:
            place = place[part]
        place["colour"] = "red"
        assert [list(error.path) for error in validator.iter_errors(bad)] == [at]
    assert not validator.is_valid({"mqtt": good["mqtt"]})


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything in a document."""
    sequence = document if isinstance(document, list) else []
    items = document.items() if isinstance(document, dict) else enumerate(sequence)
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


REFERENCE: dict[str, Any] = yaml(reference())
numbers = st.booleans() | st.floats() | st.integers()
scalars = st.none() | numbers | st.text(max_size=5) | st.binary(max_size=3) | st.dates()
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=5,
)
formats = st.sampled_from(["number", "array", "json", "xml"]).flatmap(
    lambda name: st.dictionaries(st.sampled_from(["value", "d", "array", "time", "json"]), anything).map(
        lambda rest: {"format": name, **rest}
    )
)


@given(st.lists(st.tuples(st.sampled_from(list(places(REFERENCE))), anything | formats), min_size=1, max_size=3))
def test_any_value_anywhere(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    """Whatever stands at any place of the file, it is a configuration or a ConfigError in lines of path and problem."""
    document = copy.deepcopy(REFERENCE)
    for path, value in changes:
        place: Any = document
        for part in path[:-1]:
            if not isinstance(place, dict | list) or (isinstance(place, list) and not place):
                break
            place = place.get(part, {}) if isinstance(place, dict) else place[0]
        if isinstance(place, dict):
            place[path[-1]] = value
    try:
        parse(document, "test")
    except ConfigError as error:
        first, *rest = str(error).split("\n  ")
        assert first == f"test: {len(rest)} problem{'s' * (len(rest) > 1)}"
        assert all(": " in line for line in rest)
