# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Doing jobs: what is left to do, progress, and the report at the end."""
import json
import sys
import unicodedata
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Optional

from tqdm import tqdm

from ...utils.errors import BadInputError
from ...utils.files import check_folder
from ...utils.listing import IMAGE_SUFFIXES, walk_files, why_unusable
from .errors import ConversionError, LeftOutError
from .plans import Job, Task
from .sources import Files
from .workers import outcomes_of
from .writing import MANIFEST, read_manifest, write_section

NUM_NAMES_PRINTED = 50  # the manifest has them all
NUM_TRIED = 20  # if none of so many images can be used, the sources are not the right ones


def convert(jobs: list[Job], out: Path, workers: int) -> int:
    """Do the jobs of one output folder, showing progress and what is left to do.

    All jobs are checked against the folder before the first one starts.

    Args:
        jobs (list[Job]): One per domain.
        out (Path): The folder; other domains that it holds stay as they are.
        workers (int): Worker processes, 0 for none.

    Returns:
        int: Exit code: 0, or 1 if some inputs could not be used or nothing was made.

    Raises:
        ConversionError: If ``out`` holds something else for these domains, lies among the sources
            or cannot be written, or if none of the first images tried can be used.
    """
    check_folder(out, f'--out {out}')
    for job in jobs:
        _refuse_source(job, out)
        _refuse_duplicates(job)
    pending = [_pending(job, out) for job in jobs]
    # A list: every job is done, whatever the exit codes of those before it.
    return max([_do(job, tasks, out, workers) for job, tasks in zip(jobs, pending)])


def _refuse_source(job: Job, out: Path) -> None:
    for files in job.sources.values():
        for path in files.paths:
            if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
                raise ConversionError(
                    f'--out {out} lies in {path}, where the images come from, so that the next run '
                    'would convert its own results: choose a folder elsewhere')
            for folder in sorted({name.split('/')[0] for task in job.tasks
                                  for name in task.outputs.values()}):
                if path.resolve().is_relative_to((out / folder).resolve()):
                    raise ConversionError(
                        f'{path}, where the images come from, lies in {out / folder}, which this '
                        'command writes: choose another --out')


def _refuse_duplicates(job: Job) -> None:
    """Move tasks that would write the same file as another one to the failed inputs.

    Names that differ only in their letters' case count as one, as on many file systems.
    """
    owner, tasks = {}, []
    for task in job.tasks:
        paths = {key: unicodedata.normalize('NFC', path).casefold()
                 for key, path in task.outputs.items()}
        taken = [key for key in ('image', *paths) if paths[key] in owner]
        if taken:
            job.failed[task.name] = (f'would become {task.outputs[taken[0]]}, as '
                                     f'{owner[paths[taken[0]]]} does: rename one')
        else:
            owner.update(dict.fromkeys(paths.values(), task.name))
            tasks.append(task)
    job.tasks = tasks


def _pending(job: Job, out: Path) -> list[Task]:
    """Tasks not done yet; refuses a folder that holds other images for the domain."""
    if not job.tasks:
        raise ConversionError(f'no images for domain {job.domain}'
                              + ''.join(f'; {name} {why}' for name, why in
                                        list(job.failed.items())[:3])
                              + ''.join(f'; {count} excluded: {why}'
                                        for why, count in job.excluded.items()))
    previous = read_manifest(out)['domains'].get(job.domain)
    settings = json.loads(json.dumps(job.settings))
    if previous is not None and previous['settings'] != settings:
        old = previous['settings']
        differing = ', '.join(f'{key} was {old.get(key)!r}, now {settings.get(key)!r}'
                              for key in sorted({*old, *settings})
                              if old.get(key) != settings.get(key))
        raise ConversionError(f'{out} holds domain {job.domain} with other settings ({differing}): '
                              'choose another --out, or delete its folders and its manifest')
    planned = {path for task in job.tasks for path in task.outputs.values()}
    present, leftovers = set(), []
    for folder in {path.split('/')[0] for path in planned} | {
            split + job.domain for split in ('train', 'test')}:
        if not (out / folder).is_dir():
            continue
        for name in walk_files(out / folder):
            path = out / folder / name
            if path.suffix == '.tmp' and path.stem.isdigit():  # of a run that was killed
                leftovers.append(path)
            elif path.suffix.lower() in IMAGE_SUFFIXES and not why_unusable(path):
                # Empty files are what a crash of the machine may leave.
                present.add(path.relative_to(out).as_posix())
    unknown = sorted(present if previous is None else present - planned)
    if unknown:
        raise ConversionError(
            f'{out} holds {len(unknown)} images that this command does not make, such as '
            f'{unknown[0]}: the source or the split has changed, or they are of other origin. '
            'Choose another --out, or delete them')
    for path in leftovers:
        path.unlink()
    done = [task for task in job.tasks if present.issuperset(task.outputs.values())]
    current = {task.name for task in done} - _outdated(job, done, out, previous)
    return [task for task in job.tasks if task.name not in current]


def _outdated(job: Job, done: list[Task], out: Path, previous: Optional[dict]) -> set[str]:
    """Names of the tasks whose inputs are newer than what was made of them, as make goes by.

    Files that were only copied or got again have a new time; their checksum in the manifest of a
    finished conversion tells that they are the same.
    """
    outdated, previous = set(), previous or {}
    unused = {*previous.get('failed', ()), *previous.get('left_out', ())}
    for source, files in job.sources.items():
        newer = {task.name for task in done for origin, name in task.inputs.values()
                 if origin == source
                 and files.time(name) > (out / task.outputs['image']).stat().st_mtime_ns}
        used = {name for task in job.tasks if task.name not in unused
                for origin, name in task.inputs.values() if origin == source}
        if newer and not _has_checksum(files, used, previous.get('sources', {}).get(source)):
            outdated |= newer
    return outdated


def _has_checksum(files: Files, names: set[str], recorded: Optional[dict]) -> bool:
    try:
        return recorded is not None and files.summary(names) == recorded
    except BadInputError:  # reading it again will say why
        return False


def _remove_outdated(job: Job, pending: list[Task], out: Path) -> None:
    """Removes what is made anew: a label map must never stand beside another image."""
    num_images = 0
    for task in pending:
        for path in task.outputs.values():
            if (out / path).is_file():
                (out / path).unlink()
                num_images += path == task.outputs['image']
    if num_images:
        print(f'{out}: {num_images} images of domain {job.domain} are made anew, as their sources '
              'have changed')


def _do(job: Job, pending: list[Task], out: Path, workers: int) -> int:
    section = read_manifest(out)['domains'].get(job.domain, {})
    if not pending and not job.failed and section.get('complete'):
        print(f'{out}: domain {job.domain} is already complete, nothing to do')
        return 0
    write_section(out, job.domain, dict(complete=False, settings=job.settings))
    _remove_outdated(job, pending, out)
    failed, left_out = dict(job.failed), {}
    checksums = {source: {} for source in job.sources}
    num_done, is_tried = 0, len(pending) == len(job.tasks) > NUM_TRIED
    if is_tried:
        pending = _sample_first(pending)
    # Closed at once on an error, or the workers would go through all their tasks first.
    with closing(outcomes_of(job, pending, out, workers)) as outcomes, \
            tqdm(total=len(pending), desc=f'domain {job.domain}', unit='img') as progress:
        for number, (task, outcome) in enumerate(zip(pending, outcomes), start=1):
            if outcome.error is BadInputError:
                failed[task.name] = outcome.reason
            elif outcome.error is LeftOutError:
                left_out[task.name] = outcome.reason
            else:
                num_done += 1
                for role, (source, name) in task.inputs.items():
                    checksums[source][name] = outcome.checksums[role]
            progress.update()
            if is_tried and number == NUM_TRIED and not num_done:
                raise ConversionError(
                    f'none of the first {number} images tried of domain {job.domain} could be '
                    f'used, such as {task.name}: {outcome.reason}. Are these the right sources?')

    done = [task for task in job.tasks if task.name not in failed and task.name not in left_out]
    names = {source: set() for source in job.sources}
    for task in done:
        for source, name in task.inputs.values():
            names[source].add(name)
    counts = Counter(path.split('/')[0] for task in done for path in task.outputs.values())
    write_section(out, job.domain, dict(
        complete=True,
        settings=job.settings,
        counts=dict(sorted(counts.items())),
        sources={source: files.summary(names[source], checksums[source])
                 for source, files in job.sources.items()},
        excluded=job.excluded,
        left_out=left_out,
        failed=failed))
    _report(job, out, counts, left_out, failed)
    return 1 if failed or not done else 0


def _sample_first(tasks: list[Task]) -> list[Task]:
    # From all over the domain: bad images may lie side by side.
    sample = range(0, len(tasks), len(tasks) // NUM_TRIED)[:NUM_TRIED]
    return [tasks[i] for i in sample] + [task for i, task in enumerate(tasks) if i not in sample]


def _report(job: Job, out: Path, counts: dict, left_out: dict, failed: dict) -> None:
    print(f'{out}: ' + (', '.join(f'{count} in {folder}' for folder, count in
                                  sorted(counts.items())) or 'nothing'))
    for reason, count in job.excluded.items():
        print(f'  not used: {count} ({reason})')
    for title, reasons, stream in (('left out', left_out, sys.stdout),
                                   ('could not be used', failed, sys.stderr)):
        if reasons:
            print(f'{len(reasons)} of domain {job.domain} {title}:', file=stream)
            for name in sorted(reasons)[:NUM_NAMES_PRINTED]:
                print(f'  {name}: {reasons[name]}', file=stream)
            if len(reasons) > NUM_NAMES_PRINTED:
                print(f'  ... and {len(reasons) - NUM_NAMES_PRINTED} more: {out / MANIFEST}',
                      file=stream)
