"""Gradient norms of others' networks are those of the steps, in every layout of optimizers."""

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim.optimizer import _global_optimizer_pre_hooks as hooks
from torch.utils.data import DataLoader, TensorDataset

from gans import DivergenceMonitor
from gans.monitors.networks_found import networks_of

pytestmark = pytest.mark.filterwarnings("ignore")
DATA = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))


class Recording(torch.optim.SGD):
    """Keeps the norm of the gradient of each step."""

    def __init__(self, network, *rest):
        super().__init__(network.parameters(), 0.01)
        self.network, self.norms = network, []

    def step(self, closure=None):
        loss = super().step(closure)
        gradients = [p.grad.reshape(-1) for p in self.network.parameters() if p.grad is not None]
        self.norms.append(float(torch.cat(gradients).norm()))
        return loss


class Manual(pl.LightningModule):
    """The generator's loss adds to the critic's gradient after the critic has stepped."""

    def __init__(self, kind="lightning", accumulate=1):
        super().__init__()
        self.automatic_optimization = False
        self.kind, self.accumulate = kind, accumulate
        self.netG, self.netD = nn.Linear(2, 2), nn.Linear(2, 1)

    def sample(self, n):
        return self.netG(torch.randn(n, 2))

    def configure_optimizers(self):
        self.own = [Recording(self.netG), Recording(self.netD)]
        return self.own

    def training_step(self, batch, batch_idx):
        for_g, for_d = self.optimizers(use_pl_optimizer=self.kind != "torch")  # pyright: ignore
        for player, optimizer in (("critic", for_d), ("generator", for_g)):

            def closure(player=player, optimizer=optimizer):
                if batch_idx % self.accumulate == 0:
                    optimizer.zero_grad()
                loss = self.loss(player, batch[0])
                self.manual_backward(loss / self.accumulate)
                return loss

            if self.kind == "closure":
                optimizer.step(closure)
            else:
                closure()
                if (batch_idx + 1) % self.accumulate == 0:
                    optimizer.step()

    def loss(self, player, real):
        fake = self.sample(len(real))
        if player == "critic":
            return (self.netD(fake.detach()) - self.netD(real)).mean()
        return -self.netD(fake).mean()


class Automatic(Manual):
    """One optimizer of both; Lightning accumulates."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = True

    def configure_optimizers(self):
        self.own = [Recording(self)]
        return self.own[0]

    def training_step(self, batch, batch_idx):
        return self.loss("critic", batch[0]) + self.sample(8).square().mean()


def fitted(module, every, max_epochs=1, **settings):
    monitor = DivergenceMonitor(DATA, "sample", "netD", every=every, n=16, pictures=0)
    trainer = pl.Trainer(
        max_epochs=max_epochs, accelerator="cpu", logger=False, callbacks=[monitor],
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        **settings,
    )  # fmt: skip
    torch.manual_seed(0)
    trainer.fit(module, DataLoader(TensorDataset(DATA), 6))
    return [float(monitor.latest[f"gradient/{name}"]) for name in ("generator", "critic")]


LAYOUTS = {
    "lightning's optimizers": Manual(),
    "torch's own": Manual("torch"),
    "closures": Manual("closure"),
    "steps of five batches": Manual("torch", accumulate=5),
}


@pytest.mark.parametrize("every", [3, 2000])
@pytest.mark.parametrize("module", LAYOUTS.values(), ids=LAYOUTS)
def test_the_last_look_has_the_norms_of_the_last_steps(module, every):
    norms = fitted(module, every)
    assert norms == pytest.approx([one.norms[-1] for one in module.own], rel=1e-6)


def test_a_run_of_so_many_steps_ends_with_the_norms_of_its_last():
    module = Manual()
    norms = fitted(module, 2000, max_epochs=-1, max_steps=150)
    assert [len(one.norms) for one in module.own] == [75, 75]
    assert norms == pytest.approx([one.norms[-1] for one in module.own], rel=1e-6)


@pytest.mark.parametrize("every", [3, 2000])
def test_of_one_optimizer_for_all_each_network_has_its_part(every):
    module = Automatic()
    parts = fitted(module, every, accumulate_grad_batches=5)
    whole = module.own[0].norms
    assert len(whole) == 2
    assert sum(norm**2 for norm in parts) ** 0.5 == pytest.approx(whole[-1], rel=1e-6)


def test_no_hook_is_left_behind():
    before = len(hooks)
    fitted(Manual(), 3)
    failing = Manual()
    failing.loss = None  # pyright: ignore
    with pytest.raises(TypeError):
        fitted(failing, 3)
    assert len(hooks) == before


def pair(**networks: nn.Module):
    return nn.ModuleDict(networks)


def net():
    return nn.Linear(1, 1)


LAYERS = {
    "usual": (pair(netG=net(), netD=net(), other=net()), {"generator", "critic"}),
    "with a prefix": (pair(model_G=net(), model_D=net()), {"generator", "critic"}),
    "with an ending": (pair(generator_net=net(), discriminatorNet=net()), {"generator", "critic"}),
    "an average beside it": (pair(G=net(), G_ema=net(), D=net()), {"generator", "critic"}),
    "two of each": (
        pair(G_AB=net(), G_BA=net(), D_A=net(), D_B=net()),
        {"G_AB", "G_BA", "D_A", "D_B"},
    ),
    "in a module": (pair(gan=pair(netG=net(), netD=net())), {"generator", "critic"}),
    "two pairs": (
        pair(a=pair(G=net(), D=net()), b=pair(G=net(), D=net())),
        {"a.G", "b.G", "a.D", "b.D"},
    ),
    "three modules deep": (pair(a=pair(b=pair(G=net(), D=net()))), {"generator", "critic"}),
    "deeper": (pair(a=pair(b=pair(c=pair(G=net(), D=net())))), {"a"}),
    "other names": (pair(encoder=net(), decoder=net()), {"encoder", "decoder"}),
    "a layer's name deep down": (pair(up=pair(d=net()), down=pair(x=net())), {"up", "down"}),
    "a layer": (net(), {"all"}),
}


@pytest.mark.parametrize(("module", "names"), LAYERS.values(), ids=LAYERS)
def test_networks_are_found_and_none_is_lost(module, names):
    found = networks_of(module)
    assert {*found} == names
    assert len({id(one) for one in found.values()}) == len(names)
