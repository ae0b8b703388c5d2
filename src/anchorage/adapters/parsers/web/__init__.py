"""HTML and what is made of it: pages of the web, saved ones, and e-books.

Each module's `parse` is called by `kinds`, by name. Other wings call `html.parse_markup` for the HTML that their files hold, as
e-mail and Word documents do.
"""
