"""Trainings of the tiny network as jobs, and a whole comparison of it."""

import sys

import tiny

from keras_mdl.runs import networks
from keras_mdl.runs.compare import plan, trial

networks.NETWORKS = {"resnet26": tiny.tiny_network}
train_base = trial.train_base
train_method = trial.train_method
train_gates = trial.train_gates


def compare(settings, out):
    """Runs a comparison in this process, which a test then kills."""
    from keras_mdl.runs.compare import compare, read_settings

    plan.TRIAL = "tiny_trial"
    compare(read_settings(settings), out, processes=2)


if __name__ == "__main__":
    compare(*sys.argv[1:])
