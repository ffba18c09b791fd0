#!/usr/bin/env bash
# Checks vecrank on a machine with an NVIDIA GPU, and writes what it measured: gpu.json, gpu.md and gpu.log in $OUT (default: ./gpu-results).
#
#   scripts/gpu-check.sh LIBRARIES MODELS [--device cpu] [--model NAME] [--addon FILE] [--torch FOLDER] [--quick]
#
# LIBRARIES  ONNX Runtime for GPUs: a folder with libonnxruntime.so.X.Y.Z and its providers, or with `ort-part-*`, the parts (`split -b 40M`) of the
#            wheel of onnxruntime-gpu, of the tarball of vecrank-cuda-linux-x64, or of any tar of the libraries
# MODELS     a folder with a model NAME (default all-MiniLM-L6-v2), or the model itself, or `model-part-*`, the parts of a tar of it; with
#            onnx/model_fp16.onnx as benches/low-bits/make.py makes it, else fp16 is left out
# --addon    vecrank.linux-x64-gnu.node, where it does not lie in the repository's root
# --torch    the same model with model.safetensors, for sentence-transformers; else what MODELS/to_safetensors.py can make
# --device cpu rehearses all of it without a GPU; no figure of that counts
# --quick    fewer texts and rounds
# --help     prints this
#
# Needs no network. Node is in PATH or named by NODE, Python by PYTHON (default python3); NVIDIA's libraries are those of that Python's nvidia-*
# wheels where it has them, else the system's. No step stops the others; the exit status is 1 where one of them does not hold.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
node=${NODE:-node} python=${PYTHON:-python3} out=${OUT:-gpu-results}
device=cuda name=all-MiniLM-L6-v2 torch='' addon='' quick=()

fail() {
  printf 'gpu-check: %s\n' "$*" >&2
  exit 2
}

# The top of this script.
usage() {
  sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit 0
}

for word in "$@"; do
  [ "$word" != --help ] || usage
done
[ $# -ge 2 ] || fail 'give the folder of the libraries and that of the models; --help has the rest'
libraries=$1 models=$2
shift 2
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=(--quick) ;;
    --device | --model | --addon | --torch)
      [ $# -ge 2 ] || fail "$1 needs a value"
      case $1 in --device) device=$2 ;; --model) name=$2 ;; --addon) addon=$2 ;; --torch) torch=$2 ;; esac
      shift
      ;;
    *) fail "there is no option $1" ;;
  esac
  shift
done
[ "$device" = cuda ] || [ "$device" = cpu ] || fail "--device is cuda or cpu, not $device"
if [ "$device" = cuda ] && ! nvidia-smi -L >/dev/null 2>&1; then
  fail 'there is no GPU of NVIDIA here: nvidia-smi -L lists none. --device cpu rehearses the check without one'
fi
[ -d "$libraries" ] || fail "$libraries is no folder"
[ -d "$models" ] || fail "$models is no folder"
# The steps run in the repository's root.
libraries=$(cd "$libraries" && pwd) models=$(cd "$models" && pwd)
[ -z "$torch" ] || torch=$(cd "$torch" && pwd) || fail "there is no folder for --torch"
mkdir -p "$out" || fail "cannot write to $out"
out=$(cd "$out" && pwd)
work=$(mktemp -d) || fail 'there is no room for a temporary folder'
trap 'rm -rf "$work"' EXIT

# What was split for its way here, whole again and unpacked: tar knows how it was packed, a wheel is a ZIP.
joined() {
  local from=$1 prefix=$2 to=$3
  local parts=("$from/$prefix"-part-*)
  [ -e "${parts[0]}" ] || return 1
  mkdir -p "$to"
  cat "${parts[@]}" >"$to.packed"
  if [ "$(head -c 2 "$to.packed")" = PK ]; then
    "$python" -m zipfile -e "$to.packed" "$to"
  else
    tar -xf "$to.packed" -C "$to"
  fi || fail "the parts $from/$prefix-part-* do not make an archive"
  rm -f "$to.packed"
}

if joined "$libraries" ort "$work/ort"; then libraries=$work/ort; fi
library=$(find "$libraries" -name 'libonnxruntime.so.*.*.*' -print -quit)
[ -n "$library" ] || fail "no libonnxruntime.so.X.Y.Z is in $libraries"
libraries=$(dirname "$library")
if joined "$models" model "$work/models"; then models=$work/models; fi
model=$models
[ -f "$model/config.json" ] || model=$models/$name
[ -f "$model/config.json" ] || fail "neither $models nor $models/$name is a model"

if [ -n "$addon" ]; then
  cp "$addon" "$root/vecrank.linux-x64-gnu.node" || fail "cannot put $addon in place"
fi
[ -f "$root/vecrank.linux-x64-gnu.node" ] || fail 'there is no vecrank.linux-x64-gnu.node in the repository: build it, or name it with --addon'

# NVIDIA's wheels put their libraries where no loader looks.
has_python=()
if command -v "$python" >/dev/null; then
  has_python=(--python "$python")
  wheels=$("$python" -c 'import pathlib, nvidia; print(*(lib for folder in nvidia.__path__ for lib in sorted(pathlib.Path(folder).glob("*/lib"))), sep=":")' 2>/dev/null)
  [ -z "$wheels" ] || export LD_LIBRARY_PATH="$wheels${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  if [ -z "$torch" ] && [ -f "$model/model.safetensors" ]; then torch=$model; fi
  if [ -z "$torch" ] && [ -f "$models/to_safetensors.py" ] && "$python" "$models/to_safetensors.py" "$name" "$work/torch" >/dev/null 2>&1; then torch=$work/torch; fi
fi
export VECRANK_ORT_DIR=$libraries

run() {
  local step=$1 limit=$2 start=$SECONDS
  timeout "$limit" "$node" benches/gpu.mjs "$step" --device "$device" --model "$model" --work "$work" --libraries "$libraries" --out "$out" \
    ${torch:+--torch "$torch"} "${has_python[@]}" "${quick[@]}" || status=1
  printf '#### %s took %d s\n' "$step" "$((SECONDS - start))"
}

steps() {
  local status=0
  printf 'libraries %s\nmodel %s\nCUDA from %s\n' "$library" "$model" "${wheels:-the system}"
  run describe 60
  # Where it fails, what it says stands in the report.
  timeout 60 "$node" bin/vecrank.js doctor --json >"$work/doctor.json" 2>"$work/doctor.err" || status=1
  [ -s "$work/doctor.json" ] || cp "$work/doctor.err" "$work/doctor.json"
  run parity 120
  run failures 200
  run memory 320
  run throughput 300
  run report 60
  return "$status"
}

cd "$root" || exit 2
steps 2>&1 | tee "$out/gpu.log"
exit "${PIPESTATUS[0]}"
