"""A search space and images as small as they can be."""

import numpy as np

from keras_mdl import Domain
from keras_mdl.search import SearchSpace
from keras_mdl.search.space import SpaceStage

DOMAINS = [Domain("a", 3), Domain("b", 2)]
SPACE = SearchSpace(
    size=16,
    stem_kernels=(3,),
    stem_widths=(8, 16),
    separable_kernels=(3,),
    stages=(SpaceStage((8, 16), 2, "relu", 2),),
    kernels=(3, 5),
    expansions=(1, 2),
    squeezes=(False, True),
    head_widths=(16,),
    feature_widths=(16, 24),
)


def batches(domain, seed=0):
    """A function of step and batch size: images of a colour for each class."""

    def batch(step, size):
        rng = np.random.default_rng((seed, step, domain.num_classes))
        labels = rng.integers(0, domain.num_classes, size)
        colours = np.eye(3)[labels] * 120 + 60
        x = colours[:, None, None] + rng.normal(0, 40, (size, 16, 16, 3))
        return np.clip(x, 0, 255).astype("float32"), labels

    return batch


def all_batches(domains=DOMAINS):
    return {d.name: (batches(d), batches(d, seed=1)) for d in domains}
