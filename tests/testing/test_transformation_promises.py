"""For every promise of transformations, one that breaks it, and what is said then."""

# optax types every state and every update as an opaque tree; these tests look inside.
# pyright: reportAttributeAccessIssue=false

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import optim, testing
from jaxopt_dl.testing._promise import hold_all
from jaxopt_dl.testing._transformations import (
    PROMISES,
    STRICT_PROMISES,
    compiles,
    is_strongly_typed,
    owns_its_memory,
    subject_of,
)
from jaxopt_dl.testing._wrappers import works_behind_a_mask, works_in_wrappers
from tests.testing.broken import Broken, assert_found, doubled_under_vmap, name_of

UNSEEDED = np.random.default_rng()


class Memory(NamedTuple):
    count: Any
    mean: Any


STARTS = {"weak": 0.0, "whole": 0}


def averaging(fault="none"):
    """A block that hands out a running mean, with a fault planted by name."""
    calls = itertools.count()

    def init(params):
        def zeros(w):
            return jnp.zeros_like(w, dtype=None if fault == "narrow" else wide(w))

        mean = jax.tree.map(zeros, params)
        if fault == "shared":
            mean = jax.tree.map(lambda w, m: w if w.dtype == m.dtype else m, params, mean)
        if fault == "in place":
            mean = {"": mean, "calls": jnp.zeros(())}
        return Memory(STARTS.get(fault, jnp.zeros((), jnp.int32)), mean)

    def update(updates, state, params=None, **extra):
        if fault == "greedy" and extra:
            raise TypeError(f"unknown: {extra}")
        if fault == "in place":
            state.mean["calls"] = state.mean["calls"] + 1
            return updates, state
        mean = jax.tree.map(lambda m, g: m / 2 + g.astype(m.dtype) / 2, state.mean, updates)
        if fault == "drifts":
            mean = jax.tree.map(lambda m, g: m.astype(g.dtype), mean, updates)
        if fault == "concrete" and float(jax.tree.leaves(mean)[0].sum()) > 1e9:
            mean = state.mean
        return jax.tree.map(handed_out, mean, updates), Memory(state.count + 1, mean)

    def handed_out(m, g):
        if fault == "divides":
            m = m / jnp.max(jnp.abs(m))
        if fault == "hidden":
            m = m * next(calls)
        if fault == "unseeded":
            m = m + UNSEEDED.normal()
        if fault == "vmap":
            m = doubled_under_vmap(m)
        return m.astype({"widens": m.dtype, "uniform": wide(g)}.get(fault, g.dtype))

    return optax.GradientTransformationExtraArgs(init, update)


def by_place():
    """A block that reaches for a parameter by its place in the tree."""

    def update(updates, state, params=None, **extra):
        size = jnp.max(jnp.abs(updates["head"]["bias"]))
        return jax.tree.map(lambda g: g / size.astype(g.dtype), updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def by_type():
    """A block that takes every tuple for a pair, also one of a wrapper."""

    def update(updates, state, params=None, **extra):
        pairs = jax.tree.map(lambda g: (g, -g), updates)
        return jax.tree.map(lambda p: p[0], pairs, is_leaf=lambda x: isinstance(x, tuple)), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def of_fixed_structure():
    """A block that writes the tree out."""

    def update(updates, state, params=None, **extra):
        head = jax.tree.map(jnp.negative, updates["head"])
        return {"head": head, "scale": -updates["scale"]}, state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def blind_to_empty_nodes():
    """A block that takes all that is no dict for a leaf, also what hides one."""

    def update(updates, state, params=None, **extra):
        return jax.tree.map(jnp.sign, updates, is_leaf=lambda x: not isinstance(x, dict)), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def only_at_the_top():
    """A block that misses its own state where a wrapper holds it: it counts `init` instead."""
    made = itertools.count()

    def init(params):
        return jnp.full((), next(made) % 2, jnp.float32)

    def update(updates, state, params=None, **extra):
        return jax.tree.map(lambda g: g * (1 + state.astype(g.dtype)), updates), state

    return optax.GradientTransformationExtraArgs(init, update)


def wide(leaf):
    return jnp.float32 if leaf.dtype.itemsize < 4 else leaf.dtype


def needing_gamma():
    return optim.add_decayed_weights(0.1, decayed=lambda path: path.endswith("gamma"))


BROKEN = [
    Broken("updates", needing_gamma(), "Given float16: It raised ValueError: .*at least one"),
    Broken("repeats_itself", averaging("hidden"), "Given `update`, a second call .* differs by"),
    Broken("repeats_itself", averaging("unseeded"), "Given `update`, a second call .* differs by"),
    Broken(
        "repeats_itself", averaging("in place"), "`update`, the arguments after .*calls` differs"
    ),
    Broken("repeats_itself", only_at_the_top(), "Given `init`, a second call .* differs by"),
    Broken("takes_unknown_arguments", averaging("greedy"), "It raised TypeError: unknown"),
    Broken("compiles", averaging("concrete"), "Given float64: It raised ConcretizationTypeError"),
    Broken("scans", averaging("widens"), "Given float16: .*float32 != float16"),
    Broken("scans", averaging("drifts"), "Given float16: .*carry"),
    Broken("keeps_mixed_dtypes", averaging("uniform"), "Given float64, one leaf in float16: "),
    Broken(
        "keeps_wide_memory",
        averaging("narrow"),
        "Given float16: mean/head/bias has dtype float16",
    ),
    Broken("is_finite_at_zero", averaging("divides"), "Given float16: .*non-finite"),
    Broken(
        "owns_its_memory",
        averaging("shared"),
        "Given an interpreted init: a buffer appears twice: `params/head/bias` and `state/mean/",
    ),
    Broken("is_strongly_typed", averaging("weak"), "`count` is a float"),
    Broken("is_strongly_typed", averaging("whole"), "`count` is a int"),
    Broken("runs_side_by_side", averaging("vmap"), "Given float64: .* differs by up to"),
    Broken(
        "works_in_wrappers", only_at_the_top(), "Given float64, optax.chain: .* differs by up to"
    ),
    Broken("takes_more_parameters", of_fixed_structure(), "more"),
    Broken("works_behind_a_mask", blind_to_empty_nodes(), "Given float64, without one leaf"),
    Broken("works_behind_a_mask", by_place(), "Given float64, without one leaf: It raised "),
    Broken(
        "works_behind_a_mask",
        by_type(),
        "Given float64, without one leaf, optax.masked with a mask: ",
    ),
]


@pytest.mark.parametrize("case", BROKEN, ids=name_of)
def test_a_fault_is_found_and_named(case):
    promises = PROMISES + STRICT_PROMISES
    assert_found("check_transformation", promises, case._replace(piece=(subject_of(case.piece),)))


@pytest.mark.parametrize(
    ("fault", "promise"),
    [
        *(
            (name, "The same arguments give the same")
            for name in ("hidden", "unseeded", "in place")
        ),
        *((name, "Every leaf of the state is a strongly typed array") for name in STARTS),
    ],
)
def test_a_fault_that_breaks_several_promises_is_named_by_the_one_that_explains_it(fault, promise):
    with pytest.raises(AssertionError, match=f"broken promise: {promise}"):
        testing.check_transformation(averaging(fault))


def test_every_promise_can_be_broken():
    promises = PROMISES + STRICT_PROMISES
    assert {case.promise for case in BROKEN} == {promise.__name__ for promise in promises}


def test_a_sound_transformation_passes_in_all_precisions():
    dtypes = ("float16", "bfloat16", "float32", "float64")
    testing.check_transformation(averaging(), dtypes=dtypes, strict=True)


@pytest.mark.parametrize(
    "rule",
    [
        optax.adam(1e-3),
        optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1, momentum=0.9, nesterov=True)),
        optax.rmsprop(optax.cosine_decay_schedule(0.1, 10)),
    ],
    ids=["adam", "clipped sgd", "scheduled rmsprop"],
)
def test_a_rule_of_optax_passes(rule):
    testing.check_transformation(rule)


def test_a_key_in_the_state_is_no_fault():
    subject = subject_of(optax.add_noise(0.1, 0.5, key=jax.random.key(3)))
    with jax.numpy_dtype_promotion("standard"):
        is_strongly_typed(subject)
        owns_its_memory(subject)
        compiles(subject)


def test_strictness_is_asked_for_alone_and_named():
    said = "without any promotion.*Given the promise '.*', float32: It raised TypePromotionError"
    with pytest.raises(AssertionError, match=said):
        testing.check_transformation(optax.scale_by_adam(), strict=True)


def test_an_update_in_the_widest_dtype_of_all_gradients_is_at_fault_under_strictness_alone():
    wide_everywhere = averaging("uniform")
    testing.check_transformation(wide_everywhere, dtypes=("float32",))
    said = "dtypes of their own gradients.*one leaf in bfloat16"
    with pytest.raises(AssertionError, match=said):
        hold_all("", STRICT_PROMISES, subject_of(wide_everywhere, dtypes=("bfloat16", "float32")))


def test_a_rule_made_for_one_tree_passes_with_it():
    params = {"head": {"kernel": jnp.ones((2, 3))}, "scale": jnp.ones(2)}
    testing.check_transformation(of_fixed_structure(), params=params, dtypes=("float32",))


def test_half_precision_is_asked_for_alone():
    testing.check_transformation(averaging("narrow"))
    with pytest.raises(AssertionError, match="at least single precision"):
        testing.check_transformation(averaging("narrow"), dtypes=(jnp.bfloat16,))


def test_what_is_no_transformation_raises():
    with pytest.raises(TypeError, match="must be given a gradient transformation, got float"):
        testing.check_transformation(0.1)


def test_parameters_can_be_the_users():
    testing.check_transformation(needing_gamma(), params={"gamma": jnp.ones(2), "b": jnp.ones(3)})


def test_a_rule_that_needs_a_value_is_given_it():
    rule = optax.polyak_sgd()
    testing.check_transformation(rule, dtypes=("float32",), extra={"value": 1.0})
    with pytest.raises(AssertionError, match="missing 1 required .*'value'.* pass `extra=`"):
        testing.check_transformation(rule)


def test_extra_arguments_may_depend_on_the_parameters():
    testing.check_transformation(
        optax.polyak_sgd(), dtypes=("float32",), extra=lambda w: {"value": optax.tree.sum(w) ** 2}
    )


def test_a_rule_that_needs_each_of_its_parameters_is_masked_beside_another():
    patterns = {"head/kernel": optax.sgd(0.1), "head/bias": optax.sgd(0.2), "scale": optax.sgd(0.3)}
    works_behind_a_mask(subject_of(optim.by_path(patterns)))


def test_a_rule_whose_update_holds_a_loop_is_compiled_once_for_all_wrappers():
    traces = []

    def update(updates, state, params=None, **extra):
        traces.append(None)
        twice = jax.lax.fori_loop(0, 2, lambda _, g: jax.tree.map(jnp.negative, g), updates)
        return twice, state

    tx = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
    subject = subject_of(tx)
    works_in_wrappers(subject)
    assert len(traces) <= 3  # to look at it, compiled, and within MultiSteps


def test_accumulation_that_is_no_transformation_is_told_how_to_become_one():
    with pytest.raises(
        TypeError, match=r"got MultiSteps. Pass what .*\.gradient_transformation\(\)"
    ):
        testing.check_transformation(optax.MultiSteps(optax.sgd(0.1), 2))


def test_parameters_without_leaves_raise():
    with pytest.raises(ValueError, match="`params` must hold at least one array, got none"):
        testing.check_transformation(optax.sgd(0.1), params={})
