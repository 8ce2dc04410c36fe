// CUDA on a processor: enough of the language to run this folder's kernels under a plain C++ compiler.
//
// Blocks run one after another, in a shuffled order. The threads of a block are fibres, so barriers
// and warp shuffles are real: a thread that waits hands over to the next one. Warps, too, and the lanes
// of a warp run in a shuffled order, every second round backwards, and a warp runs as far ahead of the
// others as barriers allow: a missing barrier or a race gives wrong numbers here as well. A barrier
// that some thread never reaches ends the program.
//
// Compile with -U_FORTIFY_SOURCE: its check of jumps takes a change of stacks for an error.
//
// What this cannot show: speed, and rounding of the device's own `expf` and `erfcf`.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include <math.h>
#include <setjmp.h>
#include <ucontext.h>

#define __global__
#define __device__
// One block runs at a time, so a block's shared memory is a static variable.
#define __shared__ static
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

inline dim3 threadIdx, blockIdx, blockDim, gridDim;

// ---- bfloat16: the upper half of a float, rounded to the nearest, ties to even

struct __nv_bfloat16 {
    uint16_t bits;
};

inline float __bfloat162float(__nv_bfloat16 value) {
    uint32_t wide = uint32_t(value.bits) << 16;
    float result;
    memcpy(&result, &wide, 4);
    return result;
}

inline __nv_bfloat16 __float2bfloat16(float value) {
    uint32_t wide;
    memcpy(&wide, &value, 4);
    if (value != value) {
        return {0x7fff};
    }
    wide += 0x7fff + ((wide >> 16) & 1);
    return {uint16_t(wide >> 16)};
}

inline unsigned __umulhi(unsigned a, unsigned b) {
    return unsigned((uint64_t(a) * b) >> 32);
}

// ---- threads as fibres

namespace shim {

constexpr unsigned WARP = 32;
constexpr size_t STACK_BYTES = 64 << 10;

// Opens when `expected` threads have arrived; the generation counts how often it did.
struct Barrier {
    unsigned expected = 0, arrived = 0, generation = 0;
};

// The lanes of a warp meet here; `slots` hold what they exchange.
struct Warp {
    Barrier barrier;
    double slots[WARP];
};

// A fibre is made once and then runs the threads of that number of all blocks.
struct Fibre {
    std::unique_ptr<char[]> stack{new char[STACK_BYTES]};
    ucontext_t begin;
    bool begun = false;
    // Where it goes on. Jumps do not enter the operating system as `swapcontext` does.
    jmp_buf here;
    dim3 index;
    unsigned number;
    bool done;
    // What it waits for, and which opening of that barrier it has seen.
    Barrier* waits;
    unsigned seen;
};

struct Machine {
    std::vector<std::unique_ptr<Fibre>> fibres;
    std::vector<Warp> warps;
    Barrier block;
    jmp_buf scheduler;
    Fibre* running = nullptr;
    std::function<void()> body;
    std::mt19937 shuffle{1};
    const char* kernel = "";
};

inline Machine machine;

// Hands over to the scheduler until it comes back to this fibre.
inline void hand_over() {
    if (!_setjmp(machine.running->here)) {
        _longjmp(machine.scheduler, 1);
    }
}

inline void wait_at(Barrier& barrier) {
    if (++barrier.arrived == barrier.expected) {
        barrier.arrived = 0;
        barrier.generation++;
        return;
    }
    Fibre* self = machine.running;
    self->waits = &barrier;
    self->seen = barrier.generation;
    hand_over();
}

inline void run_threads() {
    for (;;) {
        machine.body();
        machine.running->done = true;
        hand_over();
    }
}

inline void start(Fibre& fibre, unsigned number, dim3 block) {
    fibre.number = number;
    fibre.index = dim3(number % block.x, number / block.x % block.y, number / (block.x * block.y));
    fibre.done = false;
    fibre.waits = nullptr;
}

// Lets a fibre run until it waits or ends.
__attribute__((noinline)) inline void resume(Fibre& fibre) {
    machine.running = &fibre;
    threadIdx = fibre.index;
    if (_setjmp(machine.scheduler)) {
        return;
    }
    if (fibre.begun) {
        _longjmp(fibre.here, 1);
    }
    fibre.begun = true;
    getcontext(&fibre.begin);
    fibre.begin.uc_stack.ss_sp = fibre.stack.get();
    fibre.begin.uc_stack.ss_size = STACK_BYTES;
    fibre.begin.uc_link = nullptr;
    makecontext(&fibre.begin, run_threads, 0);
    setcontext(&fibre.begin);
}

inline bool may_run(const Fibre& fibre) {
    return !fibre.done && !(fibre.waits && fibre.waits->generation == fibre.seen);
}

// Runs the lanes of a warp until all wait for other warps or have ended; how many ended, -1 if none moved.
inline int run_warp(std::vector<unsigned>& lanes) {
    int ended = 0;
    bool moved = false;
    for (bool again = true; again;) {
        again = false;
        for (unsigned i : lanes) {
            Fibre& fibre = *machine.fibres[i];
            if (may_run(fibre)) {
                again = true;
                fibre.waits = nullptr;
                resume(fibre);
                ended += fibre.done;
            }
        }
        moved = moved || again;
        std::reverse(lanes.begin(), lanes.end());
    }
    return moved ? ended : -1;
}

// Runs all threads of one block to their ends.
inline void run_block(unsigned threads, dim3 block) {
    Machine& m = machine;
    m.block = {threads, 0, 0};
    m.warps.assign((threads + WARP - 1) / WARP, Warp());
    std::vector<std::vector<unsigned>> order(m.warps.size());
    for (unsigned i = 0; i < threads; i++) {
        start(*m.fibres[i], i, block);
        order[i / WARP].push_back(i);
        m.warps[i / WARP].barrier.expected++;
    }
    std::shuffle(order.begin(), order.end(), m.shuffle);
    for (std::vector<unsigned>& lanes : order) {
        std::shuffle(lanes.begin(), lanes.end(), m.shuffle);
    }
    for (unsigned left = threads; left > 0;) {
        bool moved = false;
        for (std::vector<unsigned>& lanes : order) {
            int ended = run_warp(lanes);
            if (ended >= 0) {
                moved = true;
                left -= ended;
            }
        }
        if (!moved) {
            printf("FAILED %s: some threads wait at a barrier that others never reach\n", m.kernel);
            exit(1);
        }
        std::reverse(order.begin(), order.end());
    }
}

// `kernel<<<grid, block>>>(arguments...)`.
template <class... Parameters, class... Arguments>
void launch(const char* name, dim3 grid, dim3 block, void (*kernel)(Parameters...), Arguments... arguments) {
    Machine& m = machine;
    unsigned threads = block.x * block.y * block.z;
    while (m.fibres.size() < threads) {
        m.fibres.push_back(std::make_unique<Fibre>());
    }
    m.kernel = name;
    m.body = [&] { kernel(arguments...); };
    gridDim = grid;
    blockDim = block;
    std::vector<unsigned> order(size_t(grid.x) * grid.y * grid.z);
    for (unsigned i = 0; i < order.size(); i++) {
        order[i] = i;
    }
    std::shuffle(order.begin(), order.end(), m.shuffle);
    for (unsigned i : order) {
        blockIdx = dim3(i % grid.x, i / grid.x % grid.y, i / (grid.x * grid.y));
        run_block(threads, block);
    }
}

}  // namespace shim

inline void __syncthreads() {
    shim::wait_at(shim::machine.block);
}

// Every lane of the warp must call it, as all kernels here do.
template <typename T>
T __shfl_xor_sync(unsigned, T value, unsigned mask) {
    unsigned number = shim::machine.running->number;
    shim::Warp& warp = shim::machine.warps[number / shim::WARP];
    memcpy(&warp.slots[number % shim::WARP], &value, sizeof value);
    shim::wait_at(warp.barrier);
    T other;
    memcpy(&other, &warp.slots[(number % shim::WARP) ^ mask], sizeof other);
    // Nobody may overwrite a slot before all have read.
    shim::wait_at(warp.barrier);
    return other;
}
