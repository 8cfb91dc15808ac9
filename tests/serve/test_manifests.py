"""What is deployed elsewhere is written in words that Ray Serve and the service understand, and both manifests say the same."""

from __future__ import annotations

from typing import Any

import yaml
from ray.serve.schema import ServeDeploySchema

from ray_pipeline.config import parse
from serve.settings import ServeSettings
from tests.processes import ROOT


def config() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "serve/config.yaml").read_text())
    return found


def test_the_config_is_one_that_serve_takes() -> None:
    schema = ServeDeploySchema.model_validate(config())
    (application,) = schema.applications
    settings = parse(ServeSettings, application.args)
    assert settings.collection == "papers"
    assert settings.keys.mode == "keys"  # what others can reach is never open
    module, _, name = application.import_path.partition(":")
    assert callable(getattr(__import__(module, fromlist=[name]), name))


def test_kuberays_manifest_holds_the_same_service() -> None:
    manifest = yaml.safe_load((ROOT / "deploy/rayservice.yaml").read_text())
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayService")
    inner = yaml.safe_load(manifest["spec"]["serveConfigV2"])
    ServeDeploySchema.model_validate(inner)
    args = {name: value for name, value in config()["applications"][0]["args"].items() if name != "shares"}
    assert inner["applications"][0]["args"] == args
    cluster = manifest["spec"]["rayClusterConfig"]
    assert f"ray[data,serve,train,tune]=={cluster['rayVersion']}" in (ROOT / "pyproject.toml").read_text()
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
