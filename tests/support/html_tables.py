"""Parser for the tables of an HTML page, to check the numbers of a report."""

from html.parser import HTMLParser


class Cells(HTMLParser):
    """Cells of all table rows of a page (`rows`), and the tables with their rows as dicts by column name (`tables`)."""

    def __init__(self):
        super().__init__()
        self.rows, self.starts, self.inside = [], [], False

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.starts.append(len(self.rows))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data

    @property
    def tables(self):
        found = []
        for start, stop in zip(self.starts, [*self.starts[1:], len(self.rows)], strict=True):
            head = [name.replace(" ", "_") for name in self.rows[start]]
            found.append([dict(zip(head, row, strict=True)) for row in self.rows[start + 1 : stop]])
        return [rows for rows in found if rows]
