"""`python -m labquota` is `labquota`."""

from labquota.cli.main import main

if __name__ == "__main__":
    main()
