"""Plateau reduction: negative values, NaN, both ways to feed it, and optax as a peer."""

# optax types every state and every update as an opaque tree; these tests look inside.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false, reportGeneralTypeIssues=false
# pyright: reportOperatorIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import optim

W = jnp.array([1.0, -2.0])


def scales(rule, values) -> list[float]:
    state, found = rule.init(W), []
    for value in values:
        state = optim.with_evaluation(state, value)
        found.append(float(state.scale))
    return found


def test_two_evaluations_without_improvement_reduce():
    rule = optim.reduce_on_plateau(factor=0.5, patience=2)
    assert scales(rule, [1.0, 0.9, 0.9, 0.9, 0.9, 0.9]) == [1, 1, 1, 0.5, 0.5, 0.25]


@pytest.mark.parametrize("shift", [-100.0, -1.0, 0.0, 50.0])
def test_a_plateau_is_seen_wherever_the_values_lie(shift):
    """In optax a constant negative value counts as an improvement for ever."""
    rule = optim.reduce_on_plateau(factor=0.5, patience=3, rtol=1e-3)
    assert scales(rule, [shift] * 4)[-1] == 0.5


def test_optax_does_not_see_it(standard_promotion):
    rule = optax.contrib.reduce_on_plateau(factor=0.5, patience=3, rtol=1e-3)
    state = rule.init(W)
    for _ in range(10):
        _, state = rule.update(W, state, value=jnp.float32(-1.0))
    assert float(state.scale) == 1.0


def test_falling_negative_values_are_improvements():
    rule = optim.reduce_on_plateau(factor=0.5, patience=1)
    assert scales(rule, [-1.0, -1.1, -1.3, -2.0]) == [1, 1, 1, 1]


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf, -jnp.inf])
def test_a_value_that_is_not_finite_is_no_improvement(bad):
    rule = optim.reduce_on_plateau(factor=0.5, patience=2)
    assert scales(rule, [1.0, bad, bad, 0.9]) == [1, 1, 0.5, 0.5]
    assert scales(rule, [bad, bad, 1.0]) == [1, 0.5, 0.5]


@pytest.mark.parametrize(
    ("rtol", "atol", "final"), [(0.1, 0.0, 0.5), (0.0, 0.1, 0.5), (0.0, 0.0, 1)]
)
def test_an_improvement_within_the_tolerance_does_not_count(rtol, atol, final):
    rule = optim.reduce_on_plateau(factor=0.5, patience=1, rtol=rtol, atol=atol)
    assert scales(rule, [1.0, 0.95])[-1] == final


def test_nothing_is_counted_while_it_rests():
    rule = optim.reduce_on_plateau(factor=0.5, patience=1, cooldown=2)
    assert scales(rule, [1.0] * 6) == [1, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_the_scale_does_not_fall_below_its_floor():
    rule = optim.reduce_on_plateau(factor=0.1, patience=1, min_scale=0.05)
    assert scales(rule, [1.0] * 4) == pytest.approx([1, 0.1, 0.05, 0.05])


@pytest.mark.parametrize("cooldown", [0, 3])
def test_positive_values_give_the_scales_of_optax(cooldown, x64, standard_promotion):
    values = 2.0 + np.abs(np.sin(1.7 * np.arange(60))) * np.exp(-np.arange(60) / 10)
    numbers = dict(factor=0.7, patience=3, rtol=1e-2, atol=1e-3, cooldown=cooldown, min_scale=0.05)
    w = jnp.array([1.0, -2.0])

    def updates_of(rule):
        def step(state, value):
            updates, state = rule.update(w, state, w, value=value)
            return state, updates

        return jax.lax.scan(step, rule.init(w), jnp.asarray(values))[1]

    ours = updates_of(optim.reduce_on_plateau(**numbers))
    theirs = updates_of(optax.contrib.reduce_on_plateau(**numbers))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    assert float(ours[-1, 0]) < 0.5


def test_an_update_with_a_value_is_an_evaluation_and_an_update():
    rule = optim.reduce_on_plateau(factor=0.5, patience=1)
    state = optim.with_evaluation(rule.init(W), 1.0)
    fed, by_update = rule.update(W, state, W, value=1.0)
    expected, by_call = rule.update(W, optim.with_evaluation(state, 1.0), W)
    np.testing.assert_array_equal(fed, expected)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool(a == b), by_update, by_call))


def test_the_value_reaches_it_through_chains():
    for chain in (optim.chain, optax.chain):
        rule = chain(optim.sgd(1.0), optim.reduce_on_plateau(factor=0.5, patience=1))
        _, state = rule.update(W, rule.init(W), W, value=1.0)
        updates, _ = rule.update(W, state, W, value=1.0)
        np.testing.assert_array_equal(updates, -0.5 * W)


def test_the_evaluation_is_found_inside_wrappers():
    rule = optim.skip_nonfinite(optim.chain(optim.sgd(1.0), optim.reduce_on_plateau(patience=1)))
    state = optim.with_evaluation(rule.init(W), 0.5)
    assert float(state.inner_state[1].best) == 0.5


def test_other_numbers_do_not_trace_again():
    traces = []

    @jax.jit
    def observe(state, value):
        traces.append(None)
        return optim.with_evaluation(state, value)

    for patience in range(1, 20):
        rule = optim.reduce_on_plateau(factor=patience / 20, patience=patience, cooldown=patience)
        observe(rule.init(W), float(patience))
    assert len(traces) == 1


def test_vmap_over_patience():
    def final(patience):
        state = optim.reduce_on_plateau(factor=0.5, patience=patience).init(W)
        return jax.lax.scan(lambda s, v: (optim.with_evaluation(s, v), None), state, jnp.ones(5))[
            0
        ].scale

    np.testing.assert_array_equal(jax.vmap(final)(jnp.array([1, 2, 4, 9])), [0.0625, 0.25, 0.5, 1])


@pytest.mark.parametrize(
    ("name", "bad"),
    [("patience", 0), ("patience", 2.5), ("cooldown", -1), ("cooldown", 0.5), ("patience", True)],
)
def test_a_bad_count_raises(name, bad):
    with pytest.raises((TypeError, ValueError), match=f"reduce_on_plateau: `{name}` must"):
        optim.reduce_on_plateau(**{name: bad})


def test_a_state_without_a_plateau_raises():
    with pytest.raises(ValueError, match="must hold a `PlateauState`, found none"):
        optim.with_evaluation(optim.sgd(0.1).init(W), 1.0)


def test_an_array_of_values_raises():
    rule = optim.reduce_on_plateau()
    with pytest.raises(ValueError, match=r"`value` must have shape \(\), got \(2,\)"):
        optim.with_evaluation(rule.init(W), W)
