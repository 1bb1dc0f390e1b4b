"""A chain whose order would silently compute another method raises and says what to do."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxopt_dl import losses, nn, optim, train

W = {"a": jnp.array([1.0, -2.0]), "b": jnp.array([0.5])}


def nesterov():
    return optim.nesterov(0.1)


def proximal():
    return optim.proximal_l1(0.1, lambd=0.1, thresholded=everything)


def everything(path):
    return True


def plateau():
    return optim.reduce_on_plateau(factor=0.5, patience=1)


WRONG = {
    "plateau after nesterov": (
        (nesterov, plateau),
        "after `nesterov`, got `reduce_on_plateau` after it. Put `reduce_on_plateau` before",
    ),
    "clipping after nesterov": (
        (nesterov, lambda: optim.clip_by_value(1.0)),
        "nothing may change updates after `nesterov`, got `clip_by_value` after it. Put `clip_by_v",
    ),
    "foreign after nesterov": (
        (nesterov, lambda: optax.scale(0.5)),
        "after `nesterov`, got `optax.scale` after it. Put `optax.scale` before `nesterov`",
    ),
    "in an inner chain": (
        (lambda: optim.chain(optim.clip_by_value(1.0), nesterov()), plateau),
        "nothing may change updates after `nesterov`",
    ),
    "behind an inner chain": (
        (nesterov, lambda: optim.chain(plateau(), optim.ema_params())),
        "after `nesterov`, got `reduce_on_plateau` after it",
    ),
    "for some parameters": (
        (lambda: optim.by_path({"a": nesterov()}, default=optim.sgd(0.1)), plateau),
        "nothing may change updates after `nesterov`",
    ),
    "guarded": (
        (lambda: optim.skip_nonfinite(nesterov()), plateau),
        "nothing may change updates after `nesterov`",
    ),
    "clipping after a threshold": (
        (proximal, lambda: optim.clip_by_global_norm(1.0)),
        "nothing may change updates after `proximal_l1`",
    ),
    "plateau after a threshold": (
        (proximal, plateau),
        "exclude each other, got both. The threshold would keep its size. Give `proximal_l1` a sch",
    ),
    "plateau before a threshold": ((plateau, proximal), "exclude each other"),
    "average before the step": (
        (optim.ema_params, lambda: optim.sgd(0.1)),
        "after `ema_params`, got `sgd` after it. Put `sgd` before `ema_params`",
    ),
    "two learning rates": (
        (optim.adam, lambda: optim.sgd(0.1)),
        "one member may apply a learning rate, got `adam` and `sgd`. The sign would flip twice",
    ),
    "growing parameters": (
        (lambda: optim.sgd(0.1), lambda: optim.add_decayed_weights(0.1)),
        "`add_decayed_weights` must come before .* got it after `sgd`. There it would make",
    ),
    "plateau without effect": (
        (plateau, lambda: optim.chain(optim.scale_by_adam(), optim.sgd(0.1))),
        "`reduce_on_plateau` must come after `scale_by_adam`, got it before, where it has no eff",
    ),
    "frozen after the average": ((optim.ema_params, optim.freeze), "got `freeze` after it"),
}


@pytest.mark.parametrize(("members", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_order_raises_at_construction_and_says_what_to_do(members, message):
    with pytest.raises(ValueError, match=f"^chain: .*{message}"):
        optim.chain(*(make() for make in members))


RIGHT = {
    "average last": (nesterov, optim.ema_params),
    "plateau before nesterov": (plateau, nesterov, optim.ema_params),
    "plateau after adam": (optim.adam, plateau, optim.ema_params),
    "limit on the step": (lambda: optim.sgd(0.1), lambda: optim.clip_by_value(1.0)),
    "momentum before a threshold": (optim.scale_by_momentum, proximal),
    "decay inside": (lambda: optim.add_decayed_weights(0.1, decayed=everything), nesterov),
    "foreign": (lambda: optax.scale(2.0), optim.adam, lambda: optax.scale(0.5)),
}


@pytest.mark.parametrize("members", RIGHT.values(), ids=RIGHT)
def test_a_right_order_is_accepted(members):
    optim.chain(*(make() for make in members)).init(W)


def test_a_plateau_before_nesterov_is_nesterov_with_the_reduced_rate(x64):
    both = optim.chain(plateau(), nesterov())
    state = optim.with_evaluation(optim.with_evaluation(both.init(W), 1.0), 1.0)
    reduced = optim.nesterov(0.05)
    updates, _ = both.update(W, state, W)
    expected, _ = reduced.update(W, reduced.init(W), W)
    np.testing.assert_allclose(updates["a"], expected["a"], rtol=1e-12)


def test_what_a_wrapper_of_optax_hides_raises_at_init():
    hidden = optax.masked(nesterov(), {"a": True, "b": False})
    with pytest.raises(ValueError, match="^chain: nothing may change updates after `nesterov`"):
        optim.chain(hidden, plateau()).init(W)


def test_a_chain_of_optax_inside_by_path_raises_at_init():
    rules = {"a": optax.chain(nesterov(), plateau())}
    with pytest.raises(ValueError, match="^by_path: nothing may change updates"):
        optim.by_path(rules, default=optim.sgd(0.1)).init(W)


READERS = {
    "describe": lambda state: optim.describe(state, W),
    "applied_learning_rate": optim.applied_learning_rate,
    "with_evaluation": lambda state: optim.with_evaluation(state, 1.0),
    "nesterov_iterate": lambda state: optim.nesterov_iterate(W, state),
    "averaged_params": optim.averaged_params,
}


@pytest.mark.parametrize("who", READERS)
def test_a_chain_of_optax_raises_where_its_state_is_read(who):
    state = optax.chain(nesterov(), optim.ema_params(), plateau()).init(W)
    with pytest.raises(ValueError, match=f"^{who}: nothing may change updates after `nesterov`"):
        READERS[who](state)


def test_a_chain_of_optax_raises_in_a_training():
    layer = nn.dense(1)
    params, state = layer.init(jax.random.key(0), (2,))
    optimizer = optax.chain(nesterov(), optax.clip(1.0))
    objective = train.supervised(layer, losses.squared_error)
    data = {"x": np.ones((4, 2), np.float32), "y": np.ones((4, 1), np.float32)}
    with pytest.raises(ValueError, match="nothing may change updates after `nesterov`"):
        train.fit(
            objective,
            params,
            state,
            optimizer,
            data,
            key=jax.random.key(1),
            epochs=1,
            batch_size=4,
            progress=None,
        )


def test_rules_side_by_side_have_no_order():
    optimizers = optax.partition({"a": nesterov(), "b": plateau()}, {"a": "a", "b": "b"})
    optim.describe(optimizers, W)
    optim.by_path({"a": nesterov(), "b": optim.sgd(0.1)}).init(W)
