"""What does it cost to train on data that is not in memory?

60,000 rows of 784 numbers in a file, a network 784-512-512-10, batches of 128: from memory, mapped
from the file with reading ahead, and mapped without it, in turns. Then the peak of the host's
memory in a process of its own for each, on a file of `--rows` rows.

    python experiments/benchmarks/stream.py
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import jax
import numpy as np

from jaxopt_dl import losses, nn, optim, train
from jaxopt_dl.train import _supply

RESULTS = pathlib.Path(__file__).parents[2] / "docs" / "experiments" / "stream.json"
ROUNDS, EPOCHS, BATCH, WIDTH = 5, 2, 128, 784


def write(folder: pathlib.Path, rows: int) -> None:
    """Write x.npy and y.npy, in pieces."""
    x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (rows, WIDTH))
    draws = np.random.default_rng(0)
    for start in range(0, rows, 10_000):
        part = x[start : start + 10_000]
        part[:] = draws.normal(size=part.shape)
    x.flush()
    np.save(folder / "y.npy", draws.integers(0, 10, rows).astype(np.int32))


def load(folder: pathlib.Path, mapped: bool) -> dict[str, np.ndarray]:
    mode = "r" if mapped else None
    return {name: np.load(folder / f"{name}.npy", mmap_mode=mode) for name in ("x", "y")}


LAYER = nn.mlp([512, 512, 10])
OBJECTIVE = train.supervised(LAYER, losses.softmax_cross_entropy)
START = LAYER.init(jax.random.key(0), (WIDTH,))


def fit(data: dict[str, np.ndarray], epochs: int = EPOCHS) -> train.FitResult:
    return train.fit(
        OBJECTIVE,
        *START,
        optim.adam(1e-3),
        data,
        key=jax.random.key(1),
        epochs=epochs,
        batch_size=BATCH,
        progress=None,
    )


class ReadWhenNeeded(_supply.Prefetched):
    """Chunks that are read when they are asked for."""

    def _read_ahead(self, epoch: int, first: int) -> None:
        pass


def not_ahead(data: dict[str, np.ndarray]) -> train.FitResult:
    """Train without reading ahead."""
    before, _supply.Prefetched = _supply.Prefetched, ReadWhenNeeded
    try:
        return fit(data)
    finally:
        _supply.Prefetched = before


def times(folder: pathlib.Path) -> dict:
    """Return seconds per epoch of each way, and how the numbers compare."""
    memory, mapped = load(folder, mapped=False), load(folder, mapped=True)
    ways = {
        "in memory": lambda: fit(memory),
        "mapped, read ahead": lambda: fit(mapped),
        "mapped, not ahead": lambda: not_ahead(mapped),
    }
    results = {name: way() for name, way in ways.items()}  # also compiles
    seconds = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            seconds[name].append((time.perf_counter() - begin) / EPOCHS)
    base = seconds["in memory"]
    histories = [result.history.rows for result in results.values()]
    return {
        "same_numbers": all(rows == histories[0] for rows in histories),
        "seconds_per_epoch": {n: round(statistics.median(s), 3) for n, s in seconds.items()},
        "times_memory": {
            name: round(statistics.median(a / b for a, b in zip(s, base, strict=True)), 3)
            for name, s in seconds.items()
        },
    }


def held() -> int:
    """Return the most memory this process ever held, in MiB."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def peak(folder: pathlib.Path, mapped: bool) -> dict[str, int]:
    """Train for one epoch; return what the process held at most, before and after."""
    before = held()
    fit(load(folder, mapped), epochs=1)
    on_device = (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    found = {"host_mib_before": before, "host_mib_peak": held()}
    return found if on_device is None else found | {"device_mib_peak": round(on_device / 2**20)}


def peaks(folder: pathlib.Path) -> dict:
    """Return the peaks of memory, each from a process of its own."""
    found = {}
    for name, flag in (("in memory", "memory"), ("mapped, read ahead", "mapped")):
        command = [sys.executable, __file__, "--peak", flag, "--folder", str(folder)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[name] = json.loads(out.splitlines()[-1])
    return found


def main() -> None:
    """Measure, print, write the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=300_000, help="rows for the peak of memory")
    parser.add_argument("--peak", choices=["memory", "mapped"])
    parser.add_argument("--folder", type=pathlib.Path)
    options = parser.parse_args()
    if options.peak:
        print(json.dumps(peak(options.folder, options.peak == "mapped")))
        return
    results = {"backend": jax.default_backend(), "jax": jax.__version__, "cores": os.cpu_count()}
    results["load_before"] = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory() as folder:
        write(pathlib.Path(folder), 60_000)
        results["speed, 60000 rows"] = times(pathlib.Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        write(pathlib.Path(folder), options.rows)
        results[f"memory, {options.rows} rows"] = peaks(pathlib.Path(folder))
    results["load_after"] = round(os.getloadavg()[0], 2)
    print(json.dumps(results, indent=2))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
