"""A classifier of ImageNet as the trunk of other domains."""

import keras

from keras_mdl.models.backbones.from_keras import from_keras


def as_trunk(network, domains, head, scaling, **options):
    """A `MultiDomainModel` over a Keras classifier.

    Args:
        network: A functional Keras model.
        domains: As `from_keras`: each gets a copy of the network's slot and a
            fresh head. `None`: the domain `"imagenet"`, with the network's.
        head: Name of its last layer with variables.
        scaling: As `from_keras`.
        **options: As `from_keras`.
    """
    if domains is None:
        domains = "imagenet"
    else:
        features = network.get_layer(head).input
        network = keras.Model(network.inputs, features, name=network.name)
    options = {"verbose": 0, **options}
    return from_keras(network, domains, scaling, **options)
