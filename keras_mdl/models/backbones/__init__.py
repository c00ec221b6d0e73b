"""Backbones: the networks that domains share, a function and a record each."""
