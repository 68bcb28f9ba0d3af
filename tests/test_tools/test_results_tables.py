# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The tables of figures in the documentation and the JSON files that they are written from."""
import json
import re
from pathlib import Path

import pytest
from tool import Tool

REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / 'docs' / 'results'
NAMES = sorted(path.stem for path in RESULTS.glob('*.json'))
RUN = {'commands', 'commit', 'recorded_in', 'machine', 'seeds', 'features', 'note'}
TABLE = dict(
    title='Two', sentence='Both.', row_title='', page='experiments',
    columns=[dict(key='x', title='X', digits=2), dict(key='y', title='Y', digits=0)],
    rows=[dict(name='a', run='r', values=dict(x=[.5, .25], y=1234)),
          dict(name='b', run='s', values=dict(x=dict(mean=[.1, .2], std=[0., .05]))),
          dict(name='c', source='elsewhere', values=dict(y='many'))],
    runs=dict(
        r=dict(commands=['python a.py'], commit='abc1234', recorded_in=None, machine='one core',
               seeds=[0], features='digit labels', note=None),
        s=dict(commands=None, commit=None, recorded_in='def5678', machine=None, seeds=[0, 1],
               features=None, note='a note')))


@pytest.fixture(scope='module')
def script():
    return Tool('analysis/results_tables.py')


@pytest.fixture(scope='module')
def tool(script):
    return script.module


def load(name):
    return json.loads((RESULTS / f'{name}.json').read_text())


def test_the_pages_have_the_figures_of_the_json_files(tool):
    for path, text in tool.pages(REPOSITORY).items():
        assert (REPOSITORY / path).read_text() == text, (
            f'{path} is out of date: run "python tools/analysis/results_tables.py"')


def test_every_table_is_on_the_page_that_it_names():
    text = (REPOSITORY / 'docs' / 'experiments.md').read_text()
    on_page = re.findall(r'<!-- table (\w+)', text)
    assert sorted(on_page) == [name for name in NAMES if load(name)['page'] == 'experiments']


@pytest.mark.parametrize('name', NAMES)
def test_a_table_says_where_its_figures_come_from(name):
    table = load(name)
    keys = [column['key'] for column in table['columns']]
    assert len(set(keys)) == len(keys)
    for row in table['rows']:
        assert set(row['values']) <= set(keys), row['name']
        assert ('run' in row) != ('source' in row), row['name']
    assert {row['run'] for row in table['rows'] if 'run' in row} == set(table['runs'])
    for run in table['runs'].values():
        assert set(run) == RUN  # null is what was not recorded; nothing is left out
        for commit in filter(None, (run['commit'], run['recorded_in'])):
            assert re.fullmatch('[0-9a-f]{7,40}', commit)
    assert table['page'] in ('results', 'experiments')
    if table['page'] == 'results':
        assert table['sentence'].count('. ') == 0 and table['sentence'].endswith('.')


@pytest.mark.parametrize('name', NAMES)
def test_what_was_trained_with_labels_says_so_beside_the_figures(name):
    """In the one sentence of the results page; in the words above the table on the other."""
    table = load(name)
    if not any('labels' in (run['features'] or '') for run in table['runs'].values()):
        return
    if table['page'] == 'results':
        assert 'digit labels' in table['sentence']
        return
    before = (REPOSITORY / 'docs' / 'experiments.md').read_text().split(f'<!-- table {name} ')[0]
    assert 'labels' in ' '.join(before.rstrip().split('\n\n')[-1].split()), name


def test_cells(tool):
    assert tool.markdown_table(TABLE) == (
        '| | X | Y |\n| --- | --- | --- |\n| a | 0.50 / 0.25 | 1,234 |\n'
        '| b | 0.10 ± 0.00 / 0.20 ± 0.05 | |\n| c | | many |\n')


def test_some_rows_and_columns(tool):
    text = 'x\n<!-- table two | columns: y | rows: r -->\nold\n<!-- end of table -->\nz\n'
    assert tool.with_tables(text, dict(two=TABLE)) == (
        'x\n<!-- table two | columns: y | rows: r -->\n\n| | Y |\n| --- | --- |\n| a | 1,234 |\n\n'
        '<!-- end of table -->\nz\n')


def test_how_it_was_made(tool):
    assert tool.how(TABLE) == (
        '<details markdown="1"><summary>Commands, machines, seeds</summary>\n\n'
        '**a**: one core; seed 0; perceptual features trained with digit labels; commit '
        '`abc1234`.\n\n```bash\npython a.py\n```\n\n'
        '**b**: machine not recorded; seeds 0, 1; features not recorded; commit not recorded '
        '(figures written down in `def5678`); commands not recorded; a note.\n\n'
        '**c**: elsewhere.\n\n</details>\n')


@pytest.mark.parametrize('block, message', [
    ('<!-- table three -->', 'docs/results/three.json does not exist'),
    ('<!-- table two | columns: z -->', r"no columns or runs \['z'\]"),
    ('<!-- table two | rows: q -->', r"no columns or runs \['q'\]"),
])
def test_names_that_do_not_exist(tool, block, message):
    with pytest.raises(SystemExit, match=message):
        tool.with_tables(f'{block}\n<!-- end of table -->', dict(two=TABLE))


def test_check_names_the_pages_that_are_out_of_date(script, tool, tmp_path, monkeypatch, capsys):
    (tmp_path / 'docs' / 'results').mkdir(parents=True)
    (tmp_path / 'configs' / 'egscit').mkdir(parents=True)
    (tmp_path / 'docs' / 'results' / 'two.json').write_text(
        json.dumps({**TABLE, 'page': 'results', 'order': 1}))
    for page in ('README.md', 'configs/egscit/README.md'):
        (tmp_path / page).write_text('no tables\n')
    (tmp_path / 'docs' / 'other.md').write_text('<!-- table two -->\n<!-- end of table -->\n')
    monkeypatch.setattr(tool, 'REPOSITORY', tmp_path)
    with pytest.raises(SystemExit, match='docs/results.md, docs/other.md'):
        script('--check')
    assert not (tmp_path / 'docs' / 'results.md').exists()
    script()
    assert capsys.readouterr().out == 'docs/results.md written\ndocs/other.md written\n'
    assert '## Two\n\nBoth.\n' in (tmp_path / 'docs' / 'results.md').read_text()
    script('--check')
