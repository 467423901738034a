"""One numbering for the labels of many volumes."""

from typing import Any

import numpy as np
import pytest

from sammed.datasets.export.label_table import number_labels
from sammed.errors import ExportError
from sammed_volumes.labels import Label, default_label


def labels(**values: Any) -> tuple[Label, ...]:
    return tuple(Label(value, name, (0, 0, 0)) for name, value in values.items())


def nameless(*values: int) -> tuple[Label, ...]:
    return tuple(default_label(value) for value in values)


@pytest.mark.parametrize(
    ("volumes", "names", "values"),
    [
        # gaps are closed, in order of value
        ([labels(aorta=9, liver=2)], ("liver", "aorta"), [{9: 2, 2: 1}]),
        # one name with two values; the lowest value says where it stands
        (
            [labels(liver=1, aorta=5), labels(Aorta=3, liver=7)],
            ("liver", "aorta"),
            [{1: 1, 5: 2}, {3: 2, 7: 1}],
        ),
        # a label that only one volume has
        ([labels(liver=1), labels(spleen=1)], ("liver", "spleen"), [{1: 1}, {1: 2}]),
        # a nameless label is what its value is called elsewhere, whichever comes first
        ([nameless(5), labels(liver=5)], ("liver",), [{5: 1}, {5: 1}]),
        # nameless everywhere
        ([nameless(5, 8), nameless(8)], ("label_5", "label_8"), [{5: 1, 8: 2}, {8: 2}]),
        # a volume in which nothing is labeled
        ([labels(liver=1), ()], ("liver",), [{1: 1}, {}]),
    ],
)
def test_labels_are_numbered_without_gaps(volumes: Any, names: Any, values: Any) -> None:
    table = number_labels(volumes)
    assert table.names == names
    assert list(table.values) == values
    assert table.numbering(ignore=False) == {"background": 0, **{n: i for i, n in enumerate(names, 1)}}
    assert list(table.numbering(ignore=True).items())[-1] == ("ignore", len(names) + 1)


@pytest.mark.parametrize(
    ("volumes", "words"),
    [
        ([(), ()], "No label volume holds a label"),
        ([labels(Ignore=3)], "'ignore'"),
        ([labels(background=3)], "'background'"),
        ([labels(liver=1, LIVER=2)], "Two labels of one volume are named 'liver'"),
        ([nameless(5), labels(liver=5), labels(spleen=5)], r"Label 5 has no name .*\(liver, spleen\)"),
    ],
)
def test_labels_that_can_not_be_told_apart_are_refused(volumes: Any, words: str) -> None:
    with pytest.raises(ExportError, match=words):
        number_labels(volumes)


def test_voxels_are_renumbered_in_the_smallest_type() -> None:
    table = number_labels([labels(liver=2, aorta=4000), labels(aorta=3)])
    stored = np.array([[[0, 2, 4000, 2]]], dtype=np.uint16)
    assert table.renumber(0, stored).tolist() == [[[0, 1, 2, 1]]]
    assert table.renumber(0, stored).dtype == np.uint8
    assert table.renumber(1, np.array([[[0, 3]]], dtype=np.uint8)).tolist() == [[[0, 2]]]
    assert stored.tolist() == [[[0, 2, 4000, 2]]]  # untouched
