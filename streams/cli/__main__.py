"""`python -m streams.cli` is `weir`."""

from streams.cli.main import main

main()
