"""The networks that `hyperscope bench ghn-train` draws, drawn once more, in the form of DeepNets-1M's `net_args`.

hyperscope's networks are a function of seed and step: streams of ChaCha with 8 rounds, keyed by the SHA-256 of a seed
and a purpose (src/random.rs), read as the crate `rand` 0.9 reads them. This file follows src/arch/deepnets/generate.rs,
visit.rs and src/train/ghn/sample.rs draw by draw. Every network is compared with `hyperscope arch sample`, so that a
generator that has changed is noticed: sizes for both kinds of image, and the widths and size of a visit.
"""
import hashlib, json, struct, subprocess

OPS = (
    "none max_pool_3x3 avg_pool_3x3 skip_connect sep_conv_3x3 sep_conv_5x5 dil_conv_3x3 dil_conv_5x5 "
    "conv_1x1 conv_7x1_1x7 conv_3x3 conv_5x5 conv_7x7 msa cse"
).split()
WITHOUT_WEIGHTS = 4
LARGE_KERNELS = {"conv_5x5", "conv_7x7"}
POPULATION = 1_000_000
MOST_NODES, ATTEMPTS = 2200, 50
WORD = 0xFFFF_FFFF


class Stream:
    """Random numbers for one purpose."""

    def __init__(self, seed, purpose):
        self.key = struct.unpack("<8I", hashlib.sha256(struct.pack("<Q", seed) + purpose.encode()).digest())
        self.blocks, self.words = 0, []

    def u32(self):
        if not self.words:
            self.words = chacha8(self.key, self.blocks)[::-1]
            self.blocks += 1
        return self.words.pop()

    def u64(self):
        low = self.u32()
        return low | self.u32() << 32

    def below(self, count, bits=32):
        """Uniform in 0..count: the high half of a product, corrected by one more draw where that may carry."""
        draw = self.u32 if bits == 32 else self.u64
        product = draw() * count
        high, low = product >> bits, product % 2**bits
        if low > 2**bits - count:
            high += (low + (draw() * count >> bits)) >> bits
        return high

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def coin(self, probability=0.5):
        return self.u64() < int(probability * 2.0**64)

    def last_two_shuffled(self, values):
        """The last two of a Fisher-Yates shuffle that leaves the others alone, both indices from one draw."""
        rest = len(values) - 2
        if rest == 0:
            # The first index can only be 0; the second's draw serves the following ones, too.
            bound = factor = 2
        else:
            bound = factor = rest + 1
        while bound * (factor + 1) <= WORD:
            factor += 1
            bound *= factor
        chunk = self.below(bound)
        if rest == 0:
            indices = [0, chunk % 2]
        else:
            indices = [chunk % (rest + 1), chunk // (rest + 1) % (rest + 2)]
        for place, index in zip((rest, rest + 1), indices):
            values[place], values[index] = values[index], values[place]
        return values[rest:]


def chacha8(key, block):
    """A block of 16 words."""
    begun = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key, block & WORD, block >> 32, 0, 0]
    s = list(begun)
    columns = [(i, 4 + i, 8 + i, 12 + i) for i in range(4)]
    diagonals = [(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4) for i in range(4)]
    for a, b, c, d in 4 * (columns + diagonals):
        for left, right, mixed, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[left] = (s[left] + s[right]) & WORD
            x = s[mixed] ^ s[left]
            s[mixed] = (x << turn | x >> (32 - turn)) & WORD
    return [(x + y) & WORD for x, y in zip(begun, s)]


def network(seed):
    """The net_args of `deepnets:SEED`. Networks of too many parameters, which hyperscope draws again, are not refused here:
    they are rare, and `Draws.checked` notices one."""
    stream = Stream(seed, "deepnets/train")
    while True:
        args = attempt(stream)
        if args and is_connected(args):
            return args


def attempt(stream):
    """A network, or nothing if its cells are of a kind that is never taken."""
    cells, many = stream.between(4, 18), stream.between(7, 10)
    steps = stream.between(1, 4 if cells <= many else 2)
    pools_only = stream.coin()
    drops = steps > 1 and stream.coin()
    normal = genes(stream, steps, len(OPS))
    reduce = genes(stream, steps, WITHOUT_WEIGHTS if pools_only else len(OPS))
    concat = [i for i in range(2, steps + 2) if not drops or i == steps + 1 or stream.coin()]
    kernel = (3, 5, 7)[stream.below(3)]
    by_cell = [[op for op, _ in cell] for cell in (normal, reduce)]
    ops = by_cell[0] + by_cell[1]
    convolves, gates, attends = any("conv" in op for op in ops), "cse" in ops, "msa" in ops
    twice = any(c.count("cse") > 1 or sum(op in LARGE_KERNELS for op in c) > 1 for c in by_cell)
    if twice or (gates and not convolves) or not (convolves or gates or attends):
        return None
    widening = 2 if stream.coin() else 1
    prepared = steps > 1 or widening > 1 or not attends or stream.coin(0.2)
    averages = attends or cells > many or stream.coin(0.9)
    norm = None if cells <= 5 and steps <= 2 and stream.coin() else "bnorm"
    deep, pooled = stream.coin(), stream.coin()
    return {
        "genotype": {"normal": normal, "normal_concat": concat, "reduce": reduce, "reduce_concat": concat},
        "n_cells": cells,
        "ks": kernel,
        "stem_type": int(deep),
        "stem_pool": pooled and not deep,
        "norm": norm,
        "preproc": prepared,
        "C_mult": widening,
        "fc_layers": 2 if stream.coin() else 1,
        "glob_avg": averages,
        "C": 32,
        "fc_dim": 256,
    }


def genes(stream, steps, ops):
    """Two ops a step, from two different inputs."""
    first = int(steps == 1)
    drawn = []
    for step in range(steps):
        for source in stream.last_two_shuffled(list(range(2 + step))):
            drawn.append((OPS[first + stream.below(ops - first)], source))
    return drawn


def is_connected(args):
    """Whether anything leads from the images to the classifier."""
    before = [True, True]
    cells = args["n_cells"]
    for cell in range(cells):
        kind = "reduce" if cell > 0 and cell in (cells // 3, 2 * cells // 3) else "normal"
        genes, states = args["genotype"][kind], list(before)
        for pair in zip(genes[::2], genes[1::2]):
            states.append(any(op != "none" and states[source] for op, source in pair))
        before = [before[1], any(states[i] for i in args["genotype"][kind + "_concat"])]
    return before[1]


def visit(args, size, stream):
    """The network with the widths of a visit; `size` counts its parameters for small images."""
    genotype, cells = args["genotype"], args["n_cells"]
    is_dense = any(op in LARGE_KERNELS for op, _ in genotype["normal"] + genotype["reduce"])
    if size > 800_000 or cells > 12 or is_dense or not args["glob_avg"]:
        choices = 1
    elif size > 400_000 or cells > 10:
        choices = 2
    elif size > 200_000 or cells > 8:
        choices = 3
    else:
        choices = 7
    channels = 32 + 16 * stream.below(choices)
    widths = 8 if choices == 7 and channels <= 64 else 4
    return {**args, "C": channels, "fc_dim": 64 * (1 + stream.below(widths))}


class Draws:
    """Meta-batches as `bench ghn-train` draws them. `count(args, is_photograph)` counts parameters as the peer builds
    the network."""

    def __init__(self, binary, count):
        self.binary, self.count, self.known = str(binary), count, {}

    def meta_batch(self, seed, step, size):
        for attempt_number in range(ATTEMPTS):
            nets = []
            for i in range(size):
                stream = Stream(seed, f"ghn/networks/{step}/{attempt_number}/{i}")
                args, parameters, nodes = self.checked(stream.below(POPULATION, bits=64))
                nets.append((visit(args, parameters, stream), nodes))
            if sum(nodes for _, nodes in nets) <= MOST_NODES:
                break
        return [args for args, _ in nets]

    def checked(self, seed):
        """A network, its parameters and its nodes, if hyperscope makes the same one of the seed."""
        if seed not in self.known:
            args = network(seed)
            sizes = {"cifar10": self.count(args, False), "imagenet": self.count(args, True)}
            visited = visit(args, sizes["cifar10"], Stream(seed, "deepnets/visit/0"))
            told = self.sample(seed, "--visits", 1)["networks"][0]
            there = told["visits"][0]
            same = told["sizes"] == sizes and there["params"] == self.count(visited, False)
            if not same or (there["channels"], there["classifier_width"]) != (visited["C"], visited["fc_dim"]):
                raise SystemExit(f"deepnets:{seed} is another network for {self.binary} than for {__file__}")
            self.known[seed] = args, sizes["cifar10"], self.sample(seed)["samples"][0]["nodes"]
        return self.known[seed]

    def sample(self, seed, *more):
        command = [self.binary, "arch", "sample", "--count", 1, "--seed", seed, "--image", 32, "--classes", 10, "--json"]
        out = subprocess.run([str(c) for c in (*command, *more)], check=True, capture_output=True, text=True)
        return json.loads(out.stdout)
