"""Training: recipes, stages and optimizers for views of a model."""

from keras_mdl.training.averages import AveragedWeights
from keras_mdl.training.balancing import (
    BALANCING,
    BoundedPriority,
    DynamicWeightAverage,
    EqualWeights,
    ExponentialWeights,
    UncertaintyWeights,
    get_balancing,
)
from keras_mdl.training.loop import train
from keras_mdl.training.losses import SmoothedCrossentropy, balanced_weights
from keras_mdl.training.methods import METHODS, Method, get_method
from keras_mdl.training.optimizers import CoupledSGD
from keras_mdl.training.precision import PRECISIONS, computing_in
from keras_mdl.training.rate_test import RateTest, find_rate
from keras_mdl.training.recipes import RECIPES, Recipe, get_recipe
from keras_mdl.training.resuming import OtherTrainingError, TrainingState
from keras_mdl.training.staged_freezing import Stage, StagedFreezing

__all__ = [
    "BALANCING",
    "METHODS",
    "PRECISIONS",
    "RECIPES",
    "AveragedWeights",
    "BoundedPriority",
    "CoupledSGD",
    "DynamicWeightAverage",
    "EqualWeights",
    "ExponentialWeights",
    "Method",
    "OtherTrainingError",
    "RateTest",
    "Recipe",
    "SmoothedCrossentropy",
    "Stage",
    "StagedFreezing",
    "TrainingState",
    "UncertaintyWeights",
    "balanced_weights",
    "computing_in",
    "find_rate",
    "get_balancing",
    "get_method",
    "get_recipe",
    "train",
]
