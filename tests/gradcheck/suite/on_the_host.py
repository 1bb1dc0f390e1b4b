"""Functions that JAX cannot trace or cannot take apart, so that differences alone decide.

Networks in NumPy with a gradient written by hand, and right rules around `while` loops. Their
kinks, steep places and oscillations are no noise.
"""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.gradcheck.suite._cases import add, hand_written, normal


def relu_net(seed):
    """Two layers; parameters, loss, gradient and the loss for JAX."""
    x = np.asarray(normal(seed, 6, 4))
    params = {"w1": normal(seed + 1, 4, 8), "w2": normal(seed + 2, 8, 2)}

    def loss(p, np=np):
        return np.mean((np.maximum(x @ p["w1"], 0) @ p["w2"] - 1) ** 2)

    def gradient(p):
        z = x @ p["w1"]
        h = np.maximum(z, 0)
        d = 2 * (h @ p["w2"] - 1) / 12
        return {"w1": x.T @ ((d @ p["w2"].T) * (z > 0)), "w2": h.T @ d}

    return params, loss, gradient


def recurrent_net(seed):
    """Twelve steps of a tanh cell."""
    xs = np.asarray(normal(seed, 12, 2, 3))
    params = {"u": normal(seed + 1, 4, 4), "w": normal(seed + 2, 3, 4)}

    def states(p, np=np):
        found = [np.zeros((2, 4))]
        for x in xs:
            found.append(np.tanh(x @ p["w"] + found[-1] @ p["u"]))
        return found

    def gradient(p):
        found = states(p)
        d, g = 2 * found[-1], {"u": 0.0, "w": 0.0}
        for step in range(11, -1, -1):
            dz = d * (1 - found[step + 1] ** 2)
            g = {"u": g["u"] + found[step].T @ dz, "w": g["w"] + xs[step].T @ dz}
            d = dz @ p["u"].T
        return g

    return params, lambda p, np=np: np.sum(states(p, np)[-1] ** 2), gradient


def oscillation(seed):
    """Fast waves: 40 radians per unit."""
    params = {"a": normal(seed, 4)}
    loss = lambda p, np=np: np.sum(np.sin(40 * p["a"]) / 40 + p["a"] ** 2)
    return params, loss, lambda p: {"a": np.cos(40 * p["a"]) + 2 * p["a"]}


def on_the_host(loss):
    return lambda p: float(loss(p))


def traced(loss):
    return lambda p: loss(p, jnp)


def scaled(gradient, leaf, factor):
    return lambda p: {name: g * (factor if name == leaf else 1) for name, g in gradient(p).items()}


NETS = {"relu": relu_net, "recurrent": recurrent_net, "oscillation": oscillation}
SPOILED = {"relu": "w1", "recurrent": "u", "oscillation": "a"}

for kind, make_net in NETS.items():
    for seed in range(0, 50, 10):

        def right(make_net=make_net, seed=seed):
            params, loss, gradient = make_net(seed)
            return {"params": params, "function": on_the_host(loss), "gradient": gradient}

        def wrong(make_net=make_net, seed=seed, leaf=SPOILED[kind]):
            params, loss, gradient = make_net(seed)
            spoiled = scaled(gradient, leaf, 1.0001)
            return {"params": params, "function": on_the_host(loss), "gradient": spoiled}

        truth = traced(make_net(seed)[1])
        add(f"numpy_{kind}_{seed}", right, theme=__name__, verdict="pass", truth=truth)
        add(
            f"numpy_{kind}_{seed}_off_by_1e_4",
            wrong,
            theme=__name__,
            verdict="fail",
            leaves=frozenset({SPOILED[kind]}),
            find_cause=hand_written,
            truth=truth,
        )


def mean_square(x, p):
    return jnp.mean(jnp.tanh(x @ p["w"]) ** 2)


for seed in range(3):

    def below_its_precision(seed=seed):
        x = np.asarray(normal(seed, 6, 4), np.float32)

        def loss(p):
            return np.float32(1000) + np.mean(np.tanh(x @ np.asarray(p["w"], np.float32)) ** 2)

        def gradient(p):
            t = np.tanh(x @ p["w"])
            return {"w": x.T @ (2 * t * (1 - t * t) / t.size)}

        return {"params": {"w": normal(seed + 9, 4, 3)}, "function": loss, "gradient": gradient}

    add(
        f"numpy_float32_above_1000_{seed}",
        below_its_precision,
        theme=__name__,
        verdict="pass",
        truth=functools.partial(
            mean_square, np.asarray(normal(seed, 6, 4), np.float32).astype(float)
        ),
        unresolvable=True,
    )


def looped(step, count):
    """A `while` loop over `step(carry, w)`, with the right rule: that of the loop unrolled."""

    @jax.custom_jvp
    def run(x, w):
        body = lambda state: (state[0] + 1, step(state[1], w))
        return lax.while_loop(lambda state: state[0] < count, body, (0, x))[1]

    def unrolled(x, w):
        for _ in range(count):
            x = step(x, w)
        return x

    run.defjvp(lambda at, moves: (run(*at), jax.jvp(unrolled, at, moves)[1]))
    return run


LOOPS = {
    "sine_of_sine_of_sine": (lambda x, w: jnp.sin(3 * x * w), 4, (2,)),
    "relu_in_a_loop": (lambda x, w: jax.nn.relu(x @ w) + 0.1, 3, (5,)),
    "tanh_cell_in_a_loop": (lambda x, w: jnp.tanh(x @ w), 8, (4,)),
}

for name, (step, count, shape) in LOOPS.items():
    for seed in (0, 1, 2):

        def in_a_loop(step=step, count=count, shape=shape, seed=seed):
            run = looped(step, count)
            square = len(shape) == 1 and shape[0] > 2
            w = normal(seed, *(2 * shape if square else shape))
            return {
                "function": lambda p: jnp.sum(run(p["x"], p["w"]) ** 2),
                "params": {"x": normal(seed + 5, *shape), "w": w},
            }

        add(f"{name}_{seed}", in_a_loop, theme=__name__, verdict="pass")
