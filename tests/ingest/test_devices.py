"""Messages in the shape that devices and bridges send, through the configurations that are shipped for them.

The shapes are those of the makers' documentation; the values are made up.
"""

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cbor2
import pytest

from streamer.config import Metrics
from streamer.config.loader import load
from streamer.lanes.fast import FastLane
from streamer.records import Message, MessageBatch
from streamer.store.journal import Journal
from streamer.stream.state import StreamState

CONFIGS = Path(__file__).parents[2] / "configs"
NOW = 1772366400.0  # noon on 1 March 2026, UTC

SHELLY = {"id": 0, "source": "init", "output": True, "apower": 8.9, "voltage": 230.4, "freq": 50.0, "current": 0.1,
          "aenergy": {"total": 6.5, "by_minute": [45.2, 47.1, 88.3], "minute_ts": 1772366340},
          "temperature": {"tC": 42.1, "tF": 107.8}}  # fmt: skip
TASMOTA = {"Time": "2026-03-01T12:59:50", "ENERGY": {"TotalStartTime": "2025-01-01T00:00:00", "Total": 1.956,
           "Power": 9, "Voltage": 231}, "DS18B20": {"Id": "00000A", "Temperature": 21.5}, "TempUnit": "C"}  # fmt: skip
DOOR = {"battery": 100, "contact": False, "linkquality": 87, "voltage": 3015, "last_seen": "2026-03-01T13:00:00+01:00"}
RADIO = {"time": "2026-03-01T12:59:58+0100", "model": "Acurite-Tower", "id": 11524, "channel": "A", "battery_ok": 1,
         "temperature_C": 3.7, "humidity": 71, "mic": "CHECKSUM"}  # fmt: skip
KEP = {"timestamp": 1772366400123, "values": [
    {"id": "Channel1.Press.Temp", "v": 71.5, "q": True, "t": 1772366399900},
    {"id": "Channel1.Press.Run", "v": True, "q": True, "t": 1772366399800},
]}  # fmt: skip
THINGS = {"end_device_ids": {"device_id": "soil-1", "application_ids": {"application_id": "farm"}},
          "received_at": "2026-03-01T11:59:59.120345678Z",
          "uplink_message": {"f_port": 1, "f_cnt": 7, "decoded_payload": {"battery": 3.6, "soil": {"t": 4.5}},
                             "rx_metadata": [{"rssi": -97}]}}  # fmt: skip


def sent(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def heard(config: str, topic: str, payload: Any, directory: Path) -> tuple[dict[str, tuple[float, float]], FastLane]:
    """Name -> (value, seconds from NOW) of what the journal holds after this message."""
    loaded = load(CONFIGS / config)
    journal = Journal.open(directory)
    fast = FastLane([StreamState(one, Metrics()) for one in loaded.streams], journal, 65536, lambda: NOW)
    fast.process(MessageBatch([Message(topic, sent(payload), 1, False, 1, NOW)], 1))
    found = {}
    for stream in fast.streams:
        for one in stream.series:
            _, times, values = journal.dated(one.ident, 1)
            found[one.name] = (float(values[-1, 0]), round(float(times[-1]) - NOW, 3))
    journal.close()
    return found, fast


@pytest.mark.parametrize(
    ("config", "topic", "payload", "samples"),
    [
        ("home.yaml", "shellyplus1pm-a8/status/switch:0", SHELLY,
         {"shellyplus1pm-a8/status/switch:0/apower": (8.9, 0), "shellyplus1pm-a8/status/switch:0/voltage": (230.4, 0),
          "shellyplus1pm-a8/status/switch:0/temperature.tC": (42.1, 0)}),
        ("home.yaml", "tele/plug/SENSOR", TASMOTA,
         {"tele/plug/SENSOR/ENERGY.Total": (1.956, -10), "tele/plug/SENSOR/ENERGY.Power": (9, -10),
          "tele/plug/SENSOR/ENERGY.Voltage": (231, -10), "tele/plug/SENSOR/DS18B20.Temperature": (21.5, -10)}),
        ("home.yaml", "zigbee2mqtt/door", DOOR,
         {"zigbee2mqtt/door/battery": (100, 0), "zigbee2mqtt/door/contact": (0, 0),
          "zigbee2mqtt/door/linkquality": (87, 0), "zigbee2mqtt/door/voltage": (3015, 0)}),
        ("home.yaml", "boiler/binary_sensor/pump/state", b"ON", {"boiler/binary_sensor/pump/state": (1, 0)}),
        ("home.yaml", "boiler/sensor/flow/state", b"21.40", {"boiler/sensor/flow/state": (21.4, 0)}),
        ("home.yaml", "p1/power", b"0,42 kW", {"p1/power": (420, 0)}),
        ("plant.yaml", "iotgateway", KEP,
         {"iotgateway/Channel1.Press.Run": (1, -0.2), "iotgateway/Channel1.Press.Temp": (71.5, -0.1)}),
        ("plant.yaml", "v3/farm@ttn/devices/soil-1/up", THINGS,
         {"v3/farm@ttn/devices/soil-1/up/uplink_message.decoded_payload.battery": (3.6, -0.88),
          "v3/farm@ttn/devices/soil-1/up/uplink_message.decoded_payload.soil.t": (4.5, -0.88)}),
        ("plant.yaml", "modbus/7", {"ts": 1772366400123, "data": '{"PM2.5": "0x41"}'}, {"modbus/7": (65, 0.123)}),
        ("plant.yaml", "knx/bus", {"ga": "1/2/3", "wert": "1.234,5 °C", "zeit": "01.03.2026 13:00:00"},
         {"knx/bus/1\\/2\\/3": (1234.5, 0)}),
        ("plant.yaml", "knx/bus", {"ga": "1/2/4", "wert": "EIN", "zeit": "01.03.2026 13:00"},
         {"knx/bus/1\\/2\\/4": (1, 0)}),
        ("plant.yaml", "logger/tank", {"1772366100": {"level": 2.6}, "1772365800": {"level": 2.5}},
         {"logger/tank": (2.6, -300)}),
        ("plant.yaml", "packed/tank", gzip.compress(cbor2.dumps({"samples": [{"t": NOW - 9, "v": 4}]}), mtime=0),
         {"packed/tank": (4, -9)}),
    ],
)  # fmt: skip
def test_what_devices_send(
    config: str, topic: str, payload: Any, samples: dict[str, tuple[float, float]], tmp_path: Path
) -> None:
    """A message as the device sends it gives its samples, by the configuration as it stands, and no rejection."""
    found, fast = heard(config, topic, payload, tmp_path)
    assert found == samples
    assert not any(stream.counts.rejected for stream in fast.streams)


def test_nothing_said_is_no_fault(tmp_path: Path) -> None:
    """A null of a field that is asked for is counted as ignored, and rejects nothing."""
    _, fast = heard("home.yaml", "shellyplus1pm-a8/status/switch:0", {**SHELLY, "apower": None}, tmp_path)
    counts = fast.streams[0].counts
    assert (counts.samples, counts.ignored, dict(counts.rejected)) == (2, 1, {})


def test_five_samples_of_one_message(tmp_path: Path) -> None:
    """A sensor that wakes up once sends five samples, newest first: all count, in the order of their times."""
    batch = {str(int(NOW) - 300 * i): {"level": 2.0 + i} for i in range(5)}
    _, fast = heard("plant.yaml", "logger/tank", batch, tmp_path)
    (series,) = fast.streams[4].series
    assert (fast.streams[4].counts.samples, series.tick, series.time) == (5, 4, NOW)


def test_two_devices_on_one_topic(tmp_path: Path) -> None:
    """Two radios on one topic, each message twice, are series of their own, with the means of each minute."""
    other = {**RADIO, "model": "LaCrosse-TX141", "id": 5, "temperature_C": 20.1}
    del other["humidity"]
    later = {**RADIO, "time": "2026-03-01 13:01:10", "temperature_C": 4.7}, {**other, "time": "2026-03-01 13:01:20"}
    loaded = load(CONFIGS / "home.yaml")
    journal = Journal.open(tmp_path)
    fast = FastLane([StreamState(one, Metrics()) for one in loaded.streams], journal, 65536, lambda: NOW)
    for one in (RADIO, RADIO, other, other, *later):
        fast.process(MessageBatch([Message("rtl_433/a/events", sent(one), 0, False, None, NOW + 30)], 1))
    stream = fast.streams[4]
    assert {one.part: journal.newest(one.ident, 9)[1].tolist() for one in stream.series} == {
        "Acurite-Tower/11524/temperature_C": [[3.7]],
        "Acurite-Tower/11524/humidity": [[71.0]],
        "LaCrosse-TX141/5/temperature_C": [[20.1]],
    }
    assert (dict(stream.counts.rejected), stream.counts.gathered) == ({"duplicate": 3}, 6)
    assert stream.counts.ignored == 9  # wind of all, and humidity of one
    journal.close()


def dsmr(after: float) -> str:
    """The time of a telegram, in winter."""
    return datetime.fromtimestamp(NOW + after, ZoneInfo("Europe/Amsterdam")).strftime("%y%m%d%H%M%SW")


def test_meters(tmp_path: Path) -> None:
    """What a meter counts in a quarter of an hour is forecast, whatever comes within it."""
    loaded = load(CONFIGS / "meters.yaml")
    journal = Journal.open(tmp_path)
    fast = FastLane([StreamState(one, Metrics()) for one in loaded.streams], journal, 65536, lambda: NOW)

    def send(topic: str, after: float, value: Any) -> None:
        message = Message(topic, sent(value), 0, False, None, NOW + after)
        fast.clock = lambda: NOW + after
        fast.process(MessageBatch([message], 1))

    for i in range(0, 3700, 100):
        send("dsmr/reading/energy_delivered_1", i, f"{4711 + i / 3600:.3f}".encode())
        send("plug/status/switch:0", i, {"id": 0, "aenergy": {"total": 100 + i / 10}})
        reading = {"timestamp": dsmr(i), "energy_delivered_tariff1": {"value": 4711 + i / 3600, "unit": "kWh"}}
        send("p1/telegram", i, reading)
        send("pulse/water", i, str((65000 + i) % 65536).encode())
        send("rain/roof/tip", i, b"1")
    held = {one.name: journal.newest(one.ident, 99)[1][:, 0] for stream in fast.streams for one in stream.series}
    assert held["dsmr/reading/energy_delivered_1"] == pytest.approx([0.25] * 3, abs=0.002)
    assert held["p1/telegram"] == pytest.approx([0.25] * 3)
    assert held["plug/status/switch:0"] == pytest.approx([0.36] * 11)
    assert set(held["pulse/water"]) <= {50.0, 100.0}  # litres a minute, over one tick or two
    assert held["rain/roof/tip"] == pytest.approx([0.2 * 6] * 6)
    assert not any(stream.counts.rejected for stream in fast.streams)
    journal.close()
