"""The comparison models, each held against its equations in numpy, float64, one window and one step at a time."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from streamer.errors import SourceError
from streamer.models import Sizes, build
from streamer.records import Floats
from streamer.study.attention import EncoderDecoder
from streamer.study.rivals import RIVALS
from streamer.study.rivals.delays import Distributed, Focused
from streamer.study.rivals.gamma import Gamma
from streamer.study.rivals.narx import Narx
from streamer.study.rivals.paper import Paper
from streamer.study.rivals.sliding import PATCH, Sliding
from streamer.study.soft_window import SoftWindow
from streamer.study.sources import H, M, csv_series, paper_waves
from tests.models.equations import cell, sigmoid

B, LEADS = 3, 7


def numbers(model: nn.Module) -> dict[str, Floats]:
    return {name: weight.double().numpy() for name, weight in model.state_dict().items()}


def windows(m: int, c: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(B, m), torch.randn(B, m + LEADS, c)


def agree(model: nn.Module, x: torch.Tensor, u: torch.Tensor, wanted: list[Floats]) -> None:
    with torch.no_grad():
        np.testing.assert_allclose(model.forecast(x, LEADS, u).numpy(), np.array(wanted), atol=1e-5)  # type: ignore[operator]


def test_focused_delays() -> None:
    """The focused network is a perceptron on the window."""
    model, (x, u) = Focused(12, LEADS), windows(12)
    w = numbers(model)
    agree(model, x, u, [w["P.weight"] @ np.tanh(w["W.weight"] @ one + w["W.bias"]) + w["P.bias"] for one in x.numpy()])


def test_distributed_delays() -> None:
    """The distributed network's second layer reads the first one's past; both together see every sample."""
    m = 12
    model, (x, u) = Distributed(m, LEADS), windows(m)
    w, first, wanted = numbers(model), m // 2, []
    for one in x.numpy():
        a = [
            np.tanh(w["V.weight"][:, 0] @ one[t : t + first] + w["V.bias"]) for t in range(m - first + 1)
        ]  # oldest first
        b = np.tanh(sum(w["W.weight"][:, :, j] @ a[j] for j in range(len(a))) + w["W.bias"])
        wanted.append(w["P.weight"] @ b + w["P.bias"])
    agree(model, x, u, wanted)
    changed = x.clone()
    changed[:, 0] += 1
    assert not torch.allclose(model.forecast(x, LEADS, u), model.forecast(changed, LEADS, u))


def test_gamma_memory() -> None:
    """Each stage is a leaky mean of the stage before it, one sample late."""
    model, (x, u) = Gamma(LEADS), windows(20)
    with torch.no_grad():
        model.mu.add_(torch.randn_like(model.mu))
    w, wanted = numbers(model), []
    mu = sigmoid(w["mu"])
    for one in x.numpy():
        g = np.zeros(len(mu) + 1)
        for value in one:
            before = g.copy()
            g[0] = value
            for j in range(1, len(g)):
                g[j] = (1 - mu[j - 1]) * before[j] + mu[j - 1] * before[j - 1]
        wanted.append(w["P.weight"] @ np.tanh(w["W.weight"] @ g + w["W.bias"]) + w["P.bias"])
    agree(model, x, u, wanted)


def test_narx_feeds_back() -> None:
    """Forecasts take the place of samples, with what is known of the tick that is forecast."""
    m, c = 9, 2
    model, (x, u) = Narx(m, c, parallel=True), windows(m, c)
    w, wanted = numbers(model), []
    for one, known in zip(x.numpy(), u.numpy(), strict=True):
        values = list(one)
        for i in range(LEADS):
            a = np.concatenate([values[i : i + m], known[m + i]])
            values.append(float((w["P.weight"] @ np.tanh(w["W.weight"] @ a + w["W.bias"]) + w["P.bias"])[0]))
        wanted.append(np.array(values[m:]))
    agree(model, x, u, wanted)


@torch.no_grad()
def test_narx_forms_differ_in_what_they_learn_from() -> None:
    """In series-parallel form the loss is that of single steps from true values, in parallel form that of forecasts."""
    m, c = 9, 2
    model, (x, u) = Narx(m, c, parallel=False), windows(m, c)
    y = torch.randn(B, LEADS)
    true, loss = torch.cat([x, y], 1), 0.0
    for i in range(LEADS):
        loss += float((model.next(true[:, i : i + m], u[:, m + i])[:, 0] - y[:, i]).square().sum()) / y.numel()
    assert float(model.loss(x, y, u)) == pytest.approx(loss, rel=1e-5)
    model.parallel = True
    y = torch.randn(B, 10)
    u = torch.randn(B, m + 10, c)
    assert float(model.loss(x, y, u)) == pytest.approx(float((model.forecast(x, 10, u) - y).square().mean()), rel=1e-5)


def test_the_paper_networks_are_those_of_the_daemon() -> None:
    """A network of the paper forecasts as `streamer.models` does after a window from zero."""
    model, (x, u) = Paper("traditional", Sizes(n=8, k=3)), windows(12)
    network = build("traditional", Sizes(n=8, k=3))
    network.load_state_dict(model.network.state_dict())
    agree(
        model,
        x,
        u,
        list(network.forecast(network.run(x[..., None], network.zero_state(B)), LEADS)[..., 0].detach().numpy()),
    )


def soft_window(w: dict[str, Floats], name: str, h: Floats, kappa: Floats, c: Floats) -> tuple[Floats, Floats]:
    """Graves 2013, eqs. 46 to 51: the window w_t and κ_t."""
    alpha, beta, move = np.split(np.exp(w[f"{name}W.weight"] @ h + w[f"{name}W.bias"]), 3)
    kappa = kappa + move
    phi = [float((alpha * np.exp(-beta * (kappa - at) ** 2)).sum()) for at in range(len(c))]
    return np.asarray(sum(p * element for p, element in zip(phi, c, strict=True))), kappa


def test_soft_window() -> None:
    """Window, κ and φ are those of the equations, and κ only grows."""
    torch.manual_seed(0)
    window, h, c = SoftWindow(6), torch.randn(B, 6), torch.randn(B, 8, 2)
    w, kappa = numbers(window), window.begin(B)
    for _ in range(3):
        with torch.no_grad():
            given, moved, phi = window(h, kappa, c)
        for i in range(B):
            wanted, at = soft_window(w, "", h[i].double().numpy(), kappa[i].double().numpy(), c[i].double().numpy())
            np.testing.assert_allclose(given[i].numpy(), wanted, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(moved[i].numpy(), at, rtol=1e-5)
        assert phi.shape == (B, 8)
        assert (moved > kappa).all()
        kappa = moved


def test_the_sliding_window_forecasts_by_its_equations() -> None:
    """The LSTM reads the window with w = 0; every forecast reads the state and what the window shows of the past."""
    torch.manual_seed(0)
    model, (x, u) = Sliding(), windows(15)
    w, wanted = numbers(model), []
    F, n = cell(w, "F", Sizes(cell="lstm")), model.F.n
    for one in x.double().numpy():
        past = np.array([one[i : i + PATCH] for i in range(len(one) - PATCH + 1)])
        s, kappa, said = np.zeros(2 * n), np.zeros(5), list[float]()
        for value in one:
            s = F(np.array([value, *np.zeros(PATCH)]), s)
        shown = np.zeros(PATCH)
        for _ in range(LEADS):
            if said:
                s = F(np.array([said[-1], *shown]), s)
            shown, kappa = soft_window(w, "window.", s[:n], kappa, past)
            said.append(float((w["P.weight"] @ np.concatenate([s[:n], shown]) + w["P.bias"])[0]))
        wanted.append(np.array(said))
    agree(model, x, u, wanted)


def softmax(a: Floats) -> Floats:
    return np.asarray(np.exp(a) / np.exp(a).sum(-1, keepdims=True))


def norm(w: dict[str, Floats], name: str, x: Floats) -> Floats:
    centred = x - x.mean(-1, keepdims=True)
    return np.asarray(centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"])


def attend(w: dict[str, Floats], name: str, q: Floats, kv: Floats, causal: bool, heads: int = 4) -> Floats:
    """Multi-head attention of Vaswani et al., section 3.2: q [T, e], kv [U, e] -> [T, e]."""
    wq, wk, wv = np.split(w[f"{name}.in_proj_weight"], 3)
    bq, bk, bv = np.split(w[f"{name}.in_proj_bias"], 3)
    size = q.shape[1] // heads
    out = []
    for i in range(heads):
        part = slice(i * size, (i + 1) * size)
        a = (q @ wq.T + bq)[:, part] @ (kv @ wk.T + bk)[:, part].T / np.sqrt(size)
        if causal:
            a = np.where(np.arange(len(kv))[None] > np.arange(len(q))[:, None], -np.inf, a)
        out.append(softmax(a) @ (kv @ wv.T + bv)[:, part])
    return np.asarray(np.concatenate(out, 1) @ w[f"{name}.out_proj.weight"].T + w[f"{name}.out_proj.bias"])


def feed(w: dict[str, Floats], name: str, x: Floats) -> Floats:
    hidden = np.maximum(x @ w[f"{name}.linear1.weight"].T + w[f"{name}.linear1.bias"], 0)
    return np.asarray(hidden @ w[f"{name}.linear2.weight"].T + w[f"{name}.linear2.bias"])


def coded(w: dict[str, Floats], name: str, x: Floats) -> Floats:
    """Elements with the code of their places: sines and cosines of t / 10000^(2i/size)."""
    size = len(w[f"{name}.weight"])
    code = np.array(
        [[f(t / 10_000 ** (2 * i / size)) for f in (np.sin, np.cos) for i in range(size // 2)] for t in range(len(x))]
    )
    return np.asarray(x @ w[f"{name}.weight"].T + w[f"{name}.bias"] + code)


def test_transformer() -> None:
    """Encoder and decoder are those of the equations, with the norm after each part; later elements are not seen."""
    torch.manual_seed(0)
    network = EncoderDecoder(2, 3, 1, 20).eval()
    x, y = torch.randn(B, 6, 2), torch.randn(B, 5, 3)
    w = numbers(network)
    with torch.no_grad():
        given = network.decode(network.encode(x), y).numpy()
    for i in range(B):
        r = coded(w, "read", x[i].double().numpy())
        r = norm(w, "encoder.norm1", r + attend(w, "encoder.self_attn", r, r, causal=False))
        r = norm(w, "encoder.norm2", r + feed(w, "encoder", r))
        a = coded(w, "written", y[i].double().numpy())
        a = norm(w, "decoder.norm1", a + attend(w, "decoder.self_attn", a, a, causal=True))
        a = norm(w, "decoder.norm2", a + attend(w, "decoder.multihead_attn", a, r, causal=False))
        a = norm(w, "decoder.norm3", a + feed(w, "decoder", a))
        np.testing.assert_allclose(given[i], a @ w["P.weight"].T + w["P.bias"], atol=1e-4)


@pytest.mark.parametrize("name", RIVALS)
def test_every_rival_learns_and_forecasts(name: str) -> None:
    """Each model gives finite forecasts of the leads asked for, and its loss reaches every weight."""
    torch.manual_seed(0)
    source = paper_waves(0, 400)
    model, some = RIVALS[name](M, H, source.c), source.batch(np.random.default_rng(0), 4)
    assert model.forecast(some.x, 3, some.u).shape == (4, 3)
    loss = model.loss(some.x, some.y, some.u)
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None and bool(weight.grad.isfinite().all()) for weight in model.parameters())


def test_windows_of_a_file(tmp_path: Path) -> None:
    """A CSV file is put on its grid, gaps hold the last value and are no truths, and tests lie in the newest part."""
    rows = [f"2026-01-01T{i // 60:02d}:{i % 60:02d}:00Z,{float(i)}" for i in range(600) if i not in (30, 500)]
    path = tmp_path / "load.csv"
    path.write_text("\n".join(["time,value", *rows]), encoding="utf-8")
    source = csv_series(path)
    taught, test = source.taught[0], source.tests["load"]
    assert source.c == 2
    assert taught.values[28:32].tolist() == [28, 29, 29, 31]
    np.testing.assert_allclose(taught.known[360], [1, 0], atol=1e-9)  # six o'clock
    drawn = taught.drawn(np.random.default_rng(0), 1_000)
    assert drawn.y.max() <= 359
    spread = test.spread(10_000)
    assert spread.y[:, 0].min() == 360
    assert not ((spread.x[:, -1] <= 500) & (spread.y[:, -1] >= 500)).any()
    short = tmp_path / "short.csv"
    short.write_text("\n".join(["time,value", *rows[:20]]), encoding="utf-8")
    with pytest.raises(SourceError, match="20 ticks"):
        csv_series(short)
