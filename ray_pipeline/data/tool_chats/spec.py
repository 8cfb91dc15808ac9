"""What to generate."""

from __future__ import annotations

from dataclasses import dataclass

from ray_pipeline.data.tool_chats.domains import DOMAINS
from ray_pipeline.errors import SettingsError


@dataclass(frozen=True)
class ToolChatSpec:
    """What to generate. The shares are of all rows; the rest asks for a single call."""

    rows: int
    seed: int = 0
    domains: int | None = None  # the functions of the first so many domains; none: of all
    most_tools: int = 4  # that a conversation offers
    parallel_share: float = 0.2  # one request, several calls
    multi_turn_share: float = 0.2  # a further request after the first is answered
    no_call_share: float = 0.15  # nothing to call, no tool for it, or an argument lacks

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise SettingsError(f"rows: must be at least 1, not {self.rows}")
        if self.seed < 0:
            raise SettingsError(f"seed: must be 0 or more, not {self.seed}")
        if self.domains is not None and not 1 <= self.domains <= len(DOMAINS):
            raise SettingsError(f"domains: must be from 1 to {len(DOMAINS)}, not {self.domains}; leave it out to take all")
        if self.most_tools < 1:
            raise SettingsError(f"most_tools: must be at least 1, not {self.most_tools}")
        shares = {"parallel_share": self.parallel_share, "multi_turn_share": self.multi_turn_share, "no_call_share": self.no_call_share}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise SettingsError(f"{name}: must be a share from 0 to 1, not {share}")
        if sum(shares.values()) > 1 + 1e-9:  # 0.7 + 0.2 + 0.1 is more than 1 in binary
            raise SettingsError(f"{' + '.join(shares)}: must be at most 1, not {sum(shares.values()):g}; lower one of them")
