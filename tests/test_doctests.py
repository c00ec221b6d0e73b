"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil

import keras
import pytest

import keras_mdl

MODULES = [
    info.name
    for info in pkgutil.walk_packages(keras_mdl.__path__, "keras_mdl.")
    if not info.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name):
    module = importlib.import_module(name)
    # Examples may use what the reader has imported: keras, and the package.
    layers = vars(importlib.import_module("keras_mdl.layers"))
    names = {**layers, "keras": keras, "keras_mdl": keras_mdl, **vars(module)}
    result = doctest.testmod(module, extraglobs=names)
    assert result.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    examples = sum(
        len(test.examples)
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
    )
    assert examples >= 10
