"""A router: which domain an image is of, or none, and what it leaves alone."""

import keras
import numpy as np
import pytest
from tiny import SIZE, changed_paths, randomize, tiny_model, values

from keras_mdl.routing import Router, default_layer, router_network

COLOURS = {"a": (200, 40, 40), "b": (40, 200, 60), "c": (40, 60, 210)}


def noisy(colour, n=200, seed=0):
    """Noisy pictures of one colour and of other brightness."""
    rng = np.random.default_rng(seed)
    light = rng.uniform(0.8, 1.2, (n, 1, 1, 1))
    pixels = rng.normal(colour, 12, (n, SIZE, SIZE, 3)) * light
    return pixels.clip(0, 255).astype("uint8")


def striped(n=200, seed=0):
    """Noisy black and white columns."""
    pixels = np.random.default_rng(seed).normal(0, 12, (n, SIZE, SIZE, 3))
    pixels[:, :, ::2] += 255
    return pixels.clip(0, 255).astype("uint8")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return randomize(tiny_model(("a", "b", "c")))


@pytest.fixture(scope="module")
def images():
    return {name: noisy(c, seed=i) for i, (name, c) in enumerate(
        COLOURS.items())}  # fmt: skip


@pytest.fixture(scope="module")
def router(model, images):
    return Router.fit(model, images)


def numbers(router, name):
    d = router.domains[name]
    return (d.mean.tobytes(), d.factor.tobytes(), d.threshold, d.images)


def test_new_images_go_home_and_others_nowhere(model, router):
    for i, (name, colour) in enumerate(COLOURS.items(), 10):
        found = router.route(model, noisy(colour, 400, seed=i))
        assert np.mean([r.nearest == name for r in found]) > 0.95
        # Of 400 images about 20 are rejected; 5 deviations are 22.
        rejected = sum(r.domain is None for r in found)
        assert 0 < rejected < 45
        assert all((r.domain is None) == (r.margin < 0) for r in found)
    found = router.route(model, striped())
    assert np.mean([r.domain is None for r in found]) > 0.9


def test_images_of_others_are_of_none(model, router, images):
    wider = router.with_domains(model, {}, {"sand": striped(seed=5)})
    (route,) = set(
        r._replace(margin=0.0) for r in wider.route(model, striped(1))
    )
    assert (route.domain, route.nearest) == (None, "sand")
    # So are domains that the model has lost.
    narrower = model.without_domain("c")
    found = router.route(narrower, images["c"][:20])
    assert {r.domain for r in found if r.nearest == "c"} == {None}
    assert any(r.nearest == "c" and r.margin > 0 for r in found)


def test_the_model_is_only_read(model, images):
    before = values(model)
    Router.fit(model, images).route(model, images["a"])
    assert not changed_paths(before, values(model))


def test_a_domain_leaves_the_others_numbers_bit_identical(
    model, router, images
):
    two = Router.fit(model, {n: images[n] for n in "ab"})
    three = two.with_domains(model, {"c": images["c"]})
    for name in "abc":
        assert numbers(three, name) == numbers(router, name)
    back = three.without_domain("b")
    assert list(back.domains) == ["a", "c"]
    assert all(numbers(back, n) == numbers(router, n) for n in back.domains)


def test_saved_is_loaded(model, router, images, tmp_path):
    path = tmp_path / "router.safetensors"
    router.save(path)
    found = Router.load(path)
    x = images["b"][:9]
    assert np.array_equal(found.scores(model, x), router.scores(model, x))
    assert found.route(model, x) == router.route(model, x)
    assert (found.layer, found.rejected) == (router.layer, router.rejected)
    content = path.read_bytes()
    for wrong in (content[:-5], b"", content.replace(b"router/1", b"router/9")):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"not a complete .*router file"):
            Router.load(path)
    with pytest.raises(FileNotFoundError):
        Router.load(tmp_path / "none.safetensors")


def test_another_network_is_refused_by_both_fingerprints(model, router):
    other = model.folded([])
    path = "domains/a/norm1/norm/beta"
    beta = other.variables_by_path()[path]
    beta.assign(beta + 1)
    digest = other.fingerprint()["domains/a"]
    with pytest.raises(ValueError, match="domains/a has") as error:
        router.route(other, striped(1))
    assert digest[:16] in str(error.value)
    assert router.digests["domains/a"][:16] in str(error.value)
    # Whatever becomes of other domains, the router is of this network still.
    beta.assign(beta - 1)
    wider = model.with_domain("new", 2).without_domain("b")
    assert len(router.route(wider, striped(1))) == 1
    with pytest.raises(ValueError, match="Unknown domain: 'a'"):
        router.route(model.without_domain("a"), striped(1))


def test_what_cannot_be_fitted_is_refused(model, images):
    few = images["a"][:49]
    for more, message in (
        ({"images": {"x": few}}, r"'x'\. Known domains: 'a', 'b', 'c'"),
        ({"images": {"a": few}}, "needs 50 images.*49 of 'a'"),
        ({"others": {"b": images["b"]}}, "images of no domain.*'b'"),
        ({"base": "x"}, "Unknown domain: 'x'"),
        ({"layer": "conv9"}, "conv1.*layer='conv9'"),
        ({"rejected": 0}, r"in \(0, 1\)"),
    ):
        with pytest.raises(ValueError, match=f"(?s){message}"):
            Router.fit(model, **{"images": images, **more})


def test_as_a_network_it_gives_the_same_scores(model, router, images):
    view = model.for_domain("a", phase="frozen")
    assert default_layer(view) == router.layer == "relu2"
    for one in (router, router.without_domain("a").without_domain("b")):
        network = router_network(one, view)
        x = images["c"][:20]
        found = keras.ops.convert_to_numpy(network(x.astype("float32")))
        expected = one.scores(model, x)
        assert np.allclose(found, expected, rtol=1e-4, atol=1e-2)
