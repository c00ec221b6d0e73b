"""One network holds all: a masked path is the network that stands alone."""

import keras
import numpy as np
import pytest
import tiny
from tiny_search import DOMAINS, SPACE, all_batches, batches

from keras_mdl import Domain
from keras_mdl.models.backbones.multi_path import paths_of
from keras_mdl.search import (
    FoundPaths,
    Reward,
    Search,
    SearchPlan,
    SuperNetwork,
    path_cost,
    search_further,
)
from keras_mdl.search.encoding import encode

PLAN = SearchPlan(
    steps=3,
    batch_size=8,
    held_out_batch=8,
    reward=Reward("absolute", "union_bytes", 9000),
    controller_rate=0.5,
)
PATHS = [  # an index for each of SPACE.decisions
    (0, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1),
    (0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0),
    (0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 0, 1, 0, 0),
]


@pytest.fixture(scope="module")
def network():
    network = SuperNetwork(SPACE, DOMAINS)
    rng = np.random.default_rng(0)
    for v in network.variables:
        if v.name.startswith(("gamma", "beta")) or "bias" in v.name:
            v.assign(v + rng.normal(0, 0.3, v.shape))
    return network


array = keras.ops.convert_to_numpy


def copy_path(network, model, domain, number):
    """The weights of a path out of the supernetwork, cut to its widths."""
    nodes = {n.position.name: n.new for n in network.nodes}
    values = {}
    for block in paths_of(model)[domain]:
        node = nodes[block.position]
        for step in block.steps:
            i, o = step.inputs, step.filters
            name = f"{block.name}_{step.role}"
            if step.normalized:
                part = getattr(node, step.role)
                index = part.kernels.index(step.kernel_size)
                kernel, gamma, beta = part.weights_by_size[index]
                depthwise = step.kind == "depthwise"
                kernel = array(kernel)[:, :, :i, : 1 if depthwise else o]
                values[f"{name}/kernel"] = kernel
                values[f"{name}_norm/gamma"] = array(gamma)[number, :o]
                values[f"{name}_norm/beta"] = array(beta)[number, :o]
            else:
                kernel, bias = map(array, getattr(node, step.role))
                values[f"{name}/kernel"] = kernel[:i, :o]
                values[f"{name}/bias"] = bias[:o]
    classes = model.domains[domain].num_classes
    features = block.filters
    values["head/kernel"] = array(network.head)[number, :features, :classes]
    values["head/bias"] = array(network.bias)[number, :classes]
    for path, variable in model.variables_by_path().items():
        owner, *rest = path.split("/")
        own = rest if owner == "trunk" else rest[1:]
        mine = owner == "trunk" or rest[0] == domain
        if mine and not own[-1].startswith("moving"):
            value = values.pop(f"{own[0]}/{own[-1]}")
            variable.assign(np.reshape(value, variable.shape))
    assert not values


@pytest.mark.parametrize("choices", PATHS)
@pytest.mark.parametrize("number", [0, 1])
def test_a_masked_path_is_the_network_that_stands_alone(
    network, choices, number
):
    domain = DOMAINS[number]
    model = FoundPaths(SPACE, {domain.name: choices}).build([domain])
    copy_path(network, model, domain.name, number)
    x, _ = batches(domain)(0, 8)
    feed = network.feed(x, number, encode(SPACE, choices))
    found = array(network(feed))[:, : domain.num_classes]
    view = model.for_domain(domain.name, "base")
    expected = keras.ops.convert_to_numpy(view(x, training=True))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search that was stopped after two of three steps, and its file."""
    state = tmp_path_factory.mktemp("search") / "state.npz"
    search = Search(SPACE, DOMAINS, all_batches(), PLAN)
    search.advance()
    traces = search.network.traces
    search.advance()
    search.save(state)
    return search, state, traces


def test_one_trace_serves_every_path(searched):
    search, _, traces = searched
    assert search.network.traces == traces
    rows = search.history
    assert [(r["step"], r["domain"]) for r in rows] == [
        (0, "a"), (0, "b"), (1, "a"), (1, "b"),
    ]  # fmt: skip
    assert len({r["cost"] for r in rows}) > 1


def test_a_search_that_goes_on_ends_bit_identical(searched):
    search, state, _ = searched
    again = Search(SPACE, DOMAINS, all_batches(), PLAN)
    found = again.run(state)
    assert found == search.run()
    assert again.history == search.history
    for a, b in zip(
        again.network.variables, search.network.variables, strict=True
    ):
        a, b = map(keras.ops.convert_to_numpy, (a, b))
        assert a.tobytes() == b.tobytes()
    for name, controller in again.controllers.items():
        other = search.controllers[name]
        assert np.array_equal(controller.state(), other.state())


def test_what_cannot_be_searched_is_refused(searched, tmp_path):
    _, state, _ = searched
    batches = all_batches()
    with pytest.raises(ValueError, match=r"held-out ones.*Missing: 'b'"):
        Search(SPACE, DOMAINS, {"a": batches["a"]}, PLAN)
    plan = SearchPlan(reward=Reward("soft", "macs", 1e9))
    with pytest.raises(ValueError, match="No path of the space costs"):
        Search(SPACE, DOMAINS, batches, plan)
    other = Search(SPACE, DOMAINS, batches, SearchPlan(steps=4))
    with pytest.raises(ValueError, match="the state of another search"):
        other.load(state)
    (tmp_path / "broken").write_bytes(state.read_bytes()[:100])
    with pytest.raises(ValueError, match="not the state of a search"):
        other.load(tmp_path / "broken")
    for wrong, text in (
        ({"steps": 0}, "`steps` must be"),
        ({"controllers": "two"}, "Known: per_domain, one, random"),
        ({"delay": 0.1, "relaxed": 0.2}, "no longer than controllers wait"),
        ({"balancing": "abdp"}, "Unknown balancing"),
    ):
        with pytest.raises(ValueError, match=text):
            SearchPlan(**wrong)


def test_random_paths_lie_near_the_target_and_one_path_is_one():
    plan = SearchPlan(controllers="random", reward=Reward("soft", "macs", 9e4))
    random = Search(SPACE, DOMAINS, all_batches(), plan).run()
    costs = [path_cost("macs", p, 16) for p in random.paths.values()]
    assert costs == pytest.approx([9e4] * 2, rel=0.1)
    union = Reward("absolute", "union_bytes", 3000)
    plan = SearchPlan(controllers="random", reward=union)
    first, second = Search(SPACE, DOMAINS, all_batches(), plan).run(
    ).paths.values()  # fmt: skip
    cost = path_cost("union_bytes", second, 16, [first])
    assert cost == pytest.approx(3000, rel=0.1)
    plan = SearchPlan(controllers="one", steps=1, batch_size=8, reward=union,
                      held_out_batch=8, delay=0, relaxed=0)  # fmt: skip
    search = Search(SPACE, DOMAINS, all_batches(), plan)
    search.controllers["a"].sample = lambda rng: PATHS[0]
    # What the network says is no matter here, and takes long to trace.
    search.network.train_on_batch = lambda *a, **kw: {"cross_entropy": 1.0}
    search.network.predict_on_batch = lambda x: np.zeros((8, 3))
    one = search.run()
    assert len({(r["cost"], r["entropy"]) for r in one.history}) == 1
    path = SPACE.blocks(PATHS[0])  # its kernels are there: others have it
    assert one.history[0]["cost"] == sum(b.own_bytes for b in path)
    assert one.choices["a"] == one.choices["b"]


@pytest.fixture(scope="module")
def union():
    """Two domains that share some blocks, with random weights."""
    found = FoundPaths(SPACE, {"a": PATHS[1], "b": PATHS[2]})
    return tiny.randomize(found.build(DOMAINS))


def test_training_a_domain_changes_no_shared_block(union):
    model = union.folded([])  # a copy
    shared = model.get_config()["backbone_config"]["shared"]
    assert shared == ["head_k1_i8_o16", "stem_k3_i3_o16"] or shared
    before = tiny.values(model)
    view = tiny.compiled(
        model["a"], keras.optimizers.AdamW(0.01, weight_decay=0.1)
    )
    x, y = batches(DOMAINS[0])(0, 8)
    view.fit(x, y, verbose=0)
    changed = tiny.changed_paths(before, tiny.values(model))
    assert {tiny.owner(p) for p in changed} == {"domains/a"}
    assert any("conv" in p or "depthwise" in p for p in changed)


def test_the_verbs(union, tmp_path):
    model = union
    model.save(tmp_path / "m.keras")
    model.save_domain("b", tmp_path / "b.safetensors")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.fingerprint() == model.fingerprint()
    alone = model.without_domain("b")
    assert {p for p in alone.variables_by_path() if "/b/" in p} == set()
    wider = alone.load_domain(tmp_path / "b.safetensors")
    before = model.fingerprint()
    after = wider.fingerprint()
    assert after["domains/b"] == before["domains/b"]
    x, _ = batches(DOMAINS[0])(0, 4)
    for name in model:
        a, b = (tiny.predict(m, name, x) for m in (model, wider))
        np.testing.assert_array_equal(a, b)
    assert model.joint(phase="base").trainable_paths


def test_a_later_domain_pays_for_new_blocks_alone(union):
    late = Domain("late", 3)
    plan = SearchPlan(
        steps=2, batch_size=8, held_out_batch=8, delay=0, relaxed=0,
        reward=Reward("absolute", "union_bytes", 2000),
    )  # fmt: skip
    train, held_out = batches(late), batches(late, 1)
    wider, found = search_further(union, SPACE, late, train, held_out, plan)
    before, after = union.fingerprint(), wider.fingerprint()
    assert {k: after[k] for k in before} == before
    blocks = found.paths["late"]
    shared = set(union.get_config()["backbone_config"]["shared"])
    own = sum(b.norms + b.kernels * (b.name not in shared) for b in blocks)
    row = wider.summary_by_domain().rows[-1]
    assert row.parameters - row.head == own
    alone = FoundPaths(SPACE, {"a": PATHS[0]}).build(DOMAINS[:1])
    with pytest.raises(ValueError, match="no shared block"):
        search_further(alone, SPACE, late, train, held_out, plan)
    with pytest.raises(ValueError, match="has a domain 'a' already"):
        search_further(alone, SPACE, DOMAINS[0], train, held_out, plan)


def test_an_existing_block_computes_what_the_trunk_does(union):
    """Its kernels come from the model; with its norms too, so do outputs."""
    blocks = {b.name: b for p in paths_of(union).values() for b in p}
    shared = union.get_config()["backbone_config"]["shared"]
    network = SuperNetwork(
        SPACE, DOMAINS[:1], existing=[blocks[n] for n in shared],
        kernels=union.variables_by_path(),
    )  # fmt: skip
    x, _ = batches(DOMAINS[0])(0, 4)
    used = encode(SPACE, PATHS[1], existing=[blocks[n] for n in shared])
    assert used[:, -1].sum() >= 2
    a = array(network(network.feed(x, 0, used)))
    for path, v in union.variables_by_path().items():
        if path.startswith("trunk/"):
            v.assign(v + 1)
    b = array(network(network.feed(x, 0, used)))
    np.testing.assert_array_equal(a, b)  # its own copies
    new = array(network(network.feed(x, 0, encode(SPACE, PATHS[1]))))
    assert np.abs(a - new).max() > 1e-3
