"""The command line. Nothing heavy is imported before a command needs it."""

from keras_mdl.cli.main import main as main

__all__ = ["main"]
