"""The command line: `labquota`, which kubectl also runs as `kubectl labquota`.

Promise: each subcommand is a file of its own and is imported only when it is asked for.
"""
