"""Tabulate the components found in all cases, and the quality flags of each case."""

from ctseg.digits import four_decimals
from ctseg.evaluation.segmentation_tables import segmentation_tables
from ctseg.files import write_text
from ctseg.inference.model_card import read_card_file
from ctseg.jobs.refusals import admitted
from job import job

with job(snakemake) as log:
    source = snakemake.input
    card = read_card_file(source.card)
    kinds = [name for name in ("components", "facts", "lungs_facts", "postprocessed") if source.get(name)]
    usable = set(admitted(source.components, "to segment"))
    files = {
        case: {kind: source[kind][place] for kind in kinds}
        for place, case in enumerate(snakemake.params.settings["cases"])
        if source.components[place] in usable
    }
    scans, components = segmentation_tables(files, card)
    log.info("%d of %d scans with a flag", (scans["flags"] != "").sum(), len(scans))
    write_text(snakemake.output.scans, scans.to_csv(sep="\t", index=False, float_format=four_decimals))
    write_text(snakemake.output.components, components.to_csv(sep="\t", index=False))
