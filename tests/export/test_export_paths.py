"""A domain's exported file holds its path alone; shared blocks are one."""

import numpy as np
import pytest
import tiny
from keras_mdl_export import export, load
from keras_mdl_export.flatbuffer import data_of, unpack
from keras_mdl_export.trunk import kernels_by_domain

from keras_mdl import Domain
from keras_mdl.models.backbones.multi_path import build_multi_path
from keras_mdl.models.backbones.path_block import PathBlock

STEM = PathBlock("convolution", "stem", 3, 32, 3, 2)
COMMON = PathBlock("bottleneck", "one", 32, 32, 3, expanded=64, squeezed=16)
ALONE = PathBlock("bottleneck", "two", 32, 32, 5, expanded=48, residual=True)
HEAD = PathBlock("features", "features", 32, 48, activation="hard_silu")


def kernels(path):
    """The bytes of all int8 constants of a file."""
    tree = unpack(path.read_bytes())
    return {
        data_of(tree, t).tobytes()
        for graph in tree.subgraphs
        for t in graph.tensors
        if data_of(tree, t) is not None and data_of(tree, t).dtype == np.int8
    }


def test_a_file_has_its_path_and_shares_its_blocks(tmp_path):
    paths = {"a": [STEM, COMMON, HEAD], "b": [STEM, ALONE, HEAD]}
    model = tiny.randomize(
        build_multi_path(
            [Domain(name, 4) for name in paths],
            paths,
            (16, 16, 3),
            shared=[STEM.name, COMMON.name, HEAD.name],
        )
    )
    used = kernels_by_domain(model)
    assert len(used["a"]) == 6  # the depthwise one is not shared by bytes
    assert used["b"] == [used["a"][0], used["a"][-1]]
    images = {d: np.uint8(tiny.images(20, size=16)) for d in paths}
    with pytest.raises(ValueError, match="domains with paths of their own"):
        export(model, tmp_path / "x", validation=images, forms="parts")
    report = export(
        model,
        tmp_path / "out",
        validation=images,
        min_agreement=0,
        say=lambda text: None,
    )
    assert all(d["shared"] == 1 for d in report.domains)
    found = {d: kernels(tmp_path / f"out/models/{d}.tflite") for d in paths}
    assert len(found["a"] & found["b"]) == 2
    only_a = sorted(map(len, found["a"] - found["b"]))
    # Expansion, squeeze-and-excite, projection; and the classifier.
    assert only_a == [4 * 48, 64 * 16, 64 * 16, 32 * 64, 32 * 64]
    for form in ("packs", "bundle"):
        for name, classifier in load(tmp_path / "out", form).items():
            expected = load(tmp_path / "out", "models")[name]
            x = images[name][:2]
            np.testing.assert_array_equal(classifier(x), expected(x))
