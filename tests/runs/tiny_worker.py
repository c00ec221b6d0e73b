"""A worker that builds the tiny network, and a whole comparison of it."""

import sys

import comparing
import tiny

from keras_mdl.runs import networks
from keras_mdl.runs.compare import pool, worker


def use_tiny():
    networks.NETWORKS = {"resnet26": tiny.tiny_network}
    pool.COMMAND = comparing.worker_command("tiny_worker")


def main(job):
    use_tiny()
    worker.main(job)


def compare(settings, out):
    """Runs a comparison in this process, which a test then kills."""
    from keras_mdl.runs.compare import compare, read_settings

    use_tiny()
    compare(read_settings(settings), out, processes=2)


if __name__ == "__main__":
    compare(*sys.argv[1:])
