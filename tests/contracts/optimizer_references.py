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


def clip_by_value(g, w, t, memory, *, limit):
    return np.minimum(np.maximum(g, -limit), limit)


KERNEL_MASK = np.array([0.0] * 3 + [1.0] * 6 + [0.0])
"""Which of the ten numbers of the test problem are kernels, in the order of its flat vector."""
