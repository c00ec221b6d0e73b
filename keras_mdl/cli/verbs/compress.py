"""`keras-mdl compress`."""

from keras_mdl.cli import flags, inputs, outputs
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.saved import open_saved


@outputs.writes_file
def compress(
    model: flags.Model,
    *,
    data: flags.Spec,
    out: flags.ModelOut,
    private_bits: str = "coarsest",
    epochs: flags.PositiveInt = 3,
    batch_size: flags.PositiveInt = 64,
    learning_rate: flags.PositiveFloat = 1e-4,
    seed: flags.SeedInt = 0,
    reading: flags.Reading = flags.READING,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Train a domain's own kernels so that they take fewer bytes exported.

    Needs pip install 'keras-mdl[compression]' and the TensorFlow backend. The
    trunk, on the int8 grid that an export puts it on, the norms and all other
    domains stay bit-identical. Then export with the same --private-bits.

    Args:
        private_bits: the grid: fine, medium, coarse, coarser or coarsest, as
            `export` takes it
        epochs: passes over the training images
        batch_size: images in a step
        learning_rate: of Adam, at the start
        seed: of order and augmentation
    """
    saved = open_saved(model)
    size = saved.size()
    (found,) = inputs.open_data(console, [data], size, reading)
    found = inputs.matched(found, saved, data)
    inputs.require_labels(found, "train", "validation")
    name = found.domain.name
    levels = _levels(private_bits)
    loaded = saved.load()
    import keras

    from keras_mdl.compression import compress as compress_kernels
    from keras_mdl.compression import require_compression
    from keras_mdl.data import Preprocess
    from keras_mdl.runs.fitting import batches
    from keras_mdl.runs.isolation import IsolationTable
    from keras_mdl.training import get_recipe

    with bad_input():
        require_compression()
    keras.utils.set_random_seed(seed)
    pretrained = loaded.keeps_statistics
    recipe = get_recipe("photo-domain" if pretrained else "quick-domain")
    how = getattr(Preprocess, recipe.augment)(size)
    training, validation = (
        batches(found, split, size, batch_size, learns, seed, preprocess=how)
        for split, learns in (("train", True), ("validation", False))
    )
    isolation = IsolationTable()
    isolation.record("before", loaded.fingerprint())
    console.say(str(found))
    with bad_input():
        result, history = compress_kernels(
            loaded, name, training, epochs, learning_rate, validation,
            verbose=console.verbose, **levels,
        )  # fmt: skip
    isolation.record(
        f"{name} compressed", result.fingerprint(), [f"domains/{name}"]
    )
    outputs.save_model(result, out, isolation, overwrite)
    console.say(f"\n{isolation}")
    return {
        "model": str(out),
        "domain": name,
        "fingerprint": result.fingerprint(),
        "private_bits": private_bits,
        **levels,
        "history": history,
        "isolated": isolation.isolated,
    }


def _levels(name):
    """The levels of kernels that an export of that coarseness writes."""
    from keras_mdl_export.private_bits import FULL, LADDER

    known = [n for n in LADDER if n != FULL.name]
    if name not in known:
        raise InputError(
            f"--private-bits must be one of {', '.join(known)}. "
            f"Received: {name!r}"
        )
    bits = LADDER[name]
    return {"kernels": bits.kernels, "depthwise": bits.depthwise}
