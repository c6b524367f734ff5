"""The version of the whole, in the one place where it stands. The package is built with it (``pyproject.toml``)."""

VERSION = "0.1.0"
