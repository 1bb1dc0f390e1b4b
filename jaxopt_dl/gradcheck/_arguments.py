"""What callers pass to a check, looked at before anything runs."""

from collections.abc import Mapping
from typing import Any

from jaxopt_dl._core.errors import check_callable, check_choice, check_integer, fail

from ._words import kind_of


def check_call(who: str, function: Any, args: Any, kwargs: Any, has_aux: Any) -> None:
    """Check the function and what it is called with.

    Raises:
      TypeError: naming the argument and what came.
    """
    check_callable(who, "function", function)
    if not isinstance(args, tuple | list):
        rule = "`args` must be a tuple of further arguments"
        fail(who, rule, f"got {kind_of(args)}", "For one argument write args=(x,).", kind=TypeError)
    named = isinstance(kwargs, Mapping) and all(isinstance(key, str) for key in kwargs)
    if kwargs is not None and not named:
        rule = "`kwargs` must be a dict from names to arguments"
        advice = "Write kwargs={'name': value}."
        fail(who, rule, f"got {kind_of(kwargs)}", advice, kind=TypeError)
    if not isinstance(has_aux, bool):
        rule = "`has_aux` must be True or False"
        advice = "Pass True if the function returns (loss, aux)."
        fail(who, rule, f"got {kind_of(has_aux)}", advice, kind=TypeError)


def check_options(
    who: str, *, allow: Any, components: Any, points: Any, seed: Any, progress: Any
) -> None:
    """Check how the caller wants the gradient checked.

    Raises:
      TypeError: if an option is of the wrong type.
      ValueError: if it is out of range, or a word that is not known.
    """
    _check_allow(who, allow)
    if isinstance(components, str):
        check_choice(who, "components", components, ["auto", "all"])
    else:
        check_integer(who, "components", components, low=1)
    if isinstance(points, str):
        check_choice(who, "points", points, ["auto"])
    elif not isinstance(points, tuple | list):
        rule = '`points` must be "auto" or a tuple of trees like `params`'
        advice = "For one tree write points=(tree,)."
        fail(who, rule, f"got {kind_of(points)}", advice, kind=TypeError)
    check_integer(who, "seed", seed, low=0)
    check_choice(who, "progress", progress, [True, False, "auto"])


def check_order(who: str, order: Any, gradient: Any) -> None:
    """Check which derivative is to be checked.

    Raises:
      ValueError: if it is neither the first nor the second, or the second of one by hand.
    """
    check_choice(who, "order", order, [1, 2])
    if order == 2 and gradient is not None:
        rule = "order=2 checks what JAX makes of the function, so `gradient` must be None"
        fail(who, rule, f"got {kind_of(gradient)}", "Leave it out, or check it with order=1.")


def _check_allow(who: str, allow: Any) -> None:
    rule = "`allow` must be a tuple of names of functions"
    if isinstance(allow, str):
        fail(who, rule, f"got {allow!r}", f"Write allow=({allow!r},).", kind=TypeError)
    if not isinstance(allow, tuple | list | set | frozenset):
        advice = 'Write allow=("stop_gradient",), for example.'
        fail(who, rule, f"got {kind_of(allow)}", advice, kind=TypeError)
    for name in allow:
        if not isinstance(name, str):
            advice = "Write the name of the function, in quotes."
            fail(who, rule, f"got {kind_of(name)} among them", advice, kind=TypeError)
