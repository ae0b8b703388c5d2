"""Whether everybody can use a page, as axe sees it."""

from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"


def violations(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe finds, by all its rules or by these. It runs in the page's debugger, where the page's policy does not stop it."""
    page.evaluate(AXE.read_text("utf-8") + "\n;undefined")
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{item['id']}: {node['html'][:200]} {node['failureSummary']}"
        for item in found["violations"]
        for node in item["nodes"]
    ]
