# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Writing files, the manifest among them, so that each is there whole or not at all."""
import json
from pathlib import Path

from ...utils.files import write_output
from .errors import ConversionError

MANIFEST = 'manifest.json'


def read_manifest(out: Path) -> dict:
    """The manifest of an output folder; without domains if there is none yet.

    Raises:
        ConversionError: If there is a file of this name that is no manifest.
    """
    path = out / MANIFEST
    if not path.exists():
        return dict(domains={})
    try:
        domains = json.loads(path.read_text())['domains']
        return dict(domains={domain: dict(section, settings=dict(section['settings']))
                             for domain, section in domains.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConversionError(f'{path} was not written by this converter ({error!r}): choose '
                              'another --out') from error


def write_section(out: Path, domain: str, section: dict) -> None:
    """Replace what the manifest of an output folder says about a domain."""
    # Read again: another domain may have been written since.
    manifest = read_manifest(out)
    manifest['domains'][domain] = section
    write_output(out / MANIFEST, (json.dumps(manifest, indent=1) + '\n').encode())
