"""A router in an export: as it was fitted, beside files that stay."""

import hashlib
import json

import numpy as np
import pytest
from exported import quiet_export, small_model
from keras_mdl_export import load, update
from tiny import SIZE

from keras_mdl.routing import Router

COLOURS = {"a": (200, 60, 40), "b": (40, 60, 200), "c": (60, 190, 60)}


def coloured(colour, n=100, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.normal(colour, 25, (n, SIZE, SIZE, 3))
    return pixels.clip(0, 255).astype("uint8")


IMAGES = {n: coloured(c, seed=i) for i, (n, c) in enumerate(COLOURS.items())}
OTHER = coloured((128, 128, 128), seed=9)
LIMITS = {"min_agreement": 0.5, "max_accuracy_drop": 1.0}


@pytest.fixture(scope="module")
def model():
    return small_model(("a", "b", "c"))


@pytest.fixture(scope="module")
def router(model):
    return Router.fit(model, IMAGES, {"grey": OTHER})


@pytest.fixture(scope="module")
def exported(model, router, tmp_path_factory):
    """Without the domain whose network looks, in all forms."""
    folder = tmp_path_factory.mktemp("routed") / "export"
    report = quiet_export(
        model, folder, mode="int8", router=router, domains=["b", "c"],
        calibration=IMAGES, **LIMITS,
    )  # fmt: skip
    return folder, report


def test_exported_is_fitted_in_every_form(model, router, exported):
    folder, report = exported
    manifest = json.loads((folder / "manifest.json").read_text())
    names = [s["name"] for s in manifest["router"]["scores"]]
    assert names == ["a", "b", "c", "grey"]
    assert report.router["agreement"] > 0.9
    x = np.concatenate([*(IMAGES[n][:20] for n in "abc"), OTHER[:20]])
    expected = [r.nearest for r in router.route(model, x)]
    first = None
    for form in ("models", "parts", "bundle", "packs"):
        found = load(folder, form)
        routes = found.routes(x)
        first = first or routes
        assert routes == first
        assert found.route(x[-1]) == routes[-1]
    same = [r.nearest == e for r, e in zip(first, expected, strict=True)]
    assert np.mean(same) > 0.9
    # The base has no file of its own here, and grey is no domain.
    assert {r.domain for r in first} == {"b", "c", None}
    assert {r.domain for r in first if r.nearest in ("a", "grey")} == {None}


def test_the_domains_files_are_those_without_it(model, router, tmp_path):
    options = {"calibration": IMAGES, "forms": ["models", "parts"], **LIMITS}
    quiet_export(model, tmp_path / "without", **options)
    quiet_export(model, tmp_path / "with", router=router, version=2, **options)
    for path in (tmp_path / "without").rglob("*/*"):
        same = tmp_path / "with" / path.relative_to(tmp_path / "without")
        assert path.read_bytes() == same.read_bytes()
    parts = [tmp_path / "with" / "parts" / n for n in ("router.prefix",
                                                      "trunk.bin")]  # fmt: skip
    manifest = json.loads((tmp_path / "with" / "manifest.json").read_text())
    joined = b"".join(p.read_bytes() for p in parts)
    digest = hashlib.sha256(joined).hexdigest()
    assert digest == manifest["router"]["complete"]["sha256"]
    usage = (tmp_path / "with" / "USAGE.md").read_text()
    assert "none of these" in usage
    with pytest.raises(ValueError, match="This export has no router"):
        load(tmp_path / "without").route(OTHER[0])
    # A device that has the one installs the other.
    root = tmp_path / "device"
    update(root, tmp_path / "without")
    found = load(update(root, tmp_path / "with"))
    assert found.route(OTHER[0]).nearest in found.router.classes


def test_what_does_not_fit_is_refused(model, router, tmp_path):
    other = model.folded([])
    beta = other.variables_by_path()["domains/a/norm1/norm/beta"]
    beta.assign(beta + 1)
    few = router.without_domain("b")
    named = model.with_domain("Router", 2)
    for one, with_router, message in (
        (other, router, "fitted on another network: domains/a"),
        (model, few, "Missing: b"),
        (named, router, "called 'router' cannot be exported"),
    ):
        images = {**IMAGES, "Router": OTHER} if one is named else IMAGES
        with pytest.raises(ValueError, match=message):
            quiet_export(
                one, tmp_path / "e", router=with_router, calibration=images
            )
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_with_a_router_is_checked(model, router, exported, tmp_path):
    from keras_mdl_export import Manifest

    values = json.loads((exported[0] / "manifest.json").read_text())
    assert Manifest(values).router["scores"]
    for change, message in (
        ({"scores": values["router"]["scores"][:1]}, "a score of each domain"),
        ({"scores": 2 * values["router"]["scores"]}, "names that differ"),
        ({"files": {"model": "models/b.tflite"}}, "nothing else uses"),
        ({"more": 1}, "`router` should be an object of layer"),
    ):
        changed = {**values, "router": {**values["router"], **change}}
        with pytest.raises(ValueError, match=message):
            Manifest(changed)
