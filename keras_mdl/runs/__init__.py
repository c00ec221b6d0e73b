"""Runs: training and evaluation from start to files, as the commands do it."""
