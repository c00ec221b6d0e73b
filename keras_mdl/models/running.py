"""`RunningViews`: which views of a model are in `fit`, and where values are."""

import contextlib


class RunningViews:
    """The views of one `MultiDomainModel` that are in `fit` at the moment.

    On JAX, `fit` holds the values outside of the variables, whose buffers are
    given away. A callback that uses another view, or reads the model, must
    first have them put back: `sync`.
    """

    def __init__(self):
        self._views = []

    def __contains__(self, view):
        return any(v is view for v in self._views)

    @contextlib.contextmanager
    def running(self, view):
        """Inside, the view is in `fit`."""
        self.sync()
        self._views.append(view)
        try:
            yield
        finally:
            self._views.remove(view)

    def sync(self, reader=None):
        """Puts the values of all running views into the variables.

        Args:
            reader: A view that looks after itself.
        """
        for view in self._views:
            if view is not reader and hasattr(view, "jax_state_sync"):
                view.jax_state_sync()
