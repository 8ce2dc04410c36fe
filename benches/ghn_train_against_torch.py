#!/usr/bin/env python3
"""Training a GHN: `hyperscope bench ghn-train` beside the GHN authors' code in PyTorch, on this machine's CPU.

    python3 benches/ghn_train_against_torch.py --ppuda FOLDER [--rounds 3] [--steps 40] [--meta-batch 1,8] [--threads 2]

Needs a checkout of github.com/facebookresearch/ppuda, what that imports (torch, torchvision, networkx, matplotlib,
h5py, einops, tqdm), and a release build (`cargo build --release`).

Both sides train the CIFAR-10 GHN-2 on batches of 64 images of 32x32, and on the very same networks: those that
hyperscope draws for a seed are drawn once more by ghn_networks.py and built by the authors' `Network`. A round has a
seed of its own, and runs each program once, in a process of its own, for the same steps. Seconds are means over all timed
steps of all rounds, and the ratio is theirs to ours; its range is that of the rounds.

What is timed of PyTorch is what the authors' loop does between two batches: the light networks are made, then
`Trainer.update` predicts, trains and steps Adam. Graphs are ready before, as the authors read them from a file that
other processes prefetch; so are the images. Ours makes its graphs within the step. PyTorch's allocator is told to keep
freed memory, as ours does, and before the first step it touches `--touch` GiB, so that no step pays for fresh memory; how
much it needs by itself tells `--memory`, which times nothing. Images are channels-last, which is the faster format here;
`--contiguous` takes the authors'. `--prepare` only makes the graphs, into the folder `--graphs`, where a later run finds
them.
"""
import argparse, json, math, os, pickle, resource, subprocess, sys, tempfile, time
from pathlib import Path

from against_torch import BINARY, MALLOC
from ghn_networks import Draws

# Steps before those that are timed, as in `bench ghn-train`; it may time a few more than it is asked for.
WARM_UP, MORE = 3, 8
BATCH, SIDE, CLASSES, HID = 64, 32, 10, 32
FURTHEST_VIRTUAL_EDGE = 50
FIRST_SEED = 1111


def authors_network(args, is_photograph=False, light=True):
    """A network as the authors' code makes it; a light one has shapes in place of parameters."""
    from ppuda.deepnets1m.genotypes import from_dict
    from ppuda.deepnets1m.net import Network

    args = {**args, "genotype": from_dict(args["genotype"])}
    return Network(is_imagenet_input=is_photograph, num_classes=CLASSES, light=light, **args)


def count(args, is_photograph):
    """Parameters of a network."""
    shapes = (p for m in authors_network(args, is_photograph).modules() for p in m._parameters.values() if p is not None)
    return sum(math.prod(p if isinstance(p, tuple) else p.shape) for p in shapes)


def prepare(folder, binary, seed, meta_batch, steps):
    """One process: draws the networks of the steps, and lets the authors' code make their graphs. Prints the seconds
    that a graph takes."""
    import torch
    from ppuda.deepnets1m.graph import Graph

    torch.set_num_threads(1)
    # The authors' code walks the backward functions by recursion, which is deeper than Python allows by itself.
    sys.setrecursionlimit(20_000)
    draws, batches, seconds = Draws(binary, count), [], []
    for step in range(steps):
        batch = []
        for args in draws.meta_batch(seed, step, meta_batch):
            network = authors_network(args, light=False)
            begun = time.perf_counter()
            graph = Graph(network, ve_cutoff=FURTHEST_VIRTUAL_EDGE)
            seconds.append(time.perf_counter() - begun)
            batch.append((args, graph.node_feat, graph.node_info, graph.edges))
        batches.append(batch)
    path = graphs_path(folder, seed, meta_batch)
    path.with_suffix(".part").write_bytes(pickle.dumps({"batches": batches, "graph": sum(seconds) / len(seconds)}))
    path.with_suffix(".part").rename(path)


def graphs_path(folder, seed, meta_batch):
    return Path(folder) / f"{seed}-{meta_batch}.pickle"


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


def train(folder, seed, meta_batch, timed, touched, threads, channels_last):
    """One process of PyTorch: prints seconds and loss of every step, and the most memory it had."""
    import torch
    from ppuda.deepnets1m.graph import Graph, GraphBatch
    from ppuda.ghn.nn import GHN
    from ppuda.utils import Trainer

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    # The arguments of `train_ghn.py -m M -n -v 50 --ln`.
    largest = (2 * HID, 2 * HID, 11, 11)
    ghn = GHN(largest, CLASSES, weight_norm=True, ve=True, layernorm=True, hid=HID).train()
    adam = torch.optim.Adam(ghn.parameters(), 1e-3, weight_decay=1e-5)
    trainer = Trainer(adam, CLASSES, False, n_batches=timed, grad_clip=5, device="cpu")
    data = Images(torch.channels_last if channels_last else torch.contiguous_format)
    batches = pickle.loads(graphs_path(folder, seed, meta_batch).read_bytes())["batches"]
    touch(touched)
    seconds, losses, skipped = [], [], 0
    for batch in batches[: WARM_UP + timed]:
        made = [Graph(node_feat=feat, node_info=info, edges=edges) for _, feat, info, edges in batch]
        graphs = GraphBatch(made)
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
    print(json.dumps({"seconds": seconds[WARM_UP:], "losses": losses, "skipped": skipped, "gib": peak}))


def child(args, what, *asked):
    """What a process of this file says that does one thing with the authors' code."""
    path = os.pathsep.join([str(Path(args.ppuda).resolve()), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, **MALLOC, "PYTHONPATH": path, "MPLBACKEND": "agg"}
    command = [sys.executable, __file__, "--ppuda", args.ppuda, "--child", json.dumps([what, *asked])]
    out = subprocess.run(command, env=env, capture_output=True, text=True)
    if out.returncode:
        raise SystemExit(f"the authors' code failed:\n{out.stderr.strip()[-2000:]}")
    return json.loads(out.stdout.splitlines()[-1]) if what == "train" else None


def training(args, seed, meta_batch, timed, touched):
    """What a process of PyTorch tells of its training."""
    last = not args.contiguous
    return child(args, "train", str(args.graphs), seed, meta_batch, timed, touched, args.threads, last)


def our_run(args, seed, meta_batch):
    command = [args.binary, "bench", "ghn-train", "--meta-batch", meta_batch, "--steps", args.steps, "--seed", seed]
    command += ["--device", "cpu", "--threads", args.threads, "--json"]
    out = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def measure(args, meta_batch):
    """Rounds of both programs by turns."""
    rounds = []
    for seed in range(FIRST_SEED, FIRST_SEED + args.rounds):
        ours = our_run(args, seed, meta_batch)
        timed = min(ours["steps"], args.steps + MORE)
        theirs = training(args, seed, meta_batch, timed, args.touch)
        rounds.append({"seed": seed, "ours": ours, "theirs": theirs})
        mean = sum(theirs["seconds"]) / timed
        print(f"m = {meta_batch}, seed {seed}: {ours['step']:.3f} s, theirs {mean:.3f} s", file=sys.stderr, flush=True)
    graph = [pickle.loads(graphs_path(args.graphs, r["seed"], meta_batch).read_bytes())["graph"] for r in rounds]
    our_seconds = [r["ours"]["step"] for r in rounds]
    their_seconds = [sum(r["theirs"]["seconds"]) / len(r["theirs"]["seconds"]) for r in rounds]
    ratios = [t / o for o, t in zip(our_seconds, their_seconds)]
    return {
        "meta_batch": meta_batch,
        "steps": sum(r["ours"]["steps"] for r in rounds),
        "ours": sum(our_seconds) / len(rounds),
        "theirs": sum(their_seconds) / len(rounds),
        "ratio": sum(their_seconds) / sum(our_seconds),
        "ratios": ratios,
        "gib_ours": max(r["ours"].get("peak_bytes", 0) for r in rounds) / 2**30,
        "skipped": sum(r["theirs"]["skipped"] for r in rounds),
        "graph": sum(graph) / len(graph),
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
    parser.add_argument("--graphs", type=Path, help="folder for graphs, which are made where they are missing")
    parser.add_argument("--prepare", action="store_true", help="only make the graphs")
    parser.add_argument("--touch", type=int, default=8, help="GiB; more than PyTorch needs")
    parser.add_argument("--memory", action="store_true", help="only how much memory PyTorch needs for the first round")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        what, *asked = json.loads(args.child)
        return {"prepare": prepare, "train": train}[what](*asked)
    with tempfile.TemporaryDirectory() as folder:
        args.graphs = args.graphs or Path(folder)
        args.graphs.mkdir(parents=True, exist_ok=True)
        compare(args, [int(m) for m in args.meta_batch.split(",")])


def compare(args, meta_batches):
    needed = WARM_UP + args.steps + MORE
    for meta_batch in meta_batches:
        for seed in range(FIRST_SEED, FIRST_SEED + args.rounds):
            path = graphs_path(args.graphs, seed, meta_batch)
            if not path.exists() or len(pickle.loads(path.read_bytes())["batches"]) < needed:
                child(args, "prepare", str(args.graphs), str(args.binary), seed, meta_batch, needed)
    if args.prepare:
        return
    if args.memory:
        for m in meta_batches:
            told = training(args, FIRST_SEED, m, args.steps, touched=0)
            print(f"m = {m}: {told['gib']:.2f} GiB, losses {[round(loss, 2) for loss in told['losses']]}", flush=True)
        return
    rows = []
    for meta_batch in meta_batches:
        rows.append(measure(args, meta_batch))
        if args.json:
            continue
        if len(rows) == 1:
            print("| | steps | ours | theirs | ratio | of a round | GiB ours | a graph of theirs | left out |")
            print("|---|---|---|---|---|---|---|---|---|")
        row = rows[-1]
        print(
            f"| m = {meta_batch} | {row['steps']} | {row['ours']:.3f} s | {row['theirs']:.3f} s | {row['ratio']:.2f} "
            f"| {min(row['ratios']):.2f} to {max(row['ratios']):.2f} | {row['gib_ours']:.2f} "
            f"| {row['graph']:.3f} s | {row['skipped']} |",
            flush=True,
        )
    if args.json:
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
