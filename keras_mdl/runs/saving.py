"""Saving a model only when what was saved is what was trained."""

from keras_mdl.files import atomic_path
from keras_mdl.models import load_model


def save_checked(model, path, isolation):
    """Saves a model, loads the file again and compares bit for bit.

    The file appears at `path` only if all is well; an older one stays
    otherwise.

    Args:
        model: A `MultiDomainModel`.
        path: The `.keras` file.
        isolation: `IsolationTable` whose last row is this model's; a row for
            the loaded one is added.

    Returns:
        The loaded model.

    Raises:
        IsolationError: If the loaded model is another.
    """
    with atomic_path(path) as temporary:
        model.save(temporary)
        loaded = load_model(temporary)
        isolation.record("saved and loaded", loaded.fingerprint())
    return loaded
