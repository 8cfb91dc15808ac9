"""The only room that knows Ray. What Ray reads from the environment it reads when it is imported, so it is set here.

Every value is a default: what the user has set in the environment stands.
"""

from __future__ import annotations

import os
from typing import Final

_ENVIRONMENT: Final = {
    # a worker that holds no GPU sees the machine's as before, instead of an emptied CUDA_VISIBLE_DEVICES
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's core logs an error for every restartable actor of Ray Data; true errors reach the driver as exceptions
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    # a page of text for every dead worker, printed whenever it likes; `shards` says in one line who died of what
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed|the task will be retried|Task .* failed|^\\s*$",
}

for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
