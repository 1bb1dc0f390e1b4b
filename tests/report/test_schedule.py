"""The picture of a schedule shows the values that updates will see."""

import numpy as np
import pytest

from jaxopt_dl import report, schedules


def drawn(figure):
    (line,) = figure.axes[0].lines
    return line.get_xdata(), line.get_ydata()


def test_every_update_of_a_short_run_is_drawn():
    figure = report.plot_schedule(schedules.linear(1.0, 0.0, steps=4), steps=5)
    x, y = drawn(figure)
    np.testing.assert_array_equal(x, [0, 1, 2, 3, 4])
    np.testing.assert_allclose(y, [1.0, 0.75, 0.5, 0.25, 0.0])
    assert figure.axes[0].get_xlabel() == "update"


def test_a_long_run_is_drawn_to_its_end_in_epochs():
    figure = report.plot_schedule(
        schedules.exponential(0.1, 0.5, decay_steps=10_000),
        steps=100_001,
        steps_per_epoch=1000,
        label="rate",
    )
    x, y = drawn(figure)
    assert len(x) == 1000
    assert (x[0], x[-1]) == (0.0, 100.0)
    assert y[-1] == pytest.approx(0.1 * 0.5**10, rel=1e-4)
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("epoch", "rate")


def test_what_is_no_schedule_is_refused():
    with pytest.raises(TypeError, match="plot_schedule: `schedule` must be a function"):
        report.plot_schedule(0.1, steps=5)
    with pytest.raises(ValueError, match="`schedule` must return one number, got shape .2,."):
        report.plot_schedule(lambda count: np.ones(2, np.float32), steps=5)
