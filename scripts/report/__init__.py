"""One self-contained ``report.html`` from a reproduce folder: ``python -m scripts.report DIR``."""

from scripts.report.page import write_report

__all__ = ["write_report"]
