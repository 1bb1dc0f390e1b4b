"""For every promise of `check_layer`, a layer that breaks it, and what is said then."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_dl import nn, testing
from jaxopt_dl.testing._layer_forms import keeps_dtypes, keeps_wide_state, meets_wider_inputs
from jaxopt_dl.testing._layer_gradients import has_right_gradients
from jaxopt_dl.testing._layer_subject import Subject
from jaxopt_dl.testing._layer_values import (
    draws_its_parameters_from_the_key,
    trains_as_it_evaluates,
)
from jaxopt_dl.testing._layers import PROMISES
from jaxopt_dl.testing._promise import hold
from tests.testing.broken import (
    Broken,
    assert_found,
    doubled_under_vmap,
    name_of,
    with_doubled_gradient,
)

UNSEEDED = np.random.default_rng()


def plain_init(key, spec):
    kernel = jax.random.normal(key, (spec.shape[-1], 3), spec.dtype)
    return {"kernel": kernel, "bias": jnp.zeros(3, spec.dtype)}, {}


def affine(params, x):
    return x @ params["kernel"] + params["bias"]


def layer(change=lambda y, **given: y, init=plain_init, after=lambda state, **given: state):
    """A layer that changes what an affine map returns, and what the state is afterwards."""

    def apply(params, state, x, *, training, key=None, mask=None):
        given = dict(params=params, x=x, training=training, key=key, mask=mask)
        return change(affine(params, x), **given), after(state, **given)

    return nn.Layer("mine", None, init, apply)


def no_mask(params, state, x, *, training, key=None):
    return affine(params, x), state


def with_a_default(params, state, x, *, training=True, key=None, mask=None):
    return affine(params, x), state


def counting(dtype=jnp.float32):
    return lambda key, spec: (plain_init(key, spec)[0], {"steps": jnp.zeros((), dtype)})


def one_more(state, **_):
    return {"steps": state["steps"] + 1}


def narrow_state(key, spec):
    return plain_init(key, spec)[0], {"mean": jnp.zeros(3, spec.dtype)}


def growing(state, *, training, **_):
    return {**state, "more": jnp.zeros(3)} if training else state


def noise(y, key):
    return y + jax.random.normal(key, (1, 3), y.dtype)


def noise_of_a_constant_key(y, *, training, key, **_):
    return noise(y, jax.random.key(0) if key is None else key) if training else y


def ignoring_the_key(y, *, training, key, **_):
    if training and key is None:
        raise ValueError("mine: training needs a `key`")
    return y


def unhelpful_without_a_key(y, *, training, key, **_):
    if training and key is None:
        raise ValueError("something is missing")
    return noise(y, key) if training else y


def noise_in_evaluation(y, *, key, **_):
    return y if key is None else noise(y, key)


def one_key_for_two(key, spec):
    params, state = plain_init(key, spec)
    return {**params, "gate": 2 * jax.random.normal(key, params["kernel"].shape, spec.dtype)}, state


def init_from_a_fixed_key(key, spec):
    return plain_init(jax.random.key(0), spec)


def dropout_with_a_fixed_mask(y, *, training, **_):
    kept = jax.random.uniform(jax.random.key(0), y.shape) < 0.8
    return jnp.where(kept, y / 0.8, 0) if training else y


def dropout_of_fixed_features(y, *, training, **_):
    kept = jax.random.uniform(jax.random.key(1), y.shape[-1:]) < 0.8
    return jnp.where(kept, y / 0.8, 0) if training else y


def needing_a_key_in_evaluation(y, *, key, **_):
    if key is None:
        raise ValueError("mine: it needs a `key`")
    return noise(y, key)


def counted_in_place(state, **_):
    state["steps"] = state["steps"] + 1
    return state


def branching(y, **_):
    return y if float(y.sum()) > 0 else 2 * y


def centered(y, **_):
    return y - y.mean(axis=0, keepdims=True)


def centered_in_training(y, *, training, **_):
    return centered(y) if training else y


def centered_by_all_rows(y, *, training, mask, **_):
    if not training:
        return y
    real = y if mask is None else jnp.where(mask[:, None], y, 0)
    return y - real.sum(axis=0, keepdims=True) / len(y)


BROKEN = [
    Broken("takes_the_arguments", layer()._replace(apply=no_mask), "TypeError: .*'mask'"),
    Broken("asks_for_the_mode", layer()._replace(apply=with_a_default), "it can be left out"),
    Broken("has_plain_dicts", layer(init=lambda key, spec: ((), {})), "got a tuple and a dict"),
    Broken("predicts_shapes", layer(lambda y, **_: y.T), r"got shape \(3, 6\) for a batch of 6"),
    Broken(
        "takes_any_batch",
        layer(lambda y, **_: jnp.squeeze(y)),
        r"Given a batch of 1: got shape \(3,\) instead of \(1, 3\)",
    ),
    Broken(
        "takes_any_batch",
        layer(lambda y, **_: y.reshape(6, 3)),
        "Given a batch of 1: It raised TypeError",
    ),
    Broken(
        "keeps_dtypes",
        layer(lambda y, **_: y.astype(jnp.float32)),
        "Given bfloat16, training=True: got float32 instead of bfloat16",
    ),
    Broken("keeps_wide_state", layer(init=narrow_state), r"narrower: \['mean'\]"),
    Broken(
        "meets_wider_inputs",
        layer(lambda y, *, params, **_: y.astype(params["bias"].dtype)),
        "Given float64: got float32 instead of float64",
    ),
    Broken("keeps_the_form_of_its_state", layer(after=growing), "Given float64: .*'more'"),
    Broken("compiles", layer(branching), "It raised ConcretizationTypeError"),
    Broken(
        "runs_side_by_side",
        layer(lambda y, **_: doubled_under_vmap(y)),
        "Given float64: `0` differs by up to",
    ),
    Broken(
        "evaluates_without_change",
        layer(init=counting(), after=one_more),
        "`steps` differs by up to 1, and it must not differ at all",
    ),
    Broken("evaluates_rows_alone", layer(centered), "the value differs by up to"),
    Broken(
        "ignores_padding", layer(centered_in_training), "Given float64, training=True: `0` differs"
    ),
    Broken("masks_exactly", layer(centered_by_all_rows), "the value differs by up to"),
    Broken(
        "repeats_itself",
        layer(lambda y, **_: y + UNSEEDED.normal()),
        "Given float64, `apply`, a second call with the same arguments: `0` differs by up to",
    ),
    Broken(
        "repeats_itself",
        layer(init=lambda key, spec: ({"kernel": jnp.asarray(UNSEEDED.normal(size=(4, 3)))}, {})),
        "Given float64, `init`, a second call with the same arguments: `0/kernel` differs by up to",
    ),
    Broken(
        "repeats_itself",
        layer(init=counting(), after=counted_in_place),
        "Given float64, `apply`, the arguments after the call: `1/steps` differs by up to 1",
    ),
    Broken(
        "trains_as_it_evaluates",
        layer(dropout_with_a_fixed_mask),
        "Given float64, equal rows: the value differs by up to",
    ),
    Broken(
        "trains_as_it_evaluates",
        layer(dropout_of_fixed_features),
        "Given float64: the value differs by up to",
    ),
    Broken(
        "draws_its_parameters_from_the_key",
        layer(init=init_from_a_fixed_key),
        "two keys gave the same numbers in `kernel`\\.",
    ),
    Broken(
        "draws_only_with_a_key",
        layer(noise_of_a_constant_key),
        "it does not ask for one, and the result depends on it",
    ),
    Broken(
        "draws_only_with_a_key",
        layer(ignoring_the_key),
        "it raises without one, and the result does not depend on it",
    ),
    Broken(
        "draws_only_with_a_key",
        layer(unhelpful_without_a_key),
        "something is missing, which does not name `key`",
    ),
    Broken(
        "draws_each_parameter_anew",
        layer(init=one_key_for_two),
        "`gate` and `kernel` are the same numbers up to scale",
    ),
    Broken("evaluates_without_a_key", layer(noise_in_evaluation), "`0` differs by up to"),
    Broken(
        "evaluates_without_a_key",
        layer(needing_a_key_in_evaluation),
        "It raised ValueError: mine: it needs a `key`",
    ),
    Broken(
        "has_finite_gradients",
        layer(lambda y, **_: y + jnp.sqrt(0 * y)),
        "Given bfloat16: .*finite",
    ),
    Broken(
        "has_finite_gradients",
        layer(lambda y, **_: jax.lax.stop_gradient(y)),
        "Given bfloat16: all are zero",
    ),
    Broken(
        "has_right_gradients",
        layer(lambda y, **_: with_doubled_gradient(y)),
        "Given training=True: gradient check: FAIL .*with_doubled_gradient at .*broken.py",
    ),
    Broken(
        "has_right_gradients",
        layer(lambda y, *, training, **_: y if training else with_doubled_gradient(y)),
        "Given training=False: gradient check: FAIL",
    ),
]


@pytest.mark.parametrize("case", BROKEN, ids=name_of)
def test_a_fault_is_found_and_named(case):
    subject = Subject(case.piece, (4,))
    assert_found("check_layer", PROMISES, case._replace(piece=subject))


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        (lambda y, **_: y + UNSEEDED.normal(), "The same arguments give the same"),
        (needing_a_key_in_evaluation, "Evaluation needs no key"),
        (branching, "Compiled and interpreted results agree"),
        (lambda y, **_: y.reshape(6, 3), "The batch may have any size"),
    ],
    ids=["unseeded", "key in evaluation", "branching", "fixed batch"],
)
def test_a_fault_that_breaks_several_promises_is_named_by_the_one_that_explains_it(change, promise):
    with pytest.raises(AssertionError, match=f"broken promise: {promise}"):
        testing.check_layer(layer(change), (4,))


def test_parameters_that_are_constant_need_no_key():
    def init(key, spec):
        pattern = jnp.eye(4, 3, dtype=spec.dtype)
        return {"kernel": pattern, "bias": jnp.full(3, 0.1, spec.dtype)}, {}

    with jax.numpy_rank_promotion("allow"):
        draws_its_parameters_from_the_key(Subject(layer(init=init), (4,)))


def test_every_promise_can_be_broken():
    assert {case.promise for case in BROKEN} == {promise.__name__ for promise in PROMISES}


def test_an_ordinary_layer_passes_and_strictness_is_asked_for_alone_and_named():
    said = "without any promotion.*Given the promise '.*', training=True: .*rank_promotion='raise'"
    with pytest.raises(AssertionError, match=said):
        testing.check_layer(layer(), (4,), strict=True)


def test_a_layer_with_float32_parameters_in_every_precision_is_not_at_fault():
    def init(key, spec):
        return {"kernel": jax.random.normal(key, (4, 3), jnp.float32), "bias": jnp.zeros(3)}, {}

    subject = Subject(layer(init=init), (4,))
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        keeps_dtypes(subject)
        keeps_wide_state(subject)
        meets_wider_inputs(subject)


def test_a_surrogate_gradient_passes_where_it_is_allowed():
    def rounded(y, **_):
        return y + jax.lax.stop_gradient(jnp.round(y) - y)

    with jax.numpy_rank_promotion("allow"):
        with pytest.raises(AssertionError, match="gradient check: FAIL"):
            has_right_gradients(Subject(layer(rounded), (4,)))
        has_right_gradients(Subject(layer(rounded), (4,), allow=("stop_gradient",)))


def test_what_is_computed_in_training_alone_passes_where_it_is_allowed():
    rounding = layer(lambda y, *, training, **_: jnp.round(y) if training else y)
    with jax.numpy_rank_promotion("allow"):
        with pytest.raises(AssertionError, match="the value differs by up to"):
            hold("", trains_as_it_evaluates, Subject(rounding, (4,)))
        hold("", trains_as_it_evaluates, Subject(rounding, (4,), allow=("training",)))


def test_what_is_no_layer_raises():
    with pytest.raises(TypeError, match="check_layer: `layer` must be a Layer, got function"):
        testing.check_layer(nn.dense, (4,))
