"""Min-funnel pairs: laws in any dimension whose W1 from a cube is known, and how to keep them."""

from pathlib import Path
from typing import Self, final

import torch
from torch import Size, Tensor

from divergences.checks import real_number, whole_number
from divergences.pair_distances import pair_distances
from gans.targets.transport_maps import Move, Transported, check_power
from gans.targets.uniform import Box


@final
class Funnels(Transported):
    r"""A cube whose points slide down N funnels: W1, potential and its gradient are known.

    .. math:: u(x) = \min_n \{\|x - a_n\| + b_n\}

    is 1-Lipschitz. A point y, in the basin of funnel n, lies on the ray from :math:`a_n` through
    y, which ends where the cube does or another funnel takes over, at a distance F from
    :math:`a_n`. It moves from :math:`y = a_n + F t v` to :math:`x = a_n + F t^p v`, on which u
    falls by the length of the move; so the move is optimal, and ``-u`` a potential of P = law(x)
    against Q = law(y), the uniform law on the cube.

    P piles up around the centres, the more the fewer dimensions there are: at D = 2 and p = 8, 4
    in 10 points lie within a hundredth of F.

    References:
        | Kantorovich Strikes Back! Wasserstein GANs are not Optimal Transport? (Korotin et al.,
          2022), Section 4.1 and Appendix C
        | https://arxiv.org/abs/2206.07767

    Arguments:
        centres: :math:`a_n`, of shape ``(N, D)``, inside the cube.
        biases: :math:`b_n`, of shape ``(N,)``.
        half_side: Of the cube, greater than 0.
        power: p, greater than 1.

    Raises:
        ValueError: If shapes disagree, a number is not finite, or a centre is outside the cube.

    Example:
        >>> from divergences import Streams
        >>> pair = Funnels.drawn(dimension=16, funnels=16, seed=0)
        >>> y, (x, slope) = pair.paired(Streams([0], dtype=torch.float64), 100)
        >>> fall = pair.potential(x) - pair.potential(y)
        >>> torch.allclose(fall, (x - y).norm(dim=-1))
        True
    """

    def __init__(
        self,
        centres: Tensor,
        biases: Tensor,
        half_side: float = 2.5,
        power: float = 8.0,
        validate_args: bool | None = None,
    ):
        if centres.ndim != 2 or biases.shape != centres.shape[:1] or not centres.numel():
            raise ValueError(
                f"Funnels: centres of shape {tuple(centres.shape)} and biases of shape "
                f"{tuple(biases.shape)}; give (N, D) and (N,)"
            )
        if not (torch.isfinite(centres).all() and torch.isfinite(biases).all()):
            raise ValueError("Funnels: a centre or bias is NaN or infinite")
        if not 1e-100 < real_number("Funnels: half_side", half_side) < 1e100:
            raise ValueError(
                f"Funnels: half_side = {half_side:g} must lie between 1e-100 and 1e100"
            )
        self.base = Box([half_side] * centres.shape[1])
        outside = centres.abs().amax()
        if outside > half_side:
            raise ValueError(
                f"Funnels: a centre has a coordinate of size {float(outside):g}, outside the cube "
                f"of half side {half_side:g}"
            )
        self.centres, self.biases = centres.double(), biases.double()
        self.half_side, self.power = float(half_side), check_power("Funnels", power)
        super().__init__(Size(), Size([centres.shape[1]]), validate_args)

    @classmethod
    def drawn(cls, dimension: int, funnels: int, seed: int, half_side: float = 2.5) -> Self:
        """Centres uniform in the cube, biases N(0, .01), as in the published benchmark.

        Arguments:
            dimension: D.
            funnels: N.
            seed: Of centres and biases. The same seed gives other pairs than the benchmark's own;
                for those, ``load`` its files.
            half_side: Of the cube.
        """
        dimension, funnels = whole_number("dimension", dimension), whole_number("funnels", funnels)
        generator = torch.Generator().manual_seed(seed)
        options = {"generator": generator, "dtype": torch.float64}
        centres = (2 * torch.rand(funnels, dimension, **options) - 1) * half_side
        return cls(centres, 0.1 * torch.randn(funnels, **options), half_side)

    def save(self, path: str | Path) -> None:
        """Write centres, biases, half side and power to a file."""
        numbers = torch.tensor([self.half_side, self.power], dtype=torch.float64)
        torch.save({"centres": self.centres, "biases": self.biases, "numbers": numbers}, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """What ``save`` wrote, or a weight file of the published benchmark (``nd``, D to 128).

        Nothing but tensors is read from the file.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it holds something else.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file (looked in {Path.cwd()})")
        try:
            kept = dict(torch.load(path, weights_only=True))
        except Exception as error:  # whatever a file that is none of ours makes of itself
            raise ValueError(f"{path}: is no file of funnels ({type(error).__name__})") from error
        if kept.keys() == {"net.centers", "net.bias"}:
            return cls(kept["net.centers"], kept["net.bias"])
        if kept.keys() != {"centres", "biases", "numbers"}:
            raise ValueError(f"{path}: holds {sorted(map(str, kept))}, not a pair of funnels")
        half_side, power = kept["numbers"].tolist()
        return cls(kept["centres"], kept["biases"], half_side, power)

    def potential(self, x: Tensor) -> Tensor:
        distance = pair_distances(x.double(), self.centres.expand(*x.shape[:-2], -1, -1))
        return -(distance + self.biases).amin(-1).to(x)

    def transport(self, y: Tensor) -> Move:
        start, shape = y.double().flatten(0, -2), y.shape
        squares = self._squares(start)
        low, funnel = (squares.sqrt() + self.biases).min(1, keepdim=True)
        centre = self.centres[funnel[:, 0]]
        length = torch.linalg.vector_norm(start - centre, dim=1, keepdim=True)
        ray = (start - centre) / length
        end = torch.minimum(self._to_wall(start, ray), self._to_rival(start, ray, low, squares))
        whole = length + end
        arrived = centre + whole * (length / whole) ** self.power * ray
        return Move(arrived.to(y).view(shape), (-ray).to(y).view(shape))

    def _squares(self, y: Tensor) -> Tensor:
        """Squared distances to all centres."""
        squares = y.square().sum(1, keepdim=True) + self.centres.square().sum(1)
        return squares.addmm_(y, self.centres.T, alpha=-2).clamp_min_(0)

    def _to_wall(self, y: Tensor, ray: Tensor) -> Tensor:
        return ((self.half_side - y * ray.sign()) / ray.abs()).amin(1, keepdim=True)

    def _to_rival(self, y: Tensor, ray: Tensor, u: Tensor, squares: Tensor) -> Tensor:
        r"""How far out along its ray another funnel takes over, ``inf`` where none does.

        At :math:`z = y + r v` funnel m is as deep as the own one, whose value is u(y) + r, where
        :math:`\|z - a_m\| = r + k_m` with :math:`k_m = u(y) - b_m`. Squared, this is linear in r.
        """
        k = u - self.biases
        along = (y * ray).sum(1, keepdim=True) - ray @ self.centres.T
        r = (squares - k.square()) / (2 * (k - along))
        # the own funnel is 0/0; a negative r + k is the root that squaring has added
        valid = (r > 1e-12 * self.half_side) & (r + k > 0) & torch.isfinite(r)
        own = (k - squares.sqrt()).abs() <= 1e-9 * self.half_side
        return torch.where(valid & ~own, r, torch.inf).amin(1, keepdim=True)

    def _shared(self) -> dict[str, Tensor]:
        return {"centres": self.centres, "biases": self.biases}
