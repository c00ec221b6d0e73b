"""`Domain`: what is accepted, what is refused, and with which words."""

import dataclasses
import json

import numpy as np
import pytest

from keras_mdl import Domain
from keras_mdl.domains import as_domains, require_domain


def test_a_domain_is_a_frozen_value_of_plain_things():
    domain = Domain("dtd", ["dots", "lines"], np.ones(3) / 2, [1, 2, 3])
    assert domain.num_classes == 2
    assert domain.mean == (0.5, 0.5, 0.5)
    assert domain == Domain("dtd", ("dots", "lines"), (0.5,) * 3, (1.0, 2, 3))
    assert len({domain, domain}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        domain.name = "x"


def test_its_config_survives_json():
    domain = Domain("x", ["größer", "b"], (0.1, 0.2, 0.3), (0.3, 0.2, 0.1))
    config = json.loads(json.dumps(domain.to_config()))
    assert Domain.from_config(config) == domain


def test_class_names_may_be_of_any_script():
    names = ("größer", "猫", "🐕", "عربي", "a b", "no\u00a0break", "x/y")
    assert Domain("x", names).classes == names


@pytest.mark.parametrize("n", [3, np.int64(3)])
def test_a_number_of_classes_names_them_by_number(n):
    assert Domain("x", n).classes == ("0", "1", "2")


@pytest.mark.parametrize("name", ["a", "vgg-flowers", "v1.2_x", "0", "x" * 64])
def test_names_that_are_safe_in_paths_are_accepted(name):
    assert Domain(name, 2).name == name


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "../x", "a/b", "a\\b", "-x", "_x", "a b", "ä", "a\n"]
    + ["a\0", "x" * 65, "a:b", "*", None, 3, b"a"],
    ids=repr,
)
def test_names_that_break_a_path_are_refused(name):
    with pytest.raises(ValueError, match="domain name must be 1 to 64") as e:
        Domain(name, 2)
    assert repr(name) in str(e.value)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (0, "at least 2 classes"),
        (1, "at least 2 classes"),
        (-3, "at least 2 classes"),
        ([], "at least 2 classes"),
        (["x"], "at least 2 classes"),
        (["x", "x"], r"unique.*\['x'\]"),
        (["x", ""], "not be empty"),
        (["x", "  "], "not be empty"),
        (["x", "caf\udce9"], r"one line of text.*'caf\\udce9'"),
        (["x", "a\nb"], r"one line of text.*'a\\nb'"),
        (["x", "a\x00"], "one line of text"),
        (["x", "a\x85"], "one line of text"),
        (["x", "a\u2029b"], "one line of text"),
        (["\u00e9", "e\u0301"], "unique"),
        ("abc", "list of class names or a number"),
        (True, "list of class names or a number"),
        (2.0, "list of class names or a number"),
        (None, "list of class names or a number"),
    ],
)
def test_impossible_classes_are_refused(classes, message):
    with pytest.raises(ValueError, match=message) as error:
        Domain("dtd", classes)
    assert "'dtd'" in str(error.value)


@pytest.mark.parametrize("value", [0.5, "abc", (1, 2), (1, 2, 3, 4), None])
@pytest.mark.parametrize("label", ["mean", "std"])
def test_statistics_are_three_finite_numbers(label, value):
    with pytest.raises(ValueError, match=f"`{label}` of domain 'dtd'"):
        Domain("dtd", 2, **{label: value})


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_statistics_are_not_infinite(bad):
    for label in ("mean", "std"):
        with pytest.raises(ValueError, match="finite"):
            Domain("dtd", 2, **{label: (1, 1, bad)})


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_standard_deviations_are_above_zero(bad):
    with pytest.raises(ValueError, match="above zero"):
        Domain("dtd", 2, std=(1, 1, bad))


def test_collections_of_domains():
    a, b = Domain("a", 2), Domain("b", 3)
    for given in ([a, b], (a, b), {"a": 2, "b": 3}, {"a": a, "b": b}):
        assert as_domains(given) == (a, b)
    assert as_domains(iter([a.to_config()])) == (a,)
    assert as_domains(a) == (a,)


@pytest.mark.parametrize(
    ("domains", "error", "message"),
    [
        ([], ValueError, "At least one domain"),
        ({}, ValueError, "At least one domain"),
        ({"a": 2, "A": 2}, ValueError, r"unique .ignoring case.*'a' and 'A'"),
        ([Domain("a", 2)] * 2, ValueError, "unique"),
        (["a"], TypeError, "Received: 'a' of type str"),
        ([3], TypeError, "Received: 3 of type int"),
        ({"a/b": 2}, ValueError, "domain name must be"),
    ],
)
def test_impossible_collections_are_refused(domains, error, message):
    with pytest.raises(error, match=message):
        as_domains(domains)


def test_an_unknown_name_is_answered_with_the_known_ones():
    assert require_domain("a", ["a", "b"]) == "a"
    with pytest.raises(ValueError, match=r"'c'\. Known domains: 'a', 'b'"):
        require_domain("c", ["a", "b"])
