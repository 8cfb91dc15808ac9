"""What every job's command line does: compose the settings, check them, run, and end with one clear line.

`configs/<job>.yaml` names its groups (model, data, cluster, experiment); `key=value` on the command line overrides any
of it, by Hydra's rules. Nothing starts before the result has been checked against the job's types. With `--dry-run` a job
says which of its stages are there and which it would compute, and why, and does nothing.

An experiment is written for a pipeline: other jobs take of it what they have, and leave its steps and its search.
"""

from __future__ import annotations

import difflib
import io
import json
import logging
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ray_pipeline.artifacts import Workspace
from ray_pipeline.config import Described, Settings, describe, parse, placement, section
from ray_pipeline.errors import ArtifactError, PipelineError, SettingsError
from ray_pipeline.pipelines.dry_run import DryRun, NotThereError
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.run_records import RunRecord, Stopped, recorded

CONFIGS = Path(__file__).parent.parent / "configs"
DRY_RUN = "--dry-run"
_MISSING = "???"  # OmegaConf's mark of a value that must be given
_UNREAD = "unread"  # in a job's file: groups that experiments choose from and this job has no use for
J = TypeVar("J", bound="JobSettings")
logger = logging.getLogger("jobs")


class JobSettings(Settings):
    """What every job that computes has."""

    workspace: str = placement("outputs", "where artifacts and run records lie: a folder or any URI that pyarrow.fs opens")
    force: bool = placement(False, "compute again what is already there")
    log: Literal["debug", "info", "warning"] = placement("info", "what is said on stderr")
    cluster: ClusterSettings = section(ClusterSettings(), "where work runs")


def settings_from(job: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The composed settings of a job as plain values."""
    composed = _composed(job, overrides)
    missing = sorted(key for key, value in _flat(composed).items() if value == _MISSING)
    if missing:
        raise SettingsError("\n".join(f"{key}: required; give {key}=..." for key in missing))
    return composed


def _composed(job: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The same; what has to be given and was not is still marked."""
    groups = groups_of(job)
    settings = [one for one in overrides if _is_setting_here(one, groups)]
    try:
        with initialize_config_dir(str(CONFIGS), version_base=None):
            composed = compose(job, overrides=[_override(one, groups) for one in overrides if one not in settings])
            for one in settings:
                key, _, value = one.partition("=")
                OmegaConf.update(composed, key, yaml.safe_load(value), force_add=True)
            values = OmegaConf.to_container(composed, resolve=True)
    except OverrideParseException as problem:
        given = problem.override.removeprefix("++")
        raise SettingsError(
            f"{given}: cannot be read; put values with commas, brackets, braces or equals signs in quotes, inside the shell's"
        ) from problem
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as problem:
        raise SettingsError(_plain(problem)) from problem
    kept = {str(key): value for key, value in dict(values).items() if key != _UNREAD}  # type: ignore[arg-type]
    for part in _not_for(job):
        if not any(one.lstrip("+").partition("=")[0].partition(".")[0] == part for one in overrides):
            kept.pop(part, None)
    return kept


def _not_for(job: str) -> list[str]:
    """What an experiment may hold that this job has no use for."""
    of_pipelines = [] if job == "pipeline" else ["steps", "iterations", "mode", "folds"]
    return [*of_pipelines, *([] if "method" in groups_of(job) else ["search"]), *_file_of(job).get(_UNREAD, [])]


def groups_of(job: str) -> dict[str, list[str]]:
    """The config groups of a job, and the names that each takes. `problems@held_out` are the files of problems, for the setting held_out."""
    given = _file_of(job)
    names = [next(iter(one)) for one in given["defaults"] if isinstance(one, dict)]
    read = [name for name in names if name not in given.get(_UNREAD, [])]
    return {name: _files_in(CONFIGS / name.partition("@")[0]) for name in read}


def _files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))


def _file_of(job: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CONFIGS / f"{job}.yaml").read_text(encoding="utf-8"))
    return found


def _is_setting_here(given: str, groups: Mapping[str, Sequence[str]]) -> bool:
    """Whether this is a plain setting of the job under a name that is a config group of other jobs (merge: model=...), which
    Hydra would take for the group."""
    key, equals, _ = given.partition("=")
    return bool(equals) and key[:1].isalpha() and key not in groups and (CONFIGS / key).is_dir()


def _override(given: str, groups: Mapping[str, Sequence[str]]) -> str:
    """`key=value` may name any setting, also one the YAML does not mention: the types refuse what does not exist, naming
    the nearest that does, which Hydra's own refusal cannot. Hydra's `+key=value` and `~key` go through as they are."""
    key, equals, value = given.partition("=")
    if not key or (not equals and not key.startswith("~")):
        raise SettingsError(f"{given!r}: settings are given as key=value")
    if not key[:1].isalpha():
        return given
    if key not in groups:
        return f"++{key}={_whole(value)}"
    choices = groups[key]
    if value == "null":
        return f"~{key}"
    if value not in choices:
        near = difflib.get_close_matches(value, choices, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(choices)}"
        raise SettingsError(f"{given}: no such file in configs/{key.partition('@')[0]}; {hint}")
    return given


def _whole(value: str) -> str:
    """A plain value with commas, equals signs or hashes (`IVF,SQ8`, `nprobe=16`, `#8`) in quotes: Hydra would read several, or none."""
    if value[:1] in ("", *"\"'[{$") or not any(mark in value for mark in ",=#"):
        return value
    # backslashes count only before a quote, where Hydra wants each of them twice
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + (r"\'" if found[2] else ""), value)
    return f"'{escaped}'"


def main(job: str, kind: type[J], body: Callable[[J, Run], None], **instead: Callable[[J, Run], None]) -> None:
    """Run a job from the command line. `instead`: what is done in place of `body` where a flag says so (show_batch: `--show-batch`)."""
    arguments = sys.argv[1:]
    for name, other in instead.items():
        flag = f"--{name.replace('_', '-')}"
        if flag in arguments:
            arguments.remove(flag)
            body = other
    if any(argument in ("-h", "--help") for argument in arguments):
        print(help_text(job, kind))
        return
    sys.exit(run_job(job, kind, body, arguments))


def run_job(job: str, kind: type[J], body: Callable[[J, Run], None], arguments: Sequence[str]) -> int:
    """Run a job; returns the exit code: 0, 1 after an error, 130 where it was stopped."""
    try:
        settings = parse(kind, settings_from(job, [one for one in arguments if one != DRY_RUN]))
        start_logging(settings.log)
        place = Workspace.at(settings.workspace)
        if DRY_RUN in arguments:
            print(_foreseen(settings, place, body))
            return 0
        if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ and place.root.uri.startswith(str(Path.cwd())):
            logger.warning(
                "workspace=%s lies in the upload of a submitted job, which Ray deletes; give an absolute path or a URI", settings.workspace
            )
        with _started(place, job, settings) as record:
            run = Run(place, settings.cluster, settings.force)
            try:
                body(settings, run)
            finally:
                record.artifacts.extend(done.artifact.location.uri for done in run.done)
    except PipelineError as problem:
        print(f"\nerror: {problem}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Stopped):
        print("\nstopped; run the same command again to continue from the finished shards", file=sys.stderr)
        return 130
    return 0


def _foreseen(settings: J, place: Workspace, body: Callable[[J, Run], None]) -> str:
    """What the job would do. It has no run record: nothing ran. A hub model that is not on this machine is not fetched."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    run = DryRun(place, settings.cluster, settings.force)
    try:
        with redirect_stdout(io.StringIO()):  # the job's own words are about results
            body(settings, run)
    except NotThereError:
        run.say("  what comes after it waits for it")
    return run.text()


@contextmanager
def _started(place: Workspace, job: str, settings: JobSettings) -> Iterator[RunRecord]:
    """The record of this run; the first thing written, so here a workspace that cannot be written to shows."""
    with ExitStack() as stack:
        try:
            record = stack.enter_context(recorded(place.root, job, settings.model_dump(mode="json")))
        except ArtifactError as problem:
            raise SettingsError(f"workspace={settings.workspace}: nothing can be written there: {problem}") from problem
        yield record


def command_run(job: str) -> str:
    """The command line of this run, as a user would type it again."""
    return " ".join(["python -m", f"jobs.{job}", *map(shlex.quote, sys.argv[1:])])


def start_logging(level: str) -> None:
    """Readable lines on stderr; libraries speak only when something is wrong."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr, force=True)
    for name in ("ray_pipeline", "jobs"):
        logging.getLogger(name).setLevel(level.upper())


def help_text(job: str, kind: type[Settings]) -> str:
    """The job's settings: key, type, default as composed, meaning."""
    composed = {key: value for key, value in _flat(_composed(job, [])).items() if value != _MISSING}
    groups = ", ".join(sorted(groups_of(job)))
    lines = [f"python -m jobs.{job} key=value ...", "", f"Groups ({groups}) take a name: model=minilm data=eedi", ""]
    lines += ["  --dry-run\n      says which stages are there and which would be computed, and why, and does nothing.", ""]
    settings: dict[str, list[Described]] = {}
    for setting in describe(kind):
        settings.setdefault(setting.key, []).append(setting)
    for key, variants in settings.items():  # the choices of a section share some keys: each is shown once, with what all say of it
        default = json.dumps(composed[key], ensure_ascii=False) if key in composed else variants[0].default
        meaning, types = (dict.fromkeys(texts) for texts in zip(*((one.help, one.type) for one in variants), strict=True))
        mark = " [placement]" if variants[0].role == "placement" else ""
        lines.append(f"  {key}={default}\n      {'; '.join(meaning)}. {'|'.join(types)}{mark}")
    lines += ["", "Settings marked [placement] never change a result; all others enter the artifact's fingerprint."]
    return "\n".join(lines)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        flat[f"{prefix}{key}"] = value
    return flat


def _plain(problem: Exception) -> str:
    """Hydra's own message without its inner names, its list of search paths and its advice."""
    lines = [line for line in str(problem).partition("Config search path")[0].splitlines() if line.strip()]
    kept = [line for line in lines if not any(noise in line for noise in ("full_key", "object_type", "HYDRA_FULL_ERROR", "See https"))]
    return "\n".join(kept)
