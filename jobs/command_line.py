"""What every job's command line does: compose the settings, check them, run, and end with one clear line.

`configs/<job>.yaml` names its groups (model, data, cluster, experiment); `key=value` on the command line overrides any
of it, by Hydra's rules. Nothing starts before the result has been checked against the job's types.
"""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ray_pipeline.artifacts import Workspace
from ray_pipeline.config import Settings, describe, parse, placement, section
from ray_pipeline.errors import PipelineError, SettingsError
from ray_pipeline.pipelines.stage import Run
from ray_pipeline.placement.cluster import ClusterSettings
from ray_pipeline.run_records import Stopped, recorded

CONFIGS = Path(__file__).parent.parent / "configs"
LOG_LEVELS = ("debug", "info", "warning")
J = TypeVar("J", bound="JobSettings")
logger = logging.getLogger("jobs")


class JobSettings(Settings):
    """What every job that computes has."""

    workspace: str = placement("outputs", "where artifacts and run records lie: a folder or any URI that pyarrow.fs opens")
    force: bool = placement(False, "compute again what is already there")
    log: str = placement("info", "debug, info or warning")
    cluster: ClusterSettings = section(ClusterSettings(), "where work runs")


def settings_from(job: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The composed settings of a job as plain values."""
    try:
        with initialize_config_dir(str(CONFIGS), version_base=None):
            composed = compose(job, overrides=[_lenient(one) for one in overrides])
            values = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException, ValueError) as problem:
        raise SettingsError(_plain(problem)) from problem
    return {str(key): value for key, value in dict(values).items()}  # type: ignore[arg-type]


def _lenient(override: str) -> str:
    """`key=value` may name any setting, also one the YAML does not mention: the types refuse what does not exist, naming
    the nearest that does, which Hydra's own refusal cannot."""
    key = override.split("=", 1)[0]
    is_group = (CONFIGS / key.split("@")[0]).is_dir()
    return override if is_group or not key[:1].isalpha() or "=" not in override else f"++{override}"


def main(job: str, kind: type[J], body: Callable[[J, Run], None]) -> None:
    """Run a job from the command line."""
    arguments = sys.argv[1:]
    if any(argument in ("-h", "--help") for argument in arguments):
        print(help_text(job, kind))
        return
    sys.exit(_run(job, kind, body, arguments))


def _run(job: str, kind: type[J], body: Callable[[J, Run], None], arguments: Sequence[str]) -> int:
    try:
        settings = parse(kind, settings_from(job, arguments))
        start_logging(settings.log)
        place = Workspace.at(settings.workspace)
        with recorded(place.root, job, settings.model_dump(mode="json")) as record:
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


def command_run(job: str) -> str:
    """The command line of this run, as a user would type it again."""
    return " ".join(["python -m", f"jobs.{job}", *map(shlex.quote, sys.argv[1:])])


def start_logging(level: str) -> None:
    """Readable lines on stderr; libraries speak only when something is wrong."""
    if level not in LOG_LEVELS:
        raise SettingsError(f"log: {level!r} is none of {', '.join(LOG_LEVELS)}")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr, force=True)
    for name in ("ray_pipeline", "jobs"):
        logging.getLogger(name).setLevel(level.upper())


def help_text(job: str, kind: type[Settings]) -> str:
    """The job's settings: key, type, default as composed, meaning."""
    composed = _flat(settings_from(job, []))
    groups = ", ".join(sorted(path.name for path in CONFIGS.iterdir() if path.is_dir()))
    lines = [f"python -m jobs.{job} key=value ...", "", f"Groups ({groups}) take a name: model=minilm data=eedi", ""]
    seen = set()
    for setting in describe(kind):
        if setting.key in seen:
            continue
        seen.add(setting.key)
        default = yaml.safe_dump(composed[setting.key], default_flow_style=True).split("\n")[0] if setting.key in composed else setting.default
        mark = " [placement]" if setting.role == "placement" else ""
        lines.append(f"  {setting.key}={default}\n      {setting.help}. {setting.type}{mark}")
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
    """Hydra's own message without its list of search paths."""
    lines = [line for line in str(problem).splitlines() if line.strip()]
    kept = [line for line in lines if "full_key" not in line and "object_type" not in line and "HYDRA_FULL_ERROR" not in line]
    return "\n".join(kept[:12])
