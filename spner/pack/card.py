"""The model card of a pack: a README with the front matter that the Hugging Face hub reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from spner.core import paths
from spner.core.files import atomic_text
from spner.data.tokens import find_labels
from spner.pack.source import Source
from spner.report.markdown import SYNTHETIC_NOTE
from spner.scoring.schema import Scores, read_scores

LIMITS = """\
## Limits

- It writes the words that it hears, right or wrong; a name that it mishears may look like another name. Confidences say
  how often words and names were right on the development set, not on other speech.
- Speech unlike its training data (other accents, noise, several people at once, other subjects) costs accuracy.
- Names that it finds are personal data where people are recorded without knowing: ask first."""


def write_card(path: Path, source: Source, made_from: Mapping[str, Any], licence: str | None) -> None:
    """Write the card.

    Args:
        path: the README.
        source: the experiment.
        made_from: what the pack was made from.
        licence: SPDX name; None leaves it open, which the card says.
    """
    scores = _read_scores(source)
    with atomic_text(path) as file:
        file.write(f"---\n{yaml.safe_dump(_front_matter(source, scores, licence), sort_keys=False)}---\n\n")
        parts = [*_introduce(source), *_tell_scores(source, scores)]
        if "int8" in made_from:
            parts.append(_tell_quantised(made_from["int8"]))
        file.write("\n\n".join([*parts, LIMITS, *_tell_origin(source, made_from, licence)]) + "\n")


def _read_scores(source: Source) -> Scores | None:
    """Return the scores of the test set, or of dev, against gold entities if there are any."""
    files = [
        paths.score_file(source.exp, source.search, set_name, gold=gold)
        for set_name in (paths.TEST, paths.DEV)
        for gold in (True, False)
    ]
    return next((read_scores(file) for file in files if file.exists()), None)


def _front_matter(source: Source, scores: Scores | None, licence: str | None) -> dict[str, Any]:
    metrics = []
    if scores:
        metrics = [
            {"type": "wer", "value": scores["wer"]["rate"]},
            {"type": "f1", "value": scores["f1"]["micro"]["f1"]},
        ]
    result = {
        "task": {"type": "automatic-speech-recognition", "name": "Spoken named entity recognition"},
        "dataset": {"type": source.data.name, "name": source.data.name},
        "metrics": metrics,
    }
    return {
        "language": source.lang,
        "license": licence or "other",
        **({} if licence else {"license_name": "not stated"}),
        "library_name": "spner",
        "pipeline_tag": "automatic-speech-recognition",
        "tags": ["onnx", "ctc", "named-entity-recognition", "spoken-named-entity-recognition"],
        "model-index": [{"name": source.exp.name, "results": [result] if scores else []}],
    }


def _introduce(source: Source) -> list[str]:
    labels = source.labels.names if source.tagger else find_labels(source.config["token_list"])
    names = f"the names in it ({', '.join(labels)})" if labels else "no names"
    return [
        f"# {source.exp.name}",
        f"Hears speech in the language `{source.lang}`; writes its words in lower case, {names}, their times and how "
        "sure it is.",
        "```bash\nspner tag talk.mp3 --model PACK\n```",
        '```python\nimport spner\n\nfor entity in spner.load("PACK").tag("talk.mp3").entities:\n'
        "    print(entity.label, entity.text, entity.start_s, entity.end_s, entity.confidence)\n```",
    ]


def _tell_scores(source: Source, scores: Scores | None) -> list[str]:
    if scores is None:
        return ["## Scores", "Not scored."]
    kind = "human or corpus labels" if scores["gold"] else "a text tagger's labels, not human ones"
    rows = [("WER", scores["wer"]["rate"], "wer"), ("entity F1", scores["f1"]["micro"]["f1"], "f1")]
    intervals = scores.get("ci95") or {}
    table = ["| score | value | 95 % interval |", "|---|---|---|"]
    for title, value, key in rows:
        low_high = intervals.get(key)
        interval = f"{low_high[0]:.3f} to {low_high[1]:.3f}" if low_high else "–"
        table.append(f"| {title} | {'–' if value is None else format(value, '.3f')} | {interval} |")
    parts = [
        "## Scores",
        f"On {scores['num_utts']} utterances of `{scores['made_with']['ref']}`, against {kind}:",
        "\n".join(table),
    ]
    if source.synthetic:
        parts.append(f"**{SYNTHETIC_NOTE}**")
    return parts


def _tell_quantised(int8: Mapping[str, Any]) -> str:
    wer, f1 = (f"{int8['int8'][key]:.3f} (whole: {int8['whole'][key]:.3f})" for key in ("wer", "f1"))
    where = f"on {int8['num_utts']} utterances of dev"
    return f"The quantised graph, which CPUs use, {where}: WER {wer}, entity F1 {f1}."


def _tell_origin(source: Source, made_from: Mapping[str, Any], licence: str | None) -> list[str]:
    data = "\n".join(
        f"- `{part['data']}`: {part['chosen']['utterances']} utterances, {part['chosen']['hours']:.2f} h"
        + (", synthetic speech (eSpeak NG)" if source.synthetic else "")
        for part in made_from["trained_on"]
    )
    started = f" It started from the weights of `{made_from['init']}`." if made_from["init"] else ""
    tagger = ""
    if source.tagger:
        tagger = (
            f" A text tagger, `{Path(source.tagger).name}`, finds the names; it learnt from: "
            f"{made_from['tagger']['learnt_from']}."
        )
    stated = f"Licence: {licence}." if licence else "No licence is stated: ask whoever made the pack."
    return [
        "## What it was made from",
        data,
        f"Frontend: `{made_from['frontend']}`.{started}{tagger} Made by spner {made_from['spner']}, commit "
        f"`{made_from['commit']}`.",
        f"{stated} A licence of the data, or of the weights that training started from, binds this model, too.",
    ]
