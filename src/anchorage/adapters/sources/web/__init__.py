"""Web pages as a source: one page, a sitemap, a crawl, or a browser's bookmarks.

`source` implements the `Source` port and is opened by wiring, with a `client` that keeps to robots.txt (`robots`), pauses and the
guard against private addresses (`guard`). `page` downloads one page, `markup` reads links and sitemaps, `urls` gives each address
one spelling, and `memory` is what all sources of a process share.
"""
