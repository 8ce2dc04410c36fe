#!/usr/bin/env python3
"""Training a GHN: `hyperscope bench ghn-train` beside the GHN authors' code in PyTorch, on this machine's CPU.

    python3 benches/ghn_train_against_torch.py --ppuda FOLDER [--rounds 3] [--steps 40] [--meta-batch 1,8] [--threads 2]

Needs a checkout of github.com/facebookresearch/ppuda, what that imports (torch, torchvision, networkx, matplotlib,
h5py, einops, tqdm), and a release build (`cargo build --release`).

Both sides train the CIFAR-10 GHN-2 on batches of 64 images of 32x32, and on the very same networks: hyperscope says
which it drew, and the authors' `Network` is built from that. A round has a seed of its own, and runs each program once, in
a process of its own, for the same steps. Seconds are means over all timed steps of all rounds, and the ratio is theirs to
ours; its range is that of the rounds.

What is timed of PyTorch is what the authors' loop does between two batches: the light networks are made, then
`Trainer.update` predicts, trains and steps Adam. Graphs are ready before, as the authors read them from a file that
other processes prefetch; so are the images. Ours makes its graphs within the step. PyTorch's allocator is told to keep
freed memory, as ours does, and before the first step it touches `--touch` GiB, so that no step pays for fresh memory; how
much it needs by itself tells `--memory`, which times nothing of it. Images are channels-last, which is the faster format
here; `--contiguous` takes the authors'.
"""
import argparse, json, os, pickle, resource, subprocess, sys, tempfile, time
from pathlib import Path

from against_torch import BINARY, MALLOC

BATCH, SIDE, CLASSES, HID = 64, 32, 10, 32
FURTHEST_VIRTUAL_EDGE = 50
FIRST_SEED = 1111
# Arguments that the authors' later code has, and this one has not.
LATER = ("imagenet_stride",)


def authors_network(args, light=True):
    """A network as the authors' code makes it; a light one has shapes in place of parameters."""
    from ppuda.deepnets1m.genotypes import from_dict
    from ppuda.deepnets1m.net import Network

    args = {name: value for name, value in args.items() if name not in LATER}
    args["genotype"] = from_dict(args["genotype"])
    return Network(is_imagenet_input=False, num_classes=CLASSES, light=light, **args)


def prepare(told, made):
    """One process: lets the authors' code make the graphs of all networks that hyperscope told of."""
    import torch
    from ppuda.deepnets1m.graph import Graph

    torch.set_num_threads(1)
    # The authors' code walks the backward functions by recursion, which is deeper than Python allows by itself.
    sys.setrecursionlimit(20_000)
    seconds, batches = [], []
    for batch in json.loads(Path(told).read_text())["networks"]:
        graphs = []
        for args in batch:
            network = authors_network(args, light=False)
            begun = time.perf_counter()
            graph = Graph(network, ve_cutoff=FURTHEST_VIRTUAL_EDGE)
            seconds.append(time.perf_counter() - begun)
            graphs.append((args, graph.node_feat, graph.node_info, graph.edges))
        batches.append(graphs)
    Path(made).write_bytes(pickle.dumps(batches))
    print(json.dumps(sum(seconds) / len(seconds)))


class Images:
    """Batches that can be learned: a pattern for each class, under noise."""

    def __init__(self, layout):
        import torch

        self.layout = layout
        self.patterns = torch.randn(CLASSES, 3, 4, 4).repeat_interleave(SIDE // 4, 2).repeat_interleave(SIDE // 4, 3)

    def batch(self):
        import torch

        targets = torch.randint(0, CLASSES, (BATCH,))
        images = self.patterns[targets] + torch.randn(BATCH, 3, SIDE, SIDE)
        return images.contiguous(memory_format=self.layout), targets


def touch(gib):
    """Has the system back so much memory, which the allocator then keeps: the first touch of a page costs more than all
    that a step does with it, and a real training pays for it once."""
    import torch

    torch.ones(gib * 2**28)


def train(made, seed, warm_up, touched, threads, channels_last):
    """One process of PyTorch: prints seconds and loss of every step, and the most memory it had."""
    import torch
    from ppuda.deepnets1m.graph import Graph, GraphBatch
    from ppuda.ghn.nn import GHN
    from ppuda.utils import Trainer

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    batches = pickle.loads(Path(made).read_bytes())
    # The arguments of `train_ghn.py -m M -n -v 50 --ln`.
    largest = (2 * HID, 2 * HID, 11, 11)
    ghn = GHN(largest, CLASSES, weight_norm=True, ve=True, layernorm=True, hid=HID).train()
    adam = torch.optim.Adam(ghn.parameters(), 1e-3, weight_decay=1e-5)
    trainer = Trainer(adam, CLASSES, False, n_batches=len(batches), grad_clip=5, device="cpu")
    data = Images(torch.channels_last if channels_last else torch.contiguous_format)
    touch(touched)
    seconds, losses, skipped = [], [], 0
    for batch in batches:
        graphs = GraphBatch([Graph(node_feat=feat, node_info=info, edges=edges) for _, feat, info, edges in batch])
        images, targets = data.batch()
        begun = time.perf_counter()
        try:
            networks = [authors_network(args) for args, *_ in batch]
            losses.append(trainer.update(networks, images, targets, ghn=ghn, graphs=graphs).item())
        except RuntimeError as error:
            # The authors' loop goes on after a loss that is no number, and after nothing else.
            if "the loss is" not in str(error):
                raise
            skipped += 1
        networks = None
        seconds.append(time.perf_counter() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds[warm_up:], "losses": losses, "skipped": skipped, "gib": peak}))


def child(args, what, *asked):
    """What a process of this file says that does one thing with the authors' code."""
    path = os.pathsep.join([str(Path(args.ppuda).resolve()), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, **MALLOC, "PYTHONPATH": path, "MPLBACKEND": "agg"}
    command = [sys.executable, __file__, "--ppuda", args.ppuda, "--child", json.dumps([what, *asked])]
    out = subprocess.run(command, env=env, capture_output=True, text=True)
    if out.returncode:
        raise SystemExit(f"the authors' code failed:\n{out.stderr.strip()[-2000:]}")
    return json.loads(out.stdout.splitlines()[-1])


def our_run(args, seed, meta_batch):
    command = [args.binary, "bench", "ghn-train", "--meta-batch", meta_batch, "--steps", args.steps, "--seed", seed]
    command += ["--device", "cpu", "--threads", args.threads, "--json"]
    out = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def one_round(args, folder, seed, meta_batch):
    """Both programs, one after the other, over the same steps."""
    ours = our_run(args, seed, meta_batch)
    told, made = Path(folder) / "told.json", Path(folder) / "graphs.pickle"
    told.write_text(json.dumps(ours))
    graph = child(args, "prepare", str(told), str(made))
    touched = 0 if args.memory else args.touch
    theirs = child(args, "train", str(made), seed, ours["before"], touched, args.threads, not args.contiguous)
    return {"seed": seed, "ours": ours, "theirs": theirs, "graph": graph}


def measure(args, folder, meta_batch):
    """Rounds of both programs by turns."""
    rounds, our_seconds, their_seconds = [], [], []
    for seed in range(FIRST_SEED, FIRST_SEED + (1 if args.memory else args.rounds)):
        rounds.append(one_round(args, folder, seed, meta_batch))
        ours, theirs = rounds[-1]["ours"], rounds[-1]["theirs"]
        our_seconds.append(ours["step"])
        their_seconds.append(sum(theirs["seconds"]) / len(theirs["seconds"]))
        said = f"{our_seconds[-1]:.3f} s, theirs {their_seconds[-1]:.3f} s"
        print(f"m = {meta_batch}, seed {seed}: {said}", file=sys.stderr, flush=True)
    return {
        "meta_batch": meta_batch,
        "steps": sum(r["ours"]["steps"] for r in rounds),
        "ours": sum(our_seconds) / len(rounds),
        "theirs": sum(their_seconds) / len(rounds),
        "ratio": sum(their_seconds) / sum(our_seconds),
        "ratios": [t / o for o, t in zip(our_seconds, their_seconds)],
        "gib_ours": max(r["ours"].get("peak_bytes", 0) for r in rounds) / 2**30,
        "gib_theirs": max(r["theirs"]["gib"] for r in rounds) if args.memory else None,
        "skipped": sum(r["theirs"]["skipped"] for r in rounds),
        "graph": sum(r["graph"] for r in rounds) / len(rounds),
        "rounds": rounds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ppuda", required=True, help="a checkout of the authors' code")
    parser.add_argument("--binary", default=BINARY)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--meta-batch", default="1,8", help="numbers, separated by commas")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--contiguous", action="store_true", help="images in the authors' memory format")
    parser.add_argument("--touch", type=int, default=8, help="GiB; more than PyTorch needs")
    parser.add_argument("--memory", action="store_true", help="one round in which PyTorch touches nothing before: how much it needs")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        what, *asked = json.loads(args.child)
        return {"prepare": prepare, "train": train}[what](*asked)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for meta_batch in map(int, args.meta_batch.split(",")):
            rows.append(measure(args, folder, meta_batch))
            if not args.json:
                show(rows)
    if args.json:
        print(json.dumps(rows, indent=2))


def show(rows):
    """The last row, after the titles if it is the first."""
    if len(rows) == 1:
        print("| | steps | ours | theirs | ratio | of a round | GiB ours, theirs with --memory | a graph of theirs | left out |")
        print("|---|---|---|---|---|---|---|---|---|")
    row = rows[-1]
    theirs = f", {row['gib_theirs']:.2f}" if row["gib_theirs"] else ""
    print(
        f"| m = {row['meta_batch']} | {row['steps']} | {row['ours']:.3f} s | {row['theirs']:.3f} s | {row['ratio']:.2f} "
        f"| {min(row['ratios']):.2f} to {max(row['ratios']):.2f} | {row['gib_ours']:.2f}{theirs} "
        f"| {row['graph']:.3f} s | {row['skipped']} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
