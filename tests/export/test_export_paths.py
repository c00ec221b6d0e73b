"""A domain's exported file holds its path alone; shared blocks are one."""

import numpy as np
import pytest
import tiny
from keras_mdl_export import export, load
from keras_mdl_export.modes import get_mode
from keras_mdl_export.trunk import (
    as_bytes,
    kernels_by_domain,
    quantized,
    stored_kernels,
    trunk_kernels,
)

from keras_mdl import Domain
from keras_mdl.models.backbones.multi_path import build_multi_path
from keras_mdl.models.backbones.path_block import PathBlock

STEM = PathBlock("convolution", "stem", 3, 32, 3, 2)
COMMON = PathBlock("bottleneck", "one", 32, 32, 3, expanded=64, squeezed=16)
ALONE = PathBlock("bottleneck", "two", 32, 32, 5, expanded=48, residual=True)
HEAD = PathBlock("features", "features", 32, 48, activation="hard_silu")


@pytest.mark.parametrize("mode", ["dyn_conv", "int8", "float16"])
def test_a_file_has_its_path_and_shares_its_blocks(tmp_path, mode):
    paths = {"a": [STEM, COMMON, HEAD], "b": [STEM, COMMON, ALONE, HEAD]}
    model = tiny.randomize(
        build_multi_path(
            [Domain(name, 4) for name in paths],
            paths,
            (16, 16, 3),
            shared=[b.name for b in paths["b"]],
        )
    )
    used = kernels_by_domain(model)
    more = set(used["b"]) - set(used["a"])
    assert len(used["a"]) == 7
    assert more == {k for k in trunk_kernels(model) if k.startswith("two_")}
    assert any("spatial" in k for k in set(used["a"]) & set(used["b"]))
    images = {d: np.uint8(tiny.images(100, size=16)) for d in paths}
    with pytest.raises(ValueError, match="domains with paths of their own"):
        export(model, tmp_path / "x", validation=images, forms="parts")
    report = export(
        model,
        tmp_path / "out",
        mode,
        calibration=images,
        private_bits="full",
        min_agreement=0,
        say=lambda text: None,
    )
    assert all(d["shared"] == 1 for d in report.domains)
    # Each kernel's bytes, wherever they are: depthwise ones like the others.
    integers = get_mode(mode).kernels == "int8"
    kernels = trunk_kernels(quantized(model) if integers else model)
    files = {d: f"models/{d}.tflite" for d in paths}
    files = {**files, "bundle": "bundle.tflite", "trunk": "parts/trunk.bin"}
    contents = {
        k: (tmp_path / "out" / v).read_bytes() for k, v in files.items()
    }
    for layer, kernel in stored_kernels(kernels, get_mode(mode)).items():
        there = {
            k: content.count(as_bytes(kernel).tobytes())
            for k, content in contents.items()
        }
        expected = dict.fromkeys(there, 1)
        expected["a"] = int(layer in used["a"])
        assert there == expected, layer
    for form in ("packs", "bundle"):
        for name, classifier in load(tmp_path / "out", form).items():
            expected = load(tmp_path / "out", "models")[name]
            x = images[name][:2]
            np.testing.assert_array_equal(classifier(x), expected(x))
