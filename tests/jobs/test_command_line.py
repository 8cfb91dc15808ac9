"""What a user meets first: the list of jobs, --help, refusals in one line, exit codes, and the tools on a workspace."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import ray
import yaml

import jobs.__main__ as listing
from jobs import command_line, prune, show, verify
from jobs.command_line import CONFIGS, groups_of, help_text, run_job, settings_from
from jobs.describe import DescribeJob
from jobs.dpo import DpoJob
from jobs.embed import EmbedJob
from jobs.evaluate import EvaluateJob, evaluate
from jobs.evaluate_tools import EvaluateToolsJob
from jobs.fold import FoldJob
from jobs.generate import GenerateJob
from jobs.grpo import GrpoJob
from jobs.index import IndexJob
from jobs.judge import JudgeJob
from jobs.merge import MergeJob
from jobs.mine import MineJob
from jobs.pairs import PairsJob
from jobs.pipeline import PipelineJob, pipeline
from jobs.pseudo_label import PseudoLabelJob
from jobs.publish import PublishJob
from jobs.rerank import RerankJob
from jobs.rollouts import RolloutsJob
from jobs.score import ScoreJob
from jobs.search import SearchJob, search
from jobs.serve import ServeJob
from jobs.sft import SftJob
from jobs.sweep_trainings import SweepTrainEmbedder
from jobs.synthesise import SynthesiseJob
from jobs.time import TimeJob
from jobs.train_embedder import TrainEmbedderJob
from jobs.train_reranker import TrainRerankerJob
from ray_pipeline.artifacts import Workspace, load
from ray_pipeline.config import describe, parse
from ray_pipeline.errors import PipelineError, SettingsError
from ray_pipeline.run_records import Stopped

ROOT = Path(__file__).parents[2]
RETRIEVING = {"embed": EmbedJob, "search": SearchJob, "mine": MineJob, "evaluate": EvaluateJob, "pipeline": PipelineJob}
COMPUTING = {**RETRIEVING, "pseudo_label": PseudoLabelJob, "train_embedder": TrainEmbedderJob}
RERANKING = {"score": ScoreJob, "rerank": RerankJob, "train_reranker": TrainRerankerJob}
SERVED = {"fold": FoldJob, "index": IndexJob, "publish": PublishJob, "serve": ServeJob}
POLICIES = {
    "describe": DescribeJob,
    "dpo": DpoJob,
    "evaluate_tools": EvaluateToolsJob,
    "generate": GenerateJob,
    "grpo": GrpoJob,
    "judge": JudgeJob,
    "pairs": PairsJob,
    "rollouts": RolloutsJob,
    "sft": SftJob,
    "synthesise": SynthesiseJob,
    "time": TimeJob,
}
ALL = {**COMPUTING, **RERANKING, **SERVED, **POLICIES, "merge": MergeJob, "sweep": SweepTrainEmbedder}
WORDS = ("search.method=bm25", "data.rows=300", "search.k=100")  # a job that needs no model and no Ray


def test_the_list_names_every_job_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    listing.main()
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[2:]]
    assert {name for name, _ in lines} == {*ALL, "attach", "compare", "convert", "leaderboard", "prune", "show", "verify"}
    assert all(len(summary) > 20 for _, summary in lines)


@pytest.mark.parametrize("job", ALL)
def test_help_shows_every_setting_with_its_default_and_meaning(job: str) -> None:
    text = help_text(job, ALL[job])
    keys = [line.split("=")[0].strip() for line in text.splitlines() if line.startswith("  ") and not line.startswith("   ") and "=" in line]
    assert len(keys) == len(set(keys))
    assert set(keys) == {setting.key for setting in describe(ALL[job])}
    assert "  cluster.workers=1\n      model workers: each holds a copy of the model. int [placement]" in text
    if job in COMPUTING:
        assert '  model.precision="bf16"\n' in text  # as configs/model/minilm.yaml has it, not as the type does
        assert "files|misconceptions" in text  # every choice, not the first alone


def test_help_of_the_pipeline_shows_the_settings_of_every_kind_of_step() -> None:
    text = help_text("pipeline", PipelineJob)
    assert "train_embedder|mine|pseudo_labels|evaluate|compare|train_reranker|score|index|merge|merge_reranker" in text
    assert "  steps.<name>.training.train.epochs=1.0\n      passes over the data" in text
    assert "  --dry-run\n" in text


@pytest.mark.parametrize("job", ["show", "verify", "prune", "compare", "attach", "leaderboard"])
def test_help_of_the_tools(job: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", [job, "--help"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"jobs.{job}").main()
    assert ended.value.code == 0
    assert f"python -m jobs.{job}" in capsys.readouterr().out


GIVEN = ("data.path", "problems.path", "held_out.path", "chats.path", "policy.name", "reranker.name", "preferences.sets.pvf.path")
"""What a choice may leave to its user."""


def test_every_choice_of_every_group_is_valid() -> None:
    groups = groups_of("pipeline")
    for group, names in groups.items():
        for name in names:
            given = [f"{group}={name}", *(["model.name=somewhere"] if group in ("model", "experiment") else [])]
            given += ["reranker.name=somewhere"] if "eedi_icl" in name else []
            given += [f"{GIVEN[-1]}=somewhere"] if "_dpo" in name else []
            given += ["preferences.sets.qra.path=somewhere"] if "staged" in name and "_dpo" in name else []
            try:
                parse(PipelineJob, settings_from("pipeline", given))
            except SettingsError as problem:
                asked = [line.partition(":")[0] for line in str(problem).splitlines()]
                assert all(f"{key}: required; give {key}=..." in str(problem) for key in asked), (group, name, str(problem))
                assert set(asked) <= set(GIVEN), (group, name)
                parse(PipelineJob, settings_from("pipeline", [*given, *(f"{key}=somewhere" for key in asked)]))
    assert {path.stem for path in CONFIGS.glob("*.yaml")} >= set(ALL)
    assert set(groups) == {"model", "reranker", "policy", "chats", "data", "method", "cluster", "experiment", "problems", "problems@held_out"}


def test_an_experiment_is_for_every_job_that_has_its_data_and_model() -> None:
    for job, kind in COMPUTING.items():
        found = settings_from(job, ["experiment=hard_negatives"])
        assert ("steps" in found) == (job == "pipeline")
        assert parse(kind, found).data.rows == 3000  # type: ignore[attr-defined]
    for job, kind in {**COMPUTING, **RERANKING}.items():
        needed = ["reranker.name=somewhere"] if job in RERANKING else []
        found = settings_from(job, ["experiment=iterated_minilm", *needed, *(["groups=somewhere"] if job == "train_reranker" else [])])
        assert parse(kind, found).data.rows == 1600  # type: ignore[attr-defined]
        assert ("reranker" in found) == (job in (*RERANKING, "pipeline"))
    with pytest.raises(SettingsError, match="steps: no such setting"):
        parse(EmbedJob, settings_from("embed", ["experiment=hard_negatives", "steps.before.k=3"]))
    assert "exclude_self" not in str(settings_from("embed", ["data=statements", "data.path=x"]))  # the search is not this job's


def test_a_group_is_one_only_for_jobs_that_have_it() -> None:
    assert settings_from("merge", ["model=outputs/model/abc"])["model"] == "outputs/model/abc"
    with pytest.raises(SettingsError, match="no such file in configs/experiment; did you mean 'smoke/iterated_minilm'"):
        settings_from("pipeline", ["experiment=smoke/iterated_minlm"])


@pytest.mark.parametrize("value", ["IVF,SQ8", "nprobe=16", "a,b='c' \\ d", "it's, so", "plain text", "x=y=z", "a,\\\\", "b,\\'", "#8", "a#8/2"])
def test_a_plain_value_needs_no_quotes(value: str) -> None:
    assert settings_from("index", [f"note={value}"])["note"] == value


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["model.precison=fp16"], "model.precison: no such setting; did you mean 'precision'?"),
        (["serach.k=5"], "serach: no such setting; did you mean 'search'?"),
        (["+xyz=1"], "xyz: no such setting; known here: chats, cluster, data,"),
        (["cluster.workers=two"], 'cluster.workers: Input should be a valid integer (got "two")'),
        (["cluster.workers=0"], "cluster.workers: Input should be greater than or equal to 1"),
        (["cluster.device=cuda"], "cluster: device=cuda needs gpus_per_worker > 0"),
        (["cluster=cluster", "cluster.cpus=2"], "cluster: cpus size the embedded Ray; the cluster at address=auto has its own"),
        (["search.method=bm52"], "search.method: no such choice 'bm52'; did you mean 'bm25'?"),
        (["search.method=bm25", "search.kernel=fp32"], "search.kernel: no such setting"),
        (["steps.mine.mining.range=[9,2]"], "steps.mine.mining: range=(9, 2) needs 0 <= lo < hi"),
        (["steps.evaluate.evaluate.ks=[]"], "steps.evaluate.evaluate.ks: []: give at least one k"),
        (["steps.mien.k=5"], "steps.mien.kind: required, but not given; it says which of the choices is meant. Was 'mine' meant?"),
        (
            ["experiment=hard_negatives", "steps.train.training.train.epocs=2"],
            "steps.train.training.train.epocs: no such setting; did you mean 'epochs'?",
        ),
        (["experiment=hard_negatives", "steps.after.model=trian"], "steps.after.model='trian': there is no such step; did you mean 'train'?"),
        (["experiment=null"], "steps: required, but not given"),
        (["log=loud"], "log: Input should be 'debug', 'info' or 'warning'"),
        (["model=nope"], "model=nope: no such file in configs/model; there are bge_en_icl, e5_base, minilm,"),
        (["model=minilm_fp23"], "did you mean 'minilm_fp32'?"),
        (["data=beir"], "data.path: required; give data.path=..."),
        (["~model"], "model: required, but not given"),
        (["workers"], "'workers': settings are given as key=value"),
        (["=5"], "'=5': settings are given as key=value"),
        (["data.columns={query: "], "data.columns={query: : cannot be read; put values"),
        (["model.prompt.task=${nowhere}"], "Interpolation key 'nowhere' not found"),
    ],
)
def test_a_mistake_is_refused_in_words_before_anything_starts(
    given: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was started"))
    code = run_job("pipeline", PipelineJob, lambda *_: pytest.fail("the job was started"), [*given, f"workspace={tmp_path}"])
    said = capsys.readouterr().err
    assert code == 1
    assert said.startswith("\nerror: ")
    assert words in said
    for noise in ("Traceback", "hydra", "Hydra", "full_key", "search path", "LexerNoViableAlt", "RayTask"):
        assert noise not in said
    assert not list(tmp_path.iterdir())


def test_the_command_line_itself_exits_with_1_and_no_traceback(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "jobs.embed", "embed.shard_row=5", f"workspace={tmp_path / 'never'}"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr == "\nerror: embed.shard_row: no such setting; did you mean 'shard_rows'?\n"
    assert not (tmp_path / "never").exists()


def test_an_address_where_no_cluster_is_ends_in_words(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "jobs.embed", "cluster.address=127.0.0.1:1", "data.rows=300", f"workspace={tmp_path}"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 1
    assert "error: cluster.address (or RAY_ADDRESS) '127.0.0.1:1': no Ray cluster answers there" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_workspace_that_cannot_be_written_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert run_job("search", SearchJob, search, [*WORDS, f"workspace={tmp_path / 'file' / 'below'}"]) == 1
    assert "below: nothing can be written there" in capsys.readouterr().err


@pytest.fixture
def searched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Workspace:
    """A workspace with a data set and a ranking by words."""
    assert run_job("search", SearchJob, search, [*WORDS, f"workspace={tmp_path}", "log=warning"]) == 0
    assert "queries ranked" in capsys.readouterr().out
    return Workspace.at(str(tmp_path))


def records(workspace: Workspace) -> list[dict[str, object]]:
    runs = sorted((workspace.root / "runs").children(), key=lambda run: (run / "started.json").read_json()["started"])
    return [{**(run / "started.json").read_json(), **(run / "ended.json").read_json()} for run in runs]


def test_run_records_tell_of_finished_failed_and_stopped_runs(searched: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*WORDS, f"workspace={searched.root.uri}"]
    assert run_job("evaluate", EvaluateJob, evaluate, [*arguments, "split=rest"]) == 1
    assert "error: " in capsys.readouterr().err

    def interrupted(settings: SearchJob, run: object) -> None:
        raise Stopped("signal 15")

    assert run_job("search", SearchJob, interrupted, arguments) == 130
    assert "stopped; run the same command again" in capsys.readouterr().err

    def broken(settings: SearchJob, run: object) -> None:
        raise ZeroDivisionError("a defect keeps its traceback")

    with pytest.raises(ZeroDivisionError):
        run_job("search", SearchJob, broken, arguments)
    told = records(searched)
    assert [(one["job"], one["status"]) for one in told] == [
        ("search", "finished"),
        ("evaluate", "failed"),
        ("search", "stopped"),
        ("search", "failed"),
    ]
    assert told[0]["settings"]["search"]["k"] == 100  # type: ignore[index]
    assert [load(uri).stage for uri in told[0]["artifacts"]] == ["data", "ranking"]  # type: ignore[attr-defined]
    assert "no query of split 'rest' has a positive" in str(told[1]["error"])
    assert told[3]["error"] == "ZeroDivisionError: a defect keeps its traceback"


def test_the_pipeline_prints_what_became_of_every_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = [*WORDS, f"workspace={tmp_path}", "steps.mine.mining.range=[2,60]", "steps.evaluate.evaluate.ks=[1,25]"]
    monkeypatch.setattr(sys, "argv", ["pipeline", *arguments])
    assert run_job("pipeline", PipelineJob, pipeline, arguments) == 0
    out = capsys.readouterr().out
    assert "5 of 5 stages computed, 0 already done" in out
    assert "report: " in out
    report = Path(out.rsplit("report: ", 1)[1].split()[0])
    assert f"python -m jobs.pipeline search.method=bm25 data.rows=300 search.k=100 workspace={tmp_path} 'steps.mine." in report.read_text()
    assert run_job("pipeline", PipelineJob, pipeline, arguments) == 0
    assert "0 of 5 stages computed, 5 already done" in capsys.readouterr().out


def tool(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], main: Callable[[], None], *arguments: str) -> tuple[str, str]:
    """What a tool printed, and what it exited with ("" for success)."""
    monkeypatch.setattr(sys, "argv", ["tool", *arguments])
    try:
        main()
        ended = ""
    except SystemExit as problem:
        ended = str(problem.code)
    return capsys.readouterr().out, ended


def test_show_prints_the_manifest_and_the_lineage_to_the_raw_inputs(
    searched: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ranking = next(one for one in searched.artifacts() if one.stage == "ranking")
    out, ended = tool(monkeypatch, capsys, show.main, f"{ranking.location.uri}/manifest.json")
    assert ended == ""
    manifest, lineage = out.split("\nlineage:\n")
    assert yaml.safe_load(manifest)["fingerprint"] == ranking.fingerprint
    assert yaml.safe_load(manifest)["identity"]["search"]["method"] == "bm25"
    assert [line.split(":")[0].strip() for line in lineage.splitlines()[1:]] == ["corpus", "queries"]
    next(one for one in searched.artifacts() if one.stage == "data").location.delete()
    out, ended = tool(monkeypatch, capsys, show.main, ranking.location.uri)
    assert ended == ""
    assert out.count("no longer there") == 2
    assert tool(monkeypatch, capsys, show.main, str(tmp_path))[1].startswith("error: ")


def test_verify_finds_a_flipped_byte_and_a_missing_file(
    searched: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ranking = next(one for one in searched.artifacts() if one.stage == "ranking")
    out, ended = tool(monkeypatch, capsys, verify.main, ranking.location.uri)
    assert (out, ended) == (f"ranking {ranking.fingerprint}: 1 files, all as the manifest says\n", "")
    file = Path((ranking.location / ranking.files()[0].path).uri)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    out, ended = tool(monkeypatch, capsys, verify.main, ranking.location.uri)
    assert out == ""
    assert ended.startswith("damaged:\n")
    assert str(file) in ended
    file.unlink()
    assert f"{file}: missing" in tool(monkeypatch, capsys, verify.main, ranking.location.uri)[1]


def files_below(workspace: Workspace) -> set[str]:
    return {place.uri for place, _ in workspace.root.files()}


def test_prune_lists_first_and_deletes_only_leaves(searched: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    root = searched.root.uri
    (data,) = (one for one in searched.artifacts() if one.stage == "data")
    (ranking,) = (one for one in searched.artifacts() if one.stage == "ranking")
    before = files_below(searched)

    def pruned(*arguments: str) -> tuple[str, str]:
        return tool(monkeypatch, capsys, prune.main, "--workspace", root, *arguments)

    assert "0 folders" in pruned("--delete")[0]  # all is younger than an hour
    out, _ = pruned("--older-than-hours", "0")
    assert ranking.location.uri in out
    assert data.location.uri not in out
    assert "1 folders" in out
    assert "run again with --delete" in out
    assert "0 folders" in pruned("--older-than-hours", "0", "--delete", "--keep", ranking.fingerprint[:6])[0]
    assert "0 folders" in pruned("--older-than-hours", "0", "--delete", "--stage", "data")[0]
    assert "no such stage" in pruned("--older-than-hours", "0", "--delete", "--stage", "vectros")[1]
    assert files_below(searched) == before
    assert "1 folders" in pruned("--older-than-hours", "0", "--delete")[0]
    assert {one.stage for one in searched.artifacts()} == {"data"}
    assert "1 folders" in pruned("--older-than-hours", "0", "--delete", "--stage", "data")[0]  # a leaf by now
    assert not list(searched.artifacts())
    assert records(searched)  # what was run stays known
    assert "no such workspace" in tool(monkeypatch, capsys, prune.main, "--workspace", f"{root}/nowhere")[1]


def test_prune_finds_what_attempts_left_behind(searched: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (data,) = (one for one in searched.artifacts() if one.stage == "data")
    listed = {file.path for file in data.files()}
    assert run_job("search", SearchJob, search, [*WORDS, f"workspace={searched.root.uri}", "force=true"]) == 0
    again = load(data.location.uri)
    assert listed.isdisjoint(file.path for file in again.files())
    searched.begin("vectors", "a" * 20).write("half.parquet", b"x")
    capsys.readouterr()
    out, _ = tool(monkeypatch, capsys, prune.main, "--workspace", searched.root.uri, "--older-than-hours", "0", "--delete")
    assert "vectors: an attempt that published nothing" in out
    assert "data: an attempt whose files its manifest does not list" in out
    assert not (searched.root / "vectors" / ("a" * 20)).exists()
    assert not any(Path((data.location / path).uri).exists() for path in listed)
    assert load(data.location.uri).table("corpus/").num_rows == again.manifest["rows"]  # what is listed is all there


def test_a_young_attempt_is_left_alone(searched: Workspace) -> None:
    attempt = searched.begin("vectors", "b" * 20)
    attempt.write("half.parquet", b"x")
    found = prune.candidates(searched, [], [], 1.0)
    assert not [folder for _, folder in found if folder.name == "b" * 20]
    old = time.time() - 7200
    for place, _ in attempt.location.files():
        os.utime(place.uri, (old, old))
    assert [folder.name for _, folder in prune.candidates(searched, ["vectors"], [], 1.0)] == ["b" * 20]


def test_commands_are_written_as_a_user_would_type_them_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "data=table", "data.columns={query: question}"])
    assert command_line.command_run("search") == "python -m jobs.search data=table 'data.columns={query: question}'"


def test_settings_errors_are_pipeline_errors() -> None:
    with pytest.raises(SettingsError):
        settings_from("embed", ["x"])
    assert issubclass(SettingsError, PipelineError)


def test_started_records_are_plain_json(searched: Workspace) -> None:
    (run,) = (searched.root / "runs").children()
    assert json.loads((run / "started.json").read())["settings"]["cluster"]["workers"] == 1


@pytest.mark.skipif(not (ROOT / "../shared/data/eedi").is_dir(), reason="the Eedi files are not beside this checkout")
def test_the_eedi_questions_are_measured_by_words(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    arguments = ["data=eedi", "search.method=bm25", "search.k=100", "evaluate.baseline=none", f"workspace={tmp_path}"]
    assert run_job("evaluate", EvaluateJob, evaluate, arguments) == 0
    told = capsys.readouterr()
    assert ">>> Seen LB: " in told.out or "map@25" in told.out
    assert "measured at k up to 100, not at 1000" in told.err
    means = next(one for one in Workspace.at(str(tmp_path)).artifacts() if one.stage == "evaluation").metrics["means"]
    assert 0.2 < means["recall@25"] < 0.6
