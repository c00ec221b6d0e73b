"""The ten-domain table has the published counts, and says what it cannot."""

import pytest

from keras_mdl.runs.par_column import (
    DENSE,
    PRINTED,
    SEPARABLE,
    par_column,
)

HEADS = 513 * 3128  # ten heads on 512 features: 1000 + 2128 classes


@pytest.fixture(scope="module")
def rows():
    # MACs apart nothing depends on the size.
    return {
        (r["network"], r["method"]): r for r in par_column(8, pairs=PRINTED)
    }


@pytest.mark.parametrize(
    ("network", "method", "numbers", "total", "to_dense"),
    [
        (SEPARABLE, "pointwise_sharing", 338_139, 5_699_918, 0.98),
        (SEPARABLE, "individual", 2_656_667, 26_566_670, 4.57),
        (SEPARABLE, "classifier_only", 0, 2_656_667, 0.46),
        (SEPARABLE, "depthwise_sharing", 2_596_160, 26_022_107, 4.48),
        (DENSE, "serial_adapter", 696_384 + 7_744, 12_151_840, 2.09),
        (DENSE, "parallel_adapter", 645_216 + 7_744, 11_691_328, 2.01),
        (DENSE, "dan_linear", 689_152 + 3_616, 12_049_600, 2.07),
    ],
)
def test_published_counts(rows, network, method, numbers, total, to_dense):
    row = rows[network, method]
    assert row["parameters"] == numbers
    assert row["bytes"] == 4 * numbers
    assert row["total"] == total
    assert round(row["to_dense"], 2) == to_dense


@pytest.mark.parametrize(
    ("method", "total"),
    [
        ("pointwise_sharing", 7_304_582),
        ("individual", 28_171_334),
        ("classifier_only", 4_261_331),
        ("depthwise_sharing", 27_626_771),
    ],
)
def test_published_counts_with_all_heads(rows, method, total):
    row = rows[SEPARABLE, method]
    assert row["total_with_heads"] == total == row["total"] + HEADS


def test_masks_are_counted_in_bits(rows):
    row = rows[DENSE, "piggyback"]
    assert row["parameters"] == 5_806_944
    assert row["bytes"] == 5_806_944 // 8
    assert row["total"] == pytest.approx(5_814_688 + 9 * 5_806_944 / 32)
    assert round(row["to_own"], 2) == 1.28


def test_masks_of_the_separable_network():
    pairs = [(SEPARABLE, m) for m in ("pointwise_sharing", "piggyback")]
    row = par_column(8, pairs)[1]
    assert row["parameters"] == 2_641_179
    assert row["bytes"] == 330_148


def test_multiply_accumulates_are_the_published_ones(rows):
    # 393.9 M at 64 x 64 pixels, so 1/64 of that at 8 x 8, without the head.
    row = rows[SEPARABLE, "pointwise_sharing"]
    assert round(64 * row["macs"] / 1e6, 1) == 393.9
    dense = rows[DENSE, "serial_adapter"]
    assert dense["macs"] > dense["macs_folded"]
    assert round(64 * dense["macs_folded"] / 1e6) == 853


def test_no_one_quotient_reproduces_the_printed_column(rows):
    """If one did, the page should say so and drop the others."""
    for quotient in ("to_dense", "to_own", "to_proposed"):
        off = [
            pair
            for pair, printed in PRINTED.items()
            if abs(rows[pair][quotient] - float(printed[:-1])) > 0.1
        ]
        assert off, quotient
