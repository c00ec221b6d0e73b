"""Draws the picture of all methods from the rows in `results/methods/`.

python benchmarks/pictures.py
"""

import stored
from compare_tables import MAIN, summary

from keras_mdl.report.compare_figure import accuracy_against_bytes
from keras_mdl.report.compare_page import points_of
from keras_mdl.report.theme import LIGHT

RESULTS = stored.RESULTS.parents[1] / "docs" / "results"
PICTURE = RESULTS / "accuracy_against_bytes.png"


def main():
    figure = accuracy_against_bytes(points_of(summary(MAIN)), LIGHT)
    figure.savefig(PICTURE, dpi=150, facecolor=LIGHT.page)


if __name__ == "__main__":
    main()
