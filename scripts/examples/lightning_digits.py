"""A GAN on 8 x 8 digits as a LightningModule with manual optimization, and a monitor.

Run ``python -m scripts.examples.lightning_digits``, then ``tensorboard --logdir lightning_logs``.
"""

import sys
from typing import Any

import pytorch_lightning as pl
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from gans import DivergenceMonitor, NonSaturating


def digits() -> Tensor:
    """The 1797 digits, shape ``(n, 1, 8, 8)``, grey levels between -1 and 1."""
    levels = torch.as_tensor(load_digits().data, dtype=torch.float32)  # pyright: ignore
    return (levels / 8 - 1).reshape(-1, 1, 8, 8)


class DigitsGAN(pl.LightningModule):
    """Two small perceptrons."""

    def __init__(self, latent: int = 16, rate: float = 1e-3):
        super().__init__()
        self.automatic_optimization = False
        self.latent, self.rate = latent, rate
        self.generator = nn.Sequential(
            nn.Linear(latent, 128),
            nn.ReLU(),
            nn.Linear(128, 64),
            nn.Tanh(),
            nn.Unflatten(1, (1, 8, 8)),
        )
        self.discriminator = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)
        )

    def sample(self, n: int) -> Tensor:
        return self.generator(torch.randn(n, self.latent, device=self.device))

    def configure_optimizers(self) -> Any:
        networks = self.generator, self.discriminator
        return [torch.optim.Adam(n.parameters(), self.rate, (0.5, 0.999)) for n in networks]

    def training_step(self, batch: Any, batch_idx: int) -> None:
        (real,) = batch
        for_generator, for_discriminator = self.optimizers()  # pyright: ignore
        loss, fake = nn.functional.softplus, self.sample(len(real))
        for_discriminator.zero_grad()
        on_fake = self.discriminator(fake.detach())
        self.manual_backward((loss(-self.discriminator(real)) + loss(on_fake)).mean())
        for_discriminator.step()
        for_generator.zero_grad()
        self.manual_backward(loss(-self.discriminator(fake)).mean())
        for_generator.step()


def main(epochs: int = 20, every: int = 100, **settings: Any) -> DivergenceMonitor:
    points = digits()
    training, held_out = points[:1200], points[1200:]
    monitor = DivergenceMonitor(
        held_out, "sample", "discriminator", every=every, objective=NonSaturating()
    )
    trainer = pl.Trainer(max_epochs=epochs, accelerator="cpu", callbacks=[monitor], **settings)
    loader = DataLoader(TensorDataset(training), batch_size=64, shuffle=True)
    trainer.fit(DigitsGAN(), loader)
    return monitor


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
