from __future__ import annotations

import subprocess
from pathlib import Path

from ray_pipeline.revision import code_revision, revision_of


def made(root: Path) -> Path:
    package = root / "ray_pipeline"
    package.mkdir()
    (package / "a.py").write_text("A = 1\n")
    return package


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def test_without_a_repository_the_sources_are_hashed(tmp_path: Path) -> None:
    package = made(tmp_path)
    first = revision_of(package)
    assert first.startswith("source:") and revision_of(package) == first
    (package / "a.py").write_text("A = 2\n")
    assert revision_of(package) != first


def test_a_commit_and_whether_the_tree_differs_from_it(tmp_path: Path) -> None:
    package = made(tmp_path)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    clean = revision_of(package)
    assert clean.startswith("git:") and "+" not in clean
    (tmp_path / "notes.txt").write_text("not code")
    assert revision_of(package) == clean
    (package / "new.py").write_text("")  # not added yet, but imported all the same
    assert revision_of(package) == f"{clean}+changes"


def test_a_repository_git_cannot_read_is_not_called_clean(tmp_path: Path) -> None:
    package = made(tmp_path)
    (tmp_path / ".git").mkdir()
    assert revision_of(package).startswith("source:")
    assert code_revision().startswith(("git:", "source:"))
