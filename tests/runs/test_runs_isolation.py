"""`IsolationTable`: it says who changed, and stops at what must not."""

import pytest

from keras_mdl.runs.isolation import IsolationError, IsolationTable


def test_states_of_a_story():
    table = IsolationTable()
    table.record("base", {"trunk": "1", "domains/a": "2"})
    row = table.record(
        "add b", {"trunk": "1", "domains/a": "2", "domains/b": "3"}
    )
    assert row.states == {
        "trunk": "unchanged", "domains/a": "unchanged", "domains/b": "new",
    }  # fmt: skip
    row = table.record(
        "train b",
        {"trunk": "1", "domains/a": "2", "domains/b": "4"},
        trained=["domains/b"],
    )
    assert row.states["domains/b"] == "trained"
    row = table.record(
        "b as it was",
        {"trunk": "1", "domains/a": "2", "domains/b": "3"},
        trained=["domains/b"],
    )
    assert row.states["domains/b"] == "restored"
    table.record(
        "remove a", {"trunk": "1", "domains/b": "3"}, removed=["domains/a"]
    )
    assert table.isolated
    assert table.parts == ["trunk", "domains/a", "domains/b"]
    assert "unchanged" in str(table)


@pytest.mark.parametrize(
    ("after", "part"),
    [
        ({"trunk": "9", "domains/a": "2"}, "trunk"),
        ({"trunk": "1"}, "domains/a"),
    ],
)
def test_violations(after, part):
    table = IsolationTable()
    table.record("base", {"trunk": "1", "domains/a": "2"})
    with pytest.raises(IsolationError, match=part):
        table.record("something", after)
    assert not table.isolated
    assert len(table.rows) == 2
