"""`fit(mesh=)`: several devices, and several processes, give the numbers of one."""

import functools
import json
import os
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxopt_dl import optim, train
from tests.train.problems import blobs, classifier

TOLERANCE = {"float64": 1e-9, "float32": 1e-4}


def start(devices: int, *arguments: str) -> subprocess.Popen:
    """Start `tests.train.devices` with so many virtual devices."""
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    command = [sys.executable, "-m", "tests.train.devices", *arguments]
    kept = {**os.environ, **flags, "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=kept, text=True)


def finished(process: subprocess.Popen) -> dict:
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    return json.loads(out.splitlines()[-1])


@functools.cache
def on_virtual_devices(*arguments: str) -> dict:
    return finished(start(8, *arguments))


def assert_same(name: str, run: dict, reference: dict) -> None:
    for curve in ("train_loss", "dev_loss"):
        np.testing.assert_allclose(run[curve], reference[curve], rtol=TOLERANCE[name])
    if name == "float64":
        np.testing.assert_allclose(run["params"], reference["params"], rtol=0, atol=1e-9)


def test_eight_devices_give_the_numbers_of_one():
    """With batch norm, dropout and a last batch of 13 of 16 rows."""
    runs = on_virtual_devices("float64:8")["float64"]
    assert_same("float64", runs["8"], runs["None"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["float64", "float32"])
def test_any_number_of_devices_gives_the_numbers_of_one(name):
    runs = on_virtual_devices("float64:1,2,4,8", "float32:1,2,4,8")[name]
    assert runs.keys() == {"None", "1", "2", "4", "8"}
    for run in runs.values():
        assert_same(name, run, runs["None"])


def test_two_processes_give_the_numbers_of_one():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    both = [start(1, f"process:{address}:{rank}", "float64:2") for rank in range(2)]
    first, second = (finished(process)["float64"]["2"] for process in both)
    assert first == second
    assert_same("float64", first, on_virtual_devices("float64:8")["float64"]["None"])


def test_a_mesh_of_one_device_changes_nothing():
    mesh = jax.make_mesh((1,), ("data",))
    plain, meshed = (
        train.fit(
            *classifier(),
            optim.adam(1e-2),
            blobs(),
            dev=blobs(30, seed=1),
            key=jax.random.key(1),
            epochs=2,
            batch_size=16,
            mesh=m,
            progress=None,
        )
        for m in (None, mesh)
    )
    assert plain.history.rows == meshed.history.rows


BAD = {
    "a number": (4, 16, "must be a jax.sharding.Mesh"),
    "another axis": (jax.sharding.Mesh(np.array(jax.devices()), ("x",)), 16, "axis 'data'"),
}


@pytest.mark.parametrize(("mesh", "batch_size", "said"), BAD.values(), ids=BAD)
def test_a_mesh_that_cannot_be_used_is_refused(mesh, batch_size, said):
    with pytest.raises((TypeError, ValueError), match=said):
        train.fit(
            *classifier(),
            optim.adam(1e-2),
            blobs(),
            key=jax.random.key(1),
            epochs=1,
            batch_size=batch_size,
            mesh=mesh,
        )
