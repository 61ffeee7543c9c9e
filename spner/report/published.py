"""Published numbers to stand beside one's own: ``published.json``, which ``RESULTS.md``, the page and docs read."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from spner.core.errors import SpnerError, nearest
from spner.core.files import read_json

FILE = Path(__file__).with_name("published.json")


@dataclass(frozen=True)
class Published:
    """What a publication says of one system; rates are fractions, None where it has none.

    Attributes:
        data: name of the benchmark.
        set: which set of it.
        system: what recognised and tagged.
        f1: of labels and phrases.
        label_f1: of labels alone.
        wer: of the words.
        source: where the number stands.
        differs: what must be kept in mind when one's own stands beside it.
    """

    data: str
    set: str
    system: str
    f1: float | None
    label_f1: float | None
    wer: float | None
    source: str
    differs: str


@cache
def read_published() -> tuple[Published, ...]:
    """Return all of them, in the order of the file."""
    return tuple(Published(**row) for row in read_json(FILE))


def find_published(data: str) -> list[Published]:
    """Return the numbers on a benchmark.

    Raises:
        SpnerError: there is none of that name.
    """
    found = [row for row in read_published() if row.data == data]
    if not found:
        names = sorted({row.data for row in read_published()})
        raise SpnerError(
            f'--published "{data}": no number is published there (expected {", ".join(names)}){nearest(data, names)}'
        )
    return found


def format_published(rows: list[Published]) -> list[str]:
    """Return a Markdown table."""
    lines = [
        "| data, set | published system | WER | F1 | label-F1 | source | what differs |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        rates = " | ".join("-" if rate is None else f"{rate:.3f}" for rate in (row.wer, row.f1, row.label_f1))
        lines.append(f"| {row.data}, {row.set} | {row.system} | {rates} | {row.source} | {row.differs} |")
    return lines
