"""Progress in logs; the bar is tqdm's."""

import io
import logging
import time

import pytest

from spner.core.progress import Progress, in_words


def test_lines_come_at_intervals_with_the_note(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), Progress(4, what="epoch 1", unit="batches", every_s=0.0) as progress:
        progress.update(2, note="loss 3.50")
    assert caplog.messages[0].startswith("epoch 1: 2 of 4 batches, about 0 s left, loss 3.50")
    assert caplog.records[0].name.startswith("spner"), "for the screen, which has no bar"
    with caplog.at_level(logging.INFO), Progress(4, what="epoch 2", unit="batches", every_s=60.0) as progress:
        progress.update(2)
    assert not [line for line in caplog.messages if "epoch 2" in line]


def test_beside_a_bar_lines_are_for_the_log_file_alone(caplog: pytest.LogCaptureFixture) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    with (
        caplog.at_level(logging.INFO),
        Progress(4, what="epoch 1", unit="batches", every_s=0.0, file=terminal) as progress,
    ):
        time.sleep(0.2)  # a bar is drawn ten times a second at most
        progress.update(4, note="loss 3.50")
    assert "loss 3.50" in terminal.getvalue()
    assert [record.name for record in caplog.records] == ["progress"]


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (119, "119 s"), (150, "2 min"), (9000, "2.5 h")])
def test_durations_are_readable(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
