# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The page that :mod:`egscit_mm.visualization.comparison_page` fills in, as a Jinja template."""
from .report_template import FOOT, HEAD

TEMPLATE = HEAD + """\
<header>
<h1>{{ title }}</h1>
<p>Exemplar-guided image translation: the content of one picture in the style of another.
<b>A→B</b> takes the content from domain A and the style from an exemplar of domain B;
<b>B→A</b> the other way round.</p>
<p class="soft">{{ note }}</p>
</header>

{% for table in tables %}
<section aria-labelledby="table-{{ loop.index }}">
<h2 id="table-{{ loop.index }}">{{ table.title }}</h2>
<p>{{ table.note }}</p>
<div class="scroll" tabindex="0" role="region" aria-labelledby="table-{{ loop.index }}">
<table class="figures">
<thead>
<tr><td></td>
{% for column in table.columns %}
<th scope="col">{{ column }}</th>
{% endfor %}
</tr>
</thead>
<tbody>
{% for method, cells in table.rows.items() %}
<tr{% if method == ceiling %} class="ours"{% endif %}><th scope="row">{{ method }}</th>
{% for cell in cells %}
<td>{{ cell }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
</section>
{% endfor %}

<section aria-labelledby="samples">
<h2 id="samples">Test images</h2>
<p>Column by column: a method should show the content in the style of the exemplar, as the ground
truth does where there is one.</p>
{% for direction, strips in samples.items() %}
<h3 id="samples-{{ direction }}">{{ direction.replace("2", "→") }}</h3>
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
""" + FOOT
