"""The alignment task, and what writes it: held against strings, numpy and each other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from streamer.cli import app
from streamer.study.alignment import END, QUICK, WRITERS, A, Writer, drawn, one_hot, right, trial
from streamer.study.alignment import Windowed as SoftWindowed
from streamer.study.learning import Lessons

TIMES = {0: 1, 1: 2, 2: 3, 3: 1, 4: 2, 5: 3, END: 1}


def test_each_symbol_is_wanted_as_often_as_it_says() -> None:
    """What is to be written is the text with every symbol repeated, up to and with its end; padding lies behind."""
    x, padding, wanted = drawn(np.random.default_rng(0), 50, 2, 6)
    for read, none, line in zip(x, padding, wanted, strict=True):
        text = read.argmax(1)[~none].tolist()
        assert text[-1] == END
        assert not read[none].any()
        assert [s for s in line.tolist() if s >= 0] == [s for s in text for _ in range(TIMES[s])]


class Knowing(Writer):
    """Says what is wanted, but one symbol of every text that begins with 0."""

    def forward(self, x: Tensor, padding: Tensor, y: Tensor) -> Tensor:
        rows = []
        for read, none in zip(x.argmax(2).tolist(), padding.tolist(), strict=True):
            text = [s for s, gone in zip(read, none, strict=True) if not gone]
            said = [s for s in text for _ in range(TIMES[s])]
            if text[0] == 0:
                said[0] = 1
            rows.append((said + [0] * y.shape[1])[: y.shape[1]])
        return one_hot(torch.tensor(rows))


def test_a_mistake_counts() -> None:
    """A text is right if every symbol is, so that who errs on texts that begin with 0 is right on the others."""
    x, _, _ = drawn(np.random.default_rng(1_000_000), 500, 2, 4)
    assert right(Knowing(), (2, 4)) == float((x[:, 0].argmax(1) != 0).float().mean())


def test_writing_freely_is_what_teaching_says() -> None:
    """Fed with what it wrote, each writer's answers are again what it wrote; padding changes nothing."""
    torch.manual_seed(0)
    x, padding, wanted = drawn(np.random.default_rng(0), 6, 2, 5)
    assert padding.any()
    for make in WRITERS.values():
        writer = make()
        said = writer.write(x, padding, wanted.shape[1])
        before = torch.cat([torch.full((6, 1), -1), said[:, :-1]], 1)
        assert torch.equal(writer(x, padding, one_hot(before)).argmax(2), said)
        for i in range(6):
            alone = ~padding[i]
            with torch.no_grad():
                whole, part = (
                    writer(x[i : i + 1, some], padding[i : i + 1, some], one_hot(before[i : i + 1]))
                    for some in (torch.ones_like(alone), alone)
                )
            torch.testing.assert_close(whole, part, atol=1e-4, rtol=1e-4)


def test_a_soft_window_writes_longer_than_it_learned() -> None:
    """Trained on 2 to 4 symbols, the soft window writes eight right; the Transformer of the same steps does not."""
    far = {name: trial(name, QUICK, [(2, 4), (8, 8)], 0)[1] for name in ("LSTM with soft window", "Transformer")}
    assert far["LSTM with soft window"] > 0.6
    assert far["Transformer"] < 0.2


def test_the_window_looks_at_what_it_writes() -> None:
    """φ has a weight for each symbol read, none of them negative, at each symbol written."""
    x, _, wanted = drawn(np.random.default_rng(0), 2, 3, 3)
    said, phi = SoftWindowed().looked(x, one_hot(wanted))
    assert said.shape == (*wanted.shape, A)
    assert phi.shape == (*wanted.shape, x.shape[1])
    assert bool((phi >= 0).all())


def test_pictures_are_drawn_where_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--png` writes the picture of the window beside the table, and its path is printed; without it there is none."""
    monkeypatch.setattr("streamer.study.alignment.QUICK", Lessons(10, 4))
    arguments = ["study", "alignment", "--quick", "--only", "LSTM with", "--out", str(tmp_path)]
    picture = tmp_path / "alignment" / "alignment.png"
    assert str(picture) not in CliRunner().invoke(app, arguments).stdout
    assert not picture.exists()
    done = CliRunner().invoke(app, [*arguments, "--png"])
    assert done.stdout.split()[-1] == str(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
