"""The published formulas in float64 NumPy, over flat vectors, written without the library.

Each reference is `update(g, w, t, memory, **numbers) -> u`: `g` is the gradient at `w`, `t`
counts from 1, `memory` is a dict of its own that starts empty, and `u` is added to `w`.
"""

import numpy as np


def sgd(g, w, t, memory, *, learning_rate):
    return -learning_rate * g


def classical_momentum(g, w, t, memory, *, decay, learning_rate=-1.0):
    memory["v"] = decay * memory.get("v", 0.0) + g
    return -learning_rate * memory["v"]


def ema_momentum(g, w, t, memory, *, decay, learning_rate=-1.0):
    memory["v"] = decay * memory.get("v", 0.0) + (1.0 - decay) * g
    return -learning_rate * memory["v"]


def nesterov(g, w, t, memory, *, learning_rate, decay):
    """Sutskever's equations on the iterate; the caller's vector is the look-ahead point."""
    velocity = memory.get("v", np.zeros_like(w))
    iterate = memory.get("iterate", w.copy())
    velocity = decay * velocity - learning_rate * g
    iterate = iterate + velocity
    memory.update(v=velocity, iterate=iterate)
    return iterate + decay * velocity - w


def nesterov_ema(g, w, t, memory, *, learning_rate, decay):
    """The same on a mean of gradients, whose step the caller's vector is ahead by."""
    mean = memory.get("z", np.zeros_like(w))
    iterate = memory.get("iterate", w.copy())
    mean = decay * mean - (1.0 - decay) * g
    iterate = iterate + learning_rate * mean
    memory.update(z=mean, iterate=iterate)
    return iterate + learning_rate * decay * mean - w


def rmsprop_inside(g, w, t, memory, *, decay, eps, learning_rate=-1.0):
    memory["r"] = decay * memory.get("r", 0.0) + (1.0 - decay) * g**2
    return -learning_rate * g / np.sqrt(memory["r"] + eps)


def rmsprop_outside_corrected(g, w, t, memory, *, decay, eps, learning_rate=-1.0):
    memory["r"] = decay * memory.get("r", 0.0) + (1.0 - decay) * g**2
    return -learning_rate * g / (np.sqrt(memory["r"] / (1.0 - decay**t)) + eps)


def adam(g, w, t, memory, *, b1, b2, eps, eps_root, learning_rate=-1.0):
    memory["m"] = b1 * memory.get("m", 0.0) + (1.0 - b1) * g
    memory["v"] = b2 * memory.get("v", 0.0) + (1.0 - b2) * g**2
    mean, square = memory["m"] / (1.0 - b1**t), memory["v"] / (1.0 - b2**t)
    return -learning_rate * mean / (np.sqrt(square + eps_root) + eps)


def adam_uncorrected(g, w, t, memory, *, b1, b2, eps, eps_root, learning_rate=-1.0):
    memory["m"] = b1 * memory.get("m", 0.0) + (1.0 - b1) * g
    memory["v"] = b2 * memory.get("v", 0.0) + (1.0 - b2) * g**2
    return -learning_rate * memory["m"] / (np.sqrt(memory["v"] + eps_root) + eps)


def decayed_weights(g, w, t, memory, *, weight_decay):
    return g + weight_decay * w * KERNEL_MASK


def adamw(g, w, t, memory, *, learning_rate, b1, b2, eps, weight_decay):
    direction = adam(g, w, t, memory, b1=b1, b2=b2, eps=eps, eps_root=0.0)
    return -learning_rate * (direction + weight_decay * w * KERNEL_MASK)


def clip_by_global_norm(g, w, t, memory, *, max_norm):
    return g * min(1.0, max_norm / np.sqrt(np.sum(g**2)))


def clip_by_norm(g, w, t, memory, *, max_norm):
    parts = np.split(g, [3, 9])  # head/bias, head/kernel, scale
    return np.concatenate([p * min(1.0, max_norm / np.sqrt(np.sum(p**2))) for p in parts])


def clip_by_value(g, w, t, memory, *, limit):
    return np.minimum(np.maximum(g, -limit), limit)


def adagrad(g, w, t, memory, *, eps, learning_rate=-1.0):
    memory["s"] = memory.get("s", 0.0) + g**2
    return -learning_rate * g / (np.sqrt(memory["s"]) + eps)


def adagrad_inside(g, w, t, memory, *, eps, learning_rate=-1.0):
    memory["s"] = memory.get("s", 0.0) + g**2
    return -learning_rate * g / np.sqrt(memory["s"] + eps)


def rmsprop_centered(g, w, t, memory, *, decay, eps, learning_rate=-1.0):
    memory["r"] = decay * memory.get("r", 0.0) + (1.0 - decay) * g**2
    memory["m"] = decay * memory.get("m", 0.0) + (1.0 - decay) * g
    return -learning_rate * g / np.sqrt(memory["r"] - memory["m"] ** 2 + eps)


def rmsprop_centered_outside(g, w, t, memory, *, decay, eps, learning_rate=-1.0):
    memory["r"] = decay * memory.get("r", 0.0) + (1.0 - decay) * g**2
    memory["m"] = decay * memory.get("m", 0.0) + (1.0 - decay) * g
    return -learning_rate * g / (np.sqrt(memory["r"] - memory["m"] ** 2) + eps)


def proximal_l1(g, w, t, memory, *, learning_rate, lambd):
    moved = w - learning_rate * g
    shrunk = np.sign(moved) * np.maximum(np.abs(moved) - learning_rate * lambd, 0.0)
    return np.where(KERNEL_MASK == 1.0, shrunk, moved) - w


def ema_corrected(g, w, t, memory, *, decay):
    """The expanded sum over all gradients so far, weights renormalized."""
    memory.setdefault("all", []).append(g)
    weights = decay ** np.arange(t)[::-1]
    return weights @ np.array(memory["all"]) / weights.sum()


def ema_raw(g, w, t, memory, *, decay):
    return (1.0 - decay**t) * ema_corrected(g, w, t, memory, decay=decay)


def ema_params(g, w, t, memory, *, decay):
    memory.setdefault("points", []).append(w + g)
    weights = decay ** np.arange(t)[::-1]
    memory["seen"] = weights @ np.array(memory["points"]) / weights.sum()
    return g


def ema_params_from_start(g, w, t, memory, *, decay):
    memory["seen"] = decay * memory.get("seen", w) + (1.0 - decay) * (w + g)
    return g


def by_path(g, w, t, memory, *, learning_rate, decay, limit):
    """Momentum moves the kernels, a clipped gradient the bias; the scale stands still."""
    moved = classical_momentum(g, w, t, memory, learning_rate=learning_rate, decay=decay)
    clipped = np.clip(g, -limit, limit)
    return np.concatenate([clipped[:3], moved[3:9], [0.0]])


def reduce_on_plateau(g, w, t, memory, *, factor, rtol, atol, min_scale):
    """Patience 1; the value is the squared norm of the gradient less 1, so it turns negative."""
    value, best = np.sum(g**2) - 1.0, memory.get("best", np.inf)
    scale, waited = memory.get("scale", 1.0), memory.get("waited", 0)
    if best == np.inf or value < best - atol - rtol * abs(best):
        best, waited = value, 0
    else:
        waited += 1
    if waited == 1:
        scale, waited = max(scale * factor, min_scale), 0
    memory.update(best=best, scale=scale, waited=waited)
    return scale * g


KERNEL_MASK = np.array([0.0] * 3 + [1.0] * 6 + [0.0])
"""Which of the ten numbers of the test problem are kernels, in the order of its flat vector."""
