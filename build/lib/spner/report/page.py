"""Writes one HTML page of experiments: scores side by side, and every utterance to look at and to hear."""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from spner.core.errors import SpnerError
from spner.core.files import atomic_text
from spner.core.paths import utterances_file
from spner.report.audio import Clips, audio_folder, count_clips, find_clips, write_clips
from spner.report.markdown import NOTES, OLDER_NOTE, SYNTHETIC_NOTE, set_place, set_title
from spner.report.paired import PairedTests
from spner.report.scored import Experiment, Scored, read_experiments
from spner.report.tables import confusion_table, count_entities, error_bar, label_rows, overview_rows, score_groups
from spner.report.utterances import Packed, pack_utterances
from spner.scoring.errors import KINDS
from spner.scoring.significance import FEWEST_ENTITIES
from spner.scoring.table import CHARACTERS_NOTE
from spner.text.languages import is_spaceless

TEMPLATES = Path(__file__).parent / "templates"


def write_page(exps: Sequence[Path], out: Path, *, audio: bool = False, data: Path | None = None) -> str:
    """Write the page of the experiments and return one line that says what it holds.

    The same inputs give the same bytes. The page loads nothing from elsewhere, except the clips
    that are played.

    Args:
        exps: experiment folders and scores files.
        out: the page.
        audio: also write the clips of the utterances, as FLAC files into ``<page>_audio`` beside it.
        data: where the clips are looked for, instead of beside the references of each experiment.

    Raises:
        SpnerError: an experiment or one of its files is missing or malformed, clips are not found, or ``out`` cannot be
            written.
    """
    if data and not audio:
        raise SpnerError("--data: is for --audio (expected both or neither); give --audio as well")
    experiments = read_experiments(exps)
    sets = _group(experiments)
    packed = {one.file: _pack(one) for group in sets for one in group}
    clips = _copy_clips(sets, packed, out, data) if audio else {}
    html = _render(experiments, sets, packed, clips)
    with atomic_text(out) as file:
        file.write(html)
    num_utts = sum(len(utts.utt_ids) for utts in packed.values() if utts)
    return (
        f"{out}: {out.stat().st_size / 1e6:.1f} MB; scored sets: {len(packed)}, utterances to look at: {num_utts}"
        + (f"; recordings in {audio_folder(out)}: {count_clips(clips.values())}" if clips else "")
    )


def _copy_clips(
    sets: Sequence[Sequence[Scored]], packed: dict[Path, Packed | None], out: Path, data: Path | None
) -> dict[Path, Clips]:
    """Write the clips of all utterances that the page shows and return where, by scores file."""
    clips = {
        one.file: find_clips(one, utts.utt_ids, page=out, data=data)
        for group in sets
        for one in group
        if (utts := packed[one.file])
    }
    write_clips(list(clips.values()))
    return clips


def _group(experiments: Sequence[Experiment]) -> list[list[Scored]]:
    """Bring together what the experiments have on the same set and kind of references: test first, gold first."""

    def place(one: Scored) -> tuple[int, str, int]:
        return *set_place(one.set_name), (True, False, None).index(one.gold)

    scored = sorted((one for experiment in experiments for one in experiment.scored), key=place)
    return [list(group) for _, group in groupby(scored, key=place)]


def _pack(one: Scored) -> Packed | None:
    file = utterances_file(one.file)
    return pack_utterances(file) if file.exists() else None


def _render(
    experiments: Sequence[Experiment],
    sets: Sequence[Sequence[Scored]],
    packed: dict[Path, Packed | None],
    clips: dict[Path, Clips],
) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    colours = {experiment.name: number % NUM_COLOURS for number, experiment in enumerate(experiments)}
    trainings = {experiment.curves: experiment.training for experiment in experiments if experiment.curves}
    return environment.get_template("page.html.j2").render(
        # The page's policy runs this script alone, whatever a transcript may hold.
        script=script,
        script_hash=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=(TEMPLATES / "page.css").read_text(encoding="utf-8"),
        experiments=[_Column(experiment.name, colours[experiment.name]) for experiment in experiments],
        sets=[_show_set(number, group, packed, colours) for number, group in enumerate(sets)],
        utterances=[
            {
                "title": f"{one.experiment}: {_title(one)}",
                "set": number,
                "file": utterances_file(one.file),
                "packed": packed[one.file],
                "audio": clips[one.file].address if one.file in clips else "",
            }
            for number, group in enumerate(sets)
            for one in group
        ],
        synthetic_note=SYNTHETIC_NOTE if any(one.synthetic for group in sets for one in group) else "",
        characters_note=_note_on_characters(sets),
        audio_folder=next((one.folder.parent.name for one in clips.values()), ""),
        kinds=KINDS,
        fewest=FEWEST_ENTITIES,
        made_with=[_show_made_with(experiment, colours) for experiment in experiments],
        curves=[(name, b64encode(curves.read_bytes()).decode()) for curves, name in trainings.items()],
    )


NUM_COLOURS = 8
"""Colours of Okabe and Ito 2008 in ``page.css``; further experiments take them again, in another shape."""


@dataclass(frozen=True)
class _Column:
    """An experiment's name, colour and shape wherever it is drawn."""

    name: str
    colour: int


def _title(one: Scored) -> str:
    return set_title(one.set_name, gold=one.gold)


def _show_set(
    number: int, group: Sequence[Scored], packed: dict[Path, Packed | None], colours: dict[str, int]
) -> dict[str, Any]:
    """Return what the template shows of one set."""
    columns = [_Column(one.experiment, colours[one.experiment]) for one in group]
    references = {utts.references for one in group if (utts := packed[one.file])}
    comparable = len({one.num_utts for one in group}) == 1 and len(references) <= 1
    tests = PairedTests(group) if comparable and len(group) > 1 and all(packed[one.file] for one in group) else None
    num_entities = count_entities(group)
    listed = {file: place for place, file in enumerate(file for file, utts in packed.items() if utts)}
    return {
        "anchor": f"set-{number}",
        "title": _title(group[0]),
        "name": group[0].set_name,
        "gold": group[0].gold,
        "note": NOTES[group[0].gold],
        "columns": columns,
        "num_utts": [one.num_utts for one in group],
        "several": len(group) > 1,
        "signatures": [(column, one.signature) for column, one in zip(columns, group, strict=True)],
        "alike": len({one.signature for one in group}) == 1,
        "comparable": comparable,
        "few": num_entities if num_entities < FEWEST_ENTITIES and len(group) > 1 else None,
        "intervals": any(rate.low is not None for one in group for rate in one.rates.values()),
        "decoded": [one.decoded for one in group],
        "older": [OLDER_NOTE if one.older else "" for one in group],
        "overview": overview_rows(group, tests),
        "scores": score_groups(group, tests),
        "labels": label_rows(group, tests),
        "errors": [{"shares": error_bar(one), "number": listed.get(one.file)} for one in group],
        "confusions": [
            {"column": column, "table": table}
            for column, one in zip(columns, group, strict=True)
            if (table := confusion_table(one))
        ],
    }


def _note_on_characters(sets: Sequence[Sequence[Scored]]) -> str:
    """Return what WER means in languages without spaces; empty where there is none."""
    langs = sorted({one.made_with.get("lang") or "" for group in sets for one in group})
    found = [lang for lang in langs if lang and is_spaceless(lang)]
    return f"In {', '.join(found)}, {CHARACTERS_NOTE}." if found else ""


def _show_made_with(experiment: Experiment, colours: dict[str, int]) -> dict[str, Any]:
    """Return a table: facts down, the experiment's scored sets across; what all sets share is one cell."""
    sources = {_title(one): _flatten(one.made_with) for one in experiment.scored}
    facts = dict.fromkeys(key for made_with in sources.values() for key in made_with)
    rows = [(key, [_fact(made_with.get(key)) for made_with in sources.values()]) for key in facts]
    return {
        "column": _Column(experiment.name, colours[experiment.name]),
        "sets": list(sources),
        "rows": [(key, values if len(set(values)) > 1 else values[:1]) for key, values in rows],
    }


def _flatten(made_with: dict[str, Any]) -> dict[str, Any]:
    """Move the facts about the experiment up to the level of the others."""
    flat = {key: value for key, value in made_with.items() if key != "experiment"}
    return flat | {f"experiment: {key}": value for key, value in (made_with.get("experiment") or {}).items()}


def _fact(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_fact(part)}" for key, part in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_fact, value)) or "none"
    if value is None:
        return "none"
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"
