"""The published numbers: one file, and the document shows what it holds."""

from pathlib import Path

from spner.report.published import format_published, read_published


def test_the_document_shows_the_file(repo_root: Path) -> None:
    shown = (repo_root / "docs" / "published.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in shown if line.startswith("|")] == format_published(list(read_published()))


def test_every_number_is_a_fraction_and_has_its_source() -> None:
    for row in read_published():
        assert all(rate is None or 0 < rate < 1 for rate in (row.f1, row.label_f1, row.wer))
        assert row.source and row.differs and (row.f1 or row.wer)
