#!/usr/bin/env bash
# All that a new GPU has to answer, in one call of under ten minutes: are the results right, and how fast are
# they beside PyTorch's?
#
#     scripts/gpu-check.sh [BINARY]        (target/release/hyperscope, made by scripts/build-cuda.sh)
#
# HYPERSCOPE_GPU names the device (cuda:0). PyTorch is used if python3 has it; without it only our own figures
# are taken. Every part has a time limit of its own and runs whatever became of those before it; the exit
# status is 1 if a check failed. With OUT set, all that is printed is also kept there.
set -uo pipefail
cd "$(dirname "$0")/.."
binary=${1:-target/release/hyperscope}
device=${HYPERSCOPE_GPU:-cuda:0}
[ -n "${OUT:-}" ] && exec > >(tee "$OUT/gpu-check.txt") 2>&1
failed=0

part() { # SECONDS TITLE COMMAND...
    local limit=$1 title=$2
    shift 2
    echo "== $title"
    if ! timeout "$limit" "$@"; then
        echo "-- FAILED: $title"
        failed=1
    fi
}

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || true
part 60 "every op, f32" "$binary" --device "$device" check ops
part 60 "every op, bf16" "$binary" --device "$device" --dtype bf16 check ops
part 90 "networks against PyTorch in float64" "$binary" --device "$device" check exec tests/fixtures/exec/reference.json
part 60 "the same in bf16" "$binary" --device "$device" --dtype bf16 check exec tests/fixtures/exec/reference.json
part 60 "optimiser steps against PyTorch in float64" "$binary" --device "$device" check train tests/fixtures/train/reference.json
# The fixtures come with the weights of two small GHNs; cases of others are missing, which is no failure here.
without_missing='/^missing/ { next } { print } /^[1-9][0-9]* passed, 0 failed/ { good = 1 } END { exit !good }'
part 60 "predicted parameters against the reference and the CPU" \
    bash -c '"$1" --device "$2" check ghn tests/fixtures/ghn | awk "$3"' - "$binary" "$device" "$without_missing"
for asked in "resnet50 ghn2_imagenet" "resnet50 ghn3tm8" "resnet50 ghn3lm8" "convnext_base ghn3lm8"; do
    read -r network ghn <<<"$asked"
    for on in cpu "$device"; do
        part 60 "prediction of $network by $ghn on $on" "$binary" --device "$on" bench predict "$network" --ghn "$ghn" --steps 5
    done
done
part 200 "speed" python3 benches/against_torch_gpu.py --binary "$binary" --device "$device"
exit $failed
