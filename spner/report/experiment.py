"""Training curves and scores of an experiment folder."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.errors import SpnerError
from spner.core.files import read_json
from spner.core.searches import find_searches
from spner.core.training import chosen_checkpoint, find_model, read_config, read_training
from spner.data.datadir import read_labels
from spner.data.kinds import is_gold, tell_kinds
from spner.data.trainset import format_counts
from spner.data.wav_scp import identify_audio
from spner.report.curves import plot_curves
from spner.report.markdown import Run, write_results
from spner.scoring.options import Options
from spner.scoring.presets import preset_rules
from spner.scoring.rules import choose_rules
from spner.scoring.score import write_scores
from spner.scoring.table import format_table
from spner.tagger.origin import read_origin


def plot_training(exp: Path) -> None:
    """Draw the curves of a finished training, the epochs that decoding averages marked."""
    history = read_training(exp)["history"]
    plot_curves(history, exp / paths.CURVES, chosen=chosen_epochs(history, read_config(exp)))


def chosen_epochs(history: Sequence[dict[str, Any]], config: dict[str, Any]) -> list[int]:
    """Return the epochs whose checkpoints ESPnet averages: the best by its first criterion, the earlier on a tie."""
    _phase, key, mode = config["best_model_criterion"][0]
    kept = config["keep_nbest_models"]
    best = sorted(history, key=lambda record: record[f"dev_{key}"], reverse=mode == "max")
    return sorted(record["epoch"] for record in best[: kept if isinstance(kept, int) else max(kept)])


def score_experiment(
    data: Path,
    exp: Path,
    set_names: Sequence[str],
    search: str | None = None,
    *,
    published: str | None = None,
    preset: str | None = None,
) -> str:
    """Score the decoded sets, write ``exp/score/<search>/<set>.json`` and ``exp/RESULTS.md``, and return tables.

    Each set is scored against its pseudo-labels and, where the corpus has gold entities, against them
    (``<set>_gold.json``); against these alone where they are the ones that stage 2 took.

    Args:
        data: data folder of stages 1 and 2.
        exp: experiment folder with hypotheses.
        set_names: which sets.
        search: which search's hypotheses; None for those of all.
        published: benchmark whose published numbers ``RESULTS.md`` shows.
        preset: preset of the scorer, see :mod:`spner.scoring.presets`; None scores the data folder's labels.

    Raises:
        SpnerError: an earlier stage has not finished, or its files do not fit each other.
    """
    if not (data / paths.REPORT).exists():
        raise SpnerError(f"{data}: holds no finished data; stage 1 makes it")
    report = read_json(data / paths.REPORT)
    run, labels = _describe(report, exp), read_labels(data)
    tables = []
    for name, set_name, gold in product(find_searches(exp, search), set_names, (False, True)):
        ref = data / set_name / paths.GOLD_ENTITIES if gold else data / set_name
        if gold and not ref.exists() or not gold and is_gold(report, data / set_name):
            continue
        seen = data / paths.TRAIN / ref.name if gold else data / paths.TRAIN
        seen = seen if seen.exists() else data / paths.TRAIN  # silver, where the test set alone is gold
        hyp = paths.decode_dir(exp, name, set_name)
        rules = choose_rules(run.lang, labels, [ref, seen, hyp])
        rules = preset_rules(preset, None, rules.mapping) if preset else rules
        _refuse_other_audio(data / set_name, hyp)
        scores = write_scores(
            paths.score_file(exp, name, set_name, gold=gold),
            ref=ref,
            hyp=hyp,
            options=Options(rules, seen=seen if seen.exists() else None, gold=gold),
            experiment=asdict(run),
        )
        tables.append(f"{set_name}, {'gold entities' if gold else 'pseudo-labels'}\n{format_table(scores)}")
    write_results(exp, run, published=published)
    return "\n\n".join([*tables, f"{exp / paths.RESULTS}"])


def _refuse_other_audio(data: Path, hyps: Path) -> None:
    """Refuse hypotheses of audio that the data folder no longer holds."""
    if not (hyps / paths.DECODE_RECORD).exists():
        return
    audio = read_json(hyps / paths.DECODE_RECORD).get("audio")
    if audio is not None and audio != identify_audio(data):
        raise SpnerError(
            f"{hyps}: holds hypotheses of other audio than {data} holds now; remove the folder and rerun stage 5, or "
            "give the data folder that was decoded"
        )


def _describe(report: dict[str, Any], exp: Path) -> Run:
    model = find_model(exp)
    facts = _tell_system(exp, model)
    if kinds := tell_kinds(report):
        facts["entities of the corpus"] = kinds
    training, config = read_training(model), read_config(model)
    if training.get("init"):
        facts["began with"] = training["init"]
    if training.get("train"):
        facts["trained on"] = format_counts(training["train"])
    _phase, key, mode = config["best_model_criterion"][0]
    names = {"wer": "untagged WER", "wer_tagged": "tagged WER", "f1": "entity F1"}
    epochs = chosen_epochs(training["history"], config)
    return Run(
        lang=report["settings"]["lang"],
        corpus=report["settings"]["corpus"],
        synthetic=report["synthetic"],
        system="pipeline" if "tagger" in facts else "e2e" if "</NE>" in config["token_list"] else "asr",
        config=", ".join(Path(path).name for path in training["configs"]),
        seed=config["seed"],
        checkpoint=chosen_checkpoint(model).name,
        selection=f"mean of the epochs with the {'lowest' if mode == 'min' else 'highest'} dev {names.get(key, key)}: "
        + ", ".join(map(str, epochs)),
        commit=training["commit"],
        versions=training["versions"],
        facts=facts,
    )


def _tell_system(exp: Path, model: Path) -> dict[str, str]:
    """Return facts about a folder whose hypotheses come from another one's model: which, and a pipeline's tagger."""
    if model == exp:
        return {}
    facts, system = {"model": str(model)}, read_json(exp / paths.SYSTEM)
    if "tagger" in system:
        facts |= {"tagger": system["tagger"], "tagger learnt from": read_origin(system["tagger"]).text}
    return facts
