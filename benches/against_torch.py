#!/usr/bin/env python3
"""hyperscope beside PyTorch on this machine's CPU: training and evaluation, in interleaved rounds.

    python3 benches/against_torch.py [--rounds 3] [--steps 4] [--threads 2] [--only resnet18,...] [--mode train|eval]

Needs torch, torchvision and a release build (`cargo build --release`). Every round runs each program once in a
process of its own; the figure of a program is its best step over all rounds, in images per second, and the ratio is
ours to the better of PyTorch's two memory formats. PyTorch's allocator is told to keep freed memory, as ours does.
"""
import argparse, json, os, resource, subprocess, sys, time
from pathlib import Path

# name, batch, side, classes
ROWS = [
    ("resnet18", 32, 32, 10),
    ("resnet50", 32, 32, 10),
    ("resnet50", 8, 224, 1000),
    ("convnext_tiny", 8, 224, 1000),
    ("convnext_tiny", 32, 64, 1000),
    ("mobilenet_v2", 8, 224, 1000),
    ("efficientnet_b0", 8, 224, 1000),
    ("densenet121", 8, 224, 1000),
    ("vit_b_16", 4, 224, 1000),
]
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(8 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
}
BINARY = Path(__file__).resolve().parent.parent / "target/release/hyperscope"


def torch_side(name, batch, side, classes, last, mode, steps, threads):
    """One process of PyTorch: prints its best images per second and its peak memory."""
    import torch
    import torchvision

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = getattr(torchvision.models, name)(num_classes=classes)
    if side <= 32 and name.startswith("resnet"):
        net.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        net.maxpool = torch.nn.Identity()
    layout = torch.channels_last if last else torch.contiguous_format
    net = net.to(memory_format=layout)
    x = torch.randn(batch, 3, side, side).to(memory_format=layout)
    y = torch.randint(0, classes, (batch,))
    sgd = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)
    loss = torch.nn.CrossEntropyLoss()
    net.train(mode == "train")
    best = float("inf")
    for step in range(steps + 1):
        begun = time.perf_counter()
        if mode == "train":
            sgd.zero_grad()
            loss(net(x), y).backward()
            sgd.step()
        else:
            with torch.inference_mode():
                net(x)
        if step:
            best = min(best, time.perf_counter() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"best": batch / best, "gib": peak}))


def torch_run(row, last, args):
    name, batch, side, classes = row
    asked = ["--torch", json.dumps([name, batch, side, classes, last, args.mode, args.steps, args.threads])]
    env = {**os.environ, **MALLOC}
    out = subprocess.run([sys.executable, __file__, *asked], env=env, check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def our_run(row, args):
    name, batch, side, classes = row
    command = [args.binary, "bench", args.mode, name, "--batch", batch, "--image", side, "--classes", classes]
    command += ["--steps", args.steps, "--threads", args.threads, "--json"]
    out = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True)
    answer = json.loads(out.stdout)
    return {"best": answer["images_per_s"]["max"], "gib": answer.get("peak_bytes", 0) / 2**30}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mode", choices=["train", "eval"], default="train")
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--binary", default=BINARY)
    parser.add_argument("--torch", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.torch:
        return torch_side(*json.loads(args.torch))
    rows = [r for r in ROWS if not args.only or r[0] in args.only.split(",")]
    print(f"| network, batch x side ({args.mode}) | ours | NCHW | channels last | ratio | GiB ours | GiB torch |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for row in rows:
        ours, nchw, last = [], [], []
        for _ in range(args.rounds):
            ours.append(our_run(row, args))
            nchw.append(torch_run(row, False, args))
            last.append(torch_run(row, True, args))
        best = [max(r["best"] for r in runs) for runs in (ours, nchw, last)]
        peer = max(nchw, last, key=lambda runs: max(r["best"] for r in runs))
        memory = [max(r["gib"] for r in runs) for runs in (ours, peer)]
        print(
            f"| {row[0]}, {row[1]}x{row[2]} | {best[0]:.1f} | {best[1]:.1f} | {best[2]:.1f} "
            f"| {best[0] / max(best[1:]):.2f} | {memory[0]:.2f} | {memory[1]:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
