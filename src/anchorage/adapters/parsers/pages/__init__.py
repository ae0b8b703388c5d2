"""What is laid out in pages: PDF, and pictures of text.

`pdf` and `image` have a `parse`, which `kinds` calls by name. They make paragraphs of bare lines by `paragraphs`, mend Arabic by
`arabic`, and recognise the text of scanned pages by `scans` and `ocr`.
"""
