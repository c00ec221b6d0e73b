"""Search of a path per domain through one supernetwork (MPNAS)."""

from keras_mdl.search.controller import Controller
from keras_mdl.search.found import FoundPaths
from keras_mdl.search.later import search_further
from keras_mdl.search.rewards import Reward, path_cost
from keras_mdl.search.searching import Search, SearchPlan
from keras_mdl.search.similarity import jaccard, similarity
from keras_mdl.search.space import SearchSpace
from keras_mdl.search.supernetwork import SuperNetwork

__all__ = [
    "Controller",
    "FoundPaths",
    "Reward",
    "Search",
    "SearchPlan",
    "SearchSpace",
    "SuperNetwork",
    "jaccard",
    "path_cost",
    "search_further",
    "similarity",
]
