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

SHAPE = (16, 16, 3)
STEM = PathBlock("convolution", "stem", 3, 32, 3, 2)
COMMON = PathBlock("bottleneck", "one", 32, 32, 3, expanded=64, squeezed=16)
PAIR = PathBlock("bottleneck", "two", 32, 32, 3, expanded=40, residual=True)
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
    paths = {
        "a": [STEM, COMMON, ALONE, HEAD],
        "b": [STEM, COMMON, PAIR, HEAD],
        "c": [STEM, PAIR, HEAD],
    }
    domains = [Domain(name, 4) for name in paths]
    model = tiny.randomize(build_multi_path(domains, paths, SHAPE))
    used = kernels_by_domain(model)
    assert not any("two" in layer for layer in used["a"])
    assert not any("one" in layer for layer in used["c"])
    images = {d: np.uint8(tiny.images(20, size=16)) for d in paths}
    with pytest.raises(ValueError, match="domains with paths of their own"):
        export(model, tmp_path / "x", validation=images, forms="parts")
    report = export(
        model, tmp_path / "out", validation=images, min_agreement=0,
        say=lambda text: None,
    )  # fmt: skip
    assert all(d["shared"] == 1 for d in report.domains)
    found = {d: kernels(tmp_path / f"out/models/{d}.tflite") for d in paths}
    shared = {k for k in found["a"] & found["b"] & found["c"] if len(k) > 500}
    assert len(shared) == 2  # stem and features
    # Two of the block and two of its squeeze-and-excite; two of the pair.
    assert len({k for k in found["a"] & found["b"] if len(k) > 500}) == 6
    assert len({k for k in found["b"] & found["c"] if len(k) > 500}) == 4
    assert not {k for k in found["a"] & found["c"] if len(k) > 500} - shared
    for form in ("packs", "bundle"):
        for name, classifier in load(tmp_path / "out", form).items():
            expected = load(tmp_path / "out", "models")[name]
            x = images[name][:2]
            np.testing.assert_array_equal(classifier(x), expected(x))
