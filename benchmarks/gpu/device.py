"""The device that is measured: its clock, its memory, and how fast it can multiply bf16 matrices."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

# Dense bf16 operations a second by the makers' data sheets; the first name that the device's own name contains counts.
_DATA_SHEETS = {
    "B200": 2250e12,
    "H200": 989.4e12,
    "H100 PCIe": 756e12,
    "H100": 989.4e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10": 125e12,
}


def measured_device(smoke: bool) -> torch.device:
    """The GPU; for a smoke run the CPU will do."""
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    if not smoke:
        raise SystemExit("no CUDA device here: run this on a GPU machine, or add --smoke to see that it runs")
    print("NO CUDA DEVICE: a smoke run on the CPU at a tiny size. These are not GPU figures.\n")
    return torch.device("cpu")


def name_of(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu (not a GPU)"


def data_sheet_peak(device: torch.device) -> float | None:
    """bf16 operations a second by the data sheet, where it is known."""
    return next((peak for name, peak in _DATA_SHEETS.items() if name in name_of(device)), None)


def measured_peak(device: torch.device, size: int) -> float:
    """bf16 operations a second of one large matrix product, the best this device does in practice."""
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * size**3 / median_seconds(lambda: left @ right, device, rounds=10)


def median_seconds(run: Callable[[], object], device: torch.device, rounds: int) -> float:
    """The median of `rounds` runs after one to warm up, by the device's own clock."""
    run()
    return statistics.median(_seconds(run, device) for _ in range(rounds))


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    if device.type != "cuda":
        started = time.perf_counter()
        run()
        return time.perf_counter() - started
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    torch.cuda.synchronize(device)
    first.record()
    run()
    last.record()
    torch.cuda.synchronize(device)
    return float(first.elapsed_time(last)) / 1000


def forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: torch.device) -> int | None:
    """The most memory that was allocated since `forget_peak`; unknown on a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
