# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Reads the HTML pages of the package."""
import base64
from html.parser import HTMLParser

VOID = {'meta', 'img', 'source'}


class Page(HTMLParser):
    """Checks that every element is closed in order, and collects elements and text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.elements, self.text = [], [], ''
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def decoded(uri):
    kind, content = uri.split(';base64,')
    assert kind.startswith('data:image/')
    return base64.b64decode(content, validate=True)
