// Runs every CUDA kernel of the project on the processor and compares it with a plain loop in double.
//
// Compile with -std=c++17 -O1 -fno-strict-aliasing -U_FORTIFY_SOURCE -I src/nn/cuda/kernels, and with
// -fsanitize=alignment -fsanitize-undefined-trap-on-error: a GPU refuses what the processor lets pass.
// Prints one line a kernel; exits with 1 if one is wrong.

#include "activation.h"
#include "batch_norm.h"
#include "branch.h"
#include "columns.h"
#include "cosine.h"
#include "cross_entropy.h"
#include "depthwise.h"
#include "layer_norm.h"
#include "moves.h"
#include "optimiser.h"
#include "pool.h"
#include "random.h"
#include "softmax.h"
#include "tile.h"

static void wrong_address(int signal) {
    const char* what = signal == SIGILL || signal == SIGTRAP ? "at a wrong alignment" : "beyond the end of an array";
    printf("FAILED %s: it read or wrote %s\n", shim::machine.kernel, what);
    fflush(stdout);
    _exit(1);
}

int main() {
    // Handlers run on a stack of their own: a fibre's may be the one that broke.
    static char stack[1 << 16];
    stack_t alternative = {};
    alternative.ss_sp = stack;
    alternative.ss_size = sizeof stack;
    sigaltstack(&alternative, nullptr);
    struct sigaction action = {};
    action.sa_handler = wrong_address;
    action.sa_flags = SA_ONSTACK;
    for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP}) {
        sigaction(signal, &action, nullptr);
    }

    FOR_BOTH(test_column_sums);
    FOR_BOTH(test_gate);
    FOR_BOTH(test_batch_norm);
    test_batch_norm_from_running();
    FOR_BOTH(test_layer_norm);
    FOR_BOTH(test_activations);
    test_casts();
    FOR_BOTH(test_add);
    FOR_BOTH(test_transpose);
    FOR_BOTH(test_channels);
    FOR_BOTH(test_branch);
    test_philox();
    FOR_BOTH(test_dropout);
    test_stochastic_depth();
    FOR_BOTH(test_depthwise);
    FOR_BOTH(test_pools);
    FOR_BOTH(test_softmax);
    FOR_BOTH(test_cosine);
    test_tile_weight();
    test_tile_vector();
    FOR_BOTH(test_cross_entropy);
    test_gradient_norm();
    test_optimisers();
    return report.print();
}
