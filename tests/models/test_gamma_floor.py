"""Training keeps BatchNorm scales above a floor; nothing else touches them."""

import keras
import numpy as np
import pytest
from tiny import changed_paths, compiled, fit, tiny_model, values

import keras_mdl
from keras_mdl import DomainBatchNormalization
from keras_mdl.models import build_dense_resnet26
from keras_mdl.training import CoupledSGD

FLOOR = np.float32(1e-3)
BUILDERS = [keras_mdl.build_resnet26, build_dense_resnet26]
# Large enough to push a gamma of 1 below 0.
OPTIMIZERS = {
    "coupled_sgd": lambda: CoupledSGD(2.0, momentum=0.9, l2=0.01),
    "adam": lambda: keras.optimizers.Adam(2.0),
}
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)


def gammas(model, domain):
    return {
        p: v
        for p, v in values(model).items()
        if p.startswith(f"domains/{domain}/") and p.endswith("gamma")
    }


def pushed_down(optimizer, policy="float32", **options):
    """The gamma of a layer after steps towards `-x`."""
    layer = DomainBatchNormalization(["a"], dtype=policy, **options)
    inputs = keras.Input((4, 4, 6))
    model = keras.Model(inputs, layer(inputs, domain="a"))
    model.compile(OPTIMIZERS[optimizer](), "mse")
    x = np.random.default_rng(0).normal(size=(8, 4, 4, 6)).astype("float32")
    model.fit(x, -x, epochs=3, verbose=0)
    return keras.ops.convert_to_numpy(layer.slot("a")["norm"].gamma)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@every_optimizer
def test_training_stops_at_the_floor(optimizer, policy):
    np.testing.assert_array_equal(pushed_down(optimizer, policy), FLOOR)
    gamma = pushed_down(optimizer, policy, gamma_floor=0.25)
    np.testing.assert_array_equal(gamma, 0.25)


@every_optimizer
def test_without_a_floor_gamma_turns_negative(optimizer):
    assert pushed_down(optimizer, gamma_floor=None).max() < 0


def with_negative_gammas():
    model = tiny_model()
    for path, v in model.variables_by_path().items():
        if path.endswith("gamma"):
            v.assign(np.linspace(-1, 1, v.shape[0]))
    return model


@every_optimizer
def test_loaded_gammas_stay_until_their_domain_trains(optimizer, tmp_path):
    model = with_negative_gammas()
    model.save(tmp_path / "m.keras")
    again = keras_mdl.load_model(tmp_path / "m.keras")
    assert again.fingerprint() == model.fingerprint()
    before = values(again)
    fit(compiled(again.for_domain("a", "head"), OPTIMIZERS[optimizer]()))
    assert not changed_paths(gammas(model, "a"), gammas(again, "a"))
    fit(compiled(again["a"], OPTIMIZERS[optimizer]()))
    assert min(v.min() for v in gammas(again, "a").values()) >= FLOOR
    changed = changed_paths(before, values(again))
    assert not any(p.startswith("domains/b/") for p in changed)


def test_a_domains_file_keeps_negative_gammas(tmp_path):
    model = with_negative_gammas()
    model.save_domain("b", tmp_path / "b.safetensors")
    back = model.without_domain("b").load_domain(tmp_path / "b.safetensors")
    assert back.fingerprint() == model.fingerprint()


def test_a_view_saved_by_itself_has_its_floor(tmp_path):
    model = tiny_model()
    model["a"].save(tmp_path / "a.keras")
    view = keras_mdl.load_model(tmp_path / "a.keras")
    norms = [x for x in view.layers if "norm" in x.name and x.weights]
    assert [x.gamma.constraint.floor for x in norms] == [1e-3] * 2


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("floor", [1e-3, 0.1, None])
def test_networks_pass_it_on_and_keep_it(build, floor):
    model = build({"a": 2}, (8, 8, 3), width=1 / 32, gamma_floor=floor)
    expected = {"width": 1 / 32, "gamma_floor": floor}
    again = type(model).from_config(model.get_config())
    for m in (model, again, model.with_domain("b", 3)):
        assert m.get_config()["backbone_config"] == expected
        found = {
            getattr(v.constraint, "floor", None)
            for p, v in m.variables_by_path().items()
            if p.endswith("gamma")
        }
        assert found == {floor}
