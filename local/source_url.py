"""Writes the address of the source code into a template for the AWS Serverless Application Repository.

    SOURCE_URL=https://… python -m local.source_url [TEMPLATE]

`make package BUCKET=name SOURCE_URL=https://…` runs it on `.aws-sam/packaged.yaml`. Without a template it only checks
the address, before anything is compiled.
"""

import os
import re
import sys
from pathlib import Path

from local.templates.resolve import load
from local.templates.yaml_text import yaml_text

SECTION = "AWS::ServerlessRepo::Application"
URL = re.compile(r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?\.[a-z]{2,}(:[0-9]+)?(/[A-Za-z0-9._~%+@/-]*)?", re.IGNORECASE)


def checked(url):
    """The address. Raises ValueError unless it is one of a public repository."""
    if not URL.fullmatch(url):
        raise ValueError(f"SOURCE_URL must be an https address, such as https://example.com/owner/name; it is {url!r}")
    return url


def with_source(template, url):
    """The template with the address in its metadata."""
    metadata = template["Metadata"]
    section = {**metadata[SECTION], "HomePageUrl": checked(url), "SourceCodeUrl": checked(url)}
    return {**template, "Metadata": {**metadata, SECTION: section}}


def main(url, path=None):
    if path is None:
        checked(url)
    else:
        Path(path).write_text(yaml_text(with_source(load(path), url)), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(os.environ.get("SOURCE_URL", ""), *sys.argv[1:])
    except ValueError as error:
        sys.exit(str(error))
