"""Reports of runs: one HTML page, or plain text."""

from keras_mdl.report.page import write_report as write_report

__all__ = ["write_report"]
