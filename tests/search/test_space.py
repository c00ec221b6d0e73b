"""The space: exact counts, paths as blocks, costs and similarity."""

import json

import pytest
from tiny_search import DOMAINS, SPACE

from keras_mdl.models.backbones.path_block import PathBlock
from keras_mdl.search import (
    FoundPaths,
    Reward,
    SearchSpace,
    jaccard,
    path_cost,
    similarity,
)
from keras_mdl.search.rewards import COSTS

A = (0, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1)
B = (0, 0, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1)  # A without the last layer


def test_the_published_space_has_the_published_size():
    space = SearchSpace.mobilenet_v3()
    assert f"{space.decision_count():.1e}" == "8.5e+42"
    assert [len(s.widths) for s in space.stages] == [4, 6, 7, 7, 7]
    assert space.stages[2].widths == (32, 40, 48, 64, 80, 96, 128)
    assert [s.strides for s in space.stages] == [2, 2, 2, 1, 2]
    assert [s.activation for s in space.stages][1:3] == ["relu", "hard_silu"]
    small = SearchSpace.mobilenet_v3(32, 0.5, 3, 2, (1.0,))
    assert [s.strides for s in small.stages] == [2, 2, 1]
    assert [s.widths for s in small.stages] == [(8,), (16,), (32,)]
    assert (small.head_widths, small.feature_widths) == ((256,), (512,))
    narrow = SearchSpace.mobilenet_v3(32, 0.5, 3, 2, (1.0,), head=0.25)
    assert (narrow.head_widths, narrow.feature_widths) == ((64,), (128,))
    assert narrow.stages == small.stages
    assert "2 layers" in str(small)
    assert SearchSpace(**json.loads(json.dumps(small.to_dict()))) == small


def test_counts_are_those_of_enumeration():
    lists = {SPACE.values(c) and c for c in _all(SPACE)}
    assert len(lists) == SPACE.decision_count()
    seen = {
        tuple(c if on else -1 for c, on in zip(x, SPACE.active(x), strict=True))
        for x in lists
    }
    assert len(seen) == SPACE.network_count()


def test_a_layer_that_is_left_out_is_no_block():
    names = [b.position for b in SPACE.blocks(B)]
    assert names == ["stem", "separable", "stage1_layer1", "head", "features"]
    assert len(SPACE.blocks(A)) == len(names) + 1


@pytest.mark.parametrize("choices", [A, B, SPACE.middle()])
def test_a_path_costs_what_the_network_that_is_built_costs(choices):
    model = FoundPaths(SPACE, {"a": choices}).build(DOMAINS[:1])
    trunk, own = model.summary_by_domain().rows
    blocks = SPACE.blocks(choices)
    head = blocks[-1].filters * 3
    assert trunk.parameters == 0
    assert own.macs == path_cost("macs", blocks, 16) + head
    assert own.parameters - own.head == path_cost("parameters", blocks, 16)


def test_the_union_pays_for_new_blocks_alone():
    a, b = SPACE.blocks(A), SPACE.blocks(B)
    model = FoundPaths(SPACE, {"a": A, "b": B}).build(DOMAINS)
    trunk, first, second = model.summary_by_domain().rows
    assert trunk.parameters == sum(x.kernels for x in b)
    assert second.parameters - second.head == sum(x.norms for x in b)
    own = first.parameters - first.head - sum(x.norms for x in a)
    assert own == sum(x.kernels for x in set(a) - set(b))
    alone = path_cost("union_bytes", a, 16)
    assert alone == path_cost("bytes", a, 16)
    there = sum(s.kernel_numbers for x in b for s in x.steps)
    assert path_cost("union_bytes", a, 16, [b]) == alone - there


def test_similarity():
    found = similarity(SPACE, {"a": A, "b": B, "c": A})
    assert found["a"]["a"] == found["a"]["c"] == 1
    assert found["a"]["b"] == found["b"]["a"] == 5 / 6
    assert similarity(SPACE, {"a": A, "b": B}, zeros=True)["a"]["b"] == 5 / 7
    assert jaccard("ab", "cd") == 0


def test_rewards():
    values = {
        kind: Reward(kind, target=100, beta=-0.5)(0.8, 400)
        for kind in ("absolute", "soft", "hard", "accuracy")
    }
    assert values == pytest.approx(
        {"absolute": 0.8 - 1.5, "soft": 0.4, "hard": 0.4, "accuracy": 0.8}
    )
    assert Reward("hard", target=100, beta=-0.5)(0.8, 25) == 0.8
    assert Reward("soft", target=100, beta=-0.5)(0.8, 25) == 1.6


def test_paths_in_a_file(tmp_path):
    found = FoundPaths(SPACE, {"a": A, "b": B})
    found.write(tmp_path / "paths.json")
    assert FoundPaths.read(tmp_path / "paths.json", SPACE) == found
    with pytest.raises(ValueError, match="are of another search space"):
        FoundPaths.read(tmp_path / "paths.json", SearchSpace.mobilenet_v3(32))
    (tmp_path / "paths.json").write_text('{"format": "other"}')
    with pytest.raises(ValueError, match=r"not a file of paths.*'other'"):
        FoundPaths.read(tmp_path / "paths.json")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: SearchSpace.mobilenet_v3(32, 1, 1, 1, (1.0,), (3,), (1,),
                                          (False,)), None),
        (lambda: SearchSpace.mobilenet_v3(kernels=(4,)), "odd ones"),
        (lambda: SearchSpace.mobilenet_v3(stages=6), "must be 1 to 5"),
        (lambda: SearchSpace.mobilenet_v3(size=8), "from 16 to 512"),
        (lambda: SPACE.blocks((0, 1)), "each of its 14 decisions"),
        (lambda: Reward("fast"), "Unknown reward: 'fast'.*absolute"),
        (lambda: Reward("soft", "watts", 3), f"Known: {', '.join(COSTS)}"),
        (lambda: Reward("soft"), "needs a `target`"),
        (lambda: Reward(target=5, beta=1), "`beta` must be below 0"),
        (lambda: Reward("soft", "macs", 10).require_reachable(SPACE),
         "No path of the space costs `target` macs: they cost [0-9,]+ to"),
        (lambda: PathBlock("bottleneck", "p", 8, 16, 3, expanded=8,
                           residual=True), "keeps channels and size"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make, text):
    if text is None:  # one network alone, but for the separable one
        assert make().network_count() == 2
        return
    with pytest.raises(ValueError, match=text):
        make()


def test_a_space_without_choices_is_refused():
    one = {
        k: tuple(v[:1]) if isinstance(v, tuple | list) else v
        for k, v in SPACE.to_dict().items()
    }
    stage = {"widths": (8,), "strides": 2, "activation": "relu", "layers": 1}
    one.update(stages=(stage,), separable_kernels=())
    with pytest.raises(ValueError, match="nothing to search"):
        SearchSpace(**one)


def _all(space):
    import itertools

    return itertools.product(*(range(len(d.choices)) for d in space.decisions))
