#!/usr/bin/env bash
# Makes FOLDER a CUDA compiler from Python packages: no GPU, no driver and no root needed, 270 MB, seconds.
#
#     scripts/cuda-toolkit.sh FOLDER
#
# The version is that of the oldest driver that shall run the program: drivers take no code of a later one.
set -euo pipefail
[ $# = 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
command -v python3 >/dev/null || { echo "python3 is missing, and with it pip" >&2; exit 1; }
mkdir -p "$1"
cd "$1"
if [ -x bin/nvcc ]; then
    echo "there is a compiler in $1 already"
    exit
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m pip download -q --no-deps --only-binary=:all: -d "$scratch/wheels" \
    nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 \
    nvidia-cuda-cccl==13.0.85 nvidia-cuda-runtime==13.0.96
for wheel in "$scratch"/wheels/*.whl; do
    python3 -m zipfile -e "$wheel" "$scratch/files"
done
cp -a "$scratch/files/nvidia/cu13/." .
chmod +x bin/* nvvm/bin/*
ln -sfn lib lib64
bin/nvcc --version | tail -2
