"""A Sphinx extension: the page for addresses that lead nowhere, and what needs to know where the book is published.

The address is said in one place, `html: baseurl` of `_config.yml`; without it there is no sitemap and no preview.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse


def fill_in(app: Any, config: Any) -> None:
    """Tell the other extensions the address."""
    address = config.html_baseurl
    config.notfound_urls_prefix = urlparse(address).path or "/"
    config.notfound_context = {
        "title": "There is no such page",
        "pagetitle": "There is no such page",  # in print
        "body": '<h1>There is no such page</h1><p>The <a href="index.html">first page</a> leads to all others.</p>',
    }
    if address:
        config.sitemap_url_scheme = "{link}"
        config.ogp_site_url, config.ogp_image = address, "_static/map.png"
        config.ogp_image_alt = "How far two estimates of one variance come apart, over data size and training time."


def without_thebe(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Leave out the scripts that would run cells in the page: no button starts them, and two copies stop each other."""
    context["script_files"] = [script for script in context["script_files"] if "thebe" not in str(vars(script)).lower()]


def setup(app: Any) -> dict[str, bool]:
    """Take what can be done with the address, or without one."""
    needed = ["notfound.extension", *(["sphinx_sitemap", "sphinxext.opengraph"] if app.config.html_baseurl else [])]
    for name in needed:
        app.setup_extension(name)
    app.connect("config-inited", fill_in, priority=100)
    app.connect("html-page-context", without_thebe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
