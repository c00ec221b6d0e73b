"""MPNAS and its baselines: searched, trained, resumable, reported."""

from keras_mdl.runs.search.search_run import search as search
from keras_mdl.runs.search.search_settings import (
    SearchSettings as SearchSettings,
)
from keras_mdl.runs.search.search_settings import (
    read_search_settings as read_search_settings,
)

__all__ = ["SearchSettings", "read_search_settings", "search"]
