"""The denoising networks: MSR2AU-Net, blind to its centre frame, and the student that ships."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

TEACHER_FRAMES = 5
STUDENT_INPUTS = ("frame", "mean", "variance", "correlation")


class RecurrentConv(nn.Module):
    """One 3x3 convolution applied ``steps`` + 1 times, its input added each time (R2U-Net)."""

    def __init__(self, width: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.conv = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, width, H, W) to the same shape."""
        y = self.conv(x)
        for _ in range(self.steps):
            y = self.conv(x + y)
        return y


class RecurrentResidualBlock(nn.Module):
    """A 1x1 convolution, then two recurrent ones with a shortcut around them."""

    def __init__(self, in_width: int, width: int, steps: int) -> None:
        super().__init__()
        self.fit = nn.Conv2d(in_width, width, 1)
        self.recurrent = nn.Sequential(RecurrentConv(width, steps), RecurrentConv(width, steps))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_width, H, W) to (N, width, H, W)."""
        x = self.fit(x)
        return x + self.recurrent(x)


class AttentionGate(nn.Module):
    """Weighs a skip connection by what the decoder already knows (Attention U-Net)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = max(width // 2, 4)
        self.skip = nn.Conv2d(width, inner, 1)
        self.signal = nn.Conv2d(width, inner, 1)
        self.weight = nn.Conv2d(inner, 1, 1)

    def forward(self, skip: Tensor, signal: Tensor) -> Tensor:
        """Return ``skip`` (N, width, H, W), weighted pixel by pixel."""
        joint = functional.relu(self.skip(skip) + self.signal(signal))
        return skip * torch.sigmoid(self.weight(joint))


class MultiScaleBranches(nn.Module):
    """3x3, 5x5 and 7x7 convolutions of one frame, joined."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Conv2d(1, width, size, padding=size // 2) for size in (3, 5, 7)
        )

    def forward(self, frame: Tensor) -> Tensor:
        """Map (N, 1, H, W) to (N, 3 * width, H, W)."""
        return functional.leaky_relu(torch.cat([b(frame) for b in self.branches], 1), 0.1)


class Msr2auNet(nn.Module):
    """Multi-scale recurrent residual attention U-Net: the centre of five frames from the others.

    The centre frame is overwritten by noise of unit deviation before anything sees it, so the
    output cannot hold the centre's own noise. The mean of the four neighbours is added to the
    output, so that the network learns what motion changes.

    Parameters
    ----------
    branch_width : int
        Channels of each of the three branches of each frame (the paper: 32, 480 joined).
    widths : sequence of int
        Channels of the levels of the U-Net, finest first.
    steps : int
        Recurrence t of the recurrent convolutions (the paper: 2).
    """

    def __init__(self, branch_width: int, widths: tuple[int, ...], steps: int = 2) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            MultiScaleBranches(branch_width) for _ in range(TEACHER_FRAMES)
        )
        joined = 3 * branch_width * TEACHER_FRAMES
        ins = (joined, *widths[:-1])
        self.encoder = nn.ModuleList(
            RecurrentResidualBlock(i, w, steps) for i, w in zip(ins, widths, strict=True)
        )
        pairs = list(pairwise(widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairs)
        self.gates = nn.ModuleList(AttentionGate(a) for a, _ in pairs)
        self.decoder = nn.ModuleList(RecurrentResidualBlock(2 * a, a, steps) for a, _ in pairs)
        self.out = nn.Conv2d(widths[0], 1, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, frames: Tensor) -> Tensor:
        """Map stabilised frames t-2..t+2, (N, 5, H, W), to frame t, (N, 1, H, W)."""
        centre = TEACHER_FRAMES // 2
        mean = (frames.sum(1, keepdim=True) - frames[:, centre : centre + 1]) / 4.0
        level = mean.mean(dim=(2, 3), keepdim=True)
        seen = [frames[:, k : k + 1] - level for k in range(TEACHER_FRAMES)]
        seen[centre] = torch.randn_like(mean)
        x = torch.cat([b(f / 8.0) for b, f in zip(self.branches, seen, strict=True)], 1)
        skips: list[Tensor] = []
        for k, block in enumerate(self.encoder):
            x = block(functional.max_pool2d(x, 2) if k else x)
            skips.append(x)
        for k in reversed(range(len(self.up))):
            x = self.up[k](x)
            x = self.decoder[k](torch.cat([self.gates[k](skips[k], x), x], 1))
        return mean + self.out(x)


def _convs(width: int, count: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(count):
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


class Student(nn.Module):
    """The network that runs: a small U-Net at half resolution over one frame and its gated mean.

    It sees the frame as it differs from the mean, the mean without its slow changes, the noise
    variance left in the mean, and how far the noise is correlated in space; it predicts what to
    add to the mean. With no neighbours the mean is the frame itself (single-frame mode).

    Parameters
    ----------
    widths : sequence of three int
        Channels at 1/2, 1/4 and 1/8 resolution; multiples of 16 run fastest.
    """

    CONTEXT_LIMIT = 24.0

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        self.widths = widths
        a, b, c = widths
        self.unshuffle = nn.PixelUnshuffle(2)
        self.shuffle = nn.PixelShuffle(2)
        self.enter = nn.Sequential(nn.Conv2d(10, a, 3, padding=1), nn.ReLU())
        self.fine = _convs(a, 1)
        self.down_middle = nn.Conv2d(a, b, 2, stride=2)
        self.middle = _convs(b, 2)
        self.down_coarse = nn.Conv2d(b, c, 2, stride=2)
        self.coarse = _convs(c, 3)
        self.up_middle = nn.ConvTranspose2d(c, b, 2, stride=2)
        self.join_middle = _convs(b, 1)
        self.up_fine = nn.ConvTranspose2d(b, a, 2, stride=2)
        self.join_fine = _convs(a, 1)
        self.leave = nn.Conv2d(a, 4, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, frame: Tensor, mean: Tensor, variance: Tensor, correlation: Tensor) -> Tensor:
        """Denoise stabilised frames.

        Parameters
        ----------
        frame, mean : Tensor, shape (N, 1, H, W)
            The noisy frame and its gated temporal mean.
        variance : Tensor, shape (N, 1, H / 2, W / 2)
            Noise variance left in the mean, 0 to 1.
        correlation : Tensor, shape (N, 1, 1, 1)
            Noise correlation of touching pixels.

        Returns
        -------
        Tensor, shape (N, 1, H, W)
        """
        return mean + self.shuffle(self.correction(frame, mean, variance, correlation))

    def correction(
        self, frame: Tensor, mean: Tensor, variance: Tensor, correlation: Tensor
    ) -> Tensor:
        """Return what to add to the mean, (N, 4, H / 2, W / 2): four pixels in each place."""
        slow = functional.avg_pool2d(mean, 16)
        slow = functional.interpolate(slow, scale_factor=16, mode="bilinear", align_corners=False)
        context = torch.clamp(mean - slow, -self.CONTEXT_LIMIT, self.CONTEXT_LIMIT) * 0.25
        pixels = self.unshuffle(torch.cat([frame - mean, context], 1))
        constant = correlation * torch.ones_like(variance)
        rows, columns = variance.shape[2:]
        fine = self.enter(torch.cat([pixels, variance, constant], 1))
        fine = self.fine(fine) + fine
        middle = self.middle(self.down_middle(fine))
        coarse = self.coarse(self.down_coarse(middle))
        coarse = self.up_middle(coarse, [rows // 2, columns // 2])
        middle = self.join_middle(coarse + middle) + middle
        fine = self.join_fine(self.up_fine(middle, [rows, columns]) + fine) + fine
        return self.leave(fine)


class ExportedStudent(Student):
    """The student as it is shipped; it answers with a tuple, as every shipped network does.

    Where neighbours were let in, a third of what separates the output from the gated mean is
    kept: grain that the mean holds, and with it faint detail at rest that the student took for
    noise. Where nothing was averaged, nothing is kept.
    """

    KEPT_OF_MEAN = 0.36

    def forward(
        self, frame: Tensor, mean: Tensor, variance: Tensor, correlation: Tensor
    ) -> tuple[Tensor]:
        """Denoise; see `Student.forward`."""
        correction = self.correction(frame, mean, variance, correlation)
        taken = 1.0 - self.KEPT_OF_MEAN * (1.0 - variance)
        return (mean + self.shuffle(taken * correction),)


def student_from_metadata(metadata: Mapping[str, str]) -> ExportedStudent:
    """Make the student that a weights file describes (``widths``: three numbers)."""
    a, b, c = (int(width) for width in metadata["widths"].split(","))
    return ExportedStudent((a, b, c))
