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
                kernel = np.array(kernel)[:, :, :i, : 1 if depthwise else o]
                values[f"{name}/kernel"] = kernel
                values[f"{name}_norm/gamma"] = np.array(gamma)[number, :o]
                values[f"{name}_norm/beta"] = np.array(beta)[number, :o]
            else:
                kernel, bias = map(np.array, getattr(node, step.role))
                values[f"{name}/kernel"] = kernel[:i, :o]
                values[f"{name}/bias"] = bias[:o]
    classes = model.domains[domain].num_classes
    features = block.filters
    values["head/kernel"] = np.array(network.head)[number, :features, :classes]
    values["head/bias"] = np.array(network.bias)[number, :classes]
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
    found = np.array(network(feed))[:, : domain.num_classes]
    view = model.for_domain(domain.name, "base")
    expected = keras.ops.convert_to_numpy(view(x, training=True))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
