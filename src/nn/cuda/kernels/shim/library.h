// The kernels as a library that is called by name: for a program in another language that stands in for
// a CUDA driver. Include after kernels.cu, list the kernels with ENTRY, and call `emulate`.

#pragma once

#include "cuda_on_cpu.h"

#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace shim {

// A kernel behind a form that is the same for all: arguments as CUDA's own launch takes them.
struct Entry {
    const char* name;
    std::vector<size_t> sizes;
    std::function<void(dim3, dim3, void* const*)> run;
};

template <class... Parameters, size_t... I>
void launch_with(
    const char* name, dim3 grid, dim3 block, void (*kernel)(Parameters...), void* const* arguments,
    std::index_sequence<I...>) {
    launch(name, grid, block, kernel, *static_cast<std::remove_cv_t<Parameters>*>(arguments[I])...);
}

template <class... Parameters>
Entry entry(const char* name, void (*kernel)(Parameters...)) {
    return {name, {sizeof(Parameters)...}, [=](dim3 grid, dim3 block, void* const* arguments) {
        launch_with(name, grid, block, kernel, arguments, std::index_sequence_for<Parameters...>());
    }};
}

}  // namespace shim

#define ENTRY(name) shim::entry(#name, name)

// Defined by the list of kernels.
const std::vector<shim::Entry>& kernel_entries();

// Runs a kernel. 0: done; 1: there is none of that name; 2: it takes other arguments, by number or size.
extern "C" int emulate(
    const char* name, const unsigned* grid, unsigned block, void* const* arguments, const size_t* sizes, size_t count) {
    static std::unordered_map<std::string, const shim::Entry*> by_name;
    if (by_name.empty()) {
        for (const shim::Entry& entry : kernel_entries()) {
            by_name[entry.name] = &entry;
        }
    }
    auto found = by_name.find(name);
    if (found == by_name.end()) {
        return 1;
    }
    if (found->second->sizes != std::vector<size_t>(sizes, sizes + count)) {
        return 2;
    }
    found->second->run(dim3(grid[0], grid[1], grid[2]), dim3(block), arguments);
    return 0;
}
