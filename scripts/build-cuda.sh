#!/usr/bin/env bash
# Builds target/release/hyperscope with GPU kernels in it. Nothing of NVIDIA's is linked: the program starts
# and computes on the CPU where there is no driver.
#
#     scripts/build-cuda.sh [FOLDER OF THE CUDA COMPILER]
#
# Without a folder: nvcc from HYPERSCOPE_NVCC or CUDA_HOME, else one that scripts/cuda-toolkit.sh makes.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then
    export CUDA_HOME=$1
elif [ -z "${HYPERSCOPE_NVCC:-}" ] && [ ! -x "${CUDA_HOME:-}/bin/nvcc" ]; then
    export CUDA_HOME=$PWD/target/cuda-toolkit
    scripts/cuda-toolkit.sh "$CUDA_HOME"
fi
cargo build --locked --release --features cuda,cudnn
echo "target/release/hyperscope: $(stat -c %s target/release/hyperscope) bytes"
