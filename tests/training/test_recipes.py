"""The published recipes, written out here once more and compared."""

import copy
import dataclasses

import keras
import numpy as np
import pytest
from keras import ops
from tiny import batch, changed_owners, tiny_model, values

from keras_mdl.training import (
    METHODS,
    RECIPES,
    CoupledSGD,
    Recipe,
    SmoothedCrossentropy,
    balanced_weights,
    get_method,
    get_recipe,
    train,
)

# name: phase, epochs, batch, rate, {first epoch (from 0): rate from then on}
TABLE = {
    "paper-base": ("base", 120, 256, 0.1, {80: 0.01, 100: 0.001}),
    "paper-domain": ("domain", 100, 256, 0.1, {60: 0.01, 80: 0.001}),
    "paper-gate": ("gate", 10, 256, 0.1, {5: 0.01}),
    "code-base": ("base", 120, 128, 0.1, {80: 0.01, 100: 0.001}),
    "code-domain": ("domain", 100, 128, 0.1, {40: 0.01}),
    "code-gate": ("gate_and_slot", 10, 128, 0.1, {5: 0.01}),
    "code-individual": ("base", 120, 128, 0.1, {80: 0.01, 100: 0.001}),
    "code-adapters": (
        "adapter_and_norm", 120, 128, 0.1, {80: 0.01, 100: 0.001}
    ),
    "code-dan": ("adapter", 50, 64, 0.1, {25: 0.01}),
}  # fmt: skip
NAMES = (
    "aircraft cifar100 daimlerpedcls dtd gtsrb omniglot svhn ucf101 vgg-flowers"
).split()
PAPER = dict(
    zip(
        NAMES,
        [5e-4, 5e-4, 5e-4, 2e-3, 3e-4, 5e-4, 3e-4, 5e-4, 3e-4],
        strict=True,
    )
)
CODE = dict(
    zip(
        NAMES,
        [5e-4, 5e-4, 5e-4, 2e-3, 3e-4, 5e-4, 2e-4, 5e-4, 1e-4],
        strict=True,
    )
)
DECAYS = {
    "paper-base": dict.fromkeys(NAMES, 1e-4),
    "paper-domain": PAPER,
    "paper-gate": PAPER,
    "code-base": dict.fromkeys(NAMES, 5e-4),
    "code-domain": CODE,
    "code-gate": CODE,
    "code-individual": dict.fromkeys(NAMES, 5e-4),
    "code-adapters": dict.fromkeys(NAMES, 5e-4),
    "code-dan": dict.fromkeys(NAMES, 5e-4),
}
DROPOUT = {"gtsrb": 0.5, "ucf101": 0.5, "daimlerpedcls": 0.5}
published = pytest.mark.parametrize("name", TABLE)


def test_every_recipe_is_in_this_table_or_our_own():
    assert set(RECIPES) == set(TABLE) | {
        "quick-base",
        "quick-domain",
        "quick-gate",
        "photo-domain",
    }
    assert all(RECIPES[name].name == name for name in RECIPES)
    assert all("Ours" in RECIPES[n].note for n in set(RECIPES) - set(TABLE))


@published
def test_phase_epochs_batch_and_rate(name):
    phase, epochs, batch_size, rate, _ = TABLE[name]
    recipe = get_recipe(name)
    assert (recipe.phase, recipe.epochs) == (phase, epochs)
    assert (recipe.batch_size, recipe.learning_rate) == (batch_size, rate)
    assert recipe.momentum == 0.9
    adapters = name in ("code-adapters", "code-dan")
    assert recipe.crops == ("adapters" if adapters else "guo")


@published
def test_the_rate_drops_between_exactly_these_two_steps(name):
    _, epochs, _, rate, drops = TABLE[name]
    steps = 7
    optimizer = get_recipe(name).optimizer("dtd", steps)
    assert type(optimizer) is CoupledSGD
    schedule = optimizer._learning_rate
    stage = get_recipe(name).stage()
    assert (stage.phase, stage.epochs) == TABLE[name][:2]
    for epoch in range(epochs):
        rate = drops.get(epoch, rate)
        for step in (epoch * steps, epoch * steps + steps - 1):
            assert float(schedule(step)) == pytest.approx(rate, rel=1e-5), epoch
        assert stage.rate(epoch) == pytest.approx(rate)


@published
def test_weight_decay_of_every_domain(name):
    recipe = get_recipe(name)
    for domain, decay in DECAYS[name].items():
        assert recipe.decay(domain) == decay, domain
        optimizer = recipe.optimizer(domain, 10)
        assert optimizer.l2 == decay
        assert optimizer.momentum == 0.9
        assert optimizer.weight_decay is None  # not Keras' other rule


def test_the_codes_decay_list_names_the_base_too():
    assert get_recipe("code-domain").decay("imagenet12") == 1e-4


@published
def test_dropout_is_in_the_codes_second_stage_for_three_domains(name):
    recipe = get_recipe(name)
    expected = DROPOUT if name == "code-domain" else {}
    for domain in NAMES:
        assert recipe.dropout(domain) == expected.get(domain, 0.0)


def test_recipes_are_frozen():
    recipe = get_recipe("code-domain")
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.epochs = 3
    with pytest.raises(TypeError):
        RECIPES["mine"] = recipe
    with pytest.raises(TypeError):
        recipe.decays["dtd"] = 0.1
    changed = recipe.replace(epochs=3)
    assert (changed.epochs, recipe.epochs) == (3, 100)
    assert changed.decays == recipe.decays


def test_our_own_recipes_fall_to_zero():
    for name in ("quick-base", "quick-domain"):
        recipe = get_recipe(name)
        optimizer = recipe.optimizer("x", 5)
        assert type(optimizer) is keras.optimizers.AdamW
        assert optimizer.weight_decay == recipe.weight_decay
        schedule, end = optimizer._learning_rate, 5 * recipe.epochs
        assert float(schedule(0)) == pytest.approx(recipe.learning_rate)
        assert float(schedule(end // 2)) == pytest.approx(
            recipe.learning_rate / 2
        )
        assert float(schedule(end)) == pytest.approx(0, abs=1e-9)
        with pytest.raises(ValueError, match="cosine"):
            recipe.stage()


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="Known recipes: paper-base"):
        get_recipe("paper")
    with pytest.raises(ValueError, match="Known methods: pointwise_sharing"):
        get_method("paper")


# === train, and the methods ===


class Batches(keras.utils.PyDataset):
    def __init__(self, domain):
        super().__init__()
        self.data = batch(domain)

    def __len__(self):
        return 2

    def __getitem__(self, index):
        part = slice(4 * index, 4 * index + 4)
        return tuple(x[part] for x in self.data)


def test_train_follows_the_recipe():
    model = tiny_model()
    before = values(model)
    recipe = get_recipe("code-domain").replace(epochs=2, drops=(1,))
    view = model.for_domain("a", "base")
    history = train(view, recipe, Batches("a"), Batches("a"), verbose=0)
    assert len(history.history["val_accuracy"]) == 2
    assert view.phase == "domain"
    assert changed_owners(before, values(model)) == {"domains/a"}
    assert float(view.optimizer.learning_rate) == pytest.approx(0.01)
    with pytest.raises(TypeError, match="must be a Recipe"):
        train(view, "code-domain", Batches("a"))


@pytest.mark.parametrize("name", METHODS)
def test_a_method_gives_a_model_with_the_new_domain(name):
    from keras_mdl import Domain

    base = tiny_model()
    before = base.fingerprint()
    method = get_method(name)
    model, view = method.start(base, Domain("c", 4), dropout=0.2, init_from="b")
    assert base.fingerprint() == before
    assert view.domain == "c"
    assert view.phase == method.phase
    assert list(model) == (["c"] if name == "individual" else ["a", "b", "c"])
    assert model.fingerprint()["trunk"] == before["trunk"]
    trains_trunk = any(p.startswith("trunk") for p in view.trainable_paths)
    assert trains_trunk == (name == "individual")
    slot = values(model)["domains/c/conv2/pointwise/kernel"]
    source = values(base)["domains/b/conv2/pointwise/kernel"]
    assert slot.tobytes() == source.tobytes()


def test_a_recipe_can_be_copied_and_compared():
    recipe = get_recipe("code-domain")
    assert recipe == Recipe(**vars(recipe))
    assert hash(recipe) == hash(recipe.replace())
    assert copy.copy(recipe) == recipe


# === A domain of few photographs on a pretrained trunk ===


def test_few_images_get_enough_steps():
    recipe = get_recipe("photo-domain")
    few, many = recipe.for_images(29), recipe.for_images(100_000)
    assert few.epochs * 1 >= recipe.least_steps  # one step of 32 an epoch
    assert many.epochs == recipe.epochs
    assert sum(part.epochs for part in few.in_order()) == few.epochs
    alone = few.replace(phase="head")
    assert alone.in_order() == [alone]  # there is nothing else to wait for


def test_the_head_trains_first_and_the_best_epoch_is_kept():
    model = tiny_model(default_phase="domain_kept")
    recipe = get_recipe("photo-domain").replace(
        phase="domain_kept", epochs=8, batch_size=4
    )
    seen, accuracies = [], iter([0.2, 0.3, 0.5, 0.9, 0.4, 0.3, 0.2, 0.1])

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_accuracy"] = next(accuracies)
            kernel = model.variables_by_path("a")["domains/a/head/head/bias"]
            seen.append((self.model.phase, epoch, ops.copy(kernel)))

    data = Batched(batch("a"))
    weights = balanced_weights([6, 1, 1])
    history = train(
        model["a"], recipe, data, data, [Look()], 0, class_weights=weights
    )
    assert [phase for phase, _, _ in seen] == 2 * ["head"] + 6 * ["domain_kept"]
    assert [epoch for _, epoch, _ in seen] == list(range(8))
    assert len(history.history["loss"]) == 8
    left = model.variables_by_path("a")["domains/a/head/head/bias"]
    np.testing.assert_array_equal(left, seen[3][2])


class Batched(keras.utils.PyDataset):
    """One batch, again and again."""

    def __init__(self, one):
        super().__init__()
        self.one = one

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.one


def test_smoothing_and_class_weights_are_those_of_the_formula():
    logits = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    labels, weights = np.array([0, 2, 1, 1, 0]), [0.5, 2.0, 1.0]
    one_hot = np.eye(3, dtype="float32")[labels]
    theirs = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.1, reduction=None
    )(one_hot, logits)
    expected = np.mean(ops.convert_to_numpy(theirs))
    for target in (labels, labels[:, None], one_hot):
        found = SmoothedCrossentropy(0.1)(target, logits)
        assert float(found) == pytest.approx(expected, rel=1e-6)
    # With two classes the two kinds of labels have different shapes, too.
    found = SmoothedCrossentropy(0.0, weights)(labels, logits)
    log_p = ops.convert_to_numpy(ops.log_softmax(logits))
    each = -log_p[range(5), labels] * np.array(weights)[labels]
    assert float(found) == pytest.approx(each.mean(), rel=1e-6)
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        SmoothedCrossentropy(1.0)


def test_class_weights_have_a_mean_of_one_over_images():
    counts = [100, 1, 9]
    for strength in (0, 0.5, 1):
        weights = balanced_weights(counts, strength)
        mean = np.dot(weights, counts) / sum(counts)
        assert mean == pytest.approx(1)
    assert balanced_weights(counts, 0) == [1, 1, 1]
    said = np.multiply(balanced_weights(counts, 1), counts)
    np.testing.assert_allclose(said, said[0])
