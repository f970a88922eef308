"""Write the cases of the report's slice viewer at full resolution, one page per case."""

from pathlib import Path

from ctseg.evaluation.summary import read_tables
from ctseg.inference.model_card import read_card_file
from ctseg.report.full_viewer import write_full_viewer
from ctseg.report.pictures import case_volumes, viewed
from ctseg.report.report_files import without_refused
from job import job

with job(snakemake) as log:
    source, params = without_refused(dict(snakemake.input.items()), snakemake.params.settings)
    cases = read_tables([source.cases]) if source.get("cases") else None
    card, read = read_card_file(source.card), case_volumes(source, params)
    Path(snakemake.output.viewer).mkdir(parents=True, exist_ok=True)  # also if every case was refused
    for case in viewed(cases, params):
        page = write_full_viewer(snakemake.output.viewer, case, *read(case), card.labels, card.preparation.window_hu)
        log.info("wrote %s", page.name)
