"""What replicas say: a line of JSON each, on stderr, which Ray keeps in its log folder, shows in its dashboard and hands to the one who
started a service on this machine.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from typing import Any

from ray_pipeline.config import parse
from ray_pipeline.serving.http.telemetry import requests
from serve.settings import ServeSettings


class JsonLine(logging.Formatter):
    """One object a line; a request's is one already."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name == requests.name:
            return record.getMessage()
        line = {"time": round(record.created, 3), "level": record.levelname.lower(), "from": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def started(settings: Mapping[str, Any]) -> ServeSettings:
    """A replica's settings; from now on it says what they want said, and Ray Serve's own account stays in Ray's files."""
    given = parse(ServeSettings, settings)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine())
    for name in ("ray_pipeline", "serve"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(given.log.upper())
    return given
