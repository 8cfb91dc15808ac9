"""Ray Train's controller, the process that starts a training's workers and watches them, as it is wanted here.

Four things differ. It says who it is, so that the driver can end it. Its cleaner is `reservations.Cleaner`, which works without
a dashboard. It starts no actor to hand out Ray's data sets: a process a run, which imports Ray Data and has nothing to do. And where no node
can join, it starts none to ask for nodes: one more that imports Ray Data, and the workers would wait for it.
"""

from __future__ import annotations

from typing import Any

import ray
from ray import cloudpickle
from ray.train.torch import TorchTrainer
from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.execution.callback import ControllerCallback
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy

from ray_pipeline.placement.reservations import Cleaner


class Trainer(TorchTrainer):  # type: ignore[misc]
    """Ray's trainer with these callbacks. `nodes_may_join`: tell the cluster's autoscaler what is needed."""

    nodes_may_join = True

    def _create_default_callbacks(self) -> list[Any]:
        usual = [one for one in super()._create_default_callbacks() if not isinstance(one, DatasetsCallback)]
        return [_Reservations() if isinstance(one, PlacementGroupCleanerCallback) else one for one in usual]

    def _initialize_and_run_controller(self, **given: Any) -> Any:
        policy = given["scaling_policy"]
        if not self.nodes_may_join and isinstance(policy, FixedScalingPolicy):
            given["scaling_policy"] = AsManyAsThereAre(policy.scaling_config)
        return super()._initialize_and_run_controller(**given)


class AsManyAsThereAre(FixedScalingPolicy):  # type: ignore[misc]
    """So many workers and no others, of which no autoscaler is told."""

    def after_controller_start(self, train_run_context: object) -> None: ...

    def _maybe_send_resource_request(self) -> None: ...


class Introduction(ControllerCallback):  # type: ignore[misc]
    """In the controller's process: leaves its address on the board."""

    def __init__(self, board: Any) -> None:
        self.board = board

    def after_controller_start(self, train_run_context: object) -> None:
        ray.get(self.board.introduce.remote(cloudpickle.dumps(ray.get_runtime_context().current_actor)))


class _Reservations(PlacementGroupCleanerCallback):  # type: ignore[misc]
    """Ray Train's own callback with our cleaner."""

    def after_controller_start(self, train_run_context: object) -> None:
        self._controller_actor_id = ray.get_runtime_context().get_actor_id()
        detached = ray.remote(num_cpus=0)(Cleaner).options(lifetime="detached", scheduling_strategy="DEFAULT")
        self._cleaner = detached.remote(self._controller_actor_id)
        self._cleaner.start_monitoring.remote()
