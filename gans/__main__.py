"""Train, sample, list configurations: ``python -m gans``."""

from gans.cli.command import main

if __name__ == "__main__":
    main()
