"""Train one GAN: ``python -m scripts.train fit --config configs/NAME.yaml``."""

from gans.cli.train import main

if __name__ == "__main__":
    main()
