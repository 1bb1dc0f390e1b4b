"""Functions whose values are small differences of large numbers: stairs of rounding.

Each is given as one would write it down, with a stable form of the same mathematics as truth.
Their gradients are right as far as such a formula can be: each case states how far.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import add, hand_written, normal


def add_cancelling(name, loss, stable, params, noise, wrong):
    """Register a formula with `jax.grad`, with the gradient of the stable form, and a wrong one.

    Args:
      name: of the cases.
      loss: as one would write it down.
      stable: the same mathematics without cancellation.
      params: dict of arrays or numbers.
      noise: relative error of the gradient of `loss`, by rounding.
      wrong: what a wrong gradient by hand multiplies every entry with; 1 for none.
    """
    exact = jax.grad(stable)

    def by_hand(p):
        return exact(p)

    def made_wrong(p):
        return jax.tree.map(lambda g: wrong * g, exact(p))

    base = {"function": loss, "params": params}
    facts = dict(theme=__name__, truth=stable, noise=noise)
    add(name, lambda: base, verdict="pass", **facts)
    right = {**base, "gradient": by_hand}
    add(f"{name}_by_hand", lambda: right, verdict="pass", **facts)
    if wrong != 1:
        add(
            f"{name}_by_hand_times_{wrong}",
            lambda: {**base, "gradient": made_wrong},
            verdict="fail",
            leaves=frozenset(params),
            find_cause=hand_written,
            **facts,
        )


EXPONENTIAL = np.array([1.0 / math.factorial(k + 1) for k in range(60)])[::-1]
SINE = np.array([(-1.0) ** k / math.factorial(2 * k + 3) for k in range(40)])[::-1]
"""Series of the two quotients below, highest power first; exact wherever points are tried."""


def one_minus_cosine(p):
    return jnp.sum((1 - jnp.cos(p["x"])) / p["x"] ** 2)


def half_angle(p):
    return jnp.sum(2 * jnp.sin(p["x"] / 2) ** 2 / p["x"] ** 2)


for point, noise, wrong in ((3e-2, 1e-6, 1.01), (3e-3, 1e-3, 1.5), (5e-4, 1.0, 1)):
    add_cancelling(
        f"one_minus_cosine_at_{point:g}",
        one_minus_cosine,
        half_angle,
        {"x": np.array([point, -1.7 * point])},
        noise,
        wrong,
    )

for point, noise, wrong in ((1e-3, 1e-6, 1.001), (1e-5, 1e-2, 1.5)):
    add_cancelling(
        f"exponential_quotient_at_{point:g}",
        lambda p: jnp.sum((jnp.exp(p["x"]) - 1) / p["x"]),
        lambda p: jnp.sum(jnp.polyval(EXPONENTIAL, p["x"])),
        {"x": np.array([point, 2.3 * point])},
        noise,
        wrong,
    )

for point in (1e-2, 1e-5, 1e-8):
    add_cancelling(
        f"hypotenuse_minus_one_at_{point:g}",
        lambda p: jnp.sum(jnp.sqrt(p["x"] ** 2 + 1) - 1),
        lambda p: jnp.sum(p["x"] ** 2 / (jnp.sqrt(p["x"] ** 2 + 1) + 1)),
        {"x": np.array([point, -0.3 * point])},
        1e-9,
        1.001,
    )

for point, noise, wrong in ((1e-1, 1e-6, 1.01), (5e-3, 0.1, 1)):
    add_cancelling(
        f"cubic_remainder_of_sine_at_{point:g}",
        lambda p: jnp.sum((p["x"] - jnp.sin(p["x"])) / p["x"] ** 3),
        lambda p: jnp.sum(jnp.polyval(SINE, p["x"] ** 2)),
        {"x": np.array([point])},
        noise,
        wrong,
    )


def quadratic_root(p):
    return (-p["b"] + jnp.sqrt(p["b"] ** 2 - 4 * 1.3 * p["c"])) / (2 * 1.3)


def stable_root(p):
    return -2 * p["c"] / (p["b"] + jnp.sqrt(p["b"] ** 2 - 4 * 1.3 * p["c"]))


for b, noise, wrong in ((1e3, 1e-6, 1.01), (1e4, 1e-3, 1.5), (1e5, 1.0, 1)):
    add_cancelling(
        f"root_of_a_quadratic_with_b_{b:g}",
        quadratic_root,
        stable_root,
        {"b": np.float64(b), "c": np.float64(0.7)},
        noise,
        wrong,
    )

add_cancelling(
    "variance_as_difference_of_moments",
    lambda p: jnp.mean(p["x"] ** 2) - jnp.mean(p["x"]) ** 2,
    lambda p: jnp.var(p["x"]),
    {"x": 1e4 + 1e-2 * normal(601, 5)},
    1e-6,
    1.01,
)
add_cancelling(
    "distance_far_from_the_origin",
    lambda p: jnp.sqrt(jnp.sum((p["x"] - jnp.array([1e8, -1e8])) ** 2)),
    lambda p: jnp.sqrt(jnp.sum((p["x"] - jnp.array([1e8, -1e8])) ** 2)),
    {"x": np.array([1e8 + 1e-3, -1e8 + 2e-3])},
    1e-6,
    1,
)
add_cancelling(
    "hyperbolic_cosine_minus_its_growing_half",
    lambda p: jnp.sum(jnp.cosh(p["x"]) - jnp.exp(p["x"]) / 2),
    lambda p: jnp.sum(jnp.exp(-p["x"]) / 2),
    {"x": np.array([3.0, 10.0])},
    1e-5,
    1.01,
)
add_cancelling(
    "difference_of_nearby_hyperbolic_tangents",
    lambda p: jnp.sum(jnp.tanh(p["x"] + 1e-5) - jnp.tanh(p["x"])),
    lambda p: jnp.sum(jnp.sinh(1e-5) / (jnp.cosh(p["x"] + 1e-5) * jnp.cosh(p["x"]))),
    {"x": np.array([0.4, -2.0, 4.0])},
    1e-4,
    1.01,
)
add_cancelling(
    "loss_of_a_certain_class_without_a_shift",
    lambda p: jnp.log(jnp.sum(jnp.exp(p["x"]))) - p["x"][0],
    lambda p: jnp.log1p(jnp.sum(jnp.exp(p["x"][1:] - p["x"][0]))),
    {"x": np.array([20.0, 1.0, 2.0])},
    1e-6,
    1,
)
add_cancelling(
    "geometric_sum_by_its_formula",
    lambda p: jnp.sum((1 - p["x"] ** 10) / (1 - p["x"])),
    lambda p: jnp.sum(jnp.polyval(jnp.ones(10), p["x"])),
    {"x": np.array([0.5, 1 + 1e-4, 1 - 1e-5])},
    1e-4,
    1.01,
)
add_cancelling(
    "squares_of_large_numbers_subtracted",
    lambda p: jnp.sum((1e6 + p["x"]) ** 2 - 1e12),
    lambda p: jnp.sum(2e6 * p["x"] + p["x"] ** 2),
    {"x": np.array([1e-3, -0.2])},
    1e-6,
    1.001,
)
