"""The score over domains of one's own, and accuracies that people type."""

import pytest

from keras_mdl.score import (
    REFERENCE,
    decathlon_score,
    parse_pairs,
    read_table,
    score_over_domains,
)


def test_it_is_the_decathlon_where_the_references_are():
    accuracies = {key: 0.9 for key in REFERENCE}
    own = score_over_domains(accuracies, REFERENCE)
    assert own.domains == decathlon_score(accuracies).domains
    assert own.title == "S over 10 domains"


def test_sets_of_different_size_compare_by_their_mean():
    one = score_over_domains({"a": 0.8}, {"a": 0.8})
    two = score_over_domains({"a": 0.8, "b": 0.5}, {"a": 0.8, "b": 0.5})
    assert (one.total, two.total) == pytest.approx((250, 500))
    assert one.mean_points == pytest.approx(two.mean_points)
    assert "S over 1 domain: 250.00 of 1000" in str(one)
    assert [d.name for d in two.domains] == ["a", "b"]


def test_a_weak_reference_leaves_points_at_zero():
    score = score_over_domains({"hard": 0}, {"hard": 0.25})
    assert score.total == pytest.approx(1000 / 9)


@pytest.mark.parametrize(
    ("accuracies", "references", "message"),
    [
        ({}, {}, "At least one domain"),
        (
            {"a": 0.5},
            {"b": 0.5},
            r"without reference \['a'\].*accuracy \['b'\]",
        ),
        ({"a": 0.5}, {"a": 1}, "below 1.*a=1"),
        ({"a": 0.5}, {"a": 80}, "A reference is a fraction.*percent.*a=80"),
        ({"a": 50}, {"a": 0.8}, "An accuracy is a fraction.*percent.*a=50"),
    ],
    ids=["none", "names", "perfect", "reference", "accuracy"],
)
def test_what_is_refused(accuracies, references, message):
    with pytest.raises(ValueError, match=message):
        score_over_domains(accuracies, references)
    with pytest.raises(TypeError, match="mapping from names"):
        score_over_domains(0.5, references)


def test_pairs():
    assert parse_pairs(["a=0.5", "b=1"]) == {"a": 0.5, "b": 1.0}
    assert parse_pairs(["a=50", "b=0.5"], percent=True) == {
        "a": 0.5,
        "b": 0.005,
    }
    # Whether fractions are fractions is for the score to say.
    with pytest.raises(ValueError, match="looks like percent"):
        score_over_domains(parse_pairs(["a=50"]), {"a": 0.5})


@pytest.mark.parametrize(
    ("pairs", "percent", "message"),
    [
        (["a"], False, "DOMAIN=ACCURACY. Received: 'a'"),
        (["=0.5"], False, "DOMAIN=ACCURACY. Received: '=0.5'"),
        (["a=much"], False, "number as accuracy. Received: 'much'"),
        (["a=nan"], False, "Received: 'nan'"),
        (["a=0.5", "a=0.6"], False, "'a' must be given once.*0.5 and 0.6"),
        (["a=0.5", "b=1"], True, "look like fractions. Received: a=0.5, b=1.0"),
        (["a=101"], True, r"\[0, 100\]. Received: a=101"),
    ],
    ids=str,
)
def test_pairs_that_are_refused(pairs, percent, message):
    with pytest.raises(ValueError, match=message):
        parse_pairs(pairs, percent)


@pytest.fixture
def table(tmp_path):
    def table(text):
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8-sig")
        return path

    return table


def test_tables(table):
    path = table("domain,ours,theirs,reference\na,0.5,0.6,0.8\nb,0.7,0.8,0.9\n")
    accuracies, references = read_table(path)
    assert accuracies == {
        "ours": {"a": 0.5, "b": 0.7},
        "theirs": {"a": 0.6, "b": 0.8},
    }
    assert references == {"a": 0.8, "b": 0.9}
    assert list(read_table(path, ["theirs"])[0]) == ["theirs"]
    path = table("seed,domain,accuracy,note\n0,a,50,x\n")
    assert read_table(path, percent=True) == ({"accuracy": {"a": 0.5}}, None)


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("", None, "column 'domain'.*Received columns: none"),
        ("domain,x\n", None, "at least one row"),
        ("name,x\na,0.5\n", None, "column 'domain'.*Received columns: name, x"),
        ("domain,x,x\na,1,1\n", None, "names. Received: domain, x, x"),
        ("domain,x\na,0.5\n", ["y"], "no accuracy column y. Known columns: x"),
        ("domain\na\n", None, "no accuracy column at all. Known columns: none"),
        ("domain,x\na,low\n", None, "'low'.*row 2, column 'x'"),
        ("domain,x\na,1\nb\n", None, "''.*row 3, column 'x'"),
        ("domain,x\n,0.5\n", None, "name of a domain.*row 2"),
        ("domain,x\na,0.5\na,0.6\n", None, "'a' must be given once"),
    ],
    ids=["empty", "heading", "no_domain", "repeated", "unknown", "no_values",
         "text", "short", "nameless", "twice"],
)  # fmt: skip
def test_tables_that_are_refused(table, text, columns, message):
    with pytest.raises(ValueError, match=message):
        read_table(table(text), columns)
