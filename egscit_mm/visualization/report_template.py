# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The page that :mod:`egscit_mm.visualization.report` fills in, as a Jinja template.

:data:`HEAD` (with the styles) and :data:`FOOT` are those of every page.

Everything is escaped on insertion (autoescape). The page loads nothing, which its content security
policy enforces: pictures are data URIs.
"""

HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
:root {
  --text: #1b1f24; --soft: #57606a; --page: #f6f7f9; --card: #fff; --line: #d8dee4; --mark: #e8f1fd;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e6e9ed; --soft: #9aa4af; --page: #0f1318; --card: #181d24; --line: #303842;
    --mark: #1c2f47;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 {
  font-size: clamp(1.4rem, 5vw, 2rem); line-height: 1.2; margin: .5rem 0; overflow-wrap: anywhere;
}
h2 { font-size: 1.25rem; margin: 0 0 .5rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p { max-width: 70ch; margin: .5rem 0; }
.soft { color: var(--soft); font-size: .9rem; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: 1rem; margin-top: 1rem;
}
dl {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .75rem;
  margin: 0;
}
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
table { border-collapse: collapse; }
caption { text-align: left; color: var(--soft); font-size: .9rem; padding-bottom: .5rem; }
.figures th, .figures td { padding: .35rem .75rem; border-bottom: 1px solid var(--line); }
.figures td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.figures th { text-align: left; font-weight: 500; }
.figures tbody th { position: sticky; left: 0; background: var(--card); }
.figures .ours th { background: var(--mark); }
.figures thead th { font-weight: 600; }
.figures thead th + th { text-align: right; }
.figures .group th { font-weight: 600; padding-top: 1rem; }
.figures .ours { background: var(--mark); }
@media (max-width: 40rem) {
  .figures { font-size: .85rem; }
  .figures th, .figures td { padding: .3rem .5rem; }
}
.strips th, .strips td { padding: 0; }
.strips th {
  position: sticky; left: 0; background: var(--card); text-align: left; font-weight: 500;
  font-size: .85rem; padding-right: .75rem; min-width: 6.5rem;
}
img { display: block; }
.pixels { image-rendering: pixelated; }
figure { margin: 0; min-width: 0; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: .5rem; }
.pair {
  display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
}
.pair img { max-width: 100%; height: auto; }
</style>
</head>
<body>
<main>
"""

FOOT = """\
</main>
</body>
</html>
"""

TEMPLATE = HEAD + """\
<header>
<h1>{{ title }}</h1>
<p>Exemplar-guided image translation: the content of one picture in the style of another.
A direction such as <b>{{ samples|first }}</b> takes the content from the first of its domains and
the style from an exemplar of the second.</p>
</header>

<section aria-labelledby="run">
<h2 id="run">What was run</h2>
<dl>
{% for name, value in facts.items() %}
<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>
{% endfor %}
</dl>
</section>

<section aria-labelledby="figures">
<h2 id="figures">Structural similarity (SSIM)</h2>
{% if not measured %}
<p>This run was not measured: no figures were given to the report.</p>
{% endif %}
<div class="scroll" tabindex="0" role="region" aria-labelledby="figures">
<table class="figures">
<caption>Mean ± standard deviation</caption>
<thead>
<tr><td></td>
{% for column in columns %}
<th scope="col">{{ column }}</th>
{% endfor %}
</tr>
</thead>
{% for group, rows in groups.items() %}
<tbody>
<tr class="group"><th colspan="{{ columns|length + 1 }}" scope="rowgroup">{{ group }}</th></tr>
{% for name, cells in rows.items() %}
<tr{% if loop.first and group == ours %} class="ours"{% endif %}><th scope="row">{{ name }}</th>
{% for cell in cells %}
<td>{{ cell }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
{% endfor %}
</table>
</div>
<p>Means over the test images; a dash stands for a figure that is not known. SSIM to the ground
truth compares each translation with the perfect one, so 1 is the best
possible; SSIM to the exemplar, which the paper reports, compares it with the picture that gave the
style and shows other content, so even a perfect translation reaches only the figure in its row. A
short or reduced training, on other test images than the paper's, cannot be compared with the
paper's figures one to one.</p>
<ul class="soft">
{% for source in sources %}
<li>{{ source }}</li>
{% endfor %}
</ul>
</section>

<section aria-labelledby="samples">
<h2 id="samples">Test images</h2>
<p>Column by column: <i>translation</i> should show the shape of <i>content</i> in the colours of
<i>exemplar</i>. <i>Reconstruction</i> and <i>cycle</i> (translated there and back) should equal
<i>content</i>.</p>
{% for direction, strips in samples.items() %}
<h3 id="samples-{{ direction }}">{{ direction }}</h3>
<div class="scroll" tabindex="0" role="region" aria-labelledby="samples-{{ direction }}">
<table class="strips">
{% for name, image in strips.items() %}
<tr><th scope="row">{{ name }}</th>
<td><img class="pixels" src="{{ image.uri }}" width="{{ image.width }}" height="{{ image.height }}"
alt="{{ direction }}, {{ name }}: {{ image.number }} images"></td></tr>
{% endfor %}
</table>
</div>
{% endfor %}
</section>

<section aria-labelledby="exemplars">
<h2 id="exemplars">One content, many exemplars</h2>
<p>The first row holds exemplars, the first column contents: each picture inside should have the
shape of its row and the colours of its column.</p>
<div class="pair">
{% for direction, image in exemplar_grids.items() %}
<figure>
<img class="pixels" src="{{ image.uri }}" width="{{ image.width }}" height="{{ image.height }}"
alt="{{ direction }}: every content translated after every exemplar">
<figcaption>{{ direction }}</figcaption>
</figure>
{% endfor %}
</div>
</section>

{% if masks %}
<section aria-labelledby="masks">
<h2 id="masks">Feature masks</h2>
<p>The mask is computed from the content image and says what of it passes on to the translation.
Upper row: content; lower row: its mask, averaged over the channels. On the scale of the masks 0
is the lower bound η and 1 lets everything pass; to make small differences visible, the range that
occurs is stretched from black to white (the row among the test images above is not).</p>
<div class="pair">
{% for direction, mask in masks.items() %}
<figure>
<img class="pixels" src="{{ mask.picture.uri }}" width="{{ mask.picture.width }}"
height="{{ mask.picture.height }}" alt="{{ direction }}: content images above their feature masks">
<figcaption>{{ direction }}: black is {{ mask.black }}, white is {{ mask.white }}</figcaption>
</figure>
{% endfor %}
</div>
</section>
{% endif %}

<section aria-labelledby="training">
<h2 id="training">Training</h2>
<div class="pair">
{% for stage, chart in charts.items() %}
<figure>
<h3>{{ stage }}</h3>
{% if chart.light %}
<picture>
<source media="(prefers-color-scheme: dark)" srcset="{{ chart.dark }}">
<img src="{{ chart.light }}" width="576" height="432" alt="{{ stage }}: {{ chart.text }}">
</picture>
{% endif %}
<figcaption>{{ chart.text }}</figcaption>
</figure>
{% endfor %}
</div>
</section>
""" + FOOT
