"""One training of problem a in a process of its own: `_start.py form arrays.npz epochs`."""

import sys

import _problems


def main() -> None:
    """Import only what the form needs, train, end."""
    form, file, epochs = sys.argv[1:]
    problem = _problems.load_digits_problem(file)
    if form == "fit":
        import _ours

        run = _ours.fit(problem)
    else:
        import _by_hand

        run = {"loop": _by_hand.loop, "scan": _by_hand.scan}[form](problem)
    run(int(epochs))


if __name__ == "__main__":
    main()
