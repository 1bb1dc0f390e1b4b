"""Gradients that are NaN or infinite although the loss is finite."""

# ruff: noqa: E731  a loss of one line reads best beside its parameters

import jax
import jax.numpy as jnp
import numpy as np

from tests.gradcheck.suite._cases import bug, correct, normal


def planted(leaves, *names, **facts):
    return bug(leaves, kind="nonfinite", names=names, **facts)


WITH_ZERO = np.array([0.7, 0.0, 1.3, 2.0])
WITH_NEGATIVE = np.array([0.7, -1.2, 1.3, 2.0])


@planted({"x"}, "log", "div", components={"x": {1}})
def log_behind_a_where():
    def loss(p):
        safe = jnp.where(p["x"] > 0, jnp.log(p["x"]), 0.0)  # planted
        return jnp.sum(safe * p["w"])

    return {"function": loss, "params": {"x": WITH_ZERO, "w": normal(1, 4)}}


@planted({"x"}, "sqrt", components={"x": {1}})
def sqrt_behind_a_where():
    def loss(p):
        roots = jnp.sqrt(p["x"])  # planted
        return jnp.sum(jnp.where(p["x"] > 0, roots, 0.0) * p["w"])

    return {"function": loss, "params": {"x": WITH_ZERO, "w": normal(2, 4)}}


@planted({"x", "w"}, "div", components={"x": {1}, "w": {1}})
def division_behind_a_where():
    def loss(p):
        ratio = jnp.divide(p["w"], p["x"])  # planted
        return jnp.sum(jnp.where(p["x"] == 0, p["x"], jnp.tanh(ratio)))

    return {"function": loss, "params": {"x": WITH_ZERO, "w": np.zeros(4) + 0.5}}


@planted({"x"}, "sqrt", "norm")
def norm_at_zero():
    def loss(p):
        return jnp.linalg.norm(p["x"]) + jnp.sum(p["w"] ** 2)  # planted

    return {"function": loss, "params": {"x": np.zeros(3), "w": normal(3, 2)}}


@planted({"x"}, "sqrt", components={"x": {1}})
def plain_sqrt_at_zero():
    def loss(p):
        return jnp.sum(jnp.sqrt(p["x"]) * p["w"] ** 2)  # planted

    return {"function": loss, "params": {"x": WITH_ZERO, "w": normal(4, 4)}}


@planted({"points"}, "sqrt", "norm")
def pairwise_distances_with_their_diagonal():
    def loss(p, weights):
        apart = p["points"][:, None, :] - p["points"][None, :, :]
        distances = jnp.sqrt(jnp.sum(apart**2, axis=-1))  # planted
        return jnp.sum(distances * weights) + p["scale"] ** 2

    params = {"points": normal(5, 4, 2), "scale": np.float64(2.0)}
    return {"function": loss, "params": params, "args": (normal(6, 4, 4),)}


@planted({"kernel"}, "sqrt", "std")
def standard_deviation_of_a_constant_feature():
    def loss(p, x):
        z = x @ p["kernel"]
        spread = jnp.std(z, axis=0)  # planted
        return jnp.sum(p["w"] * spread)

    x = np.tile(np.round(normal(7, 1, 3)), (5, 1))
    return {"function": loss, "params": {"kernel": np.eye(3), "w": normal(8, 3)}, "args": (x,)}


@planted({"x"}, "sqrt", "div", "norm", components={"x": {2, 3}})
def zero_row_normalized():
    def loss(p, target):
        size = jnp.linalg.norm(p["x"], axis=1, keepdims=True)  # planted
        unit = p["x"] / jnp.maximum(size, 1e-6)
        return jnp.sum((p["w"] * unit - target) ** 2)

    x = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, -1.0]])
    return {"function": loss, "params": {"x": x, "w": normal(9, 2)}, "args": (normal(10, 3, 2),)}


@planted({"x"}, "pow", "power", components={"x": {1}})
def half_power_at_zero():
    def loss(p):
        return jnp.sum(p["w"] * p["x"] ** 0.5)  # planted

    return {"function": loss, "params": {"x": WITH_ZERO, "w": normal(11, 4)}}


@planted({"y", "x"}, "atan2", "arctan2", components={"x": {0}, "y": {0}})
def angle_at_the_origin():
    def loss(p):
        angle = jnp.arctan2(p["y"], p["x"])  # planted
        return jnp.sum(angle**2 * p["w"])

    params = {"x": np.array([0.0, 1.0]), "y": np.array([0.0, 2.0]), "w": normal(12, 2)}
    return {"function": loss, "params": params}


@planted({"x"}, "acos", "arccos", components={"x": {0}})
def arccos_of_one():
    def loss(p):
        angle = jnp.arccos(p["x"])  # planted
        return jnp.sum(angle * p["w"] ** 2)

    return {"function": loss, "params": {"x": np.array([1.0, 0.3]), "w": np.array([1.5, 0.5])}}


@planted({"x"}, "log", components={"x": {1}})
def entropy_of_an_impossible_event():
    def loss(p):
        logs = jnp.log(p["x"])  # planted
        terms = p["x"] * logs
        return -jnp.sum(jnp.where(p["x"] > 0, terms, 0.0) * p["w"])

    return {"function": loss, "params": {"x": WITH_ZERO, "w": normal(13, 4)}}


@planted({"x"}, "exp", components={"x": {1}})
def overflow_behind_a_where():
    def loss(p):
        grown = jnp.exp(p["x"])  # planted
        return jnp.sum(p["w"] * jnp.where(p["x"] > 50, p["x"], jnp.log1p(grown)))

    return {"function": loss, "params": {"x": np.array([1.0, 800.0, -2.0]), "w": normal(14, 3)}}


@planted({"x"}, "log", components={"x": {1}})
def log_behind_a_where_in_a_jitted_scan():
    def loss(p):
        @jax.jit
        def step(total, x):
            term = jnp.where(x > 0, jnp.log(x), x)  # planted
            return total + term, term

        total, terms = jax.lax.scan(step, 0.0, p["x"])
        return total + jnp.sum(terms * p["w"])

    return {"function": loss, "params": {"x": WITH_ZERO, "w": normal(15, 4)}}


@planted({"kernel", "bias"}, "sqrt", "norm")
def distance_to_a_target_already_reached():
    def loss(p, x, y):
        error = x @ p["kernel"] + p["bias"] - y
        return jnp.linalg.norm(error) + p["penalty"] ** 2  # planted

    params = {"kernel": np.eye(2), "bias": np.array([1.0, -1.0]), "penalty": np.float64(0.5)}
    x = np.array([[1.0, 2.0], [3.0, -1.0]])
    return {"function": loss, "params": params, "args": (x, x + np.array([1.0, -1.0]))}


def finite(function, x, **more):
    return {"function": function, "params": {"x": x, **more}}


@correct(truth=lambda p: jnp.sum(jnp.log(p["x"][np.array([0, 2, 3])])))
def log_with_a_safe_operand():
    """The double `where`: the operand is replaced first."""
    positive = lambda x: jnp.where(x > 0, x, 1.0)
    return finite(lambda p: jnp.sum(jnp.log(positive(p["x"]))), WITH_NEGATIVE)


@correct(truth=lambda p: jnp.sum(p["x"] ** 2))
def square_of_a_square_root_with_floor():
    return finite(lambda p: jnp.sum(jnp.sqrt(p["x"] ** 2 + 1e-12) ** 2), WITH_ZERO)


@correct()
def unused_branch_is_infinite_in_value_only():
    """The loss passes near infinity without touching it."""
    return finite(lambda p: jnp.sum(jnp.log(p["x"])), np.array([1e-6, 1.0, 1e6]))


@correct()
def masked_softmax():
    mask = np.array([True, False, True, True])
    loss = lambda p: jax.nn.softmax(jnp.where(mask, p["x"], -jnp.inf))[2]
    return finite(loss, normal(16, 4))


@correct()
def domain_ends_nearby():
    """Square root, logarithm and arcsine close to the edges of their domains."""
    loss = lambda p: jnp.sum(jnp.sqrt(p["x"]) + jnp.log(p["x"]) + jnp.arcsin(1 - p["x"]))
    return finite(loss, np.array([1e-3, 0.02, 0.5]))


@correct()
def norm_away_from_zero():
    return finite(lambda p: jnp.linalg.norm(p["x"]), normal(17, 3))


@correct()
def cholesky_of_a_covariance():
    def loss(p):
        covariance = p["x"] @ p["x"].T + 0.1 * jnp.eye(3)
        return jnp.sum(jnp.log(jnp.diag(jnp.linalg.cholesky(covariance))))

    return finite(loss, normal(18, 3, 4))


@correct()
def probabilities_kept_inside_their_domain():
    loss = lambda p: -jnp.sum(p["w"] * jnp.log(p["x"]) + (1 - p["w"]) * jnp.log1p(-p["x"]))
    return finite(loss, np.array([0.01, 0.5, 0.98]), w=np.array([0.3, 0.6, 0.9]))
