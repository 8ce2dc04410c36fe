// Arrays, random numbers and comparisons for the kernels' tests.

#pragma once

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "kernels.cu"

inline std::mt19937 numbers(7);

inline double uniform(double from, double to) {
    return std::uniform_real_distribution<double>(from, to)(numbers);
}

inline unsigned whole(unsigned from, unsigned to) {
    return std::uniform_int_distribution<unsigned>(from, to)(numbers);
}

inline double wide(float value) { return value; }
inline double wide(double value) { return value; }
inline double wide(bf16 value) { return __bfloat162float(value); }
inline double wide(unsigned value) { return value; }
inline double wide(uint16_t value) { return value; }

template <typename T>
T narrow(double value) {
    return from_float<T>(float(value));
}

// Device memory: starts at a multiple of 16 bytes and ends at a page that nobody may touch, so that
// reading or writing beyond it ends the program. Values that no kernel wrote are not numbers.
template <typename T>
class Array {
  public:
    explicit Array(size_t length) : length(length) {
        size_t page = sysconf(_SC_PAGESIZE);
        size_t bytes = (length * sizeof(T) + 15) / 16 * 16;
        size_t pages = (bytes + page - 1) / page * page;
        mapped = pages + page;
        base = static_cast<char*>(mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        mprotect(base + pages, page, PROT_NONE);
        values = reinterpret_cast<T*>(base + pages - bytes);
        memset(values, 0xff, bytes);
        slack = bytes - length * sizeof(T);
    }

    Array(size_t length, double from, double to) : Array(length) {
        for (size_t i = 0; i < length; i++) {
            values[i] = narrow<T>(uniform(from, to));
        }
    }

    ~Array() {
        const unsigned char* end = reinterpret_cast<unsigned char*>(values + length);
        for (size_t i = 0; i < slack; i++) {
            if (end[i] != 0xff) {
                printf("FAILED %s: it wrote beyond the end of an array\n", shim::machine.kernel);
                exit(1);
            }
        }
        munmap(base, mapped);
    }

    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;

    T* data() { return values; }
    size_t size() const { return length; }
    T& operator[](size_t i) { return values[i]; }
    double at(size_t i) const { return wide(values[i]); }

    void copy(const Array& other) { memcpy(values, other.values, length * sizeof(T)); }
    bool equals(const Array& other) const { return memcmp(values, other.values, length * sizeof(T)) == 0; }

  private:
    size_t length, mapped, slack;
    char* base;
    T* values;
};

// ---- results

struct Record {
    unsigned shapes = 0;
    // Largest error as a share of what is allowed.
    double worst = 0.0;
    std::string failure;
};

struct Report {
    std::vector<std::string> order;
    std::map<std::string, Record> records;

    Record& of(const std::string& kernel) {
        if (!records.count(kernel)) {
            order.push_back(kernel);
        }
        return records[kernel];
    }

    // One line a kernel; the program's exit status.
    int print() {
        int failed = 0;
        for (const std::string& kernel : order) {
            const Record& r = records[kernel];
            bool good = r.failure.empty();
            failed += !good;
            printf("%-6s %-34s %3u comparisons, largest error %5.1f %% of the tolerance%s%s\n", good ? "ok" : "FAILED",
                   kernel.c_str(), r.shapes, 100.0 * r.worst, good ? "" : ": ", r.failure.c_str());
        }
        printf("%d of %zu kernels failed\n", failed, order.size());
        return failed > 0;
    }
};

inline Report report;

template <typename T>
std::string named(const char* kernel) {
    return std::string(kernel) + (std::is_same_v<T, float> ? "_f32" : "_bf16");
}

inline void expect(const std::string& kernel, bool good, const std::string& otherwise) {
    Record& record = report.of(kernel);
    record.shapes++;
    if (!good && record.failure.empty()) {
        record.failure = otherwise;
    }
}

// Float arithmetic on sums of up to thousands of values, against double: some tens of rounding errors of
// 2^-24, relative to the largest value expected (at least 1).
constexpr double SINGLE = 2e-6;
// Storing as bfloat16, with its 8 digits, rounds by half a unit of the last: at most 2^-8 of the value.
constexpr double HALF = 1.0 / 256.0;

// Compares value by value with what the plain loop in double expects.
template <typename T>
void near(const std::string& kernel, const Array<T>& got, const std::vector<double>& want, double tolerance = SINGLE) {
    Record& record = report.of(kernel);
    record.shapes++;
    double scale = 1.0;
    for (double w : want) {
        if (std::isfinite(w)) {
            scale = std::max(scale, std::abs(w));
        }
    }
    double rounding = std::is_same_v<T, bf16> ? HALF : 0.0;
    for (size_t i = 0; i < want.size(); i++) {
        double g = got.at(i), w = want[i];
        bool same = g == w || (std::isnan(g) && std::isnan(w));
        double share = same ? 0.0 : std::abs(g - w) / (tolerance * scale + rounding * std::abs(w));
        if (!(share <= 1.0) && record.failure.empty()) {
            char text[160];
            snprintf(text, sizeof text, "value %zu of %zu is %.9g instead of %.9g", i, want.size(), g, w);
            record.failure = text;
        }
        record.worst = share > record.worst ? share : record.worst;
    }
    if (got.size() != want.size() && record.failure.empty()) {
        record.failure = "lengths differ";
    }
}

// ---- launches

inline dim3 any_grid() { return dim3(whole(1, 5)); }

// `name<<<grid, block>>>(arguments...)` for activations of type T.
#define LAUNCH(T, name, grid, block, ...)                                                        \
    do {                                                                                         \
        if constexpr (std::is_same_v<T, float>) {                                                \
            shim::launch(#name "_f32", grid, block, for_f32::name##_f32, __VA_ARGS__);           \
        } else {                                                                                 \
            shim::launch(#name "_bf16", grid, block, for_bf16::name##_bf16, __VA_ARGS__);        \
        }                                                                                        \
    } while (0)

// The same for kernels that know only one type.
#define LAUNCH_ONE(name, grid, block, ...) shim::launch(#name, grid, block, name, __VA_ARGS__)

// How the column sums of [rows, channels] are shared out: the rule of the kernels' README.
struct Columns {
    unsigned tiles, parts, rows_per_part;

    Columns(unsigned rows, unsigned channels) {
        unsigned packs = channels % WIDTH == 0 ? channels / WIDTH : channels;
        unsigned across = 1;
        while (across < packs && across < 32) {
            across *= 2;
        }
        tiles = (packs + across - 1) / across;
        unsigned lines = THREADS / across;
        constexpr unsigned BLOCKS = 1024;
        rows_per_part = std::max(4 * lines, (rows * tiles + BLOCKS - 1) / BLOCKS);
        parts = (rows + rows_per_part - 1) / rows_per_part;
    }

    dim3 grid() const { return dim3(tiles, parts); }
};

inline dim3 totals_grid(unsigned columns) { return dim3((columns + 31) / 32); }

// `float` and `bf16`.
#define FOR_BOTH(test)  \
    do {                \
        test<float>();  \
        test<bf16>();   \
    } while (0)

// Rows and channels: one of everything, odd ones, fewer and more than a block, packs and no packs.
inline std::vector<std::pair<unsigned, unsigned>> matrices() {
    std::vector<std::pair<unsigned, unsigned>> shapes = {{1, 1}, {2, 3}, {3, 4}, {33, 5}, {700, 64}, {1500, 17}, {61, 260}, {40, 1000}};
    for (int i = 0; i < 4; i++) {
        shapes.push_back({whole(1, 400), whole(1, 150)});
    }
    return shapes;
}
