"""The suites see broken pieces, and say which promise is broken and for which input."""

# optax types every state and every update as an opaque tree; these tests look inside.
# pyright: reportAttributeAccessIssue=false

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import losses, nn, schedules, testing


class Memory(NamedTuple):
    count: Any
    mean: Any


def averaging(**faults):
    """A block that hands out a running mean, with faults planted by name."""

    def init(params):
        def zeros(w):
            return jnp.zeros_like(w, dtype=None if "narrow" in faults else wide(w))

        mean = jax.tree.map(zeros, params)
        if "shared" in faults:
            mean = jax.tree.map(lambda w, m: w if w.dtype == m.dtype else m, params, mean)
        return Memory(0.0 if "weak" in faults else jnp.zeros((), jnp.int32), mean)

    def update(updates, state, params=None, **extra):
        if "greedy" in faults and extra:
            raise TypeError(f"unknown: {extra}")
        mean = jax.tree.map(lambda m, g: m / 2 + g.astype(m.dtype) / 2, state.mean, updates)

        def out(m, g):
            if "divides" in faults:
                m = m / jnp.max(jnp.abs(m))
            return m if "widens" in faults else m.astype(g.dtype)

        moved = jax.tree.map(out, mean, updates)
        if "concrete" in faults and float(jax.tree.leaves(mean)[0].sum()) > 1e9:
            moved = updates
        return moved, Memory(state.count + 1, mean)

    return optax.GradientTransformationExtraArgs(init, update)


def wide(leaf):
    return jnp.float32 if leaf.dtype.itemsize < 4 else leaf.dtype


def test_a_sound_transformation_passes():
    testing.check_transformation(averaging())


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("narrow", "at least single precision.*Given float16: mean/head/bias has dtype float16"),
        ("shared", "share memory.*Given an interpreted init: a buffer appears twice"),
        ("weak", "dtypes of parameters and state stay the same in a scan"),
        ("greedy", "Unknown extra arguments change nothing.*TypeError: unknown"),
        ("divides", "Gradients of zero give finite updates.*Given float16"),
        ("widens", "stay the same in a scan.*Given float16"),
        ("concrete", "Compiled and interpreted updates agree.*Given float64"),
    ],
)
def test_a_planted_fault_is_found_and_named(fault, says):
    with pytest.raises(AssertionError, match=f"(?s)check_transformation: broken promise: .*{says}"):
        testing.check_transformation(averaging(**{fault: True}))


def test_optax_adam_does_not_run_under_strict_promotion():
    with pytest.raises(AssertionError, match="TypePromotionError"):
        testing.check_transformation(optax.adam(0.1))


def test_what_is_no_transformation_raises():
    with pytest.raises(TypeError, match="must be given a gradient transformation, got float"):
        testing.check_transformation(0.1)


def test_parameters_can_be_the_users():
    with pytest.raises(ValueError, match="at least one parameter"):
        raise_cause(lambda: testing.check_transformation(decays("gamma")))
    testing.check_transformation(decays("gamma"), params={"gamma": jnp.ones(2), "b": jnp.ones(3)})


def decays(name):
    from jaxopt_dl import optim

    return optim.add_decayed_weights(0.1, decayed=lambda path: path.endswith(name))


def raise_cause(call):
    try:
        call()
    except AssertionError as error:
        raise error.__cause__ from None  # type: ignore[misc]


def test_numbers_inside_a_closure_are_found():
    def scaled(learning_rate):
        return optax.stateless(lambda g, p: jax.tree.map(lambda x: -learning_rate * x, g))

    with pytest.raises(AssertionError, match="one function object.*got two functions"):
        testing.check_numbers_are_data(scaled, {"learning_rate": 0.1})


class Halving:
    """A schedule that hides its numbers from JAX."""

    def __call__(self, count):
        return jnp.asarray(0.5, float) ** jnp.asarray(count, float)


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        (Halving(), "Its numbers are leaves of a pytree.*register it as a pytree"),
        (lambda count: 0.1, "strongly typed scalar"),
        (lambda count: jnp.ones(2), "strongly typed scalar.*Given a count of type int"),
        (lambda count: 1.0 - 0.1 * jnp.asarray(count, float), "Given count 11: got -0.1"),
    ],
)
def test_a_broken_schedule_is_found(schedule, says):
    with pytest.raises(AssertionError, match=f"(?s)check_schedule: broken promise: .*{says}"):
        testing.check_schedule(schedule)


def test_a_sound_schedule_passes():
    testing.check_schedule(schedules.warmup(schedules.cosine(0.1, steps=10), steps=3))


def layer_with(apply):
    return nn.dense(3)._replace(apply=apply)


def dense_apply(params, state, x, *, training, key=None, mask=None):
    return nn.dense(3).apply(params, state, x, training=training, key=key, mask=mask)


def centered(params, state, x, *, training, key=None, mask=None):
    y, state = dense_apply(params, state, x, training=training)
    return y - jnp.mean(y, axis=0, keepdims=True), state


def widening(params, state, x, *, training, key=None, mask=None):
    y, state = dense_apply(params, state, x, training=training)
    return y.astype(jnp.float32), state


def drawing(params, state, x, *, training, key=None, mask=None):
    y, state = dense_apply(params, state, x, training=training)
    key = jax.random.key(0) if key is None else key
    return (y + jax.random.normal(key, (1, 3), y.dtype) if training else y), state


def guessing(params, state, x, *, training=True, key=None, mask=None):
    return dense_apply(params, state, x, training=training)


def drifting(params, state, x, *, training, key=None, mask=None):
    y, _ = dense_apply(params, state, x, training=training)
    return y, {"steps": jnp.ones(())}


@pytest.mark.parametrize(
    ("apply", "says"),
    [
        (centered, "In evaluation a row does not depend on the others"),
        (widening, "The dtype that goes in comes out.*Given bfloat16"),
        (drawing, "does not ask for one, and the result depends on it"),
        (drifting, "Inputs in float64 meet|keep structure|Evaluation returns the state unchanged"),
        (guessing, "no default.*it can be left out"),
    ],
)
def test_a_broken_layer_is_found(apply, says):
    with pytest.raises(AssertionError, match=f"(?s)check_layer: broken promise: .*{says}"):
        testing.check_layer(layer_with(apply), (4,))


def test_what_is_no_layer_raises():
    with pytest.raises(TypeError, match="check_layer: `layer` must be a Layer, got function"):
        testing.check_layer(nn.dense, (4,))


OUTPUTS, TARGETS = np.array([0.5, -1.0, 2.0]), np.array([1.0, 1.0, 0.0])


def naive(logits, labels):
    p = 1 / (1 + jnp.exp(-logits))
    labels = labels.astype(logits.dtype)
    return -(labels * jnp.log(p) + (1 - labels) * jnp.log(1 - p))


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (naive, "Outputs in half precision"),
        (lambda z, t: jnp.mean(losses.squared_error(z, t)), "one value per example"),
        (lambda z, t: jnp.square(z - t.astype(z.dtype)), "summed in float32"),
    ],
)
def test_a_broken_loss_is_found(loss, says):
    with pytest.raises(AssertionError, match=f"(?s)check_loss: .*{says}"):
        testing.check_loss(loss, OUTPUTS, TARGETS)
