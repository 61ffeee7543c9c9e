"""When a step is done, when it is done again, and what a stopped one leaves behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spner.core.errors import SpnerError
from spner.core.files import read_json, write_json
from spner.core.resume import find_record, once

IDENTITY = {"settings": {"order": 3, "prune": (0, 1)}, "inputs": "1a2b"}


class Work:
    """A step with an output and a part; it counts how often it is done."""

    def __init__(self, folder: Path) -> None:
        self.record, self.output, self.part = folder / "record.json", folder / "output", folder / "part"
        self.times_done = 0
        self.left_at_start: list[str] = []

    def run(self, identity: dict[str, Any] = IDENTITY, *, fail: bool = False) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            self.times_done += 1
            self.left_at_start = sorted(path.name for path in self.record.parent.iterdir())
            self.part.write_text("part")
            if fail:
                raise KeyboardInterrupt
            self.output.write_text("output")
            return {"num_words": 7, "shape": (2, 3)}

        return once(self.record, identity, make, outputs=[self.output], parts=[self.part])


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def test_first_run_is_recorded(work: Work) -> None:
    assert (
        work.run()
        == read_json(work.record)
        == {
            "settings": {"order": 3, "prune": [0, 1]},
            "inputs": "1a2b",
            "num_words": 7,
            "shape": [2, 3],
        }
    )


def test_second_run_returns_the_same_record_without_work(work: Work) -> None:
    assert work.run() == work.run()
    assert work.times_done == 1


def remove_output(work: Work) -> None:
    work.output.unlink()


def remove_part(work: Work) -> None:
    work.part.unlink()


def remove_record(work: Work) -> None:
    work.record.unlink()


def change_record(work: Work) -> None:
    write_json(work.record, {**read_json(work.record), "inputs": "other"})


def record_of_an_older_format(work: Work) -> None:
    write_json(work.record, {"order": 3})


def record_that_is_no_object(work: Work) -> None:
    write_json(work.record, ["settings", "inputs"])


@pytest.mark.parametrize(
    "spoil",
    [
        remove_output,
        remove_part,
        remove_record,
        change_record,
        record_of_an_older_format,
        record_that_is_no_object,
    ],
)
def test_is_done_again_after(spoil: Callable[[Work], None], work: Work) -> None:
    first = work.run()
    spoil(work)
    assert work.run() == first
    assert work.times_done == 2
    assert work.output.exists() and work.part.exists()


def test_redoing_begins_without_record_and_outputs_but_with_parts(work: Work) -> None:
    work.run()
    work.run({**IDENTITY, "inputs": "3c4d"})
    assert work.left_at_start == ["part"]
    assert read_json(work.record)["inputs"] == "3c4d"


def test_a_stopped_run_vouches_for_nothing(work: Work) -> None:
    work.run()
    with pytest.raises(KeyboardInterrupt):
        work.run({**IDENTITY, "inputs": "3c4d"}, fail=True)
    assert [path.name for path in work.record.parent.iterdir()] == ["part"]
    work.run()
    assert work.times_done == 3


def test_what_cannot_be_prepared_costs_no_earlier_result(work: Work) -> None:
    def fail() -> None:
        raise SpnerError("no such tagger")

    work.run()
    with pytest.raises(SpnerError, match="no such tagger"):
        once(work.record, {**IDENTITY, "inputs": "3c4d"}, dict, outputs=[work.output], prepare=fail)
    assert work.run() and work.output.exists() and work.times_done == 1


def test_a_finished_step_prepares_nothing(work: Work) -> None:
    prepared: list[str] = []
    work.run()
    once(work.record, IDENTITY, dict, outputs=[work.output], prepare=lambda: prepared.append("tagger"))
    assert prepared == []


def test_further_keys_of_a_record_do_not_matter(tmp_path: Path) -> None:
    write_json(tmp_path / "record.json", {"inputs": "1a2b", "commit": "abc"})
    assert find_record(tmp_path / "record.json", {"inputs": "1a2b"}) == {"inputs": "1a2b", "commit": "abc"}


def test_parts_are_asked_for_only_when_the_outputs_are_there(work: Work) -> None:
    def parts() -> Any:
        raise AssertionError("asked for")
        yield

    write_json(work.record, {"inputs": "1a2b"})
    once(work.record, {"inputs": "1a2b"}, lambda: None, outputs=[work.output], parts=parts())
    assert read_json(work.record) == {"inputs": "1a2b"}


def test_a_broken_record_is_named(work: Work) -> None:
    work.record.write_text("{")
    with pytest.raises(SpnerError, match="record.json: is not JSON"):
        work.run()
