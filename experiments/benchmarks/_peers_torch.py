"""The same networks in PyTorch, on two threads, eager and compiled, with its fused Adam."""

import copy
import itertools
import os
from typing import Any

import numpy as np
from _problems import DECAY, LEARNING_RATE, Problem, Run, looped


def eager(problem: Problem) -> Run:
    """The usual loop."""
    return _loop(problem, _network(problem), compiled=False)


def compiled(problem: Problem) -> Run:
    """The same, the network through `torch.compile`."""
    return _loop(problem, _network(problem), compiled=True)


def _network(problem: Problem) -> Any:
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(min(2, os.cpu_count() or 1))

    class Residual(nn.Module):
        def __init__(self, width: int):
            super().__init__()
            self.through = nn.Sequential(nn.Linear(width, width), nn.ReLU())

        def forward(self, x: Any) -> Any:
            return x + self.through(x)

    layers = []
    widths = problem.widths
    for place, (a, b) in enumerate(itertools.pairwise(widths[:-1])):
        if problem.kind == "conv":
            layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        elif problem.kind == "residual" and place > 0:
            layers += [Residual(b)]
        else:
            norm = [nn.BatchNorm1d(b, momentum=1 - DECAY)] if problem.batch_norm else []
            layers += [nn.Linear(a, b), *norm, nn.ReLU()]
    inputs = widths[-2] * (49 if problem.kind == "conv" else 1)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs, widths[-1]))


def _loop(problem: Problem, network: Any, *, compiled: bool) -> Run:
    import torch

    turn = (
        (lambda x: np.ascontiguousarray(np.moveaxis(x, -1, 1)))
        if problem.kind == "conv"
        else (lambda x: x)
    )
    x, dev_x = (torch.from_numpy(turn(part[0])) for part in (problem.data, problem.dev))
    y, dev_y = (torch.from_numpy(part[1].astype(np.int64)) for part in (problem.data, problem.dev))
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE, fused=True)
    forward = torch.compile(network) if compiled else network
    loss = torch.nn.functional.cross_entropy
    best = None

    def step(rows: np.ndarray) -> None:
        network.train()
        chosen = torch.from_numpy(rows)
        optimizer.zero_grad(set_to_none=True)
        loss(forward(x[chosen]), y[chosen]).backward()
        optimizer.step()

    def measure() -> float:
        network.eval()
        with torch.no_grad():
            return float(loss(network(dev_x), dev_y))

    def keep() -> None:
        nonlocal best
        best = copy.deepcopy(network.state_dict())

    return looped(problem, step, measure, keep)
