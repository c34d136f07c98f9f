"""`python -m flowwatch`: the command line."""

from flowwatch.cli.main import main

if __name__ == "__main__":
    main()
