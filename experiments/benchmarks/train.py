"""How fast is `fit`, beside loops written by hand and beside other libraries?

Every form does the same work: it reshuffles each epoch, evaluates the dev set once per epoch and
keeps the best parameters. The forms take turns in one process, and ratios are formed within a
round. A call of `fit` is timed whole, set-up included, once it has been compiled. Apart from that,
fresh processes are timed from their start to the end of 50 epochs.

    python experiments/benchmarks/train.py [--problem a] [--peers loop,scan] [--rounds 10] [--quick]

A full run (neither `--problem` nor `--peers` nor `--quick`; about ten minutes on two cores) writes
the figures, the picture and the table of `docs/explanation/speed.md`; `--page` writes the latter
two again from the figures there are. What is not installed is left out.
"""

import argparse
import functools
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

os.environ.setdefault("KERAS_BACKEND", "jax")

import _by_hand
import _ours
import _peers_jax
import _peers_torch
import _problems
import _speed_page
import jax

PEERS: dict[str, Callable[[_problems.Problem], _problems.Run]] = {
    "fit": _ours.fit,
    "loop": _by_hand.loop,
    "loop, reduce_window": functools.partial(_by_hand.loop, pool=_by_hand.pool_by_window),
    "scan": _by_hand.scan,
    "Flax linen": _peers_jax.linen,
    "Flax NNX": _peers_jax.nnx,
    "Equinox": _peers_jax.equinox,
    "Keras on JAX": _peers_jax.keras,
    "PyTorch": _peers_torch.eager,
    "PyTorch, compiled": _peers_torch.compiled,
}
SECONDS_PER_TURN = 0.4
"""Each form trains as many epochs in a turn as take about this long, at least one."""
FEWEST_ROUNDS = 10
START = ("fit", "loop", "scan")
START_EPOCHS = 50


def prepare(problem: _problems.Problem, wanted: list[str]) -> dict[str, tuple]:
    """Compile what is installed; return each form with the epochs of its turns."""
    prepared = {}
    for name in wanted:
        if name == "loop, reduce_window" and problem.kind != "conv":
            continue
        try:
            run = PEERS[name](problem)
            run(1)
        except ModuleNotFoundError as missing:
            print(f"  {name} is left out: {missing.name} is not installed.")
            continue
        except RuntimeError as failed:  # a compiler of its own may be missing
            print(f"  {name} is left out: {str(failed).splitlines()[0]}")
            continue
        prepared[name] = (run, _epochs_per_turn(run))
    return prepared


def _epochs_per_turn(run: _problems.Run) -> int:
    """Try ever more epochs, since a call has costs of its own."""
    epochs = 1
    while True:
        seconds = _seconds(run, epochs)
        if seconds > SECONDS_PER_TURN / 2:
            return max(1, round(epochs * SECONDS_PER_TURN / seconds))
        epochs = max(2 * epochs, round(epochs * SECONDS_PER_TURN / seconds / 2))


def _seconds(run: Callable, *args) -> float:
    begin = time.perf_counter()
    run(*args)
    return time.perf_counter() - begin


def measure(prepared: dict[str, tuple], rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds per epoch of each form, one number per round."""
    times = {name: [] for name in prepared}
    for _ in range(rounds):
        for name, (run, epochs) in prepared.items():
            times[name].append(_seconds(run, epochs) / epochs * 1e3)
    return times


def start_times(rounds: int, epochs: int = START_EPOCHS) -> dict[str, list[float]]:
    """Return the milliseconds from process start to end, on problem a, in fresh processes."""
    script = pathlib.Path(__file__).with_name("_start.py")
    times = {name: [] for name in START}
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "digits.npz"
        _problems.save(_problems.make("a"), file)
        for turn in range(rounds + 1):
            for name in START:
                command = [sys.executable, str(script), name, str(file), str(epochs)]
                seconds = _seconds(functools.partial(subprocess.run, check=True), command)
                if turn > 0:  # the first reads the libraries from the disk
                    times[name].append(seconds * 1e3)
    return times


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--problem", choices=[*_problems.NAMES, "start"], help="only this one")
    parser.add_argument("--peers", help=f"only these, by commas: {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=FEWEST_ROUNDS)
    parser.add_argument("--quick", action="store_true", help="2 rounds, a tenth of problem b")
    parser.add_argument("--page", action="store_true", help="no measurement: page and picture")
    return parser.parse_args()


def main() -> None:
    """Measure and print; a full run also writes."""
    options = arguments()
    if options.page:
        _speed_page.write(_speed_page.read())
        return
    rounds = 2 if options.quick else options.rounds
    partial = options.quick or options.problem or options.peers or rounds < FEWEST_ROUNDS
    # A name may hold a comma itself, so names are looked for in the text.
    text = f",{options.peers}," if options.peers else ""
    wanted = [name for name in PEERS if not text or f",{name}," in text]
    results = _speed_page.conditions(rounds)
    for name in _problems.NAMES:
        if options.problem in (None, name):
            problem = _problems.make(name, quick=options.quick)
            print(f"({name}) {problem.title}", flush=True)
            times = measure(prepare(problem, wanted), rounds)
            results["problems"][name] = _speed_page.summarize(problem.title, times)
            _speed_page.show(results["problems"][name])
            jax.clear_caches()
    if options.problem in (None, "start") and not options.peers:
        title = f"problem a, from process start to the end of {START_EPOCHS} epochs"
        print(title, flush=True)
        results["problems"]["start"] = _speed_page.summarize(title, start_times(rounds))
        _speed_page.show(results["problems"]["start"])
    results["load_after"] = round(os.getloadavg()[0], 2)
    results["asked"] = _speed_page.judge(results["problems"])
    _speed_page.show_asked(results["asked"])
    if not partial:
        _speed_page.write(results)


if __name__ == "__main__":
    main()
