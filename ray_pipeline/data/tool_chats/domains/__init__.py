"""All domains, one file each, in the order in which a spec takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ray_pipeline.data.tool_chats.domains import bank, calendar, files, fitness, flights, home, kitchen, maps, messages, music, shop, weather
from ray_pipeline.data.tool_chats.function import Function

DOMAINS: Final[Mapping[str, tuple[Function, ...]]] = {
    "weather": weather.FUNCTIONS,
    "calendar": calendar.FUNCTIONS,
    "messages": messages.FUNCTIONS,
    "music": music.FUNCTIONS,
    "maps": maps.FUNCTIONS,
    "bank": bank.FUNCTIONS,
    "shop": shop.FUNCTIONS,
    "home": home.FUNCTIONS,
    "files": files.FUNCTIONS,
    "fitness": fitness.FUNCTIONS,
    "flights": flights.FUNCTIONS,
    "kitchen": kitchen.FUNCTIONS,
}
