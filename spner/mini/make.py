"""The synthetic mini corpus: speech with gold entities, in Common Voice 12's layout.

::

    <out>/clips/mini_nl_000000.mp3 …     32 or 48 kHz, mono
    <out>/{train,dev,test,validated}.tsv
    <out>/gold_entities.jsonl            of every row
    <out>/word_times.jsonl               times of the words; not of the silent and the corrupt clip
    <out>/mini_corpus.json               the settings it is made with, written first
    <out>/summary.json                   what it holds, written last: with it the corpus is complete

Sentences come from a language's templates file, speech from eSpeak NG. The sets share the speakers but no
sentence; dev and test also mention names that train never does. Defects are planted in train, so that cleaning
has something to do (a corrupt clip only among so many that stage 1 takes it). The same settings give the same bytes.
"""

import functools
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import LABELS, Transcript
from spner.core.errors import MAX_QUOTED, SpnerError
from spner.core.files import atomic_path, atomic_text, locked, read_json, remove, write_json
from spner.core.parallel import Processes
from spner.core.resume import once
from spner.corpora.common_voice import make_spk_id, make_utt_id
from spner.data.audio import clip_duration_s
from spner.data.datadir import write_entities, write_word_times
from spner.mini.clips import DEFAULT_SOUND, Clip, Speaker, make_clip, make_speakers, plan_clip
from spner.mini.espeak import has_language
from spner.mini.international import read_international
from spner.mini.names import DEFAULT_POOLS
from spner.mini.phrasebook import Phrasebook, read_phrasebook
from spner.mini.rows import CORRUPT, DEFECTS, Row, draw_rows
from spner.mini.shares import parse_shares
from spner.mini.spoken_times import SpokenTimes, time_clip
from spner.text.textnorm import project

SETTINGS, SUMMARY, VALIDATED, CLIPS = "mini_corpus.json", "summary.json", "validated", "clips"
TABLES = tuple(f"{name}.tsv" for name in (*paths.SETS, VALIDATED))
COLUMNS = ("client_id", "path", "sentence", "up_votes", "down_votes", "age", "gender", "accents", "locale", "segment")
VERSION = 3
"""Increased when the same settings give other files, so that older corpora are not taken for today's."""

UNSEEN = 0.15  # share of the names, and of the mentions in dev and test, that train never has
MIN_TRAIN = 10  # the planted defects need room


@dataclass(frozen=True)
class SetCounts:
    """What one set holds, planted defects included.

    Attributes:
        rows: rows of its table.
        entity_free: rows without any entity.
        duration_s: of its readable clips, seconds.
        mentions: entities by label.
        distinct: different (label, phrase) among them.
        unseen_distinct: those of them that train never mentions.
        unseen_mentions: mentions of those.
        timed_words: words whose time is known.
        shared_words: those of them whose time is a share of what the synthesiser takes for one word.
    """

    rows: int
    entity_free: int
    duration_s: float
    mentions: dict[str, int]
    distinct: int
    unseen_distinct: int
    unseen_mentions: int
    timed_words: int
    shared_words: int


@dataclass(frozen=True)
class MiniSummary:
    """What a corpus holds; ``<out>/summary.json`` says the same.

    Attributes:
        synthetic: always true; whatever is printed from the corpus must say so.
        settings: what it was made with.
        planted: defects in train, by kind.
        sets: counts by set.
    """

    synthetic: bool
    settings: dict[str, Any]
    planted: dict[str, int]
    sets: dict[str, SetCounts]


@dataclass(frozen=True)
class _Utterance:
    """A row, its clip's name and speaker, and its gold entities."""

    row: Row
    speaker: Speaker
    path: str
    clip: Clip
    gold: Transcript

    @property
    def utt_id(self) -> str:
        return make_utt_id(make_spk_id(self.speaker.client_id), self.path)


def make_mini_corpus(
    out: Path,
    *,
    lang: str,
    seed: int = 1,
    num_train: int = 900,
    num_dev: int = 80,
    num_test: int = 150,
    shares: Sequence[str] = (),
    num_workers: int = 2,
) -> MiniSummary:
    """Make the mini corpus in ``out``, or return at once if it is complete.

    A run that was stopped is continued.

    Args:
        out: the corpus folder.
        lang: a language with a templates file.
        seed: random seed.
        num_train: rows of train, planted defects included; at least 10.
        num_dev: rows of dev.
        num_test: rows of test; which ones they are depends on neither of the other two numbers.
        shares: of the names, that groups of languages have in common, such as ``nl+de=0.2``; the same for each of
            their corpora.
        num_workers: processes that speak.

    Raises:
        SpnerError: no templates for ``lang``, or a voice or locale in them that eSpeak NG or Faker lacks, impossible
            numbers or shares, too few templates for so many different sentences, or something else than a mini corpus
            of these settings in ``out``.
    """
    num_rows = {paths.TRAIN: num_train, paths.DEV: num_dev, paths.TEST: num_test}
    _validate(num_rows)
    phrasebook = read_phrasebook(lang)
    if not has_language(phrasebook.espeak):
        raise SpnerError(
            f'{phrasebook.file}: eSpeak NG has no language "{phrasebook.espeak}" (expected one of its '
            "languages; a near one will do); correct the key espeak"
        )
    settings = {
        "version": VERSION,
        "lang": lang,
        "seed": seed,
        "num_rows": num_rows,
        "pools": asdict(DEFAULT_POOLS),
        "unseen": UNSEEN,
        "sound": asdict(DEFAULT_SOUND),
        "templates": phrasebook.fingerprint,
        **_share_settings(shares),
    }
    settings = json.loads(json.dumps(settings))  # as it is read again: tuples are lists there
    _refuse_other_folder(out)
    _refuse_other_settings(out, settings)
    with locked(out):
        summary = once(
            out / SUMMARY,
            {"settings": settings},
            lambda: _make(out, settings, phrasebook, num_workers),
            outputs=[out / name for name in (*TABLES, paths.GOLD_ENTITIES, paths.WORD_TIMES)],
            parts=(out / CLIPS / _name_clip(lang, name, index) for name in num_rows for index in range(num_rows[name])),
        )
    return MiniSummary(**{**summary, "sets": {name: SetCounts(**counts) for name, counts in summary["sets"].items()}})


def _make(out: Path, settings: dict[str, Any], phrasebook: Phrasebook, num_workers: int) -> dict[str, Any]:
    """Write the corpus and return its summary; clips of a stopped run with the same settings are kept."""
    if not (out / SETTINGS).exists() or read_json(out / SETTINGS) != settings:
        remove(out / CLIPS)
        write_json(out / SETTINGS, settings)
    lang, seed, num_rows = settings["lang"], settings["seed"], settings["num_rows"]
    rows = draw_rows(phrasebook, num_rows, DEFAULT_POOLS, seed=seed, unseen=UNSEEN, shares=settings.get("shares"))
    speakers = make_speakers(DEFAULT_SOUND, espeak=phrasebook.espeak, seed=seed)
    sets = {name: list(_plan(name, rows[name], speakers, lang, seed)) for name in rows}
    everything = [utterance for name in paths.SETS for utterance in sets[name]]
    _write_clips(out / CLIPS, everything, num_workers)
    for name, utterances in (*sets.items(), (VALIDATED, everything)):
        _write_table(out / f"{name}.tsv", utterances, lang)
    write_entities(out / paths.GOLD_ENTITIES, {u.utt_id: u.gold for u in everything})
    spoken = _time_words(everything, lang, num_workers)
    write_word_times(out / paths.WORD_TIMES, {utt_id: s.times for utt_id, s in spoken.items() if s.times})
    return asdict(_summarise(out / CLIPS, sets, spoken, settings))


def _name_clip(lang: str, set_name: str, index: int) -> str:
    return f"mini_{lang}_{set_name}_{index:06d}.mp3"


def read_settings(corpus: Path) -> dict[str, Any]:
    """Read the settings of a mini corpus; the keys are those that :func:`make_mini_corpus` writes.

    Raises:
        SpnerError: ``corpus`` is no mini corpus, or one that another version made.
    """
    if not (corpus / SETTINGS).exists():
        raise SpnerError(f"{corpus}: holds no {SETTINGS} (expected a mini corpus); run stage 1 (spner mini-corpus)")
    settings = read_json(corpus / SETTINGS)
    if not isinstance(settings, dict) or settings.get("version") != VERSION:
        raise SpnerError(f"{corpus / SETTINGS}: is not of version {VERSION}; rerun stage 1 (spner mini-corpus)")
    return settings


def format_summary(summary: MiniSummary) -> str:
    """Return the counts as text, a line a set."""
    lines = []
    for name, counts in summary.sets.items():
        mentions = ", ".join(f"{counts.mentions[label]} {label}" for label in LABELS)
        lines.append(
            f"{name}: {counts.rows} clips of synthetic speech, {counts.duration_s / 60:.1f} minutes, {mentions}; "
            f"{counts.entity_free} without any entity; {counts.unseen_distinct} of {counts.distinct} entities "
            f"({counts.unseen_mentions} mentions) never occur in train"
        )
    planted = ", ".join(f"{count} {kind}" for kind, count in summary.planted.items())
    return "\n".join([*lines, f"planted in train: {planted}"])


def _validate(num_rows: dict[str, int]) -> None:
    for name, num in num_rows.items():
        least = MIN_TRAIN if name == paths.TRAIN else 1
        if num < least:
            raise SpnerError(f"--num_{name} {num}: expected at least {least}")


def _share_settings(shares: Sequence[str]) -> dict[str, Any]:
    """Return what settings say about shares: nothing without any, so that such a corpus is not made anew."""
    if not shares:
        return {}
    international = read_international()
    return {"shares": parse_shares(shares, international), "international": international.fingerprint}


def _refuse_other_folder(out: Path) -> None:
    """Refuse a folder that holds something else: a remake would mix with it."""
    if out.exists() and not out.is_dir():
        raise SpnerError(f"{out}: is a file (expected a folder for the corpus); give another --out")
    if out.is_dir() and not (out / SETTINGS).exists():
        found = sorted(file.name for file in out.iterdir() if not file.name.startswith("."))
        if found:
            raise SpnerError(
                f"{out}: holds {found[0]} but no {SETTINGS} (expected an empty folder or a mini corpus); "
                "give another --out"
            )


def _refuse_other_settings(out: Path, settings: dict[str, Any]) -> None:
    """Refuse to replace a finished corpus, which data folders and experiments were made from."""
    found = read_json(out / SUMMARY)["settings"] if (out / SUMMARY).exists() else settings
    other = [key for key in {**found, **settings} if found.get(key) != settings.get(key)]
    if other:
        raise SpnerError(
            f"{out}: holds a mini corpus of other settings ({', '.join(other)}: found "
            f"{', '.join(_cut(found.get(key)) for key in other)}, asked for "
            f"{', '.join(_cut(settings.get(key)) for key in other)}); give this one a name of its own "
            "(--corpus mini_NAME), or remove the folder and what was made from it"
        )


def _cut(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…"


def _plan(name: str, rows: list[Row], speakers: list[Speaker], lang: str, seed: int) -> Iterator[_Utterance]:
    """Yield a set's utterances; each one's randomness is its own, so that clips can be made in any order."""
    for index, row in enumerate(rows):
        rng = random.Random(f"clip {name} {index} {lang} {seed}")
        speaker = rng.choice(speakers)
        yield _Utterance(
            row=row,
            speaker=speaker,
            path=_name_clip(lang, name, index),
            clip=plan_clip(row, speaker.voice, DEFAULT_SOUND, rng),
            gold=project(row.sentence.text, row.sentence.spans, lang),
        )


def _write_clips(folder: Path, utterances: list[_Utterance], num_workers: int) -> None:
    """Write the clips that are not there yet."""
    missing = [u for u in utterances if not (folder / u.path).exists()]
    made = Processes(num_workers).map(make_clip, [u.clip for u in missing], what="speak", unit="clip")
    for utterance, encoded in zip(missing, made, strict=True):
        with atomic_path(folder / utterance.path) as temporary:
            temporary.write_bytes(encoded)


def _time_words(utterances: list[_Utterance], lang: str, num_workers: int) -> dict[str, SpokenTimes]:
    """Return the times of the words of each transcript."""
    function = functools.partial(time_clip, lang=lang)
    clips = [u.clip for u in utterances]
    timed = Processes(num_workers).map(function, clips, what="time words", unit="clip")
    spoken = {u.utt_id: one for u, one in zip(utterances, timed, strict=True)}
    for utterance in utterances:
        # The table may say less than the clip: a planted empty sentence.
        times = spoken[utterance.utt_id].times
        if times and len(times) != len(utterance.gold.words):
            spoken[utterance.utt_id] = SpokenTimes(None)
    return spoken


def _write_table(path: Path, utterances: list[_Utterance], lang: str) -> None:
    with atomic_text(path) as file:
        file.write("\t".join(COLUMNS) + "\n")
        for u in utterances:
            row = (u.speaker.client_id, u.path, u.row.sentence.text, "2", "0", "", u.speaker.gender, "", lang, "")
            file.write("\t".join(row) + "\n")


def _summarise(
    clips: Path, sets: dict[str, list[_Utterance]], spoken: dict[str, SpokenTimes], settings: dict[str, Any]
) -> MiniSummary:
    mentions = {
        name: Counter((entity.label, u.gold.phrase(entity)) for u in utterances for entity in u.gold.entities)
        for name, utterances in sets.items()
    }
    counts = {}
    for name, utterances in sets.items():
        unseen = {entity: num for entity, num in mentions[name].items() if entity not in mentions[paths.TRAIN]}
        counts[name] = SetCounts(
            rows=len(utterances),
            entity_free=sum(not u.gold.entities for u in utterances),
            duration_s=sum(clip_duration_s(clips / u.path) for u in utterances if u.row.defect != CORRUPT),
            mentions={label: sum(n for (own, _), n in mentions[name].items() if own == label) for label in LABELS},
            distinct=len(mentions[name]),
            unseen_distinct=len(unseen),
            unseen_mentions=sum(unseen.values()),
            timed_words=sum(len(spoken[u.utt_id].times or ()) for u in utterances),
            shared_words=sum(spoken[u.utt_id].num_shared for u in utterances),
        )
    planted = Counter(u.row.defect for u in sets[paths.TRAIN])
    return MiniSummary(True, settings, {kind: planted[kind] for kind in DEFECTS}, counts)
