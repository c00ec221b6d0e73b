"""One string that names data: which options it takes."""

import inspect

import pytest
from tiny import write_images

from keras_mdl.data import embedded, load
from keras_mdl.data.folder import from_folder
from keras_mdl.data.specs import options_of
from keras_mdl.data.tfds_reader import from_tfds, from_tfds_builder


@pytest.mark.parametrize(
    ("spec", "readers"),
    [
        ("embedded:digits", [embedded.load]),
        ("name=folder:anywhere", [from_folder]),
        ("tfds:mnist", [from_tfds, from_tfds_builder]),
        ("decathlon:dtd", [from_tfds, from_tfds_builder]),
    ],
)
def test_options_are_arguments_of_what_reads(spec, readers):
    known = {
        p for reader in readers for p in inspect.signature(reader).parameters
    }
    assert set(options_of(spec)) <= known


def test_a_folder_is_looked_into(tmp_path):
    greys = {"dark": (9, 9, 9), "light": (200, 200, 200)}
    write_images(tmp_path / "shades", greys, 4, (8, 8))
    spec = f"greys={tmp_path / 'shades'}"
    assert "validation_fraction" in options_of(spec)
    data = load(spec, validation_fraction=0.5, on_bad_image="skip", flip=True)
    assert (data.domain.name, data.size("validation")) == ("greys", 4)


def test_what_names_no_data_is_refused():
    for spec in ("", None, "no/such/folder", "name="):
        with pytest.raises(ValueError, match="data specification"):
            options_of(spec)
