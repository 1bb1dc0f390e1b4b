"""What a classifier got right and wrong: confusion matrix, table of classes, worst examples."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ._curves import Plot
from ._figures import NUMBERED_CLASSES, confusion_matrix, features
from ._pictures import is_image, picture
from ._run_page import Example, RunPage
from ._text import DASH, elide, number

EXAMPLES_SHOWN = 12
NAME_WIDTH = 40


class ClassRow(NamedTuple):
    """One class in the table: recall and precision as text, `mistaken` names the top confusion."""

    name: str
    examples: int
    recall: str
    precision: str
    mistaken: str


class Card(NamedTuple):
    """One wrongly classified example; either `image` (an address) or `svg` (markup) is set."""

    image: str
    svg: str
    description: str
    true: str
    predicted: str
    probability: str


def confusion(page: RunPage) -> Plot | None:
    """Draw the confusion matrix of the page, or None without one."""
    if page.confusion is None:
        return None
    counts, names = np.asarray(page.confusion).astype(np.int64), page.class_names
    caption = _verdict(counts, names, page.evaluated_on)
    reading = (
        "Blue: share of the true class that is right. Orange: confusions, relative to the "
        "most frequent one."
    )
    if len(names) > NUMBERED_CLASSES:
        reading += f" Numbers are left out for more than {NUMBERED_CLASSES} classes."
    description = f"Confusion matrix of {len(names)} classes. {caption}"
    svg = confusion_matrix(counts, names, prefix="confusion-", description=description)
    return Plot("Confusion matrix", svg, f"{caption} {reading}")


def _verdict(counts: np.ndarray, names: Sequence[str], split: str) -> str:
    total, right = int(counts.sum()), int(np.trace(counts))
    split = elide(split, 30)
    if total == 0:
        return f"The {split} set is empty."
    sentence = f"{right} of {total} {split} examples right, accuracy {number(right / total)}."
    wrong = _errors(counts)
    if not wrong.any():
        return f"{sentence} No confusions."
    true, predicted = divmod(int(wrong.argmax()), len(names))
    pair = f"{elide(names[true], NAME_WIDTH)} taken for {elide(names[predicted], NAME_WIDTH)}"
    return f"{sentence} Most frequent confusion: {pair}, {_times(int(wrong.max()))}."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _errors(counts: np.ndarray) -> np.ndarray:
    return np.where(np.eye(len(counts), dtype=bool), 0, counts)


def class_rows(page: RunPage) -> list[ClassRow]:
    """Return one row per class, empty without a confusion matrix."""
    if page.confusion is None:
        return []
    counts = np.asarray(page.confusion).astype(np.int64)
    wrong, names = _errors(counts), page.class_names
    return [
        ClassRow(
            elide(name, NAME_WIDTH),
            int(counts[k].sum()),
            _share(counts[k, k], counts[k].sum()),
            _share(counts[k, k], counts[:, k].sum()),
            _top_confusion(wrong[k], names),
        )
        for k, name in enumerate(names)
    ]


def _top_confusion(wrong: np.ndarray, names: Sequence[str]) -> str:
    return (
        f"{elide(names[int(wrong.argmax())], NAME_WIDTH)} ({wrong.max()})" if wrong.any() else DASH
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else DASH


def cards(page: RunPage) -> list[Card]:
    """Return the worst examples, ready to show: images as pictures, the rest as profiles."""
    shown = list(page.worst[:EXAMPLES_SHOWN])
    vectors = [np.ravel(e.inputs) for e in shown if not is_image(np.asarray(e.inputs))]
    limits = _limits(vectors)
    return [_card(page, example, limits, index) for index, example in enumerate(shown)]


def _card(page: RunPage, example: Example, limits: tuple[float, float], index: int) -> Card:
    inputs = np.asarray(example.inputs)
    true, predicted = (
        elide(page.class_names[k], NAME_WIDTH) for k in (example.true, example.predicted)
    )
    probability = f"{float(example.probability):.3f}"
    kind = "Image" if is_image(inputs) else f"Profile of {inputs.size} features"
    description = f"{kind} of class {true}, predicted {predicted} with probability {probability}."
    image, svg = "", ""
    if is_image(inputs):
        image = picture(inputs)
    else:
        vector = inputs.ravel().astype(np.float64)
        svg = features(vector, limits, prefix=f"worst{index}-", description=description)
    return Card(image, svg, description, true, predicted, probability)


def contact_sheet(page: RunPage) -> list[list[str]]:
    """Return the augmented images as addresses of pictures, row by row."""
    return [[picture(np.asarray(image)) for image in row] for row in page.augmented]


def _limits(vectors: Sequence[np.ndarray]) -> tuple[float, float]:
    """One range for all vectors, so that their profiles compare; zero is always inside."""
    values = np.concatenate([np.zeros(1), *(v.astype(np.float64) for v in vectors)])
    finite = values[np.isfinite(values)]
    margin = 0.06 * (finite.max() - finite.min()) or 1.0
    return float(finite.min() - margin), float(finite.max() + margin)
