#!/usr/bin/env python3
"""hyperscope beside PyTorch on a GPU: training steps in bf16, images per second.

    python3 benches/against_torch_gpu.py [--device cuda:0] [--steps 30] [--seconds 180] [--only resnet50,...]

PyTorch runs as fast as it can be told to without changing the network: channels_last, autocast to bfloat16,
cudnn.benchmark, fused SGD, and the whole step as one CUDA graph. Both programs take images from the host's pinned
memory in every step. Each has a process of its own; a figure is the median step's. The peak share takes 3 times
the forward pass's multiply-accumulates, 2 operations each, against the device's dense bf16 peak.
"""
import argparse, json, subprocess, sys, time
from pathlib import Path

# name, batch, side, classes, multiply-accumulates of an image's forward pass
ROWS = [
    ("resnet50", 128, 224, 1000, 4.09e9),
    ("resnet50", 256, 224, 1000, 4.09e9),
    ("convnext_tiny", 128, 224, 1000, 4.46e9),
    ("convnext_tiny", 256, 224, 1000, 4.46e9),
    ("resnet50", 96, 32, 10, 1.30e9),
]
# Dense bf16 operations a second, by a word in the device's name.
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
BINARY = Path(__file__).resolve().parent.parent / "target/release/hyperscope"


def torch_side(name, batch, side, classes, steps, device):
    """One process of PyTorch: prints its median images per second and its peak memory."""
    import torch
    import torchvision

    torch.backends.cudnn.benchmark = True
    torch.cuda.set_device(device)
    net = getattr(torchvision.models, name)(num_classes=classes)
    if side <= 32 and name.startswith("resnet"):
        net.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        net.maxpool = torch.nn.Identity()
    net = net.to(device, memory_format=torch.channels_last).train()
    sgd = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, fused=True)
    loss_of = torch.nn.CrossEntropyLoss()
    host = torch.randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last).pin_memory()
    labels = torch.randint(0, classes, (batch,)).pin_memory()
    x, y = host.to(device), labels.to(device)

    def step():
        sgd.zero_grad(set_to_none=False)
        with torch.autocast("cuda", torch.bfloat16):
            loss = loss_of(net(x), y)
        loss.backward()
        sgd.step()
        return loss

    side_stream = torch.cuda.Stream()
    side_stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side_stream):
        for _ in range(5):
            step()
    torch.cuda.current_stream().wait_stream(side_stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()
    seconds = []
    for i in range(steps + 3):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        x.copy_(host, non_blocking=True)
        y.copy_(labels, non_blocking=True)
        graph.replay()
        loss.item()
        if i >= 3:
            seconds.append(time.perf_counter() - begun)
    seconds.sort()
    peak = torch.cuda.max_memory_reserved() / 2**30
    print(json.dumps({"rate": batch / seconds[len(seconds) // 2], "gib": peak, "name": torch.cuda.get_device_name()}))


def run(command):
    try:
        out = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        print(f"{command[0]}: no answer in two minutes", file=sys.stderr)
        return None
    if out.returncode:
        print(f"{command[0]}: {out.stderr.strip()[-500:]}", file=sys.stderr)
        return None
    return json.loads(out.stdout.strip().splitlines()[-1] if out.stdout.count("\n") == 1 else out.stdout)


def ours(row, args):
    name, batch, side, classes, _ = row
    command = [args.binary, "bench", "train", name, "--batch", batch, "--image", side, "--classes", classes]
    command += ["--steps", args.steps, "--device", args.device, "--dtype", "bf16", "--json"]
    return run(command)


def torchs(row, args):
    asked = json.dumps([*row[:4], args.steps, args.device])
    return run([sys.executable, __file__, "--torch", asked])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=180, help="no row is begun after this time")
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--binary", default=BINARY)
    parser.add_argument("--torch", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.torch:
        return torch_side(*json.loads(args.torch))
    begun = time.monotonic()
    print("| network, batch x side, bf16 | ours | PyTorch | ratio | GiB ours | GiB PyTorch | share of peak |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for row in ROWS:
        if args.only and row[0] not in args.only.split(","):
            continue
        if time.monotonic() - begun > args.seconds:
            print(f"| {row[0]}, {row[1]}x{row[2]} | no time left | | | | | |", flush=True)
            continue
        us, peer = ours(row, args), torchs(row, args)
        rate = us["images_per_s"]["median"] if us else float("nan")
        other = peer["rate"] if peer else float("nan")
        peak = next((p for word, p in PEAKS.items() if peer and word in peer["name"]), float("nan"))
        gib = us["buffer_bytes"] / 2**30 if us else float("nan")
        print(
            f"| {row[0]}, {row[1]}x{row[2]} | {rate:.0f} | {other:.0f} | {rate / other:.2f} | {gib:.1f} "
            f"| {peer['gib'] if peer else float('nan'):.1f} | {rate * row[4] * 6 / peak:.0%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
