"""The full-size network has the published numbers, one by one."""

import math

import keras
import numpy as np
import pytest
from tiny import tiny_model

import keras_mdl

BODY = 2_656_667
FURTHER_DOMAIN = 338_139
HEADS = {
    "aircraft": (100, 51_300),
    "daimlerpedcls": (2, 1_026),
    "dtd": (47, 24_111),
    "gtsrb": (43, 22_059),
    "omniglot": (1623, 832_599),
    "svhn": (10, 5_130),
    "ucf101": (101, 51_813),
    "vgg-flowers": (102, 52_326),
}


@pytest.fixture(scope="module")
def full():
    """The network of the paper: `build_resnet26()` without arguments."""
    return keras_mdl.build_resnet26()


def count(variables):
    return sum(math.prod(v.shape) for v in variables)


def matching(model, text):
    return [v for p, v in model.variables_by_path().items() if text in p]


def row(model, owner):
    return next(r for r in model.summary_by_domain().rows if r.owner == owner)


def test_without_arguments_it_is_the_base_network_of_the_paper(full):
    assert list(full.domains) == ["imagenet12"]
    assert full.domains["imagenet12"].num_classes == 1000
    assert count(full["imagenet12"].trainable_variables) == 3_169_667
    assert full["imagenet12"].output_shape == (None, 1000)
    assert full["imagenet12"].input_shape == (None, 72, 72, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/depthwise/", 60_507),
        ("/pointwise/", 2_580_672),
        ("/norm/", 2 * 15_488),
        ("gamma", 15_488 // 2),
        ("beta", 15_488 // 2),
        ("stage3_block4_conv2/pointwise/", 262_144),
        ("stem/depthwise/", 27),
        ("stem/pointwise/", 192),
        ("stage1_block1_conv1/pointwise/", 8_192),
        ("stage2_block1_conv1/depthwise/", 1_152),
        ("stage3_block1_conv1/pointwise/", 131_072),
        ("head/head/", 513_000),
    ],
)
def test_every_kind_of_weight_has_its_published_count(full, text, expected):
    assert count(matching(full, text)) == expected


def test_the_trunk_is_every_pointwise_kernel_but_the_last(full):
    paths = [p for p in full.variables_by_path() if p.startswith("trunk/")]
    assert len(paths) == 24
    assert all(p.endswith("/pointwise/kernel") for p in paths)
    assert row(full, "trunk").parameters == 2_580_672 - 262_144


def test_it_is_26_layers_deep(full):
    kinds = [type(layer).__name__ for layer in full["imagenet12"].layers]
    assert kinds.count("DepthwiseConv2D") == 25
    assert kinds.count("KernelConv2D") == 25
    assert kinds.count("FusedBatchNormalization") == 26
    assert kinds.count("_Linear") == 1


def test_macs_are_those_of_the_paper(full):
    # The head's 512 * 1000 are counted too; the published figure is without.
    assert row(full, "imagenet12").macs == pytest.approx(498.5e6 + 512e3, 2e-4)


def test_without_top_and_with_another_size():
    model = keras_mdl.build_resnet26(
        {"x": 2}, input_shape=(64, 64, 3), include_top=False
    )
    assert count(model["x"].trainable_variables) == BODY
    assert model["x"].output_shape == (None, 512)
    # 393.9 M in all, 378 M of it pointwise.
    assert row(model, "x").macs == pytest.approx(393.9e6, 2e-4)
    pointwise = [
        math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
        for layer in model["x"].layers
        if "pointwise" in layer.name
    ]
    assert sum(pointwise) == pytest.approx(378e6, 2e-3)


def test_heads_have_their_published_sizes():
    for classes, numbers in HEADS.values():
        head = keras_mdl.DomainHead({"x": classes})
        head.build((None, 512))
        assert count(head.weights) == numbers


def test_each_further_domain_costs_its_slot_and_its_head():
    names = ("dtd", "omniglot")
    classes = {name: HEADS[name][0] for name in names}
    model = keras_mdl.build_resnet26(classes, input_shape=(None, None, 3))
    rows = {r.owner: r for r in model.summary_by_domain().rows}
    for name in names:
        head = HEADS[name][1]
        assert rows[name].head == head
        assert rows[name].parameters == FURTHER_DOMAIN + head
        assert rows[name].statistics == 15_488
        assert rows[name].macs is None  # the size is not fixed
    own = rows["dtd"].parameters + rows["trunk"].parameters
    assert own == BODY + HEADS["dtd"][1] == 2_680_778  # a released log
    # Both of the trunk and of a slot: 4 bytes a number.
    assert rows["dtd"].bytes == 4 * (FURTHER_DOMAIN + 24_111 + 15_488)


@pytest.mark.parametrize(
    ("width", "channels"), [(0.25, (16, 32, 64, 128)), (0.1, (6, 13, 26, 51))]
)
def test_width_scales_all_channels(width, channels):
    model = keras_mdl.build_resnet26({"x": 5}, (32, 32, 3), width=width)
    variables = model.variables_by_path()
    names = ("stem", *(f"stage{s}_block2_conv2" for s in (1, 2, 3)))
    found = [variables[f"trunk/{n}/pointwise/kernel"].shape[-1] for n in names]
    assert tuple(found) == channels
    c0, c1, c2, c3 = channels
    depthwise = 9 * (3 + c0 + 8 * c1 + 8 * c2 + 7 * c3)
    # Separable layers by their input: 8 of 128, but 7 of 512 channels.
    assert count(matching(model, "/depthwise/")) == depthwise
    norms = c0 + 8 * (c1 + c2 + c3) + c3
    assert count(matching(model, "gamma")) == norms


def test_initial_weights_have_the_released_scale(full):
    variables = full.variables_by_path()
    ratios = {"depthwise": [], "pointwise": []}
    for path, v in variables.items():
        value = keras.ops.convert_to_numpy(v)
        role = path.split("/")[-2]
        if role in ratios:
            channels = v.shape[2] if role == "depthwise" else v.shape[3]
            fan = 9 * channels if role == "depthwise" else channels
            ratios[role].append((value / np.sqrt(2 / fan)).ravel())
        elif path.endswith(("gamma", "moving_variance")):
            assert np.all(value == 1)
        elif path.endswith(("beta", "moving_mean")):
            assert np.all(value == 0)
    for role, values in ratios.items():
        values = np.concatenate(values)
        assert values.std() == pytest.approx(1, rel=0.01), role
        assert abs(values.mean()) < 0.02, role
        # Normal and not cut off: about 4.6 % of the draws beyond 2 sigma.
        assert (np.abs(values) > 2).mean() == pytest.approx(0.0455, rel=0.1)


def test_the_head_starts_uniform_in_the_frameworks_bounds(full):
    bound = 512**-0.5
    for name in ("kernel", "bias"):
        path = f"domains/imagenet12/head/head/{name}"
        value = keras.ops.convert_to_numpy(full.variables_by_path()[path])
        assert np.abs(value).max() <= bound
        assert np.abs(value).max() > 0.98 * bound
        assert value.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_equal_shapes_do_not_get_equal_draws(full):
    variables = full.variables_by_path()
    a, b = (
        keras.ops.convert_to_numpy(
            variables[f"trunk/stage3_block{n}_conv2/pointwise/kernel"]
        )
        for n in (1, 2)
    )
    assert not np.array_equal(a, b)


def test_a_domain_called_trunk_is_not_mistaken_for_the_trunk():
    rows = tiny_model({"trunk": 2, "a": 2}).summary_by_domain().rows
    assert [r.owner for r in rows] == ["trunk", "trunk", "a"]
    assert rows[1].parameters == rows[2].parameters > rows[0].parameters
    assert rows[0].macs == 0 < rows[1].macs


def test_the_printed_summary_adds_up():
    model = tiny_model()
    summary = model.summary_by_domain()
    total = sum(r["parameters"] for r in summary.to_dicts())
    statistics = count(matching(model, "moving_"))
    assert total == count(model.weights) - statistics
    lines = str(summary).splitlines()
    names = [line.split()[0] for line in lines[2:]]
    assert names == ["trunk", "a", "b", "total"]
    assert f"{total:,}" in lines[-1]
