"""The version, apart from the package itself, whose file every job depends on."""

VERSION = "0.1.0"
