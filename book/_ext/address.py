"""A Sphinx extension: the page for addresses that lead nowhere, and what needs to know where the book is published.

They are said in one place of `_config.yml`: `html_baseurl` is the address of the pages, without which there are no
canonical links, no sitemap and no preview; `source_address` that of the source, without which nothing can be launched.
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
    if config.source_address:
        config.html_theme_options |= {
            "repository_url": config.source_address,
            "repository_branch": "main",
            "launch_buttons": {"notebook_interface": "jupyterlab", "binderhub_url": "https://mybinder.org"},
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
    app.add_config_value("source_address", "", "html")
    needed = ["notfound.extension", *(["sphinx_sitemap", "sphinxext.opengraph"] if app.config.html_baseurl else [])]
    for name in needed:
        app.setup_extension(name)
    app.connect("config-inited", fill_in, priority=100)
    app.connect("html-page-context", without_thebe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
