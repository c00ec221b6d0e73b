"""Which input pipeline a recipe trains with, and that it says so."""

import re

import keras
import numpy as np
import pytest
from tiny import tiny_model

from keras_mdl.data import Preprocess, from_arrays
from keras_mdl.runs import fitting
from keras_mdl.training import get_recipe

PUBLISHED = get_recipe("paper-domain").replace(epochs=1, batch_size=4)


def view_of(domain, side):
    shape = (side, side, 3)
    model = tiny_model({domain: 2}, input_shape=shape)
    return model.for_domain(domain)


def data_of(domain, n=4):
    labels = np.arange(n) % 2
    images = np.full((n, 80, 90, 3), 128, "uint8")
    splits = {"train": (images, labels), "validation": (images, labels)}
    return from_arrays(domain, splits)


@pytest.mark.parametrize(
    ("recipe", "domain", "side", "published", "told"),
    [
        ("paper-domain", "dtd", None, True, "Guo.*random crop 64.* crop 72"),
        ("paper-domain", "gtsrb", 72, True, "Guo.*centre crop 72.* crop 72"),
        ("paper-domain", "dtd", 72, False, "on 64x64 .*takes 72x72"),
        ("paper-domain", "mine", None, False, "decathlon alone"),
        ("quick-domain", "dtd", None, False, "32x32 pixels, our default$"),
    ],
)
def test_the_published_pipeline_is_used_where_it_fits(
    recipe, domain, side, published, told
):
    recipe = get_recipe(recipe)
    view = view_of(domain, side)
    found, pools, note = fitting.input_pipeline(view, recipe, domain, 32)
    assert bool(pools) == published
    expected = Preprocess.default(32)
    if published:
        expected = Preprocess.decathlon(domain, recipe.crops)
    assert found == expected
    assert re.search(told, note)


@pytest.mark.parametrize("own", [None, Preprocess.default(24)])
def test_training_uses_it_and_says_so(capsys, monkeypatch, own):
    sizes = []
    original = fitting.batches

    def batches(*args, preprocess, **options):
        sizes.append((preprocess.train_crop, preprocess.eval_crop))
        return original(*args, preprocess=preprocess, **options)

    monkeypatch.setattr(fitting, "batches", batches)
    said = []
    view = view_of("dtd", None)
    done = fitting.fit(
        view, PUBLISHED, data_of("dtd", 6), 32, verbose=0, preprocess=own,
        say=said.append,
    )  # fmt: skip
    # Publications keep the last, smaller batch.
    assert f"1 epochs x {1 if own else 2} =" in said[-1]
    assert np.isfinite(done.final["val_loss"])
    assert not capsys.readouterr().out
    crops = ((24, 24), (24, 24)) if own else ((64, 64), (72, 72))
    assert sizes == [crops] * 2
    if own is None:
        keras.utils.set_random_seed(0)
        fitting.fit(view, PUBLISHED, data_of("dtd"), 32)
        assert "pipeline of dtd: the published one" in capsys.readouterr().out
