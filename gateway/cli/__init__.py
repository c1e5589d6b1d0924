"""The command line: `gateway --help`. Exit status 0 for success, 2 for wrong use, 1 for anything else."""

from gateway.cli.app import main

__all__ = ["main"]
